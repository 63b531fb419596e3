"""Whether another program than its own should compute a network, for what is to be predicted. Knows no such program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voxloop.model import HastyPredictor, hasten

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from voxloop.config import PredictConfig
    from voxloop.model import Predictor

#: seconds that a prediction must take before another program is tried: handing a network over takes two or three
WORTH_SECONDS = 15.0


class Asked(Protocol):
    """What is to be predicted, as far as it matters here."""

    @property
    def config(self) -> PredictConfig: ...
    @property
    def predictor(self) -> Predictor: ...
    @property
    def before(self) -> Callable[[str], None]: ...


def hastened(asked: Asked, seconds: float, sample: Callable[[], np.ndarray]) -> bool:
    """Hand the network over where that is worth it, and say so; whether it was.

    Parameters
    ----------
    seconds
        That the prediction takes as it is.
    sample
        Gives a raw block (c, z, y, x) to compare on.
    """
    backend = asked.config.backend
    if backend == "torch" or not isinstance(asked.predictor, HastyPredictor):
        return False
    if backend == "auto" and seconds < WORTH_SECONDS:
        return False
    asked.before("trying whether OpenVINO computes it faster, where it is installed")
    words = hasten(asked.predictor, backend, sample()[None])
    if words:
        asked.before(words)
    return bool(words)
