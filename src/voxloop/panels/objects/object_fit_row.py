"""Settings fitted to labelled objects: the button, what came of it, and which prediction finds most. Starts no run."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import PredictionError
from voxloop.panels.base.panel import Panel, button, column, row, show, text
from voxloop.panels.base.work import Attempt
from voxloop.workspace.objects import labelled_objects

if TYPE_CHECKING:
    from voxloop.review import ObjectFit
    from voxloop.workspace.workspace import Workspace

#: predictions that are tried, the newest ones
_TRIED = 6
#: a prediction, the class made into objects (None: the network learnt them), and what came of fitting it
Fitted = tuple[str, int | None, "ObjectFit"]


class ObjectFitRow:
    """Fits the settings to the labelled objects of the image, for one prediction or for all of it.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose predictions and labels are read.
    chosen
        Gives the prediction's name and the class; (None, None) where there is none.
    class_of
        Gives the class to try of another prediction.
    take
        Called with what fits best: its settings are to be used.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        chosen: Callable[[], tuple[str | None, int | None]],
        class_of: Callable[[str], int | None],
        take: Callable[[Fitted], object],
    ) -> None:
        self._ws, self._chosen, self._class_of, self._take = ws, chosen, class_of, take
        self._fit = button(
            "Fit to labelled objects",
            panel.handler(self.fit),
            icon="magic",
            tooltip="Smallest size, smoothing and where to cut, from the objects that are labelled on this image",
        )
        self._all = button(
            "Which prediction?",
            panel.handler(self.compare),
            tooltip="Fit every prediction of this image and take the one that finds the labelled objects best",
        )
        self._words = text("", "vx-dim")
        self.widget = column(row(self._fit, self._all), self._words)
        self._fitting = Attempt(panel, self._try, self._show, button=self._fit)
        self._comparing = Attempt(panel, self._try, self._show, button=self._all)
        self.look()

    def look(self) -> None:
        """Show the buttons where there is something to fit to."""
        name, _ = self._chosen()
        show(self.widget, name is not None and self._is_labelled(name))
        show(self._all, len(self._same_image(name)) > 1)

    def forget(self) -> None:
        """Other settings, or another prediction: what was said no longer holds."""
        self._words.value = ""

    def fit(self) -> None:
        """Fit the settings to the prediction that is chosen."""
        name, of = self._chosen()
        if name is None:
            raise PredictionError("there is no prediction yet; the Predict step makes one")
        self._words.value = "trying settings on the labelled objects …"
        self._fitting([(name, of)])

    def compare(self) -> None:
        """Fit every prediction of the image, and take the one that finds most labelled objects."""
        name, of = self._chosen()
        others = [one for one in self._same_image(name) if one != name][-_TRIED + 1 :]
        self._words.value = f"trying settings on {len(others) + 1} predictions …"
        candidates = [(one, self._class_of(one)) for one in others]
        if name is not None:
            candidates.append((name, of))
        self._comparing(candidates)

    def _try(self, candidates: list[tuple[str, int | None]]) -> list[Fitted]:
        made = [(name, of, self._ws.fit_objects(name, of)) for name, of in candidates]
        return sorted(made, key=lambda one: -np.nan_to_num(one[2].ap, nan=-1.0))

    def _show(self, fitted: list[Fitted]) -> None:
        best = fitted[0]
        self._take(best)
        words = [best[2].words]
        if len(fitted) > 1:
            words = [f"{name}: AP {fit.ap:.2f}" for name, _, fit in fitted]
            words[0] += f" (taken; {best[2].words})"
        self._words.value = "<br>".join(html.escape(line) for line in words)

    def _same_image(self, name: str | None) -> list[str]:
        if name is None:
            return []
        image = self._ws.predictions[name].image
        return [one for one, other in self._ws.predictions.items() if other.image == image and other.done == 1]

    def _is_labelled(self, name: str) -> bool:
        return labelled_objects(self._ws, self._ws.predictions[name]) is not None
