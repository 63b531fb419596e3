"""Undo and redo of the panel of points: buttons, and what they do. Knows no picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import button, row

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel


class MarkSteps:
    """Two buttons that take edits back and make them again."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self._undo = button("", owner.handler(self.undo), icon="undo", tooltip="Undo (Ctrl Z)")
        self._redo = button("", owner.handler(self.redo), icon="repeat", tooltip="Redo (Ctrl Shift Z)")
        self.widget = row(self._undo, self._redo)

    def undo(self) -> None:
        """Take the last edit back, and show a frame that it changed."""
        self._went(self._owner.marks.undo(), "There is nothing to undo.", "undo()")

    def redo(self) -> None:
        """Make the edit that was taken back again."""
        self._went(self._owner.marks.redo(), "There is nothing to redo.", "redo()")

    def show(self) -> None:
        """Enable what there is to do."""
        marks = self._owner.marks
        self._undo.disabled, self._redo.disabled = not marks.can_undo, not marks.can_redo

    def _went(self, edit: Any, nothing: str, code: str) -> None:
        owner = self._owner
        if edit is None:
            owner.say(nothing, "quiet")
            return
        owner.note(code)
        if edit.frames and owner.marks.framed and owner.view.index not in edit.frames:
            owner.view.go_to_plane(edit.frames[0])
