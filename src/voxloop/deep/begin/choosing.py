"""How objects are learnt where nobody says: by which target, and from what the network starts. Knows no loop.

A target is tried on the labels themselves: what a perfect network would say is made of them and decoded again. Arrows
give back what is about convex, whatever touches; of long winding or branching shapes, whose middle lies outside, they
make pieces, and boundaries do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.config.network import NetworkSettings
from voxloop.config.objects import ObjectsConfig
from voxloop.deep.begin.starting import ancestor
from voxloop.deep.data.targets import BACKGROUND, FIRST, Make, flow_targets, instance_targets
from voxloop.deep.data.training_data import OBJECTS, TrainingData
from voxloop.deep.data.windows import TrainingImage
from voxloop.deep.networks.imagenet import OFFLINE_ENCODER, installed_weights
from voxloop.deep.predict.model import read
from voxloop.geometry import Box
from voxloop.model import ModelSpec, resolve
from voxloop.runs.context import TaskContext

#: making objects of outputs and matching them are rooms above this one, so they are found by name
_DECODE, _COUNT, _MATCH = (
    "voxloop.objects:decode_instances",
    "voxloop.review.contingency:count",
    "voxloop.review.metrics:match",
)
#: how far around an object is looked, and at how many places: about a second in all
_FAR, _PLACES = 96, 12
#: small objects are objects too
_ALL = ObjectsConfig(min_size=0)
#: overlap from which an object is given back
_OVERLAP = 0.5
#: neighbouring slices that a network of planes sees where objects are deep
_SLICES = 5


def settle_target(config: DeepConfig, data: TrainingData, context: TaskContext) -> tuple[DeepConfig, str]:
    """The config with ``target="auto"`` settled, and what was chosen in words; as it is, and none, where it is named.

    With the target, what else is better for objects, where it is still as it comes: the encoder that knows pictures
    already, and slices beside a plane of a stack. A run that starts from another learns as that one did. Raises
    ConfigError where other settings do not fit the target.
    """
    if config.target != "auto":
        return config, ""
    if not data.instances:
        return config.changed(target="semantic"), ""
    if config.start_from:
        earlier = read(ancestor(config.start_from, context))
        same = _as_before(earlier, config)
        return config.changed(**same), f"objects are learnt as by {config.start_from!r} (target={same['target']!r})"
    back = {"flow": given_back(data, flow_targets), "instances": given_back(data, instance_targets)}
    # in blocks, boundaries found more nuclei at equal time
    planes = not config.volumetric and config.across == (0,)
    target = "flow" if planes and back["flow"] >= back["instances"] else "instances"
    changes = {"target": target, **_beginning(config, data, context), **_beside(config, data)}
    name = {"flow": "arrows to the middle of each", "instances": "the boundary and depth of each"}[target]
    more = "".join(f", {key}={value!r}" for key, value in changes.items() if key != "target")
    words = (
        f"objects are learnt by {name} (target={target!r}{more}): decoded from the labels themselves, arrows give back "
        f"{back['flow']:.0%} of the objects, boundaries {back['instances']:.0%}"
    )
    return config.changed(**changes), words


def _as_before(earlier: ModelSpec, config: DeepConfig) -> dict[str, Any]:
    """What of the settings is that of an earlier network; one of classes lends its weights to boundaries."""
    target = str(earlier.extra.get("target", "semantic"))
    network = earlier.extra["network"]
    encoder = {} if config.volumetric else {"encoder": network["encoder"], "slices": int(earlier.extra["slices"])}
    return {"target": target if target in OBJECTS else "instances", **encoder}


def given_back(data: TrainingData, make: Make) -> float:
    """Of labelled objects, the share that comes back when the target made of them is decoded: AP at one half.

    1 where no object lies whole in what is looked at.
    """
    right = wrong = 0
    for plane, spacing in _planes(data):
        found = resolve(_MATCH)(*_there_and_back(plane, spacing, make), _OVERLAP)
        right += found.matched
        wrong += found.missed + found.extra
    return right / (right + wrong) if right + wrong else 1.0


def _there_and_back(plane: np.ndarray, spacing_um: Sequence[float], make: Make) -> tuple[Any]:
    values = make(plane, spacing_um).values[:, None]
    if len(values) == 4:  # of arrows, as a network says them
        values[1:] = (values[1:] + 1) / 2
    decoded = resolve(_DECODE)(values, _ALL, spacing_um=(1.0, *spacing_um))
    truth = np.where(plane >= FIRST, plane - BACKGROUND, 0)[None]
    return (resolve(_COUNT)(truth, np.asarray(decoded)),)


def _planes(data: TrainingData) -> Iterator[tuple[np.ndarray, Sequence[float]]]:
    """Coded parts of planes, with the objects that are whole in them alone."""
    rng = np.random.default_rng(0)
    places = [
        (image, at)
        for image in data.training_images
        for cell in sorted(image.labelled.anchors)
        for at in image.labelled.anchors[cell][-1]  # the objects come last
    ]
    for index in rng.permutation(len(places))[:_PLACES]:
        yield _whole(*places[index]), data.spacing_um[1:]


def _whole(image: TrainingImage, at: np.ndarray) -> np.ndarray:
    z, y, x = (int(v) for v in at)
    around = Box.at((z, y, x), (1, 1, 1)).grow((0, _FAR, _FAR)).clip(image.shape)
    plane = np.array(image.labels(around)[0])
    known = flow_targets(plane).known[1]
    plane[(plane >= FIRST) & ~known] = BACKGROUND
    return plane


def _beginning(config: DeepConfig, data: TrainingData, context: TaskContext) -> dict[str, Any]:
    """For pictures an encoder that knows pictures, where none was chosen and its weights lie here.

    Of slices of stacks, a small encoder from nothing learnt more in the same time. Where weights are those of a run,
    its encoder.
    """
    plain = config.encoder == NetworkSettings.model_fields["encoder"].default
    given = config.encoder_weights
    if plain and not config.volumetric and given and given != "imagenet" and not Path(given).suffix:
        return {"encoder": read(ancestor(given, context, "encoder_weights")).extra["network"]["encoder"]}
    chosen = given or not plain or config.volumetric or _deep(data)
    if chosen or installed_weights(OFFLINE_ENCODER) is None:
        return {}
    rate = {} if config.encoder_rate is not None else {"encoder_rate": 1.0}
    return {"encoder": OFFLINE_ENCODER, "encoder_weights": "imagenet", **rate}


def _beside(config: DeepConfig, data: TrainingData) -> dict[str, Any]:
    """Slices beside the one that is labelled, in stacks whose slices belong together."""
    return {"slices": _SLICES} if _deep(data) and config.slices == 1 and not config.volumetric else {}


def _deep(data: TrainingData) -> bool:
    """Whether all images are stacks whose slices belong together."""
    return all(image.shape[0] >= _SLICES and not image.frames for image in data.training_images)
