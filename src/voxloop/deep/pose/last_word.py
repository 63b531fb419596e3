"""The end of a training of places: the kept model on pictures that were held out, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from voxloop.config.detect import DetectConfig
from voxloop.config.places import PlaceSettings
from voxloop.deep.pose import judging
from voxloop.deep.pose.detail import in_detail
from voxloop.deep.pose.finding import Finder
from voxloop.deep.pose.model import load
from voxloop.deep.pose.pictures import AlbumPicture, Reader
from voxloop.deep.training.model_folder import write_model
from voxloop.runs.context import TaskContext
from voxloop.store.layout import RunPlace

#: frames on which the threshold of a detector is settled, as far as there are so many
_SETTLES = 24


def last_word(
    context: TaskContext,
    config: PlaceSettings,
    held: Sequence[AlbumPicture],
    learnt: Sequence[AlbumPicture],
    reader: Reader,
    tolerance: float,
    device: torch.device,
    precision: torch.dtype,
) -> None:
    """Settle the threshold of a detector that may choose it, and tell what the kept model reaches.

    Where few pictures are held out, some that were learned from have a say in the threshold: it is one number, which
    three pictures settle worse than thirty that the network knows. The interval is of pictures drawn again and again.
    What was held out chose the epoch and, with others, the threshold, which flatters both a little; the words say that
    it was held out, not that it was never looked at.
    """
    folder = RunPlace(context.path).model
    kept = load(folder)
    plan, networks = kept.plan, kept.networks(device)
    found = judging.look(Finder(plan, networks, reader, device, precision), plan, held)
    if isinstance(config, DetectConfig) and config.peak_threshold == "auto":
        counts = judging.count_points(found, held, tolerance)
        more = _some(learnt, _SETTLES - len(held))
        also = judging.look(Finder(plan, networks, reader, device, precision), plan, more)
        plan = replace(plan, threshold=judging.best_threshold(counts + judging.count_points(also, more, tolerance)))
        context.emit("became", settings={"peak_threshold": plan.threshold})
    counted = [[len(picture.places), len(judging.as_told(one, plan))] for one, picture in zip(found, held, strict=True)]
    spec = replace(kept.spec, extra={**kept.spec.extra, "plan": plan.to_json(), "counted": counted})
    write_model(folder, spec, torch.nn.ModuleDict(networks))
    told = judging.measures(found, plan, held, tolerance)
    each = judging.per_picture(found, plan, held, tolerance)
    low, high = judging.interval(each, config.seed)
    mean = float(sum(each) / len(each)) if each else float("nan")
    name = "F1" if plan.pipeline == "detect" else "OKS"
    detail = in_detail(found, plan, held, tolerance, config.seed)
    context.emit("measured", name=name, pictures=len(held), mean=mean, low=low, high=high, measures=told, detail=detail)
    context.emit("log", text=f"on {len(held)} held-out pictures: {name} {_range(mean, low, high)}; {_words(told)}")


def _some(pictures: Sequence[AlbumPicture], number: int) -> list[AlbumPicture]:
    """At most so many, spread over all; none of volumes, in which looking takes as long as many steps of learning."""
    if number < 1 or not pictures or len(pictures[0].shape) == 3:
        return []
    places = np.linspace(0, len(pictures) - 1, min(number, len(pictures))).round().astype(int)
    return [pictures[place] for place in places]


def _range(mean: float, low: float, high: float) -> str:
    """A mean with its interval, where there is one."""
    return f"{mean:.2f} ({low:.2f}-{high:.2f}, 90 %)" if low == low else f"{mean:.2f}, of one picture"


def _words(told: dict[str, float]) -> str:
    shown = {name: value for name, value in told.items() if "/" not in name}
    return ", ".join(f"{name} {value:.3g}" for name, value in shown.items())
