"""``score``: the one number for a prediction, from the best evidence that there is. Knows no learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from voxloop.errors import ModelError
from voxloop.model import read_spec
from voxloop.review.audit import audits_of
from voxloop.review.cells import CellCount, count_cells
from voxloop.review.corrections import score_beliefs, score_corrections
from voxloop.review.score import Score, unknown_score
from voxloop.review.trust import overconfidence
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
    held_out = _held_out(layout, prediction)
    trust = overconfidence(str(prediction.lineage.get("learner")), held_out.strokes)
    corrected = score_corrections(layout.root, prediction, labels, level, cells=cells, trust=trust)
    if corrected.known:
        return corrected
    believed = score_beliefs(prediction, held_out.tried, held_out.words, level, cells=cells, trust=trust)
    return believed if believed.known else corrected


class _HeldOut(NamedTuple):
    """Strokes that a model learned, 0 where nobody knows; of how many its sureness was set right, and that in words."""

    strokes: int
    tried: int
    words: str = ""


def _held_out(layout: Layout, prediction: Prediction) -> _HeldOut:
    """What the training of a model says of its strokes."""
    if prediction.lineage.get("learner") == "deep":
        outcome = Outcome.read(layout.run(str(prediction.lineage.get("trained_by") or "-")))
        tried = 0 if outcome is None else outcome.strokes
        return _HeldOut(0, tried, f"how sure the model is, checked on {tried} places held out")
    folder = prediction.lineage.get("model")
    try:
        extra = read_spec(layout.named(folder)).extra if folder else {}
        places = int(dict(extra.get("crossfit") or {}).get("cells") or 0)
        # a model of before strokes were counted knows in how many places they lie; one stroke crosses several
        strokes = int(extra.get("strokes") or places)
        # what a blend taught has learned how sure it may be; others were told by what was held out
        blended = dict(dict(extra.get("choice") or {}).get("settings") or {}).get("classifier") == "blend"
        words = f"how sure the model is, as far as one of {strokes} strokes may be believed"
        return _HeldOut(strokes, strokes if blended else min(strokes, places), words)
    except (ModelError, TypeError, ValueError):  # the model is gone, or of somebody else; nothing is lost but this
        return _HeldOut(0, 0)
