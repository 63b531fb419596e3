"""From frame to frame: the next labelled one, the next worth labelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import button, classed, section

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel


class FrameSearch:
    """Three buttons and what they do."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        handler = owner.handler
        back = button("Labelled before", handler(lambda: self.labelled(-1)), tooltip="Labelled frame before (Shift M)")
        on = button("Next labelled", handler(lambda: self.labelled(1)), tooltip="Next labelled frame (M)")
        new = button("Next to label", handler(self.next_to_label), tooltip="Next suggested or unlabelled frame (N)")
        self.widget = section("Frames", classed(w.HBox([back, on, new]), "vx-row", "vx-wrap"))

    def labelled(self, way: int) -> None:
        """The next frame that somebody labelled, or the one before."""
        here = self._owner.view.index
        frames = [one for one in self._owner.marks.labelled if (one - here) * way > 0]
        if not frames:
            raise LabelError(f"no frame {'after' if way > 0 else 'before'} this one is labelled")
        self._owner.view.go_to_plane(min(frames) if way > 0 else max(frames))

    def next_to_label(self) -> None:
        """The next suggested frame that is not labelled, else the next one without labels."""
        owner = self._owner
        here, done = owner.view.index, set(owner.marks.labelled)
        wanted = [one for one in owner.bar.suggested if one not in done]
        if wanted:
            owner.view.go_to_plane(next((one for one in wanted if one > here), wanted[0]))
            return
        count = owner.marks.shape[0]
        frame = next((one % count for one in range(here + 1, here + count) if one % count not in done), None)
        if frame is None:
            raise LabelError("every other frame is labelled already")
        owner.view.go_to_plane(frame)
