"""Where the nodes of a new instance begin: from a prediction, the frame before, or the average body. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from voxloop.errors import LabelError

if TYPE_CHECKING:
    from voxloop.store import Instance, PointLabels

Mode = Literal["best", "average", "copy", "prediction"]
MODES: tuple[Mode, ...] = get_args(Mode)
#: bodies that an average is made of, the latest
_MOST = 200
Place = tuple[float, ...]


def placed(points: PointLabels, frame: int | None, at: Place, mode: Mode = "best") -> dict[str, Any]:
    """Arguments of ``points.add`` for an instance that somebody wants at ``at``. Raises LabelError.

    ``best`` takes the nearest prediction where one is near, else the nearest body of the frame before, else the
    average.
    """
    nodes = points.skeleton.nodes
    if len(nodes) == 1:
        return {"points": {nodes[0]: at}}
    near = _near(points.read(frame) if points.framed else [], at, predicted=True)
    if mode == "prediction" and near is None:
        raise LabelError("there is no prediction in this frame; choose another way to place")
    if near is not None and (mode == "prediction" or (mode == "best" and _covers(near, at))):
        return {"points": _inside(near.points, points), "track": near.track, "label": near.label}
    before = _before(points, frame, at) if mode in ("best", "copy") else None
    if mode == "copy" and before is None:
        raise LabelError("no frame before this one holds an instance to copy; choose another way to place")
    if before is not None:
        taken = {one.track for one in points.read(frame)}
        track = None if before.track in taken else before.track
        told = {"points": _moved(before.points, at, points), "track": track, "label": before.label}
        return told | {"hidden": sorted(before.hidden)}
    return {"points": _moved(_average(points), at, points)}


def _near(instances: Sequence[Instance], at: Place, *, predicted: bool) -> Instance | None:
    """The instance whose middle is nearest."""
    fitting = [one for one in instances if one.predicted == predicted and one.points]
    return min(fitting, key=lambda one: _distance(one.centre, at), default=None)


def _covers(one: Instance, at: Place) -> bool:
    """Whether a place lies in or beside the box around an instance."""
    low, high = (np.array(corner) for corner in one.box)
    margin = 0.25 * float((high - low).max()) + 3
    return bool((np.array(at) >= low - margin).all() and (np.array(at) <= high + margin).all())


def _before(points: PointLabels, frame: int | None, at: Place) -> Instance | None:
    """The nearest own instance of the last frame before that has any, whose track is not taken here."""
    if not points.framed or frame is None:
        return None
    earlier = [one for one in points.labelled if one < frame]
    if not earlier:
        return None
    there = [one for one in points.read(earlier[-1]) if not one.predicted]
    here = {one.track for one in points.read(frame) if one.track is not None}
    return _near([one for one in there if one.track not in here] or there, at, predicted=False)


def _average(points: PointLabels) -> dict[str, Place]:
    """Offsets of the nodes of an average body, turned alike; a star where nobody has placed one."""
    nodes = points.skeleton.nodes
    places = points.arrays(predicted=False)["points"][-_MOST:]
    whole = places[np.isfinite(places).all(axis=(1, 2))] if len(places) else places
    if not len(whole):
        size = min(points.shape[1:]) / 12
        angles = np.linspace(-np.pi / 2, 1.5 * np.pi, len(nodes), endpoint=False)
        star = size * np.stack([np.sin(angles), np.cos(angles)], axis=1)
        if not points.framed:
            star = np.concatenate([np.zeros((len(nodes), 1)), star], axis=1)
        return {node: tuple(place) for node, place in zip(nodes, star.tolist(), strict=True)}
    bodies = whole - whole.mean(axis=1, keepdims=True)
    pattern = bodies[-1]
    for _ in range(3):  # each turned to the pattern, and the pattern to their mean
        turned = [body @ _turn(body, pattern) for body in bodies]
        pattern = np.mean(turned, axis=0)
    return {node: tuple(place) for node, place in zip(nodes, pattern.tolist(), strict=True)}


def _turn(body: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """The rotation that brings a body nearest to the pattern."""
    u, _, v = np.linalg.svd(body.T @ pattern)
    flip = np.eye(len(v))
    flip[-1, -1] = np.sign(np.linalg.det(u @ v)) or 1.0
    return np.asarray(u @ flip @ v)


def _moved(places: dict[str, Place], at: Place, points: PointLabels) -> dict[str, Place]:
    """The nodes with their middle at ``at``."""
    shift = np.array(at) - np.mean(list(places.values()), axis=0)
    return _inside({node: tuple((np.array(place) + shift).tolist()) for node, place in places.items()}, points)


def _inside(places: dict[str, Place], points: PointLabels) -> dict[str, Place]:
    extent = points.shape[1:] if points.framed else points.shape
    return {
        node: tuple(min(max(float(v), 0.0), n - 1.0) for v, n in zip(place, extent, strict=True))
        for node, place in places.items()
    }


def _distance(a: Place, b: Place) -> float:
    return float(np.linalg.norm(np.array(a) - np.array(b)))
