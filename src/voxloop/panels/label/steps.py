"""Back and forth through the edits of the labels on show. Knows their history, no tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from voxloop.panels.label.tools import Call

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels


class StepOwner(Protocol):
    """The panel whose labels they are."""

    labels: Labels
    view: PlaneView

    def say(self, words: str, kind: str = ...) -> None: ...


class Steps:
    """Takes edits back and makes them again; ``note`` is told the line of Python."""

    def __init__(self, owner: Any, note: Callable[[Call], None]) -> None:
        self._owner: StepOwner = owner
        self._note = note

    def back(self) -> None:
        """Take the last edit back, and show the plane that it was on."""
        self._step(Call("undo"), "There is nothing to undo.")

    def forth(self) -> None:
        """Make the edit that was taken back again."""
        self._step(Call("redo"), "There is nothing to redo.")

    def _step(self, call: Call, nothing: str) -> None:
        owner = self._owner
        edit = call.make(owner.labels)
        if edit is None:
            owner.say(nothing, "quiet")
            return
        self._note(call)
        if not edit.box.crosses(owner.view.axis, owner.view.index):
            part = edit.box.along(owner.view.axis)
            owner.view.go_to_plane((part.start + part.stop - 1) // 2)
