"""The task of a run that links instances of frames: labels, what was found, or objects in, tracks on disk out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import TracksConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.runs.orders import Ordered, obey
from voxloop.tracks import lap
from voxloop.tracks.chains import Chains, as_many, chains_of, long_ones
from voxloop.tracks.challenge import read_lineage
from voxloop.tracks.following import Flow, Steady, check_cv2, follow
from voxloop.tracks.found import found_columns
from voxloop.tracks.in_time import check_method, places_in_time
from voxloop.tracks.places import Sightings, places_of, places_of_masks, surest
from voxloop.tracks.result import FOLDER, write_tracks
from voxloop.volumes import read_block

if TYPE_CHECKING:
    from voxloop.runs.context import TaskContext

#: seconds between two progress events, at least
_EVERY = 0.5


def run(context: TaskContext) -> str:
    """Link what the run's config names; the run's last word.

    ``config``: ``source`` ({"is": "level", "level", "sequence"}, {"is": "found", "run"} or {"is": "objects", "run"}),
    ``level``, ``image``, ``holds`` (``points``, ``boxes`` or ``instances``); ``settings`` is a :class:`TracksConfig`.
    Of a time series of volumes ``image`` is its name and ``images`` are its time points.
    """
    try:
        return _link(context, TracksConfig.from_json(context.settings))
    except Ordered as order:
        return str(order)


def _link(context: TaskContext, config: TracksConfig) -> str:
    from voxloop.store import Store

    facts = context.config
    images = facts.get("images")
    if images:
        check_method(config.method)
    with Store.open(context.workspace, read_only=True) as store:
        voxel = np.array(store.images.info(images[0] if images else facts["image"]).spacing_um, float)
        spacing = voxel if images else voxel[1:]
        places = places_in_time(context, spacing, _teller(context)) if images else _read(context, spacing)
        if not len(places):
            raise PredictionError("there is nothing in these frames, so nothing can be linked")
        if config.method == "numbers":
            return _as_numbered(context, config, places)
        if config.number is not None:
            places = surest(places, config.number)
        furthest = config.max_distance_um or lap.furthest_of(places)
        if config.max_distance_um is None:
            context.emit("log", text=f"{config.method}: up to {furthest:.3g} µm from frame to frame")
        if config.method == "lap":
            links = lap.link(places, config, furthest)
        else:
            check_cv2()
            foresight: Flow | Steady = Steady(places, furthest)
            if config.method == "flow":
                foresight = Flow(places, partial(_plane, store.images.open(facts["image"])), spacing)
            links = follow(places, furthest, config.max_gap, foresight, _teller(context))
    chains = long_ones(chains_of(links, len(places)), config.min_length)
    if config.number is not None:
        chains = as_many(chains, places, config.number)
    write_tracks(context.path / FOLDER, places, chains, {**_about(facts), "max_distance_um": furthest})
    context.emit("log", text=f"{int(chains.track.max(initial=0))} tracks of {len(places)} instances")
    return "finished"


def _as_numbered(context: TaskContext, config: TracksConfig, places: Sightings) -> str:
    """Numbers of masks are tracks already; who came out of whom stands in a table, where there is one."""
    facts = context.config
    if facts["holds"] != "instances":
        raise PredictionError("method 'numbers' is of masks, whose numbers go through the frames; use 'lap'")
    table = {} if config.lineage is None else read_lineage(Path(config.lineage).expanduser())
    there = set(np.unique(places.number).tolist())
    unknown = sorted(set(table) - there)
    if unknown:
        context.emit("warning", text=f"{len(unknown)} tracks of {config.lineage} are in no mask, such as {unknown[0]}")
    parents = tuple((row[2], child) for child, row in table.items() if row[2] in there and child in there)
    chains = Chains(np.asarray(places.number, np.int64), parents)
    write_tracks(context.path / FOLDER, places, chains, {**_about(facts), "max_distance_um": 0.0})
    return "finished"


def _about(facts: dict[str, Any]) -> dict[str, Any]:
    """What was linked, for the result."""
    about = {name: facts[name] for name in ("level", "image", "holds", "source")}
    return {**about, "images": list(facts.get("images") or ())}


def discard(path: str | Path) -> None:
    """Remove what the run in a folder linked."""
    shutil.rmtree(Path(path) / FOLDER, ignore_errors=True)


def _plane(volume: Any, frame: int) -> np.ndarray:
    """A frame (y, x), of several channels their mean."""
    height, width = (int(n) for n in volume.shape[-2:])
    block = np.asarray(read_block(volume, Box((frame, 0, 0), (frame + 1, height, width))))
    return np.asarray(block.reshape(-1, height, width).mean(axis=0))


def _read(context: TaskContext, spacing: np.ndarray) -> Sightings:
    """The instances that are linked."""
    source, image = context.config["source"], context.config["image"]
    if source["is"] == "found":
        found = found_columns(context.layout.run(source["run"]))
        assert found is not None  # of one image
        return places_of(found, np.arange(len(found["points"])), found["scores"], spacing)
    if source["is"] == "objects":
        from voxloop.objects.task import open_result

        return _of_masks(context, open_result(context.layout.run(source["run"])).labels, spacing)
    if context.config["holds"] == "instances":
        from voxloop.store import open_labels

        labels = open_labels(context.workspace, source["level"], image, source["sequence"])
        return _of_masks(context, labels.as_volume(), spacing)
    from voxloop.store import open_marks

    marks: Any = open_marks(context.workspace, source["level"], image, source["sequence"])
    columns = marks.arrays()
    return places_of(columns, columns["id"], columns["score"], spacing)


def _of_masks(context: TaskContext, labels: Any, spacing: np.ndarray) -> Sightings:
    depth = int(labels.shape[-3])
    return places_of_masks(lambda a, b: np.asarray(labels[a:b]), depth, spacing, _teller(context))


def _teller(context: TaskContext) -> Callable[[int, int], None]:
    """Progress that is told from time to time, and obeys orders."""
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        obey(context.orders())
        if done == total or time.monotonic() - told > _EVERY:
            told = time.monotonic()
            context.emit("progress", done=done, total=total, unit="frames")

    return tell
