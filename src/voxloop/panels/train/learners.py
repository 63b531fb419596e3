"""The learners that a panel offers: their settings, words, and what has to be installed. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from voxloop.config import Config, DeepConfig, ShallowConfig

Learner = Literal["shallow", "network"]

CONFIGS: dict[Learner, type[Config]] = {"shallow": ShallowConfig, "network": DeepConfig}
LABELS: dict[Learner, str] = {"shallow": "Shallow · seconds", "network": "Network · minutes"}
HELP: dict[Learner, str] = {
    "shallow": "A small classifier over ready-made filters, of voxels or supervoxels: quick, and good with few strokes",
    "network": "A neural network that learns filters of its own: slower, and better with more strokes",
}
#: what each learner needs, and how to get it
NEEDS: dict[Learner, tuple[tuple[str, ...], str]] = {
    "shallow": (("sklearn",), "pip install scikit-learn"),
    "network": (("torch", "segmentation_models_pytorch"), "pip install 'voxloop[learning]'"),
}


def missing(learner: Learner) -> str | None:
    """What has to be installed for a learner, as a sentence; None where everything is there. Imports nothing."""
    modules, remedy = NEEDS[learner]
    gone = [name for name in modules if find_spec(name) is None]
    return f"{' and '.join(gone)} {'are' if len(gone) > 1 else 'is'} not installed: {remedy}" if gone else None
