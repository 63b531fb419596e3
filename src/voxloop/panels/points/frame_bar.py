"""The row below the picture: the bar over all frames, play and step, what the graph shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, spacer, text
from voxloop.panels.points.header_graph import GRAPHS, columns_of, marked, shortened, values
from voxloop.panels.points.seek_bar import SeekBar
from voxloop.store import PictureLabels

if TYPE_CHECKING:
    from voxloop.panels.base.ui import Timer
    from voxloop.panels.view.plane_view import PlaneView

_RATES = [("2 frames/s", 2.0), ("5 frames/s", 5.0), ("10 frames/s", 10.0), ("20 frames/s", 20.0)]


class FrameBar:
    """Follows one view; ``suggested`` frames are marked as well."""

    def __init__(self, owner: Panel, view: PlaneView) -> None:
        self._owner, self._view = owner, view
        self._timer: Timer | None = None
        self.suggested: list[int] = []
        self.bar = SeekBar(view.go_to_plane)
        handler = owner.handler
        self.play_button = button("", handler(self.play), icon="play", tooltip="Play and stop (P)")
        back = button("", handler(lambda: self.step(-1)), icon="step-backward", tooltip="Frame before (Down or ,)")
        on = button("", handler(lambda: self.step(1)), icon="step-forward", tooltip="Next frame (Up or .)")
        self.rate = classed(w.Dropdown(options=_RATES, value=10.0, tooltip="How fast it plays"), "vx-narrow")
        about = "What the bars above the frames show"
        self.graph = classed(w.Dropdown(options=list(GRAPHS), value="number", **labelled("Graph", about)), "vx-narrow")
        self.words = text("", "vx-dim", "vx-small", "vx-number")
        self.rate.observe(handler(lambda _: self._restart()), "value")
        tools = row(back, self.play_button, on, self.rate, self.words, spacer(), self.graph)
        self.widget = column(self.bar, tools)

    def step(self, by: int) -> None:
        """Go on by so many frames."""
        self._view.go_to_plane(self._view.index + by)

    def play(self) -> None:
        """Go through the frames, or stop."""
        if self._timer is None:
            self._timer = self._owner.every(1 / self.rate.value, self._next)
            self.play_button.icon = "pause"
        else:
            self.stop()

    def stop(self) -> None:
        """Play no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.play_button.icon = "play"

    def _restart(self) -> None:
        if self._timer is not None:
            self.stop()
            self.play()

    def _next(self) -> None:
        if self._view.index + 1 >= self._view.planes.shape[0]:
            self.stop()
        else:
            self.step(1)

    def show_place(self) -> None:
        """Where the view is."""
        self.bar.index = self._view.index

    def show(self, marks: Any) -> None:
        """Marks and graph as they are now; counted off the UI thread, since there may be a million points."""
        graph: Any = "none" if isinstance(marks, PictureLabels) else self.graph.value

        def look() -> tuple[int, list[int], list[int], list[float | None]]:
            drawn = shortened(values(marks, graph)) if graph != "none" else []
            return marks.shape[0], marks.labelled, marks.predicted, drawn

        self._owner.in_thread(look, lambda seen: self._put(*seen))

    def _put(self, count: int, labelled: list[int], predicted: list[int], graph: list[float | None]) -> None:
        with self.bar.hold_sync():
            self.bar.count, self.bar.columns = count, columns_of(count)
            self.bar.labelled, self.bar.predicted = marked(labelled, count), marked(predicted, count)
            self.bar.suggested = marked(self.suggested, count)
            self.bar.graph = graph
        self.words.value = f"{len(labelled)} of {count} frames labelled, {len(predicted)} predicted"
