"""The line of Python for what was done last, a long stroke as one line. Makes no edits."""

from __future__ import annotations

import numpy as np

from voxloop.panels.base.panel import CopyCode
from voxloop.panels.label.tools import Call


class CodeLine:
    """What *Copy as code* copies; written when the hand rests, since a stroke comes in many pieces."""

    def __init__(self) -> None:
        self.widget = CopyCode()
        self._call: Call | None = None
        self._due = False

    def note(self, call: Call, *, joined: bool = False) -> None:
        """Take up an edit; a piece that is ``joined`` goes on with the stroke before."""
        before = self._call
        if joined and before is not None and before.verb == call.verb:
            points = np.concatenate([before.arguments["points"], call.arguments["points"][1:]])
            call = Call(call.verb, {**call.arguments, "points": points})
        self._call, self._due = call, True

    def show(self, line: str) -> None:
        """Show a line as it is."""
        self._due = False
        self.widget.code = line

    def write(self, labels: str) -> None:
        """Show the line of the last edit, where it is not on show: a call of ``labels``."""
        if self._due and self._call is not None:
            self.show(self._call.code(labels))
