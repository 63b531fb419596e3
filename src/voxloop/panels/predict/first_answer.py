"""What is on screen, predicted by the helper before the run gets there. Predicts nothing itself; starts no run."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PredictConfig
from voxloop.geometry import AXES, Box
from voxloop.helper import AnswerPart, Helper
from voxloop.machine import machine
from voxloop.panels.base.panel import Panel, show, text
from voxloop.panels.base.work import Debounce
from voxloop.panels.predict.prediction_rows import model_folder
from voxloop.panels.view.layers import Layer, LayerPatch, PatchLayer
from voxloop.panels.view.plane_view import PlaneView
from voxloop.runs.spare import NEEDED_GB

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.workspace.workspace import Workspace

#: seconds after the last move or change
REST_S = 0.3
#: voxels between those that are looked at to tell whether the run has been here
STEP = 16


@dataclass(frozen=True, slots=True)
class FirstQuestion:
    """Which models predict which image how, and where of it; None: everywhere."""

    models: tuple[str, ...]
    image: str
    box: Box | None
    config: PredictConfig


class FirstAnswer:
    """A layer that lies below the prediction, and one line that says how long it took.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose models predict.
    view
        What is on screen.
    question
        What is set; None where nothing can be predicted, or not here.
    """

    def __init__(
        self, panel: Panel, ws: Workspace, view: PlaneView, question: Callable[[], FirstQuestion | None]
    ) -> None:
        self._panel, self._ws, self._view, self._question = panel, ws, view, question
        self.layer = PatchLayer("first", "first answer", opacity=0.5)
        self.words = text("", "vx-dim", "vx-small")
        self._helper: Helper | None = None
        self._began: FirstQuestion | None = None  # what the run under way was asked
        self._asked: dict[str, Any] | None = None
        self._ready: dict[str, Any] | None = None
        self._rest = Debounce(panel, self._ask, seconds=REST_S)
        self._warm = Debounce(panel, self._prepare, seconds=REST_S)
        show(self.words, False)
        panel.on_close(self._close)

    @property
    def layers(self) -> list[Layer]:
        """What lies below the prediction: the answer, while there is one to come."""
        return [self.layer] if self._began is not None else []

    # -------------------------------------------------------------------------------------------------- when to ask

    def prepare(self) -> None:
        """Have the model opened that is set, so that it answers at once; where memory allows."""
        if machine().memory_gb >= NEEDED_GB:
            self._warm.ask()

    def begin(self) -> None:
        """Predict was pressed: answer what is on screen now, and wherever one looks before the run has been there."""
        self.end()
        self._began = self._question()
        self._ask()

    def follow(self) -> None:
        """The picture moved."""
        if self._began is not None:
            self._rest.ask()

    def follow_run(self, prediction: Prediction, done: float) -> None:
        """The run has written more: what it has written takes the place of the answer."""
        if self._began is None:
            return
        if done >= 1.0:
            self.end()
            return
        box = self._view.visible_box()
        part = tuple(slice(bounds.start, bounds.stop, STEP) for bounds in box.slices)
        if np.all(np.asarray(prediction.stored("labels")[part])):
            self._clear()

    def end(self) -> None:
        """Nothing is answered any more."""
        self._began = None
        self._asked = None
        self._rest.forget()
        if self._helper is not None:
            self._helper.cancel("first")
        self._clear()

    def _clear(self) -> None:
        self.layer.clear()
        self._view.refresh(self.layer.id)
        show(self.words, False)

    # ------------------------------------------------------------------------------------------------------- asking

    def _prepare(self) -> None:
        question = self._question()
        if question is None or self._began is not None:
            return
        fields = self._fields(question)
        if fields != self._ready:
            self._ready = fields
            self._open().request("first", **fields)

    def _ask(self) -> None:
        question = self._began
        if question is None:
            return
        axis, index = self._view.axis, self._view.index
        seen: Box | None = self._view.visible_box()
        if question.box is not None and seen is not None:
            seen = seen.meet(question.box)
        if seen is None:
            return
        rows, columns = (seen.along(name) for name in AXES if name != axis)
        box = [[rows.start, rows.stop], [columns.start, columns.stop]]
        asked = {**self._fields(question), "view": {"axis": axis, "index": index, "box": box, "step": 1}}
        if asked == self._asked:
            return
        self._asked = asked
        self._say("Predicting what is on screen …")
        began = time.monotonic()
        planes = np.zeros((2, rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        edges = (float(rows.start), float(columns.start), float(rows.stop), float(columns.stop))

        def take(part: AnswerPart) -> None:
            planes[0][part.rows, part.columns] = part.values
            planes[1][part.rows, part.columns] = part.confidence
            self._panel.post(self._show, asked, LayerPatch(planes[0].copy(), edges, 0, planes[1].copy()))

        answer = self._open().request("first", on_part=take, **asked)
        answer.future.add_done_callback(lambda future: self._panel.post(self._answered, asked, future, began))

    def _fields(self, question: FirstQuestion) -> dict[str, Any]:
        folders = [str(model_folder(self._ws, name)) for name in question.models]
        settings = question.config.changed(focus=None).to_json()
        return {"models": folders, "image": question.image, "settings": settings}

    def _open(self) -> Helper:
        if self._helper is None:
            self._helper = Helper(self._ws.path)
        return self._helper

    # ------------------------------------------------------------------------------------------------------ answers

    def _show(self, asked: dict[str, Any], patch: LayerPatch) -> None:
        if asked is self._asked:
            self.layer.show(asked["view"]["axis"], asked["view"]["index"], patch)
            self._view.refresh(self.layer.id)

    def _answered(self, asked: dict[str, Any], future: Future[dict[str, Any]], began: float) -> None:
        if asked is not self._asked:
            return
        error = future.exception()
        if error is not None:
            self._say(f"No first answer: {error}")
            return
        answer = future.result()
        if answer.get("state") == "dropped":
            return
        classes = [{**item, "visible": not item["background"]} for item in answer["classes"]]
        if classes != self.layer.state["classes"]:
            self._view.change_layer(self.layer.id, classes=classes)
        self._say(f"On screen: predicted in {time.monotonic() - began:.1f} s; the run puts it on disk.")

    def _say(self, words: str) -> None:
        self.words.value = html.escape(words)
        show(self.words, True)

    def _close(self) -> None:
        self._began = None
        if self._helper is not None:
            self._helper.close()
