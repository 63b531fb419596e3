"""Edits that take a while, made off the UI thread, each once; what they did is said. Knows no picture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel
from voxloop.panels.label.tools import Call

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels


#: what is said of edits of single objects
_SAID = {
    "split": "The object is cut",
    "merge": "One object now",
    "remove": "Removed",
    "lock": "Locked: nothing overwrites it",
    "unlock": "Unlocked",
}


class Edits:
    """Makes edits for a panel. A click that comes twice asks for one edit; other ones may follow at once."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._under_way: set[str] = set()

    def make(self, call: Call, labels: Labels) -> bool:
        """Begin an edit; False where the same one is under way."""
        line = call.code(f"{labels.image}/{labels.level.name}")
        if line in self._under_way:
            return False
        self._under_way.add(line)
        self._panel.in_thread(
            lambda: call.make(labels), partial(self._made, line, call, labels), partial(self._failed, line)
        )
        return True

    def _failed(self, line: str, error: BaseException) -> None:
        self._under_way.discard(line)
        self._panel.show_error(error)

    def _made(self, line: str, call: Call, labels: Labels, edit: Edit | None) -> None:
        self._under_way.discard(line)
        if edit is not None and call.verb in _SAID and edit.sequence:
            self._panel.say(f"{_SAID[call.verb]}; Ctrl Z takes it back.", "good")
        elif edit is None or not edit.voxels:
            self._panel.say("Nothing changed: there was nothing to do.", "quiet")
        elif call.verb == "fill":
            words = f"Filled {edit.voxels:,} voxels"
            tolerance = labels.history(edit.sequence)["arguments"]["tolerance"]
            if tolerance and "tolerance" not in call.arguments:
                words += f", of intensities up to {tolerance:g} apart"
            self._panel.say(f"{words}.", "good")
        elif call.verb in ("refine", "threshold", "prompt", "scissors", "copy"):
            self._panel.say(f"Changed {edit.voxels:,} voxels; Ctrl Z takes it back.", "good")
        else:
            self._panel.clear_error()
