"""Choose what to open: files, samples, what was opened lately, or an address typed. Opens nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ipywidgets as w

from voxloop.errors import VolumeError
from voxloop.panels.base.beside import FieldFault, path_fault
from voxloop.panels.base.panel import Panel, button, classed, row, show, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Latest
from voxloop.panels.form.file_list import kind_of, list_entries, picture_count
from voxloop.panels.form.file_rows import file_row, folder_row, recent_row, sample_rows, up_rows
from voxloop.panels.form.recent import Recent


@dataclass(frozen=True, slots=True)
class ChosenSource:
    """What was chosen."""

    kind: Literal["path", "sample", "workspace", "image"]
    text: str


class SourceChooser(Panel):
    """A file browser with samples and recent sources beside it; ``on_choose(source)`` says what was chosen."""

    @on_ui
    def __init__(
        self,
        on_choose: Callable[[ChosenSource], object],
        *,
        folder: str | Path | None = None,
        recent: Recent | None = None,
        embedded: bool = True,
    ) -> None:
        super().__init__(embedded=embedded)
        self._on_choose = on_choose
        self.recent = recent or Recent()
        self.folder = Path(folder).expanduser().absolute() if folder else Path.cwd()
        self._suffixes: tuple[str, ...] = ()
        self._looks: Latest[tuple[Path, list[Row]]] = Latest(self, self._show_rows)
        self._address = w.Text(placeholder="path or URL of a stack", continuous_update=False)
        self._address_line = FieldFault(self, self._address, path_fault)
        self._address.observe(self.handler(self._typed), "value")
        self._tabs = classed(
            w.ToggleButtons(options=["Files", "Samples", "Recent"], tooltip="Where to look"), "vx-choice"
        )
        self._tabs.observe(self.handler(self.refresh), "value")
        self._filter = w.Text(placeholder="Filter", continuous_update=True)
        self._filter.observe(self.handler(self.refresh), "value")
        self._where = classed(text(), "vx-small", "vx-dim", "vx-path")
        self._rows = RowList(self.handler(self._act), right=(1,), empty="Nothing here that can be opened.", height=330)
        open_typed = button("Open", self.handler(self._typed))
        self.body(
            row(self._address, open_typed, classes=["vx-fill-first"]),
            self._address_line.widget,
            row(self._tabs, self._filter, classes=["vx-fill-last"]),
            self._where,
            self._rows.widget,
        )
        self.refresh()

    @on_ui
    def go_to(self, folder: str | Path) -> None:
        """Show another folder. Raises VolumeError where it cannot be read."""
        self.folder = Path(folder).expanduser().absolute()
        self._tabs.value = "Files"
        self.refresh()

    @on_ui
    def open(self, path: str | Path) -> None:
        """Open what a path or URL names, as if it were typed; a plain folder is shown."""
        self._address.value = str(path)

    @on_ui
    def refresh(self) -> None:
        """Look anew; large folders are read off the UI thread."""
        tab, words, folder = str(self._tabs.value), str(self._filter.value), self.folder
        show(self._where, tab == "Files")
        self._looks.ask(lambda: (folder, self._look(tab, words, folder)))

    def _look(self, tab: str, words: str, folder: Path) -> list[Row]:
        if tab == "Samples":
            return [line for line in sample_rows() if words.lower() in line.key.lower()]
        if tab == "Recent":
            return [recent_row(source) for source in self.recent.list() if words.lower() in source.text.lower()]
        try:
            entries = list_entries(folder, self._readable(), words)
        except OSError as error:
            raise VolumeError(f"{folder} cannot be read: {error.strerror or error}") from None
        whole = [folder_row(folder, picture_count(folder))] if kind_of(folder, self._readable()) == "stack" else []
        return [*up_rows(folder), *whole, *(file_row(entry) for entry in entries)]

    def _show_rows(self, looked: tuple[Path, list[Row]]) -> None:
        folder, rows = looked
        self._where.value = html.escape(str(folder))
        self._rows.show(rows)

    def _act(self, action: str, key: str) -> None:
        tab = self._tabs.value
        if tab == "Samples":
            self._choose(ChosenSource("sample", key))
        elif tab == "Recent":
            self._choose_path(key)
        elif key == "..":
            self.go_to(self.folder.parent)
        elif action == "stack" or key == ".":
            self._choose(ChosenSource("path", str(self.folder / key)))
        else:
            self._choose_path(str(self.folder / key))

    def _choose_path(self, path: str) -> None:
        kind: str | None = "volume"
        if "://" not in path:
            kind = kind_of(Path(path), self._readable())
        if kind in ("folder", "stack"):
            self._filter.value = ""
            self.go_to(path)
        elif kind == "workspace":
            self._choose(ChosenSource("workspace", path))
        else:
            self._choose(ChosenSource("path", path))

    def _typed(self) -> None:
        path = self._address.value.strip()
        if not path:
            return
        local = Path(path).expanduser()
        if "://" not in path and local.is_dir():
            kind = kind_of(local, self._readable())
            if kind == "folder":
                self.go_to(local)
                return
            if kind == "workspace":
                self._choose(ChosenSource("workspace", str(local)))
                return
            path = str(local)
        self._choose(ChosenSource("path", path))

    def _choose(self, source: ChosenSource) -> None:
        self._rows.selected = source.text if self._tabs.value != "Files" else Path(source.text).name
        self.say("", "quiet")
        self._on_choose(source)

    def _readable(self) -> tuple[str, ...]:
        """Suffixes of everything that can be opened; the readers are imported when they are first asked for."""
        if not self._suffixes:
            from voxloop.volumes.formats.registry import formats

            suffixes = {suffix for each in formats() for suffix in each.suffixes if suffix.startswith(".")}
            self._suffixes = tuple(sorted(suffixes - {".txt", ".json"}))
        return self._suffixes
