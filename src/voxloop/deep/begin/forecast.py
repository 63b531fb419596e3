"""Time and memory of a training before it begins, and the nearest setting that fits. Takes no step that counts."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from voxloop.config.deep import DeepConfig
from voxloop.config.presets import AUTO
from voxloop.deep.begin.enough import ENOUGH_STEPS, FORWARD, few_steps, minutes_for
from voxloop.deep.begin.lending import lends
from voxloop.deep.begin.material import Material, folder_of, gather_cached, gather_now
from voxloop.deep.begin.memory import advise, free_memory, memory_of
from voxloop.deep.begin.preflight import Note, preflight
from voxloop.deep.networks.network import AnyNetwork, count_parameters
from voxloop.deep.objective.optimisers import optimiser
from voxloop.deep.transfer import runtime

if TYPE_CHECKING:
    from voxloop.helper.handlers import Job

#: validation windows of an epoch, as a rule
_WINDOWS = 8
#: seconds that a training takes beside its steps: opening, the pixel classifier that teaches, the judgement at the end
_OTHER = 8.0


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a training will take. Bytes and seconds; ``labels``: which shares of them teach, judge, are left out.

    ``advice`` names a setting that fits where this one does not.
    """

    memory: int
    available: int
    step_seconds: float | None
    steps: int
    minutes: float | None
    device: str
    window: tuple[int, int, int]
    scale: float
    parameters: int
    labels: str = ""
    advice: str = ""

    @property
    def fits(self) -> bool:
        return not self.advice

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "window": list(self.window), "fits": self.fits}


def forecast(workspace: Any, config: DeepConfig | None = None) -> Forecast:
    """What a training with a config on the labels of a workspace will take, from a few steps tried here.

    Parameters
    ----------
    workspace
        A :class:`voxloop.Workspace` or its folder. Nothing is written in it.
    config
        What the run would be given; None: the preset ``auto``.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled.
    """
    return forecast_of(gather_now(folder_of(workspace), AUTO if config is None else DeepConfig.of(config)))


@lends
def answer(job: Job) -> dict[str, Any]:
    """Answer of the helper. Field ``config`` (JSON); returns :meth:`Forecast.to_json` and ``notes`` on the labels."""
    material = gather_cached(job.state, job.workspace, DeepConfig.from_json(dict(job.fields.get("config") or {})))
    job.check()
    notes = preflight(material)
    job.check()
    estimate = forecast_of(material)
    notes = [*notes_on(estimate, material.config), *notes]
    return {**estimate.to_json(), "notes": [note.to_json() for note in notes]}


def notes_on(estimate: Forecast, config: DeepConfig) -> list[Note]:
    """What stands against a training for the steps it has; nothing where they suffice, or their time is not known."""
    seconds = estimate.step_seconds
    if seconds is None or config.start_from or estimate.steps >= ENOUGH_STEPS or not config.max_minutes:
        return []
    words = few_steps(estimate.steps, config.max_minutes, seconds, _OTHER)
    minutes = minutes_for(2 * ENOUGH_STEPS, seconds, _OTHER)
    return [Note(words=f"{words[0].upper()}{words[1:]}.", fix={"max_minutes": minutes})]


def forecast_of(material: Material) -> Forecast:
    """Memory from shapes alone; time from real steps, only where they fit."""
    config = material.config
    # time and memory are those of any weights: none are downloaded to tell them
    network = material.network(weights=config.encoder_weights != "imagenet")
    available = free_memory(material.device)
    needed = memory_of(network, config, material.window)(config.batch_size)
    advice = advise(network, config, material.window, available)
    seconds = None if advice else _step_seconds(network, material)
    steps = config.iterations or config.epochs * config.steps_per_epoch
    minutes = None
    if seconds is not None:
        validation_seconds = seconds * FORWARD * _WINDOWS / (config.batch_size * config.accumulation)
        each = seconds + (validation_seconds / config.steps_per_epoch if config.validation_share else 0.0)
        minutes = (steps * each + _OTHER) / 60
        if config.max_minutes is not None and minutes > config.max_minutes:
            minutes, steps = config.max_minutes, max(1, int((60 * config.max_minutes - _OTHER) / each))
    return Forecast(
        memory=needed,
        available=available,
        step_seconds=seconds,
        steps=steps,
        minutes=minutes,
        device=str(material.device),
        window=material.window,
        scale=material.scale,
        parameters=count_parameters(network),
        labels=str(material.data.shares),
        advice=advice,
    )


def _step_seconds(network: AnyNetwork, material: Material, tries: int = 3) -> float:
    """Median seconds of an optimiser step, the first one left out."""
    config = material.config
    steps, criterion = optimiser(config, network.train()), material.criterion()
    took = []
    for index in range(tries):
        begin = time.perf_counter()
        material.loss(network, criterion, index).backward()
        steps.step()
        steps.zero_grad(set_to_none=True)
        if (device := runtime(material.device)) is not None:
            device.synchronize(material.device)
        took.append(time.perf_counter() - begin)
        if took[-1] > 5:
            break
    return median(took[1:] or took) * config.accumulation
