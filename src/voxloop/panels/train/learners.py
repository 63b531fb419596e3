"""The learners that a panel offers: their settings, words, and what has to be installed. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from voxloop.config import Config, DeepConfig, ShallowConfig

if TYPE_CHECKING:
    from voxloop.runs import Run

LearnerName = Literal["shallow", "deep"]

CONFIGS: dict[LearnerName, type[Config]] = {"shallow": ShallowConfig, "deep": DeepConfig}
LABELS: dict[LearnerName, str] = {"shallow": "Shallow · seconds", "deep": "Network · minutes"}
HELP: dict[LearnerName, str] = {
    "shallow": "A small classifier over ready-made filters, of voxels or supervoxels: quick, and good with few strokes",
    "deep": "A neural network that learns filters of its own: slower, and better with more strokes",
}
#: what each learner needs, and how to get it
NEEDS: dict[LearnerName, tuple[tuple[str, ...], str]] = {
    "shallow": (("sklearn",), "pip install scikit-learn"),
    "deep": (("torch", "segmentation_models_pytorch"), "pip install 'voxloop[learning]'"),
}


def missing(learner: LearnerName) -> str | None:
    """What has to be installed for a learner, as a sentence; None where everything is there. Imports nothing."""
    modules, remedy = NEEDS[learner]
    gone = [name for name in modules if find_spec(name) is None]
    if not gone:
        return None
    verb = "are" if len(gone) > 1 else "is"
    return f"{' and '.join(gone)} {verb} not installed: {remedy}"


def find_last_used(runs: Iterable[Run]) -> LearnerName:
    """The learner of the newest training among runs in the order of their making, else the one that answers first."""
    for run in reversed(list(runs)):
        if run.kind == "train":
            return "deep" if run.learner == "deep" else "shallow"
    return "shallow"
