"""What is said of items, out as a table and in again. Knows no format: the catalogue does."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, row
from voxloop.panels.base.work import Attempt


class TableBox:
    """``save(path)`` and ``load(path)`` say in words what they did."""

    def __init__(self, panel: Panel, save: Callable[[str], str], load: Callable[[str], str]) -> None:
        self._panel = panel
        self._acts = {"save": save, "load": load}
        self.fold = Fold("Table (CSV, Excel)", self._build, lambda fold: None)

    def _build(self) -> list[w.Widget]:
        on = self._panel.handler
        self.path = w.Text(placeholder="path of a table, such as items.csv", tooltip="Path of a CSV or Excel file")
        save = button("Save", on(lambda: self._begin("save")), tooltip="Write a row for each item")
        load = button("Load", on(lambda: self._begin("load")), tooltip="Say what a CSV file says: one step, or nothing")
        self._work: Attempt[str] = Attempt(self._panel, lambda act, path: act(path), self._done, button=save)
        return [row(self.path, save, load, classes=("vx-path",))]

    def _begin(self, name: str) -> None:
        path = str(self.path.value).strip()
        if not path:
            raise LabelError("type the path of a table first, for example items.csv")
        self._work(self._acts[name], path)

    def _done(self, words: str) -> None:
        self._panel.say(words, "good")
