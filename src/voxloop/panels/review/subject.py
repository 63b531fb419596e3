"""What a review is about: a prediction, the labels of its level and image, the picture. Knows no widget of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError
from voxloop.geometry import Box

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.prediction import Prediction
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace


@dataclass(slots=True)
class ReviewSubject:
    """What the rooms of a review share.

    Attributes
    ----------
    ws : the workspace.
    view : the picture.
    open_labels : gives the labels on show.
    show_labels : shows those of a level and image; where there is no such level, the level stays.
    prediction : the one under review; None before there is one.
    """

    ws: Workspace
    view: PlaneView
    open_labels: Callable[[], Labels]
    show_labels: Callable[[str | None, str | None], object]
    prediction: Prediction | None = None

    @property
    def labels(self) -> Labels:
        """The labels on show, which corrections go to."""
        return self.open_labels()

    def reviewed(self) -> Prediction:
        """The prediction under review. Raises PredictionError where there is none."""
        if self.prediction is None:
            raise PredictionError("there is no prediction yet; the Predict step makes one")
        return self.prediction

    def plane(self) -> Box:
        """The voxels of the plane on show."""
        return Box.whole(self.view.planes.shape).cut(self.view.axis, self.view.index, self.view.index + 1)

    def on_plane(self) -> tuple[Prediction, Labels, Box] | None:
        """Prediction, labels and the voxels of the plane on show; None where there is no prediction."""
        return None if self.prediction is None else (self.prediction, self.labels, self.plane())

    def everywhere(self) -> tuple[Prediction, Labels, Box] | None:
        """Prediction, labels and all voxels that it covers; None where there is no prediction."""
        return None if self.prediction is None else (self.prediction, self.labels, self.prediction.box)


NO_PREDICTION = "No prediction yet: the Predict step makes one."


def what_comes(ws: Workspace) -> str:
    """What there is instead of a prediction: one on its way, or none; off the UI thread."""
    for run in ws.runs.values():
        if run.kind == "predict" and run.state in ("running", "queued"):
            return f"{run.name} is {run.state}: it appears here with its first tile."
    return NO_PREDICTION
