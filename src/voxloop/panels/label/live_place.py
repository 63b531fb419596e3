"""The place on a plane where the live overlay is least sure: shown, and accepted there. Decides nothing about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxloop.geometry import AXES, Box
from voxloop.panels.base.panel import Panel
from voxloop.panels.base.work import Attempt
from voxloop.panels.label.live_overlay import LiveOverlay
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.shapes import VectorShape

if TYPE_CHECKING:
    import numpy as np

    from voxloop.store import Edit, Labels

#: voxels to either side of the most useful place that its mark goes around
MARK = 18


class LivePlace:
    """Shows where one more stroke helps most, and makes labels of what the overlay says there."""

    def __init__(self, panel: Panel, view: PlaneView, overlay: LiveOverlay) -> None:
        self._panel, self._view, self._overlay = panel, view, overlay
        self._accept = Attempt(panel, _write, lambda edit: panel.say(f"Accepted {edit.voxels:,} voxels.", "good"))

    def show_next(self) -> None:
        """Frame the place and go there."""
        place, view = self._overlay.next_place(), self._view
        at = tuple(value for value, axis in zip(place, AXES, strict=True) if axis != view.axis)
        corners = [(at[0] - MARK, at[1] - MARK), (at[0] + MARK, at[1] + MARK)]
        view.set_shapes([VectorShape("box", corners, view.axis, view.index, dashed=True)])
        view.go_to(place)
        self._panel.say("Here the overlay is least sure. Y accepts what it says, a stroke corrects it.", "good")

    def accept(self, labels: Labels) -> None:
        """Make labels of what the overlay says around the place."""
        if not self._accept.busy:
            self._accept(labels, *self._overlay.read_place())


def _write(labels: Labels, box: Box, values: np.ndarray, mask: np.ndarray) -> Edit:
    return labels.write(box, values, mask, tool="accept", overwrite=False, arguments={"box": box.to_json()})
