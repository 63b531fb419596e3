"""Files behind an address, fetched whole into a cache, since their formats need to be sought in. Knows no format."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from voxloop.errors import VolumeError
from voxloop.volumes.metadata import first_line


def is_remote(text: str) -> bool:
    """Whether a source is an address elsewhere."""
    return "://" in text and not text.lower().startswith("file://")


def file_name(url: str) -> str:
    """The last part of the path in an address, without questions after it."""
    return urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]


def fetch(url: str) -> Path:
    """The file behind an address, in the cache; fetched again where it has changed there. Raises VolumeError."""
    import fsspec
    import pooch

    folder = Path(pooch.os_cache("voxloop")) / "remote" / hashlib.sha256(url.encode()).hexdigest()[:16]
    settings = {"cache_storage": str(folder), "check_files": True, "same_names": True}
    try:
        path = Path(str(fsspec.open_local(f"filecache::{url}", filecache=settings)))
    except ImportError as error:
        raise VolumeError(f"{url} needs another package to be reached: {error}") from error
    except Exception as error:  # every kind of store raises its own
        raise VolumeError(f"{url} cannot be fetched ({first_line(error)}); is the address right?") from error
    wanted = path.with_name(file_name(url))
    if path != wanted and not wanted.exists():
        wanted.symlink_to(path.name)
    return wanted
