"""Which model a run keeps to predict with, in words that a person reads at its end. Pure: scores in, an outcome out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voxloop.deep.begin.enough import ENOUGH_STEPS
from voxloop.deep.training.judging import Judgement
from voxloop.runs.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a training took: optimiser steps, minutes, whether it began with weights that knew something."""

    steps: int
    minutes: float
    began_trained: bool

    @property
    def enough(self) -> bool:
        """Whether a network can have learned something."""
        return self.began_trained or self.steps >= ENOUGH_STEPS

    @property
    def words(self) -> str:
        """``22 steps in 1.5 minutes``."""
        return f"{self.steps:,} steps in {self.minutes:.1f} minutes"


def decide(comparison: Judgement, strokes: int, voxels: int, on: str, effort: Effort) -> Outcome:
    """Keep the network where it is better beyond doubt, else the classifier; ``strokes`` were held out."""
    facts: dict[str, Any] = {
        "on": on,
        "strokes": strokes,
        "voxels": voxels,
        "steps": effort.steps,
        "minutes": round(effort.minutes, 3),
        "enough": effort.enough,
    }
    few = "" if effort.enough else f"{effort.words} are too few for a network to learn; "
    network, classifier = comparison.network, comparison.classifier
    if network is None or classifier is None:
        words = (
            f"{few}only {strokes} strokes are held out, too few to tell whether the network is better than the pixel "
            "classifier it learned from, so the classifier is what predicts; label more places"
        )
        return Outcome(kept="classifier", words=words, **facts)
    scores = f"(IoU {_range(network)} against {_range(classifier)}, on {strokes} held-out strokes)"
    facts |= {"network": network, "classifier": classifier, "gain": comparison.gain}
    if comparison.better:
        words = f"the network is ahead of the pixel classifier it learned from {scores}, so the network predicts"
        return Outcome(kept="network", words=words, **facts)
    behind = network["mean"] < classifier["mean"]
    verdict = "behind" if behind else "not ahead beyond doubt of"
    remedy = "train longer" if behind else "train longer, or label more places"
    words = (
        f"{few}the network is {verdict} the pixel classifier it learned from {scores}, so the classifier is what "
        f"predicts; {remedy}"
    )
    return Outcome(kept="classifier", words=words, **facts)


def without_comparison(reason: str, effort: Effort) -> Outcome:
    """Keep the network, since it could not be put beside anything."""
    few = "" if effort.enough else f"{effort.words} are too few for a network to learn; "
    words = f"{few}the network is what predicts, and nobody knows whether a pixel classifier would be better: {reason}"
    return Outcome(
        kept="network", words=words, steps=effort.steps, minutes=round(effort.minutes, 3), enough=effort.enough
    )


def _range(score: dict[str, Any]) -> str:
    return f"{score['low']:.2f}-{score['high']:.2f}"
