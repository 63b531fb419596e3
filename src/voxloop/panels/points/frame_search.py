"""From frame to frame: the next labelled one, the next worth labelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import button, classed, labelled, row, section
from voxloop.panels.base.work import Attempt

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel

#: rules by which frames are suggested, the usual one first
RULES = ("kmeans", "stride", "random", "score", "velocity", "displacement", "chunk", "motion")


class FrameSearch:
    """Buttons from frame to frame, and a choice of rules by which frames are suggested."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        handler = owner.handler
        back = button("Labelled before", handler(lambda: self.labelled(-1)), tooltip="Labelled frame before (Shift M)")
        on = button("Next labelled", handler(lambda: self.labelled(1)), tooltip="Next labelled frame (M)")
        new = button("Next to label", handler(self.next_to_label), tooltip="Next suggested or unlabelled frame (N)")
        about = "By what rule frames are suggested; score, velocity and displacement ask where things are"
        self.rule = classed(w.Dropdown(options=list(RULES), **labelled("Suggest by", about)), "vx-grow")
        suggest = button(
            "Suggest 20", handler(self.suggest), tooltip="Mark twenty frames that are worth labelling next"
        )
        self._looking = Attempt(owner, self._look, self._show, button=suggest)
        row_of_buttons = classed(w.HBox([back, on, new]), "vx-row", "vx-wrap")
        self.widget = section("Frames", row_of_buttons, row(self.rule, suggest))

    def suggest(self) -> None:
        """Look for frames that are worth labelling next, off the thread of the panel."""
        owner = self._owner
        self._looking({"level": owner.level, "images": owner.image, "strategy": self.rule.value, "n": 20})

    def _look(self, asked: dict[str, Any]) -> tuple[str, list[int]]:
        """The line of Python, and the frames."""
        told = ", ".join(f"{name}={value!r}" for name, value in asked.items())
        return f"ws.suggest({told})", [one.index for one in self._owner.ws.suggest(**asked)]

    def _show(self, found: tuple[str, list[int]]) -> None:
        code, frames = found
        self._owner.code.code = code
        self._owner.show_suggestions(frames)
        self._owner.say(f"{len(frames)} frames are marked below; N goes through them.", "good")

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
