"""Whether one stroke changed much of the overlay: then it may be on the wrong thing. Compares two answers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel
from voxloop.panels.view.layers import LayerPatch

if TYPE_CHECKING:
    from voxloop.store import Labels

#: tools of the hand
DRAWN = ("paint", "fill", "polygon", "box", "ellipse")
#: share of what is shown that one stroke changes beyond which it is asked about; edits before which all change much
MUCH, SETTLED = 0.25, 8


class OverlayFlips:
    """Says in the message line of a panel that the last stroke changed much of what its picture shows."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._before: LayerPatch | None = None
        self._sequence = 0
        self._said = ""

    def learn(self, labels: Labels, shown: LayerPatch | None) -> None:
        """Labels changed; ``shown`` is what lay over the picture until now."""
        sequence = labels.sequence
        one_more = sequence == self._sequence + 1 and sequence >= SETTLED
        self._sequence, self._before = sequence, None
        # of several at once nobody knows which it was; undo and files are no strokes
        with suppress(LabelError):
            if one_more and labels.history(sequence).get("tool") in DRAWN:
                self._before = shown

    def answered(self, shown: LayerPatch | None) -> None:
        """What lies over the picture since."""
        before, self._before = self._before, None
        share = changed(before, shown)
        if self._said and self._panel.message.words == self._said:
            self._panel.say("", "quiet")
        self._said = ""
        if share >= MUCH:
            words = f"The last stroke changed {share:.0%} of the overlay here. Ctrl+Z takes it back, if it slipped."
            self._panel.say(words, "warning")
            self._said = self._panel.message.words


def changed(before: LayerPatch | None, after: LayerPatch | None) -> float:
    """Share of cells that both know and that are of another class now; 0 where they do not show the same piece."""
    if before is None or after is None or before.box != after.box or before.indices.shape != after.indices.shape:
        return 0.0
    known = (before.indices > 0) & (after.indices > 0)
    return float((before.indices != after.indices)[known].mean()) if known.any() else 0.0
