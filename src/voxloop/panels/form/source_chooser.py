"""Choose what to open: files, samples, what was opened lately, or an address typed. Opens nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ipywidgets as w

from voxloop.errors import VolumeError
from voxloop.panels.base.panel import Panel, badge, button, classed, row, show, text
from voxloop.panels.base.rows import Action, Row, RowList
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.file_list import Entry, Recent, kind_of, listing, size_text

FOLDER = '<i class="fa fa-folder vx-dim"></i> '
#: what the list of samples says beside their names, where they need no look into the file
_MADE_UP = {
    "em": "made up: membranes, mitochondria, noise; exact truth",
    "nuclei": "made up: touching nuclei, noise; exact truth",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What was chosen."""

    kind: Literal["path", "sample", "workspace"]
    text: str


class SourceChooser(Panel):
    """A file browser with samples and recent sources beside it; ``on_choose(source)`` says what was chosen."""

    @on_ui
    def __init__(
        self,
        on_choose: Callable[[Source], object],
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
        self._address = w.Text(placeholder="path or URL of a stack", continuous_update=False)
        self._address.observe(self.handler(self._typed), "value")
        self._tabs = classed(w.ToggleButtons(options=["Files", "Samples", "Recent"]), "vx-choice")
        self._tabs.observe(self.handler(self.refresh), "value")
        self._filter = w.Text(placeholder="Filter", continuous_update=True)
        self._filter.observe(self.handler(self.refresh), "value")
        self._where = classed(text(), "vx-small", "vx-dim", "vx-path")
        self._rows = RowList(self.handler(self._act), right=(1,), empty="Nothing here that can be opened.", height=330)
        open_typed = button("Open", self.handler(self._typed))
        self.body(
            row(self._address, open_typed, classes=["vx-fill-first"]),
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
    def refresh(self) -> None:
        """Look anew; large folders are read off the UI thread."""
        tab, words, folder = self._tabs.value, self._filter.value, self.folder
        show(self._where, tab == "Files")
        self.in_thread(lambda: (tab, words, folder, self._look(tab, words, folder)), self._show_rows)

    def _look(self, tab: str, words: str, folder: Path) -> list[Row] | VolumeError:
        if tab == "Samples":
            return [found for found in _sample_rows() if words.lower() in found.key.lower()]
        if tab == "Recent":
            return [_recent_row(text) for text in self.recent.list() if words.lower() in text.lower()]
        try:
            entries = listing(folder, self._known(), words)
        except OSError as error:
            return VolumeError(f"{folder} cannot be read: {error.strerror or error}")
        up = [] if folder == folder.parent else [Row("..", (f"{FOLDER}..", ""), title=str(folder.parent))]
        return [*up, *(_file_row(entry) for entry in entries)]

    def _show_rows(self, found: tuple[str, str, Path, list[Row] | VolumeError]) -> None:
        tab, words, folder, rows = found
        if (tab, words, folder) != (self._tabs.value, self._filter.value, self.folder):
            return  # something else was asked for meanwhile
        if isinstance(rows, VolumeError):
            self.show_error(rows)
            return
        self._where.value = html.escape(str(folder))
        self._rows.show(rows)

    def _act(self, action: str, key: str) -> None:
        tab = self._tabs.value
        if tab == "Samples":
            self._choose(Source("sample", key))
        elif tab == "Recent":
            self._choose_path(key)
        elif key == "..":
            self.go_to(self.folder.parent)
        elif action == "stack":
            self._choose(Source("path", str(self.folder / key)))
        else:
            self._choose_path(str(self.folder / key))

    def _choose_path(self, path: str) -> None:
        kind = "volume" if "://" in path else kind_of(Path(path), self._known())
        if kind in ("folder", "stack"):
            self._filter.value = ""
            self.go_to(path)
        else:
            self._choose(Source("workspace" if kind == "workspace" else "path", path))

    def _typed(self) -> None:
        path = self._address.value.strip()
        if not path:
            return
        local = Path(path).expanduser()
        if "://" not in path and local.is_dir():
            kind = kind_of(local, self._known())
            if kind == "folder":
                self.go_to(local)
                return
            self._choose(Source("workspace" if kind == "workspace" else "path", str(local)))
            return
        self._choose(Source("path", path))

    def _choose(self, source: Source) -> None:
        self._rows.selected = source.text if self._tabs.value != "Files" else Path(source.text).name
        self.say("", "quiet")
        self._on_choose(source)

    def _known(self) -> tuple[str, ...]:
        """Suffixes of everything that can be opened; the readers are imported when they are first asked for."""
        if not self._suffixes:
            from voxloop.volumes.formats.registry import formats

            found = {suffix for each in formats() for suffix in each.suffixes if suffix.startswith(".")}
            self._suffixes = tuple(sorted(found - {".txt", ".json"}))
        return self._suffixes


def _file_row(entry: Entry) -> Row:
    name = html.escape(entry.name)
    if entry.kind == "workspace":
        return Row(entry.name, (f"{FOLDER}{name} {badge('workspace', 'busy')}", ""), title="Open this workspace")
    if entry.kind == "folder":
        return Row(entry.name, (f"{FOLDER}{name}", ""))
    if entry.kind == "stack":
        return Row(
            entry.name, (f"{FOLDER}{name}", ""), (Action("stack", "Open as stack", "Open its pictures as one stack"),)
        )
    return Row(entry.name, (name, "" if entry.size is None else size_text(entry.size)))


def _recent_row(source: str) -> Row:
    path = Path(source)
    parent = source.rpartition("/")[0] if "://" in source else str(path.parent)
    name = source.rstrip("/").rpartition("/")[2] if "://" in source else path.name
    return Row(
        source, (f'{html.escape(name)} <span class="vx-dim vx-small">{html.escape(parent)}</span>', ""), title=source
    )


def _sample_rows() -> list[Row]:
    from voxloop.volumes import samples
    from voxloop.volumes.samples.real import REAL

    about = {**_MADE_UP, **{name: real.about for name, real in REAL.items()}}
    return [
        Row(
            name,
            (f'{html.escape(name)}<br><span class="vx-dim vx-small">{html.escape(about.get(name, ""))}</span>', ""),
        )
        for name in samples.list()
    ]
