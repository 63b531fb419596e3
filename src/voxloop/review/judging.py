"""``score``: the one number for a prediction, from the best evidence that there is. Knows no learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxloop.errors import ModelError
from voxloop.model import read_spec
from voxloop.review.audit import audits_of
from voxloop.review.cells import CellCount, count_cells
from voxloop.review.corrections import score_beliefs, score_corrections
from voxloop.review.score import Score, unknown_score
from voxloop.review.trust import overconfidence_of
from voxloop.runs.outcome import Outcome
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.prediction import Prediction


def score_prediction(
    layout: Layout, prediction: Prediction, labels: Any, level: float = 0.9, cells: CellCount = count_cells
) -> Score:
    """How good a prediction is.

    An audit of it counts first (of several the one that says most), then what was corrected since its model had
    learned, then what the training itself held out.

    Parameters
    ----------
    labels
        The labels of its level and image as they are now; None where there are none.
    level
        How often the interval is to hold the true value, 0 to 1.
    cells
        Gives the voxels of the prediction by how sure it is; counting them takes seconds of a large one.
    """
    audited = [audit.score(level) for audit in audits_of(layout.audits, prediction)]
    known = [score for score in audited if score.known]
    if known:
        return min(known, key=lambda score: score.interval[1] - score.interval[0])
    if labels is None:
        return unknown_score("check 100 points", level=level)
    trust = overconfidence_of(layout, prediction)
    corrected = score_corrections(layout.root, prediction, labels, level, cells=cells, trust=trust)
    if corrected.known:
        return corrected
    places = _places_held_out(layout, prediction)
    believed = score_beliefs(prediction, places, level, cells=cells, trust=trust)
    return believed if believed.known else corrected


def _places_held_out(layout: Layout, prediction: Prediction) -> int:
    """At how many places strokes were held out when the model of a prediction was trained; 0 where nobody knows."""
    if prediction.lineage.get("learner") == "deep":
        outcome = Outcome.read(layout.run(str(prediction.lineage.get("trained_by") or "-")))
        return outcome.strokes if outcome is not None else 0
    held_out = _crossfit(layout, prediction)
    return int(held_out["cells"]) if held_out is not None else 0


def _crossfit(layout: Layout, prediction: Prediction) -> dict[str, Any] | None:
    """What the training of a pixel classifier held out in turn, as its spec says; None where it says nothing."""
    folder = prediction.lineage.get("model")
    if not folder:
        return None
    try:
        spec = read_spec(layout.named(folder))
    except ModelError:  # the model is gone; nothing is lost but this
        return None
    held_out = spec.extra.get("crossfit")
    return held_out if isinstance(held_out, dict) and "cells" in held_out else None
