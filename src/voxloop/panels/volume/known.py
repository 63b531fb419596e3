"""Which workspace an image is in already. Reads small files only; opens no workspace and no image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from voxloop.panels.form.recent import Recent
from voxloop.panels.form.source_chooser import ChosenSource

_DOCUMENT = "workspace.json"
#: entries of a folder looked at
_MOST = 300


def workspace_with(source: ChosenSource, recent: Recent, folder: Path) -> Path | None:
    """The workspace that holds this image: one opened lately, or one beside the image or in ``folder``; else None.

    A sample is in the workspace that bears its name.
    """
    if source.kind == "sample":
        made = default_folder(source.text, folder)
        return made if _names(made) == [source.text] else None
    if source.kind != "path" or "://" in source.text:
        return None
    image = Path(source.text).expanduser().absolute()
    for workspace in _near(image, recent, folder):
        if any(_same(Path(held), image) for held in _sources(workspace)):
            return workspace
    return None


def default_folder(name: str, folder: Path) -> Path:
    """Where the workspace of an image of this name is made, where nothing else is said."""
    return folder / f"{name.replace(' ', '-')}-voxloop"


def free_folder(name: str, folder: Path) -> Path:
    """As :func:`default_folder`; with a number where there is something of that name."""
    first = default_folder(name, folder)
    path, number = first, 2
    while path.exists():
        path, number = first.with_name(f"{first.name}-{number}"), number + 1
    return path


def _near(image: Path, recent: Recent, folder: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    lately = [Path(source.text) for source in recent.workspaces()]
    for workspace in (*lately, *_workspaces_in(image.parent), *_workspaces_in(folder)):
        if workspace not in seen:
            seen.add(workspace)
            yield workspace


def _workspaces_in(folder: Path) -> list[Path]:
    found = []
    with suppress(OSError):
        for _, path in zip(range(_MOST), folder.iterdir(), strict=False):
            if (path / _DOCUMENT).is_file():
                found.append(path)
    return found


def _images(workspace: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads((workspace / _DOCUMENT).read_text(encoding="utf-8"))
        return [image for image in document["images"] if isinstance(image, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # damaged, or none: whoever opens it is told


def _names(workspace: Path) -> list[str]:
    return [str(image.get("name")) for image in _images(workspace)]


def _sources(workspace: Path) -> Iterator[str]:
    """Absolute paths of all that the images of a workspace are read from."""
    for image in _images(workspace):
        for key in ("source", "beside"):
            named = image.get(key) or []
            for text in [named] if isinstance(named, str) else named:
                if isinstance(text, str) and "://" not in text:
                    yield str(workspace / text)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
