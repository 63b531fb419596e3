"""The learners that a panel offers: their settings, words, and what has to be installed. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from voxloop.config import Config, DeepConfig, ShallowConfig
from voxloop.extras import missing_words

if TYPE_CHECKING:
    from voxloop.runs import Run

LearnerName = Literal["shallow", "deep"]

CONFIGS: dict[LearnerName, type[Config]] = {"shallow": ShallowConfig, "deep": DeepConfig}
LABELS: dict[LearnerName, str] = {"shallow": "Shallow · seconds", "deep": "Network · minutes"}
HELP: dict[LearnerName, str] = {
    "shallow": "A small classifier over ready-made filters, of voxels or supervoxels: quick, and good with few strokes",
    "deep": "A neural network that learns filters of its own: slower, and better with more strokes",
}
#: what each learner needs
NEEDS: dict[LearnerName, tuple[str, ...]] = {"shallow": ("sklearn",), "deep": ("torch", "segmentation_models_pytorch")}


def missing(learner: LearnerName) -> str | None:
    """What has to be installed for a learner, as a sentence; None where everything is there. Imports nothing."""
    return missing_words("this needs", *NEEDS[learner])


def find_last_used(runs: Iterable[Run]) -> LearnerName:
    """The learner of the newest training among runs in the order of their making, else the one that answers first."""
    for run in reversed(list(runs)):
        if run.kind == "train":
            return "deep" if run.learner == "deep" else "shallow"
    return "shallow"
