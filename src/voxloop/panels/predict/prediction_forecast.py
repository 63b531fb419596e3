"""What a prediction will take, measured before it is started. Starts none."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from voxloop.config import PredictConfig
from voxloop.errors import VoxloopError
from voxloop.geometry import Box
from voxloop.panels.base.panel import Panel, text
from voxloop.panels.base.work import Latest
from voxloop.panels.predict.prediction_rows import model_folder
from voxloop.panels.predict.prediction_words import estimate_table
from voxloop.prediction.rehearsal import Estimate, Rehearsal
from voxloop.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ForecastQuestion:
    """What a forecast depends on: names of models, an image or several, a box of it (None: all), settings."""

    models: tuple[str, ...]
    image: str | tuple[str, ...]
    box: Box | None
    config: PredictConfig


class PredictionForecast:
    """Time, memory, disk and tiles of the prediction that is set, as ``widget`` and as :attr:`estimate`.

    ``changed()`` is called when an answer has come.
    """

    def __init__(self, panel: Panel, ws: Workspace, changed: Callable[[], object]) -> None:
        self._panel, self._ws, self._changed = panel, ws, changed
        self.widget = text("", "vx-estimate")
        #: the last answer: what it will take, or what is against it; None until there is one
        self.estimate: Estimate | VoxloopError | None = None
        self._question: ForecastQuestion | None = None
        self._rehearsal: Rehearsal | None = None
        self._answers: Latest[Estimate] = Latest(panel, self._show, failed=self._refuse)
        panel.on_close(self.cancel)

    @property
    def refused(self) -> bool:
        """Whether what is set cannot be predicted."""
        return isinstance(self.estimate, VoxloopError)

    def follow(self, question: ForecastQuestion) -> None:
        """Measure, unless this is what was asked last; what is under way for another question is given up."""
        if question == self._question:
            return
        self.cancel()
        self._question = question
        self.widget.value = '<span class="vx-dim">Measuring this model on this picture …</span>'
        self._answers.ask(partial(self._measure, question))

    def say(self, words: str) -> None:
        """Say why there is nothing to forecast yet."""
        self._forget()
        self.widget.value = f'<span class="vx-dim">{html.escape(words)}</span>'

    def show_error(self, error: VoxloopError) -> None:
        """Say what has to be put right before there can be a forecast."""
        self._forget()
        self.widget.value = _note(error)

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._rehearsal is not None:
            self._rehearsal.cancel()
            self._rehearsal = None

    def _forget(self) -> None:
        self.cancel()
        self._answers.forget()
        self._question = None

    def _measure(self, question: ForecastQuestion) -> Estimate:
        folders = [model_folder(self._ws, name) for name in question.models]
        rehearsal = Rehearsal(self._ws.path, folders, question.image, question.config, question.box)
        self._rehearsal = rehearsal
        if self._question != question:  # another was asked while this one began
            rehearsal.cancel()
        return rehearsal.wait()

    def _show(self, estimate: Estimate) -> None:
        self._rehearsal = None
        self.estimate = estimate
        self.widget.value = estimate_table(estimate)
        self._changed()

    def _refuse(self, error: BaseException) -> None:
        self._rehearsal = None
        if not isinstance(error, VoxloopError):
            self._question = None
            self.widget.value = ""
            self._panel.show_error(error)
            return
        self.estimate = error
        self.widget.value = _note(error)
        self._changed()


def _note(error: VoxloopError) -> str:
    return f'<div class="vx-note vx-note-error">{html.escape(str(error))}</div>'
