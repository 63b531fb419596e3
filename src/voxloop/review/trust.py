"""How far models are to be trusted, and where people paint: what was measured, as distributions. Reads no voxels.

In log odds, normal. The strokes that a model learned from come to lie on its errors, round by round; its sureness is
set right on these, so that it believes less in itself than it may. Networks are too sure of themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from voxloop.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxloop.prediction import Prediction
    from voxloop.store.layout import Layout


class Normal(NamedTuple):
    """Mean and deviation."""

    mean: float
    spread: float


#: by how much people prefer to paint what the prediction on show has wrong; where nobody knows what was, it counts as
#: that. Seen on seven stacks, with the simulated annotator: 2.6 and 1.0, later 2.9 and 0.8
PREFERENCE = Normal(2.5, 1.0)
#: the same for errors of a prediction that was not on show, since models share hard places. Seen: 1.3 and 0.8
PREFERENCE_UNSEEN = Normal(1.3, 0.9)
#: by how much models are wrong more often than they believe: pixel classifiers without corrections, and with nothing
#: but corrections (seen on seven stacks: -0.1, -0.55 where half are corrections, -0.95 where two thirds are)
CLASSIFIER, CORRECTED = -0.1, -1.1
#: networks (six of three stacks: 0.43 and 0.42)
NETWORK = Normal(0.45, 0.5)
_SPREAD = 0.45


def overconfidence(learner: str, corrected: float) -> Normal:
    """By how much a model is wrong more often than it believes; ``corrected``: share of corrections in its strokes."""
    if learner == "deep":
        return NETWORK
    return Normal(CLASSIFIER + CORRECTED * corrected, _SPREAD)


def overconfidence_of(layout: Layout, prediction: Prediction) -> Normal:
    """The same for the model of a prediction."""
    learned = prediction.lineage.get("labels") or {}
    return overconfidence(str(prediction.lineage.get("learner") or ""), corrected_share(layout, learned))


def corrected_share(layout: Layout, learned: Mapping[str, int]) -> float:
    """Share of edits, of those that a model learned from, that came after some model had learned: 0 to 1.

    Parameters
    ----------
    learned
        The last edit that it learned from, by ``level/image``.
    """
    first = dict.fromkeys(learned, 0)
    for run in Runs(layout.runs).values():
        for key, sequence in (run.config.get("labels") or {}).items():
            if key in first and sequence:
                first[key] = min(first[key] or int(sequence), int(sequence))
    every = sum(int(sequence) for sequence in learned.values())
    later = sum(int(sequence) - first[key] for key, sequence in learned.items() if first[key])
    return min(1.0, max(0.0, later / every)) if every else 0.0
