"""How far models are to be trusted, and where people paint: what was measured, as distributions. Reads no voxels.

In log odds, normal. The first strokes of a person lie on clear cases; a model whose sureness is set right on these is
too sure of itself. Later ones lie on its errors, round by round; on these it learns to doubt itself more than it must.
Networks are too sure of themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from voxloop.errors import ModelError
from voxloop.model import read_spec
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
#: by how much models are wrong more often than they believe: one classifier by itself (seven stacks: -0.1 without
#: corrections, -0.55 where half of the strokes are corrections, -0.95 where two thirds are)
CLASSIFIER = Normal(-0.1, 0.45)
CLASSIFIER_CORRECTED = -1.1
#: one that learned what a blend of several says (three stacks: 1.4 without corrections, from 0.65 to 2.4; 0.2 where
#: four tenths are corrections, -0.15 where six are)
BLEND = Normal(1.3, 0.75)
BLEND_CORRECTED = -2.5
#: networks (six of three stacks: 0.43 and 0.42)
NETWORK = Normal(0.45, 0.5)


def overconfidence(kind: str, corrected: float) -> Normal:
    """By how much a model is wrong more often than it believes.

    Parameters
    ----------
    kind
        ``"network"``, ``"blend"``, or anything else for a classifier by itself.
    corrected
        Share of corrections in the strokes that it learned, 0 to 1.
    """
    if kind == "network":
        return NETWORK
    if kind == "blend":
        return Normal(BLEND.mean + BLEND_CORRECTED * corrected, BLEND.spread)
    return Normal(CLASSIFIER.mean + CLASSIFIER_CORRECTED * corrected, CLASSIFIER.spread)


def overconfidence_of(layout: Layout, prediction: Prediction) -> Normal:
    """The same for the model of a prediction."""
    learned = prediction.lineage.get("labels") or {}
    return overconfidence(_kind(layout, prediction), corrected_share(layout, learned))


def _kind(layout: Layout, prediction: Prediction) -> str:
    """What a model is; a blend where nobody can look any more, since that leaves most open."""
    if prediction.lineage.get("learner") == "deep":
        return "network"
    try:
        return str(read_spec(layout.named(prediction.lineage["model"])).extra.get("classifier") or "")
    except (KeyError, ModelError):
        return "blend"


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
