"""Strokes that the last training left out: where each lies, and a click that keeps or drops it. Trains nothing."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, close_tree, column, row, show, text
from voxloop.panels.base.work import Attempt, Latest
from voxloop.panels.view.pictured_doubts import PicturedDoubt, look_for_doubts
from voxloop.shallow.last_choice import LastChoice

if TYPE_CHECKING:
    from voxloop.review import Doubt
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

_ABOUT = (
    "The last training left out what models which had not learned it are sure is something else. "
    "Keep: the next training learns it. Drop: its labels go; undo in Label takes that back."
)


class LeftOutStrokes:
    """A line for each stroke, in sight as long as there is one that nobody has judged.

    Attributes
    ----------
    look : what the button that shows strokes at the picture does; without one there is no such button.
    """

    def __init__(self, panel: Panel, ws: Workspace) -> None:
        self._panel, self._ws = panel, ws
        self.look: Callable[[], object] | None = None
        self.doubts: list[Doubt] = []
        self._run = ""
        self._lines = w.VBox()
        self._looking: Latest[list[PicturedDoubt]] = Latest(panel, self._show)
        self._dropping = Attempt(panel, lambda doubt: (doubt, doubt.drop()), self._dropped)
        self._about = text(_ABOUT, "vx-dim", "vx-small")
        self.widget = column(self._lines, self._about)
        self._show([])

    def follow(self, choice: LastChoice | None) -> None:
        """Look at what the newest run left out, once it is another one."""
        run = "" if choice is None or not choice.left_out else choice.run
        if run == self._run:
            return
        self._run = run
        if run:
            self._looking.ask(partial(_left_out_of, self._ws, run))
        else:
            self._looking.forget()
            self._show([])

    def keep(self, doubt: Doubt) -> None:
        """The stroke is right: the next training learns it."""
        doubt.keep()
        self._panel.say(f"Kept: the next training learns the stroke of {doubt.label}.", "good")
        self._remove(doubt)

    def drop(self, doubt: Doubt) -> None:
        """The stroke is wrong: its labels go."""
        if not self._dropping.busy:
            self._dropping(doubt)

    def _dropped(self, done: tuple[Doubt, Edit]) -> None:
        doubt, edit = done
        self._panel.say(f"{edit.voxels:,} voxels are unlabelled again; undo takes that back.", "good")
        self._remove(doubt)

    def _remove(self, doubt: Doubt) -> None:
        if doubt in self.doubts:
            at = self.doubts.index(doubt)
            self.doubts.pop(at)
            left = list(self._lines.children)
            close_tree(left.pop(at))
            self._lines.children = tuple(left)
            show(self.widget, bool(self.doubts))

    def _show(self, pictured: Sequence[PicturedDoubt]) -> None:
        old = self._lines.children
        self.doubts = [doubt for doubt, _ in pictured]
        self._lines.children = tuple(self._line(doubt, picture) for doubt, picture in pictured)
        show(self.widget, bool(pictured))
        for line in old:
            close_tree(line)

    def _line(self, doubt: Doubt, picture: str) -> w.Widget:
        painted, said = (f"<b>{html.escape(name)}</b>" for name in (doubt.label, doubt.said))
        words = f"Left out: painted {painted}, the others say {said} ({doubt.confidence:.0%})"
        handler = self._panel.handler
        buttons = [
            button("Keep", handler(lambda: self.keep(doubt)), kind="link", tooltip="It is right: learn it from now on"),
            button("Drop", handler(lambda: self.drop(doubt)), kind="link", tooltip="It is wrong: take its labels away"),
        ]
        if self.look is not None:
            tip = "At the picture, with keys: N next, K keep, D drop"
            buttons.insert(0, button("Look", handler(self.look), kind="link", tooltip=tip))
        beside = column(text(words, "vx-small", markup=True), row(*buttons))
        beside.layout.flex, beside.layout.min_width = "1 1 0", "0"  # words break beside the picture, not below it
        return row(text(picture, markup=True), beside)


def _left_out_of(ws: Workspace, run: str) -> list[PicturedDoubt]:
    """Off the UI thread."""
    return [(doubt, picture) for doubt, picture in look_for_doubts(ws, run) if doubt.left_out]
