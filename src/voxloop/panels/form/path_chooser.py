"""A path, typed or found by going through folders. Opens nothing; what the path is for its owner knows."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.panels.base.panel import Panel, badge, column, row, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Latest
from voxloop.panels.form.file_list import Entry, list_entries
from voxloop.panels.form.file_rows import FOLDER

_FOLDERS = ("folder", "stack", "workspace")


class PathChooser:
    """A line for a path, and a list of what lies there.

    Parameters
    ----------
    panel
        Whose part it is.
    suffixes
        Files to choose from end in one of these; none: a folder is chosen.
    changed
        Called when another path stands in the line.
    placeholder
        What stands there where there is no path.
    """

    def __init__(
        self, panel: Panel, suffixes: tuple[str, ...], changed: Callable[[], object], *, placeholder: str
    ) -> None:
        self._suffixes, self._changed = suffixes, changed
        self._looks: Latest[tuple[Path, list[Row]]] = Latest(panel, self._show)
        self.folder = Path.cwd()
        self.line = w.Text(placeholder=placeholder, continuous_update=False, layout={"width": "auto"})
        self.line.observe(panel.handler(self._typed), "value")
        self._where = text("", "vx-small", "vx-dim", "vx-path")
        self.rows = RowList(panel.handler(lambda _, key: self._open(key)), height=130, empty="Nothing here to choose.")
        self.widget = column(row(self.line, classes=["vx-fill-first"]), self._where, self.rows.widget)

    @property
    def path(self) -> Path:
        """What is chosen. Raises VoxloopError where there is nothing of that name."""
        typed = str(self.line.value).strip()
        if not typed:
            raise VoxloopError(f"choose {self._what} in the list first, or type its path")
        path = Path(typed).expanduser()
        if not path.exists():
            raise VoxloopError(f"there is no {typed}; {path.absolute().parent} is the folder to look in")
        if not self._suffixes and not path.is_dir():
            raise VoxloopError(f"{typed} is no folder; {path.parent} is the one it lies in")
        return path

    @property
    def _what(self) -> str:
        return f"a file ({', '.join(self._suffixes)})" if self._suffixes else "a folder"

    def refresh(self) -> None:
        """Look anew; large folders are read off the UI thread."""
        folder = self.folder
        self._looks.ask(lambda: (folder, self._look(folder)))

    def _look(self, folder: Path) -> list[Row]:
        try:
            entries = list_entries(folder, self._suffixes)
        except OSError as error:
            raise VoxloopError(f"{folder} cannot be read: {error.strerror or error}") from None
        up = [] if folder == folder.parent else [Row("..", (f"{FOLDER}..",), title=str(folder.parent))]
        return [*up, *(_row(entry) for entry in entries if entry.kind in _FOLDERS or entry.path.is_file())]

    def _show(self, looked: tuple[Path, list[Row]]) -> None:
        folder, rows = looked
        self._where.value = html.escape(str(folder))
        self.rows.show(rows)

    def _open(self, key: str) -> None:
        path = self.folder.parent if key == ".." else self.folder / key
        if not path.is_dir():
            self.rows.selected = key
            self.line.value = str(path)
            return
        self.folder, self.rows.selected = path, ""
        if not self._suffixes:
            self.line.value = str(path)
        self.refresh()

    def _typed(self) -> None:
        path = Path(str(self.line.value).strip()).expanduser().absolute()
        folder = path if path.is_dir() else path.parent
        if self.line.value and folder.is_dir() and folder != self.folder:
            self.folder = folder
            self.refresh()
        self._changed()


def _row(entry: Entry) -> Row:
    name = html.escape(entry.name)
    if entry.kind not in _FOLDERS:
        return Row(entry.name, (name,))
    pictures = f" {badge('pictures')}" if entry.kind == "stack" else ""
    return Row(entry.name, (f"{FOLDER}{name}{pictures}",))
