"""The list of predictions, and the one on show: over the picture, as a card, as a table, as files. Starts none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxloop.errors import PredictionError
from voxloop.panels.base.panel import Panel, column, section
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Attempt, Poll
from voxloop.panels.monitor.run_start import unless_gone
from voxloop.panels.monitor.score_words import SCORE_HEAD
from voxloop.panels.predict.batch_table import BatchTable, Made
from voxloop.panels.predict.file_export import PREDICTIONS, FileExport
from voxloop.panels.predict.first_answer import FirstAnswer
from voxloop.panels.predict.image_chooser import ImageChooser
from voxloop.panels.predict.prediction_card import PredictionCard
from voxloop.panels.predict.prediction_rows import known_offers, prediction_row
from voxloop.panels.view.layers import Layer
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import prediction_layers

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Score
    from voxloop.runs import History, Run
    from voxloop.workspace.workspace import Workspace

#: seconds between two moves of the place that is computed next
FOLLOW_S = 2.0
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionLook:
    """What there was at one moment: rows of the list, the run on show, what of its prediction is on disk."""

    rows: list[Row]
    state: str = ""
    history: History | None = None
    made: Made | None = None
    prediction: Prediction | None = None
    done: float = -1.0
    borders: str = ""
    score: Score | None = None


class PredictionStage:
    """Opens, steers, saves and deletes predictions.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose predictions are listed.
    view
        The picture that they lie over.
    images
        Which image is on show.
    first
        Answers what is on screen until the run has been there; lies below the prediction.
    """

    def __init__(self, panel: Panel, ws: Workspace, view: PlaneView, images: ImageChooser, first: FirstAnswer) -> None:
        self._panel, self._ws, self._view, self._images, self._first = panel, ws, view, images, first
        self.run: Run | None = None
        self.prediction: Prediction | None = None
        self._done = -1.0
        self._under: list[Layer] = []
        self._told: Place | None = None
        self.list = RowList(
            panel.handler(self._on_row),
            head=("Prediction", "State", SCORE_HEAD),
            ranked=2,
            height=150,
            empty="No predictions yet. The first one fills in here.",
        )
        self.card = PredictionCard(panel, self._order, self._discard)
        self.results = BatchTable(panel, self._go_to)
        self.files = FileExport(panel, ws, PREDICTIONS, self._shown_name)
        self.widget = column(
            self._first.words,
            self.card.widget,
            section("Predictions", self.list.widget, self.results.widget, self.files.widget),
        )
        self._poll = Poll(panel, self._look, self._show, failed=unless_gone(panel))
        self._give_order = Attempt(panel, _give, lambda _: self.refresh())
        self._follow = Poll(panel, _tell_place, self._place_told, failed=unless_gone(panel))
        panel.every(FOLLOW_S, self._follow_view)

    # ----------------------------------------------------------------------------------------------------- actions

    def open(self, name: str) -> None:
        """Show a prediction, finished or still filling, over the picture."""
        self.run = self._ws.runs.get(name)
        self.prediction = None
        self._done = -1.0
        self.list.selected = name
        image = self._image_of(name)
        if image in self._ws.images.names and image != self._image:
            self._images.image.value = image
        self._view.set_layers(self._first.layers)
        self.refresh()

    def image_changed(self) -> None:
        """Another image is on show."""
        self.prediction = None

    def refresh(self) -> None:
        """Look anew at runs and predictions."""
        self._poll.now(self.run, self._on_show, self.prediction)

    # ----------------------------------------------------------------------------------------------------- looking

    @property
    def _image(self) -> str:
        return str(self._images.image.value)

    @property
    def _on_show(self) -> str:
        """Name of the prediction that is opened; of a run over several images that of the image on show."""
        if self.run is not None and self.run.kind == "batch":
            return f"{self.list.selected}.{self._image}"
        return self.list.selected

    def _image_of(self, name: str) -> str | None:
        """The image that a run predicts; of several the one on show, where it is among them."""
        if self.run is None:
            return self._ws.predictions[name].image
        if self.run.kind != "batch":
            image: str | None = self.run.config.get("image")
            return image
        images: list[str] = self.run.config["images"]
        return self._image if self._image in images else images[0]

    def _shown_name(self) -> str | None:
        return self.prediction.name if self.prediction else None

    def _look(self, run: Run | None, name: str, shown: Prediction | None) -> PredictionLook:
        """Off the UI thread; ``name``: the prediction that is opened, ``shown``: what lies over the picture."""
        names = set(self._ws.predictions)
        runs = [one for one in reversed(list(self._ws.runs.values())) if one.kind in ("predict", "batch")]
        best = {offer.name for offer in known_offers(self._ws) if offer.clear}
        look: dict[str, Any] = {"rows": [self._row(one, names, best) for one in runs]}
        if run is not None:
            look |= {"state": run.state, "history": run.history}
            if run.kind == "batch":
                look["made"] = self.results.read(run)
        if name in names:
            if shown is None or shown.name != name:
                shown = self._ws.predictions[name]
            look |= {"prediction": shown, "done": shown.done, "borders": shown.borders}
            look["score"] = self._ws.scores.of_prediction(name)
        return PredictionLook(**look)

    def _row(self, run: Run, names: set[str], best: set[str]) -> Row:
        return prediction_row(run, run.name in names, self._ws.scores.of_run(run), run.name in best)

    def _show(self, look: PredictionLook) -> None:
        self.list.show(look.rows)
        if not self.list.selected and look.rows:
            self.open(look.rows[0].key)
            return
        self.results.show(look.made, self._image)
        self.card.show(look.state, look.history, look.borders)
        if look.state in ("cancelled", "failed", "stopped", "paused") and self._first.layers:
            self._first.end()
            if self.prediction is None:
                self._view.set_layers([])
        self.card.show_score(look.score if look.prediction is not None else None, look.state)
        if look.prediction is not None and look.prediction.name == self._on_show:
            self._show_prediction(look.prediction, look.done)

    def _show_prediction(self, prediction: Prediction, done: float) -> None:
        if done != self._done:
            self._first.follow_run(prediction, done)
        shown = self.prediction is not None and self.prediction.name == prediction.name
        under = self._first.layers
        if prediction.image == self._image and (not shown or under != self._under):
            self.prediction, self._under = prediction, under
            self._view.set_layers([*under, *prediction_layers(prediction)])
        elif done != self._done:
            self._view.refresh()
        if done != self._done:
            self._done = done
            self.files.refresh()

    # ----------------------------------------------------------------------------------------------------- steering

    def _order(self, verb: Callable[[Run], Any]) -> None:
        if self.run is not None:
            self._give_order(verb, self.run)

    def _discard(self) -> None:
        self._view.set_layers(self._first.layers)
        self.prediction = None
        self._order(lambda run: run.cancel())

    def _go_to(self, image: str) -> None:
        """Another image of the run on show."""
        if image not in self._ws.images.names:
            raise PredictionError(f"image {image!r} is not in this workspace any more")
        self._images.image.value = image
        self.refresh()

    def _on_row(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
            return
        self._ws.runs[name].delete()
        if self.run is not None and self.run.name == name:
            self.run = self.prediction = None
            self._view.set_layers(self._first.layers)
            self.files.refresh()
        self._panel.say(f"{name} is deleted.", "good")
        self.refresh()

    def _follow_view(self) -> None:
        """What is on screen is computed next, also when the view moves on."""
        place = self._view.visible_box().centre
        if self.run is not None and place != self._told:
            self._follow.now(self.run, place)

    def _place_told(self, place: Place | None) -> None:
        self._told = place


def _give(verb: Callable[[Run], Any], run: Run) -> None:
    verb(run)


def _tell_place(run: Run, place: Place) -> Place | None:
    """Tell a run what to compute next; None where it is not at work."""
    if run.state != "running":
        return None
    run.update(focus=list(place))
    return place
