"""A field and, below it, why what stands there cannot be taken. The checks know paths and names; no workspace."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Collection
from pathlib import Path

import ipywidgets as w

from voxloop.panels.base.panel import Panel, classed, show, text


class FieldFault:
    """Checks a field whenever it changes, and says below it what is wrong.

    Parameters
    ----------
    panel
        Whose part it is.
    field
        What is typed into.
    check
        Why a value cannot be taken, in words; empty where it can.
    """

    def __init__(self, panel: Panel, field: w.Text, check: Callable[[str], str]) -> None:
        self._field, self._check = field, check
        #: the line to stand below the field
        self.widget = classed(text("", "vx-fault"), "vx-hidden")
        field.observe(panel.handler(self.look), "value")

    @property
    def fault(self) -> str:
        """What is said at the moment."""
        return html.unescape(str(self.widget.value))

    def look(self) -> None:
        """Check anew, since what it is checked against may have changed."""
        words = self._check(str(self._field.value).strip())
        self.widget.value = html.escape(words)
        show(self.widget, bool(words))

    def hush(self) -> None:
        """Say nothing: the field is not to be filled in."""
        show(self.widget, False)


def name_fault(name: str, taken: Collection[str], what: str) -> str:
    """Why a new ``what`` cannot be called so; the next name that is free."""
    if name not in taken:
        return ""
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"The name {name} is taken by another {what}; {name}-{number} is free."


def new_folder_fault(path: str) -> str:
    """Why no workspace can be made in a folder."""
    if not path:
        return "Say in which folder the workspace is made."
    folder = Path(path).expanduser()
    try:
        if folder.is_file():
            return f"{folder.name} is a file; a workspace is a folder."
        if folder.is_dir() and any(folder.iterdir()):
            return f"{folder} is in use; name a folder that is not there yet, or is empty."
    except OSError as error:
        return f"{folder} cannot be looked into: {error.strerror or error}."
    there = _nearest(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        return f"Nothing can be written into {there}; choose another folder."
    return ""


def path_fault(path: str) -> str:
    """Why a path cannot be opened; addresses are not looked at."""
    if not path or "://" in path:
        return ""
    given = Path(path).expanduser()
    try:
        if not given.exists():
            return f"There is no {path}; the nearest folder that is there: {_nearest(given.absolute())}."
        if not os.access(given, os.R_OK | (os.X_OK if given.is_dir() else 0)):
            return f"{path} may not be read by you; ask who owns it for the right to."
    except (OSError, ValueError) as error:
        return f"{path} cannot be looked at: {getattr(error, 'strerror', None) or error}."
    return ""


def _nearest(path: Path) -> Path:
    """The first folder upwards that is there."""
    return next((folder for folder in (path, *path.absolute().parents) if folder.is_dir()), Path("/"))
