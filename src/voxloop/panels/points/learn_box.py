"""Learning from what is labelled, and finding more of it, from the panel of points. Computes nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import PictureConfig
from voxloop.config.learners import OF_MARKS, learner_of
from voxloop.config.presets import code_of
from voxloop.errors import LabelError
from voxloop.panels.base.asking import Asking
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import button, classed, row, show, text
from voxloop.panels.points.learn_settings import LearnSettings
from voxloop.panels.points.place_previews import PlaceFieldPreview, PlaceInputsPreview

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel
    from voxloop.runs import Run

#: seconds between looks at a run
_LOOK = 0.8


class LearnBox:
    """A fold: train on this level, look at frames that nobody labelled, take what was found over as predictions."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self._run: Run | None = None
        self._told = ""
        self._monitor: Any = None
        self._shown_for = ""
        self._asking = Asking(owner, owner.ws.path)
        self.fold = Fold("Learn and find", self._build, lambda fold: self._preview())
        self.widget = self.fold.widget
        owner.every(_LOOK, self._look)
        owner.on_close(self._close)

    def train(self) -> None:
        """Train on what is labelled in this level, for so many minutes."""
        owner, config = self._owner, self.settings.config
        ws = owner.ws

        def begun(run: Run) -> None:
            self._follow(run)
            owner._show_code(f"run = ws.train({code_of(config)})")

        owner.in_thread(lambda: ws.train(config), begun)

    def find(self) -> None:
        """Look at frames that nobody labelled, with the newest model of this level."""
        owner = self._owner
        ws, image, name = owner.ws, owner.image, self._newest()
        frames = "unlabelled" if owner.marks.framed else None

        def begun(run: Run) -> None:
            self._follow(run)
            owner._show_code(f"ws.accept(ws.predict({name!r}, {image!r}, frames={frames!r}))")

        owner.in_thread(lambda: ws.predict(name, image, frames=frames), begun)

    def stop(self) -> None:
        """End the run at work, and keep what it has reached."""
        if self._run is None or self._run.state not in ("running", "queued"):
            raise LabelError("nothing is at work that could be stopped")
        self._run.stop()

    def _newest(self) -> str:
        """The newest run of this level that has a model. Raises LabelError."""
        level = self._owner.level
        for run in reversed(list(self._owner.ws.runs.values())):
            ended = run.state in ("finished", "stopped")
            if run.learner in OF_MARKS and run.config.get("level") == level and ended:
                return str(run.name)
        raise LabelError(f"no model has learned level {level!r} yet; Train makes one")

    def _follow(self, run: Run) -> None:
        self._run, self._told = run, ""
        if run.kind != "places":
            self._watch(run)
        self._look()

    def _watch(self, run: Run) -> None:
        """Show the curves of a training as it goes, and what it is worth at its end."""
        from voxloop.panels.monitor.monitor_panel import MonitorPanel

        old, self._monitor = self._monitor, MonitorPanel(run, embedded=True)
        self._stage.children = (self._monitor.widget,)
        if old is not None:
            old.close()

    def _look(self) -> None:
        """Say how far the run is; once it has found something, take that over."""
        if not self.fold.is_open:
            return
        if self._owner.marks is not None and self._shown_for != self._owner.level:
            self._preview()
        run = self._run
        if run is None:
            return
        words = _words(run)
        if words != self._told:
            self._told = words
            self.state.value = words
        if run.state in ("running", "queued", "created", "stopping"):
            return
        self._run = None
        if run.kind == "places" and run.state in ("finished", "stopped"):
            owner = self._owner
            count = owner.ws.accept(run)
            owner.show()
            total = f" {run.result.count().words}." if hasattr(run.result, "count") else ""
            owner.say(f"{len(count)} predicted; Ctrl Z takes them away, a double click makes one yours.{total}", "good")

    def _preview(self) -> None:
        """Let settings and previews follow the level on show."""
        owner = self._owner
        if owner.marks is None or not self.fold.is_open:
            return
        self._shown_for = owner.level
        config = self.settings.config
        of_places = not isinstance(config, PictureConfig)
        for preview in self.previews:
            show(preview.fold.widget, of_places)
            if of_places:
                preview.update(config.to_json(), (learner_of(config).name, owner.level, owner.marks.sequence))

    def _build(self) -> list[w.Widget]:
        owner, handler = self._owner, self._owner.handler
        self.settings = LearnSettings(owner, self._preview)
        self.inputs = PlaceInputsPreview(self._asking)
        self.field = PlaceFieldPreview(self._asking, lambda: (owner.image, owner.ws.images.open(owner.image)))
        self.previews = (self.inputs, self.field)
        self.state = text("", "vx-small")
        self._stage = classed(w.VBox(), "vx-learn-stage")
        self.settings.follow()
        return [
            row(
                button("Train", handler(self.train), tooltip="Learn what is labelled in this level, as a run"),
                button("Find", handler(self.find), tooltip="Look at frames that nobody labelled, to be corrected"),
                button("Stop", handler(self.stop), tooltip="End the run at work, and keep what it has reached"),
            ),
            self.state,
            self._stage,
            self.settings.widget,
            *(preview.fold.widget for preview in self.previews),
        ]

    def _close(self) -> None:
        self._asking.close()
        if not self.fold.body.children:
            return  # it was never opened
        self.settings.close()
        for preview in self.previews:
            preview.close()
        if self._monitor is not None:
            self._monitor.close()


def _words(run: Run) -> str:
    """How far a run is, and what it reached."""
    history = run.history
    if run.state == "failed":
        return f"{run.name} failed: {history.error}"
    measured = history.measured
    if measured is not None:
        return f"{run.name} {run.state}: {measured['name']} {measured['mean']:.2f} on {measured['pictures']} held out"
    losses = history.steps.loss
    loss = f", loss {losses[-1]:.3g}" if len(losses) else ""
    return f"{run.name} {run.state}, {100 * run.progress:.0f} %{loss}"
