"""How far models are to be trusted, and where people paint: what was measured, as distributions. Reads no voxels.

In log odds, normal. The first strokes of a person lie on clear cases; a model whose sureness is set right on these is
too sure of itself. Later ones lie on its errors, round by round; on these it learns to doubt itself more than it must.
Networks are too sure of themselves.
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
#: by how much classifiers are wrong more often than they believe, less for the share of corrections among their
#: strokes. By themselves (seven stacks): -0.1 without corrections, -0.55 where half of the strokes are corrections,
#: -0.95 where two thirds are. What a blend taught (five stacks): 0.0 and 0.5 without, -0.5 and 0.25 with about half
CLASSIFIER = Normal(-0.05, 0.45)
CLASSIFIER_CORRECTED = -1.1
#: networks (six of three stacks: 0.43 and 0.42)
NETWORK = Normal(0.45, 0.5)


def overconfidence(learner: str, corrected: float) -> Normal:
    """By how much a model is wrong more often than it believes.

    Parameters
    ----------
    learner
        ``"deep"`` for a network, anything else for a pixel classifier.
    corrected
        Share of corrections in the strokes that it learned, 0 to 1.
    """
    if learner == "deep":
        return NETWORK
    return Normal(CLASSIFIER.mean + CLASSIFIER_CORRECTED * corrected, CLASSIFIER.spread)


def overconfidence_of(layout: Layout, prediction: Prediction) -> Normal:
    """The same for the model of a prediction."""
    learned = prediction.lineage.get("labels") or {}
    return overconfidence(str(prediction.lineage.get("learner")), corrected_share(layout, learned))


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
