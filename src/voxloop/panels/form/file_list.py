"""What lies in a folder that can be opened. Standard library only; opens no volume."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EntryKind = Literal["folder", "volume", "stack", "workspace"]

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".ima", ".dicom")
_STORES = (".zarr", ".n5")
#: files by which a folder is known to be one volume: zarr, N5, neuroglancer, webKnossos
_MARKERS = ("zarr.json", ".zgroup", ".zarray", "attributes.json", "info", "datasource-properties.json")
#: where a file of DICOM without a telling name says that it is one
_MAGIC_AT, _MAGIC = 128, b"DICM"
#: entries of a folder looked at before it is called a folder of pictures, or not
_GLANCE = 64
#: files shown of a folder; more would be no list to choose from
MOST = 500
#: pictures of a folder that are counted; beyond that it says "and more"
MANY = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file browser: a folder to go into, something to open, or a workspace."""

    path: Path
    kind: EntryKind
    size: int | None
    pictures: int = 0
    """Pictures in a folder of them, as far as was counted."""

    @property
    def name(self) -> str:
        return self.path.name


def list_entries(folder: Path, suffixes: tuple[str, ...], words: str = "") -> list[Entry]:
    """Folders first, then files that end in one of ``suffixes``, by name; hidden ones left out.

    ``words`` filters by name. A folder of pictures can be entered and opened; a zarr folder only opened.
    """
    entries = []
    for path in _entries(folder):
        if words.lower() not in path.name.lower():
            continue
        entry = _entry(path, suffixes)
        if entry is not None:
            entries.append(entry)
    entries.sort(key=lambda entry: (entry.kind not in ("folder", "stack", "workspace"), entry.name.lower()))
    return entries[:MOST]


def kind_of(path: Path, suffixes: tuple[str, ...]) -> EntryKind | None:
    """What a path is to the browser; None for what cannot be opened."""
    try:
        if path.is_dir():
            if (path / "workspace.json").is_file():
                return "workspace"
            if path.name.lower().endswith(_STORES) or any((path / name).is_file() for name in _MARKERS):
                return "volume"
            return "stack" if _holds_pictures(path) else "folder"
        return "volume" if path.name.lower().endswith(suffixes) else None
    except OSError:
        return None


def _entry(path: Path, suffixes: tuple[str, ...]) -> Entry | None:
    kind = kind_of(path, suffixes)
    if kind is None:
        return None
    size, pictures = None, 0
    with contextlib.suppress(OSError):
        size = path.stat().st_size if path.is_file() else None
        pictures = picture_count(path) if kind == "stack" else 0
    return Entry(path, kind, size, pictures)


def picture_count(folder: Path) -> int:
    """How many pictures lie in a folder, counted up to :data:`MANY`. Raises OSError."""
    count = 0
    for path in _entries(folder):
        count += path.suffix.lower() in _PICTURES
        if count >= MANY:
            break
    return count


def _entries(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for item in entries:
            if not item.name.startswith("."):
                yield Path(item.path)


def _holds_pictures(folder: Path) -> bool:
    pictures = 0
    nameless: Path | None = None
    for seen, path in enumerate(_entries(folder)):
        pictures += path.suffix.lower() in _PICTURES
        if not path.suffix and nameless is None and path.is_file():
            nameless = path
        if seen > _GLANCE:
            break
    return pictures > 1 or (nameless is not None and _is_slice(nameless))


def _is_slice(path: Path) -> bool:
    """Whether a file is a slice of a scanner's series, which often have no ending."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def size_text(size: float) -> str:
    """``340 B``, ``12.5 MB``, ``1.2 TB``; thousands, as disks count."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")
