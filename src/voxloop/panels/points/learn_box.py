"""Learning from what is labelled, and finding more of it, from the panel of points. Computes nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import DetectConfig, PictureConfig, PoseConfig
from voxloop.config.learners import OF_MARKS
from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import button, labelled, row, text

if TYPE_CHECKING:
    from voxloop.config import Config
    from voxloop.panels.points.points_panel import PointsPanel
    from voxloop.runs import Run

#: minutes that a training is given where nobody says
_MINUTES = 5.0
#: seconds between looks at a run
_LOOK = 0.8


class LearnBox:
    """A fold: train on this level, look at frames that nobody labelled, take what was found over as predictions."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self._run: Run | None = None
        self._told = ""
        self.fold = Fold("Learn and find", self._build, lambda fold: None)
        self.widget = self.fold.widget
        owner.every(_LOOK, self._look)

    def train(self) -> None:
        """Train on what is labelled in this level, for so many minutes."""
        owner, config = self._owner, self._config()
        ws = owner.ws

        def begun(run: Run) -> None:
            self._follow(run)
            owner._show_code(f"run = ws.train({config.code()})")

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

    def _config(self) -> Config:
        level = self._owner.marks.level
        told: dict[str, Any] = {"level": level.name, "max_minutes": float(self.minutes.value)}
        if level.kind == "pictures":
            return PictureConfig(**told)
        if level.kind == "boxes" or level.skeleton is None or len(level.skeleton) == 1:
            return DetectConfig(**told)
        return PoseConfig(**told)

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
        self._look()

    def _look(self) -> None:
        """Say how far the run is; once it has found something, take that over."""
        run = self._run
        if run is None or not self.fold.is_open:
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
            owner.say(f"{len(count)} predicted; Ctrl Z takes them away, a double click makes one yours.", "good")

    def _build(self) -> list[w.Widget]:
        handler = self._owner.handler
        self.minutes = w.BoundedFloatText(
            value=_MINUTES, min=0.1, max=10_000, **labelled("Minutes", "A training is fitted into this time")
        )
        self.state = text("", "vx-small")
        return [
            self.minutes,
            row(
                button("Train", handler(self.train), tooltip="Learn what is labelled in this level, as a run"),
                button("Find", handler(self.find), tooltip="Look at frames that nobody labelled, to be corrected"),
                button("Stop", handler(self.stop), tooltip="End the run at work, and keep what it has reached"),
            ),
            self.state,
        ]


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
