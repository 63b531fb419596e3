"""What was opened lately, in small files of the user's. Opens no volume."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from voxloop.panels.base.state_folder import replace_file, state_folder

#: sources remembered
LATELY = 12
_DOCUMENT = "workspace.json"


@dataclass(frozen=True, slots=True)
class RecentSource:
    """A path or URL opened before, and when (seconds since 1970; 0 where that was not noted)."""

    text: str
    time: float = 0.0

    @property
    def is_workspace(self) -> bool:
        return "://" not in self.text and (Path(self.text) / _DOCUMENT).is_file()


class Recent:
    """Sources opened lately, newest first, each with a small picture; what cannot be written is forgotten."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or state_folder() / "recent.json"

    def list(self) -> list[RecentSource]:
        """The sources; files that are gone are left out."""
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        sources = [_read(item) for item in stored] if isinstance(stored, list) else []
        return [source for source in sources if source is not None and _is_there(source.text)]

    def workspaces(self) -> Sequence[RecentSource]:
        """The workspaces among them."""
        return [source for source in self.list() if source.is_workspace]

    def add(self, source: str, picture: bytes | None = None) -> None:
        """Remember a path or URL, without what may be secret in it, and a small JPEG of it."""
        clean = without_secrets(source)
        newest = [RecentSource(clean, time.time()), *(known for known in self.list() if known.text != clean)]
        stored = [{"source": known.text, "time": known.time} for known in newest[:LATELY]]
        with contextlib.suppress(OSError):
            replace_file(self._file, json.dumps(stored, indent=1).encode())
            if picture is not None:
                replace_file(self._picture_file(clean), picture)

    def picture(self, source: str) -> bytes | None:
        """The small JPEG of a source; None where there is none."""
        try:
            return self._picture_file(source).read_bytes()
        except OSError:
            return None

    def _picture_file(self, source: str) -> Path:
        name = hashlib.sha256(source.encode(errors="replace")).hexdigest()[:24]
        return self._file.parent / "pictures" / f"{name}.jpg"


def _read(item: Any) -> RecentSource | None:
    if isinstance(item, str):
        return RecentSource(item)
    if isinstance(item, dict) and isinstance(item.get("source"), str):
        noted = item.get("time")
        return RecentSource(item["source"], float(noted) if isinstance(noted, int | float) else 0.0)
    return None


def _is_there(source: str) -> bool:
    try:
        return "://" in source or Path(source).exists()
    except (OSError, ValueError):
        return False


def without_secrets(source: str) -> str:
    """A URL without user, password, query and fragment, where signatures and tokens are."""
    if "://" not in source:
        return source
    kind, _, address = source.partition("://")
    if "://" in address:  # of a store behind an address: precomputed://https://...
        return f"{kind}://{without_secrets(address)}"
    parts = urlsplit(source)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
