"""What is linked in a time series of volumes, whose time points are images of their own: places in three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.tracks.places import Sightings, joined, places_of

if TYPE_CHECKING:
    from voxloop.runs.context import TaskContext

#: planes of a mask that are read at once
_PLANES = 16


def places_in_time(context: TaskContext, spacing: np.ndarray, tell: Callable[[int, int], None]) -> Sightings:
    """The instances of all time points of the run's images; ``spacing``: µm (z, y, x)."""
    images: list[str] = context.config["images"]
    parts = []
    for time, image in enumerate(images):
        parts.append(_at_time(context, time, image, spacing))
        tell(time + 1, len(images))
    return joined([part for part in parts if len(part)], axes=3)


def _at_time(context: TaskContext, time: int, image: str, spacing: np.ndarray) -> Sightings:
    from voxloop.store import open_labels
    from voxloop.store.workspace import open_marks
    from voxloop.tracks.found import found_columns

    source = context.config["source"]
    if source["is"] == "found":
        columns = found_columns(context.layout.run(source["run"]), image)
        if columns is None:
            context.emit("warning", text=f"nothing was looked for in {image}; tracks go around it as their gaps allow")
            return joined([], axes=3)
        number, score = np.arange(len(columns["points"])), columns["scores"]
    elif context.config["holds"] == "instances":
        labels: Any = open_labels(context.workspace, source["level"], image, source["sequences"][time]).as_volume()
        return places_of_volume(lambda a, b: np.asarray(labels[a:b]), int(labels.shape[-3]), spacing, time)
    else:
        marks: Any = open_marks(context.workspace, source["level"], image, source["sequences"][time])
        columns = marks.arrays()
        number, score = columns["id"], columns["score"]
    when = np.full(len(columns["points"]), time)
    return places_of({"frame": when, "points": columns["points"]}, number, score, spacing)


def places_of_volume(read: Callable[[int, int], np.ndarray], depth: int, spacing: np.ndarray, time: int) -> Sightings:
    """Middles of the objects of a volume; ``read`` gives numbered voxels (z, y, x) of some planes, 0 is nothing."""
    sums: dict[int, np.ndarray] = {}
    for start in range(0, depth, _PLANES):
        block = read(start, min(start + _PLANES, depth))
        inside = np.nonzero(block)
        numbers, which = np.unique(block[inside], return_inverse=True)
        counted = [np.bincount(which), *(np.bincount(which, weights=axis) for axis in inside)]
        counted[1] = counted[1] + start * counted[0]
        for number, own in zip(numbers.tolist(), np.stack(counted, axis=1), strict=True):
            sums[number] = sums.get(number, 0) + own
    if not sums:
        return joined([], axes=3)
    told = np.stack(list(sums.values()))
    at = told[:, 1:] / told[:, :1] * spacing
    here = np.full(len(told), time, np.int64)
    return Sightings(here, at[:, None], np.array(list(sums), np.int64), np.full(len(told), np.nan))


def check_method(method: str) -> None:
    """Raise PredictionError where a method does not look into volumes."""
    if method == "flow":
        raise PredictionError("method 'flow' looks where a picture went, in frames; of volumes use 'lap' or 'kalman'")
