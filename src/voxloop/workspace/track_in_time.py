"""Tracks through a time series of volumes: what is linked, and taking it over as labels of all time points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, PredictionError
from voxloop.workspace.in_time import series_of
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction.found_batch import FoundBatch
    from voxloop.tracks import Tracks


def named_series(project: Project, image: str | None) -> str | None:
    """The time series that is meant: by its name, by one of its time points, or the only one where there is no more."""
    every = series_of(project)
    if image is None:
        names = {name for members in every.values() for name in members}
        return next(iter(every)) if len(every) == 1 and names == set(project.images.names) else None
    return next((series for series, members in every.items() if image == series or image in members), None)


def level_in_time(project: Project, level: str, series: str) -> dict[str, Any]:
    """Instances of a level at all time points of a series, as a run's config names them. Raises PredictionError."""
    kind, images = project.levels[level].kind, series_of(project)[series]
    if kind == "instances":
        sequences = [project.labels(level, image).sequence for image in images]
    elif kind in ("points", "boxes"):
        sequences = [project.store.marks(None, level, image).sequence for image in images]
    else:
        raise PredictionError(f"level {level!r} holds {kind}, which are no single things that could be linked")
    source = {"is": "level", "level": level, "sequences": sequences}
    return {"source": source, "level": level, "image": series, "images": images, "holds": kind}


def found_in_time(project: Project, name: str, found: FoundBatch) -> dict[str, Any] | None:
    """What a run found in all time points of one series; None where its images are others."""
    series = named_series(project, found.images[0]) if found.images else None
    if series is None or not set(found.images) <= set(series_of(project)[series]) or not len(found):
        return None
    images = [image for image in series_of(project)[series] if image in found.images]
    level = next(iter(found.values())).level
    source = {"is": "found", "run": name}
    return {"source": source, "level": level, "image": series, "images": images, "holds": found.kind}


def accept_in_time(project: Project, tracks: Tracks, level: str | None) -> Any:
    """Write tracks to the labels of all time points, an edit of each."""
    if tracks.kind == "instances":
        made = project.levels.add(level or f"{tracks.level} tracks", kind="instances")
        return [_load(project, made.name, tracks, time) for time in range(len(tracks.images))]
    if tracks.source["is"] == "level" and level not in (None, tracks.level):
        raise LabelError(f"these are tracks of instances of level {tracks.level!r}; leave level out")
    every = [project.store.marks(None, level or tracks.level, image) for image in tracks.images]
    if tracks.source["is"] == "level":
        return _name_tracks(every, tracks)
    return _take_over(project, every, tracks)


def masks_in_time(project: Project, tracks: Tracks) -> Iterator[Any]:
    """A volume (z, y, x) a time point in which numbers are those of tracks, lazily; of points balls."""
    from voxloop.tracks.challenge import draw_discs

    if tracks.kind == "instances":
        yield from (_renamed(project, tracks, time) for time in range(len(tracks.images)))
        return
    table, info = tracks.table(), project.images.info(tracks.images[0])
    at = table[["z um", "y um", "x um"]].to_numpy() / np.array(info.spacing_um)
    for time, image in enumerate(tracks.images):
        own = (table["frame"] == time).to_numpy()
        yield draw_discs(project.images.info(image).shape, at[own], table["track"].to_numpy()[own])


def _renamed(project: Project, tracks: Tracks, time: int) -> Any:
    names = tracks.by_frame().get(time, {})
    old = project.labels(tracks.level, tracks.images[time]).as_volume().data

    def rename(block: np.ndarray) -> np.ndarray:
        values, place = np.unique(block, return_inverse=True)
        return np.array([names.get(int(value), 0) for value in values], np.uint32)[place.reshape(block.shape)]

    return old.map_blocks(rename, dtype=np.uint32, meta=np.zeros((0, 0, 0), np.uint32))


def _load(project: Project, level: str, tracks: Tracks, time: int) -> Any:
    from voxloop.volumes import as_volume

    masks = as_volume(_renamed(project, tracks, time), axes="zyx")
    return project.labels(level, tracks.images[time]).load(masks, zero="unlabelled")


def _name_tracks(every: list[Any], tracks: Tracks) -> int:
    """Names of tracks for the instances of all time points; how many instances have one now."""
    ours = tracks.by_frame()
    first = max((_highest(marks, set(ours.get(time, {}))) for time, marks in enumerate(every)), default=0)
    named = 0
    for time, marks in enumerate(every):
        named += marks.set_tracks({row: str(first + one) for row, one in ours.get(time, {}).items() if marks.has(row)})
    return named


def _take_over(project: Project, every: list[Any], tracks: Tracks) -> list[int]:
    """Predicted instances with tracks at all time points that nobody labelled."""
    found = project.runs[tracks.source["run"]].result
    ours = tracks.by_frame()
    first = max((_highest(marks, set()) for marks in every), default=0)
    ids: list[int] = []
    for time, (image, marks) in enumerate(zip(tracks.images, every, strict=True)):
        if image not in found or marks.labelled:
            continue
        names = ours.get(time, {})
        told = [
            {**one, "track": str(first + names[row]) if row in names else None} for row, one in found[image].by_row()
        ]
        ids += marks.replace_predictions(None, told)
    return ids


def _highest(marks: Any, ours: set[int]) -> int:
    """The highest number that is the name of a track of another instance."""
    columns = marks.arrays()
    names = zip(columns["id"].tolist(), columns["track"].tolist(), strict=True)
    return max((int(name) for number, name in names if number not in ours and name.isdecimal()), default=0)
