"""Asks what becomes of a child's labels where an edit took their parent away. Makes no edit unasked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from voxloop.geometry import Box, cover
from voxloop.panels.base.panel import Panel
from voxloop.panels.base.question import Question
from voxloop.panels.base.work import Debounce
from voxloop.store import family

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels
    from voxloop.workspace.workspace import Workspace

#: asked so long after the hand came to rest
REST_S = 0.6
Lost = dict[str, int]


class Strays:
    """Follows the edits of the labels in the hand, and asks once for those of a moment.

    Parameters
    ----------
    tell_code
        Called with the line of Python for what was answered.
    """

    def __init__(self, panel: Panel, ws: Workspace, tell_code: Callable[[str], object]) -> None:
        self._panel, self._ws, self._tell_code = panel, ws, tell_code
        self.question = Question(panel)
        self.widget = self.question.widget
        self._labels: Labels | None = None
        self._box: Box | None = None
        self._rest = Debounce(panel, self._count, seconds=REST_S)

    def follow(self, labels: Labels) -> None:
        """Ask about the children of these labels from now on."""
        self._labels, self._box = labels, None
        self.question.close()

    def note(self, edit: Edit) -> None:
        """Take up an edit."""
        if edit.outside or self._box is not None:
            self._box = edit.box if self._box is None else cover([self._box, edit.box])
            self._rest.ask()

    def _count(self) -> None:
        labels, box = self._labels, self._box
        if labels is not None and box is not None:
            self._panel.in_thread(partial(_lost, self._ws, labels, box), partial(self._ask, labels, box))

    def _ask(self, labels: Labels, box: Box, lost: Lost) -> None:
        if labels is not self._labels or box != self._box:
            return
        if not lost:
            self._box = None
            self.question.close()
            return
        listed = " and ".join(f"{count:,} voxels of '{name}'" for name, count in lost.items())
        self.question.ask(
            f"{listed} lie outside of '{labels.level.name}' there now. Take them away too?",
            {
                "Take them away": partial(self._crop, labels, box, lost),
                "Keep them": self._keep,
            },
        )

    def _crop(self, labels: Labels, box: Box, lost: Lost) -> None:
        self._box = None
        self._tell_code("; ".join(f"ws.levels.crop({name!r}, {labels.image!r}, {box.code()})" for name in lost))
        self._panel.in_thread(
            lambda: sum(
                edit.voxels for name in lost for edit in self._ws.levels.crop(name, labels.image, box).values()
            ),
            lambda count: self._panel.say(f"Took {count:,} voxels away; undo brings both back.", "good"),
        )

    def _keep(self) -> None:
        self._box = None
        self._panel.say("They stay, outside of their parent.", "quiet")


def _lost(ws: Workspace, labels: Labels, box: Box) -> Lost:
    """Voxels of each child of some labels that lie outside in a box."""
    lost: Lost = {}
    for name in ws.levels.painted:
        child = ws.levels[name]
        if child.parent is None or child.parent[0] != labels.level.name:
            continue
        inner = ws.labels(name, labels.image)
        parent = inner.parent
        count = 0 if parent is None else family.outside(inner, parent, box)
        lost |= {name: count} if count else {}
    return lost
