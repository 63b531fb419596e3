"""Which settings of an order a running training takes; what cannot change is said, not ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from voxloop.config.base import Config
from voxloop.config.deep import DeepConfig
from voxloop.deep.objective.optimisers import follows_rate
from voxloop.deep.training.state import LIVE
from voxloop.errors import ConfigError
from voxloop.runs.orders import Order


def live_values(
    order: Order, kind: type[Config], config: DeepConfig, emit: Callable[..., None]
) -> Iterator[tuple[str, Any]]:
    """Names and values that may be taken; of the others a warning that names the order.

    Parameters
    ----------
    kind
        The settings that say which values are allowed.
    config
        What the optimiser reads.
    """
    for name, value in order.values.items():
        if name not in LIVE:
            text = f"{name!r} cannot change while a run is running; {', '.join(LIVE)} can"
            emit("warning", text=text, order=order.name)
            continue
        try:
            value = getattr(kind(**{name: value}), name)
        except ConfigError as error:
            emit("warning", text=str(error), order=order.name)
            continue
        if name == "learning_rate" and not follows_rate(config):
            text = f"{config.optimiser} finds the size of its steps by itself: learning_rate changes nothing"
            emit("warning", text=text, order=order.name)
            continue
        yield name, value
