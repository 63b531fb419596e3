"""Where the sources of images lie: as they were given, and as seen from the workspace. Opens no volumes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Place = str | list[str]


def place_of(source: Any) -> Place | None:
    """Path or URL of a source, or a list of them; None for arrays."""
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, list | tuple) and source and all(isinstance(one, str | Path) for one in source):
        return [str(one) for one in source]
    return None


def note(place: Place, root: Path) -> tuple[Place, Place]:
    """How a workspace at ``root`` notes a place: relative where it lies inside, else as given; and seen from ``root``.

    Links are left as they are: what they point to may have another name, or none that says what it is.
    """
    if isinstance(place, list):
        pairs = [note(one, root) for one in place]
        return [str(first) for first, _ in pairs], [str(second) for _, second in pairs]
    if is_url(place):
        return place, ""
    path = Path(local(place)).expanduser().absolute()
    for folder in (root.absolute(), root.resolve()):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder)), ""
    return str(path), os.path.relpath(path, root.absolute())


def locate(source: Place, beside: Place, root: Path) -> Place:
    """The place as it was given, if something is there, or if nothing lies beside the workspace in its stead either."""
    if isinstance(source, list):
        others = beside if isinstance(beside, list) and len(beside) == len(source) else [""] * len(source)
        return [str(locate(one, other, root)) for one, other in zip(source, others, strict=True)]
    if is_url(source):
        return source
    given = root.absolute() / source
    if isinstance(beside, str) and beside and not given.exists():
        moved = root.absolute() / beside
        if moved.exists():
            return os.path.normpath(moved)
    return str(given)


def stamp(place: Place) -> str:
    """Size and time of change of files, which tell whether a closer look is needed; empty for folders and URLs."""
    parts = []
    for one in place if isinstance(place, list) else [place]:
        try:
            status = Path(one).stat()
        except (OSError, ValueError):
            return ""
        if is_url(one) or not Path(one).is_file():
            return ""
        parts.append(f"{status.st_size}-{status.st_mtime_ns}")
    return "" if len(parts) > 64 else ",".join(parts)


def candidates(place: Place, folder: Path) -> Iterable[Place]:
    """Where a place may lie in another folder: under the longest tail of its path first, under its name last."""
    if isinstance(place, list):
        base = Path(os.path.commonpath([str(Path(one).parent) for one in place]))
        for moved in candidates(str(base / "x"), folder):
            yield [str(Path(str(moved)).parent / Path(one).relative_to(base)) for one in place]
        yield [str(folder / Path(one).relative_to(base)) for one in place]
        return
    if is_url(place):
        return
    parts = Path(place).parts
    for start in range(1, len(parts)):
        yield str(folder.joinpath(*parts[start:]))
    yield from (str(path) for path in sorted(folder.rglob(Path(place).name)))


def is_url(place: str) -> bool:
    """Whether a place is an address elsewhere."""
    return "://" in place and not place.lower().startswith("file://")


def local(place: str) -> str:
    """The path in a ``file:`` address, or the path that it is."""
    if not place.lower().startswith("file://"):
        return place
    return unquote(urlsplit(place.replace("#", "%23").replace("?", "%3F")).path)
