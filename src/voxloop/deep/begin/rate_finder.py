"""Which learning rate to begin with: a few steps at rising rates, and where the loss falls. Keeps no model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.config.presets import AUTO
from voxloop.deep.begin.lending import lends
from voxloop.deep.begin.material import Material, folder_of, gather_cached, gather_now
from voxloop.deep.objective.optimisers import clip_gradient, optimiser
from voxloop.errors import ConfigError

if TYPE_CHECKING:
    from voxloop.helper.handlers import Job

#: rates that are tried
LOWEST, HIGHEST = 1e-6, 1.0
#: share of the running mean of losses that a step keeps
_SMOOTH = 0.85
#: the test ends where the loss is this many times the best
_DIVERGED = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class RateCurve:
    """Losses (smoothed) at rising learning rates, float64 (n,), and the rate to begin with."""

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    def to_json(self) -> dict[str, Any]:
        return {"rates": self.rates.tolist(), "losses": self.losses.tolist(), "suggestion": self.suggestion}


def find_rate(workspace: Any, config: DeepConfig | None = None, steps: int = 60) -> RateCurve:
    """The learning-rate range test (Smith 2017) on the labels of a workspace as they are now.

    The rate grows by the same factor at each of ``steps`` steps, from 1e-6 to 1, until the loss explodes. The
    suggestion is the rate in the middle of the longest fall of the smoothed loss.

    Parameters
    ----------
    workspace
        A :class:`voxloop.Workspace` or its folder. Nothing is written in it.
    config
        What the run would be given; None: the preset ``auto``.

    Raises
    ------
    ConfigError
        The loss falls nowhere, or fewer than 10 steps are asked for.
    LabelError
        Nothing, or only one class, is labelled.
    """
    return range_test(gather_now(folder_of(workspace), AUTO if config is None else DeepConfig.of(config)), steps)


@lends
def answer(job: Job) -> dict[str, Any]:
    """Answer of the helper. Fields ``config`` (JSON) and ``steps``; returns :meth:`RateCurve.to_json`."""
    config = DeepConfig.from_json(dict(job.fields.get("config") or {}))
    material = gather_cached(job.state, job.workspace, config)
    return range_test(material, int(job.fields.get("steps", 60)), job.check).to_json()


def range_test(material: Material, steps: int, check: Callable[[], None] = lambda: None) -> RateCurve:
    """Steps at rising rates; ``check`` is called before each and may raise to end it."""
    if steps < 10:
        raise ConfigError(f"steps={steps} tell too little; use at least 10")
    network = material.network().train()
    steps_of = optimiser(material.config, network)
    criterion = material.criterion()
    rates, losses = [], []
    mean = best = 0.0
    for step in range(steps):
        check()
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1))
        for group in steps_of.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        loss = material.loss(network, criterion, step)
        steps_of.zero_grad(set_to_none=True)
        loss.backward()
        if material.config.gradient_clip:
            clip_gradient(network, material.config.gradient_clip)
        steps_of.step()
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss.item()
        smooth = mean / (1 - _SMOOTH ** (step + 1))
        if not math.isfinite(smooth) or (best and smooth > _DIVERGED * best):
            break
        best = smooth if not best else min(best, smooth)
        rates.append(rate)
        losses.append(smooth)
    return RateCurve(rates=np.array(rates), losses=np.array(losses), suggestion=suggest(rates, losses))


def suggest(rates: list[float], losses: list[float]) -> float:
    """The middle of the longest fall of the loss, two figures ("valley", as fastai has it).

    Raises ConfigError where the loss falls nowhere.
    """
    length = [1] * len(losses)  # of the longest falling sequence that ends here
    for here in range(len(losses)):
        length[here] += max((length[before] for before in range(here) if losses[before] > losses[here]), default=0)
    end = length.index(max(length, default=0)) if length else 0
    if not length or length[end] < max(3, len(losses) // 10):
        raise ConfigError(
            "the loss falls at no learning rate; look at the training inputs, or take another optimiser or loss"
        )
    return float(f"{rates[end - length[end] // 2]:.1e}")
