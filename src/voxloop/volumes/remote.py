"""Files behind an address, fetched whole into a cache, since their formats need to be sought in. Knows no format."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from voxloop.errors import VolumeError
from voxloop.volumes.metadata import first_line

#: seconds without a sign of a server after which it is given up: until it answers, and between two pieces
CONNECT_S, READ_S = 20.0, 60.0


def is_remote(text: str) -> bool:
    """Whether a source is an address elsewhere."""
    return "://" in text and not text.lower().startswith("file://")


def file_name(url: str) -> str:
    """The last part of the path in an address, without questions after it."""
    return urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]


def from_file_url(url: str) -> str:
    """The path in a ``file:`` address, in which blanks and letters beyond ASCII are percent signs and numbers."""
    parts = urlsplit(url.replace("#", "%23").replace("?", "%3F"))
    return unquote(parts.path)


def settings_for(url: str) -> dict[str, Any]:
    """What fsspec is told of an address: a server that has stopped answering is given up, a long answer never is."""
    if urlsplit(url).scheme not in ("http", "https"):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S)}}


def fetch(url: str) -> Path:
    """The file behind an address, in the cache; fetched again where it has changed there. Raises VolumeError."""
    import fsspec
    import pooch

    folder = Path(pooch.os_cache("voxloop")) / "remote" / hashlib.sha256(url.encode()).hexdigest()[:16]
    settings = {"cache_storage": str(folder), "check_files": True, "same_names": True}
    try:
        for_server = {urlsplit(url).scheme: server} if (server := settings_for(url)) else {}
        found = fsspec.open_local(f"filecache::{url}", filecache=settings, **for_server)
        path = Path(found if isinstance(found, str) else found[0])  # a question mark makes it look for several
    except ImportError as error:
        raise VolumeError(f"{url} needs another package to be reached: {error}") from error
    except Exception as error:  # every kind of store raises its own
        raise VolumeError(f"{url} cannot be fetched ({first_line(error)}); is the address right?") from error
    wanted = path.with_name(file_name(url))
    if path != wanted and not wanted.exists():
        wanted.symlink_to(path.name)
    return wanted
