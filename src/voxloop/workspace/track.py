"""The verb ``track``: from instances of frames to who is who over time; and taking tracks over as labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import TracksConfig
from voxloop.errors import LabelError, PredictionError, unknown
from voxloop.given import shown
from voxloop.prediction.found_batch import FoundBatch
from voxloop.runs import Run
from voxloop.store import Labels
from voxloop.store.points.placed_labels import PlacedLabels
from voxloop.workspace.choices import one_image, run_name
from voxloop.workspace.project import Project
from voxloop.workspace.track_in_time import accept_in_time, found_in_time, level_in_time, masks_in_time, named_series

if TYPE_CHECKING:
    from voxloop.tracks import Tracks

_RUN: dict[str, Any] = {
    "kind": "tracks",
    "task": "voxloop.tracks.task:run",
    "result": "voxloop.tracks.result:open_result",
    "discard": "voxloop.tracks.task:discard",
}


def track(
    project: Project,
    prediction: Any = None,
    method: str | None = None,
    *,
    max_distance_um: float | None = None,
    number: int | None = None,
    image: str | None = None,
    name: str | None = None,
    config: TracksConfig | None = None,
    on_finished: Callable[[Run], object] | None = None,
    **settings: Any,
) -> Run:
    """Link instances of frames to tracks, in a process of its own.

    Parameters
    ----------
    prediction
        What is linked: a run that found animals, points or boxes (or its name); a run of ``ws.objects``; a level of
        points, boxes or instances, by name, or ``ws.points(...)``, ``ws.boxes(...)``, ``ws.labels(...)``. None: the
        only level of points or boxes.
    method
        ``"lap"``, ``"kalman"``, ``"flow"``, or ``"numbers"`` of masks that are numbered through; see
        :class:`TracksConfig`.
    max_distance_um
        Furthest way from one frame to the next. None: measured; the run's log says it.
    number
        How many animals there are, where that is known.
    image
        The image of a level, or the name of a time series of volumes; the only one where not given.
    name
        Name of the run; ``tracks-1``, ... where not given.
    config, **settings
        A :class:`TracksConfig`, or its other fields by name: ``max_gap``, ``split``, ``merge``, ``min_length``...
    on_finished
        Called with the run once it has ended, while this process lives.

    Returns
    -------
    Run
        At once. ``run.result`` waits and is the :class:`Tracks`; ``ws.accept(run)`` writes them to the level.

    Raises
    ------
    PredictionError
        There is no such run or level, or it has no frames.

    Examples
    --------
    >>> flies = film.points("flies")
    >>> run = film.track(flies, max_distance_um=20)
    >>> run.result
    <Tracks of level 'flies' on 'film': 2>
    >>> run.result.table()[["track", "frame", "number"]].head(3)
       track  frame  number
    0      1      0       1
    1      1      1       3
    2      1      2       5
    """
    told = {"method": method, "max_distance_um": max_distance_um, "number": number}
    settings |= {key: value for key, value in told.items() if value is not None}
    config = TracksConfig.of(config, **settings)
    facts = _source(project, prediction, image)
    if "images" in facts:
        from voxloop.tracks.in_time import check_method

        check_method(config.method)
    elif not project.images.info(facts["image"]).framed:
        raise PredictionError(
            f"image {facts['image']!r} is a volume, which has no frames, so nothing moves in it; tracks go through "
            "stacks of frames (z_kind='frame') and time series of volumes (ws.images.add_times)"
        )
    project.store.check_open_to_runs()
    run = project.runs.create(
        run_name(project, name, "tracks"), settings=config.to_json(), device="cpu", **facts, **_RUN
    )
    run.launch()
    if on_finished is not None:
        run.on_finished(on_finished)
    return run


def tracks_of(project: Project, given: Any) -> Tracks | None:
    """The tracks that are meant, by the run, its name or themselves; None where that is something else."""
    from voxloop.tracks import Tracks

    if isinstance(given, Tracks):
        return given
    if isinstance(given, str) and given in project.runs:
        given = project.runs[given]
    if isinstance(given, Run) and given.kind == "tracks":
        made: Tracks = given.result
        return made
    return None


def accept_tracks(project: Project, tracks: Tracks, level: str | None = None) -> Any:
    """Write tracks to labels: one edit, which undo takes back.

    Of a level of points or boxes, its instances get their tracks. Of what was found, predicted instances with tracks
    come to its level, in the place of earlier predictions. Of masks, a new level of instances holds one number a
    track; it is called ``level``, or as the old one with `` tracks``. Of a time series: an edit of each time.
    """
    if tracks.images:
        return accept_in_time(project, tracks, level)
    if tracks.kind == "instances":
        return _accept_masks(project, tracks, level)
    if tracks.source["is"] == "level" and level not in (None, tracks.level):
        raise LabelError(f"these are tracks of instances of level {tracks.level!r}; leave level out")
    marks: Any = project.store.marks(None, level or tracks.level, tracks.image)
    if tracks.source["is"] == "level":
        names = _names(marks, tracks, set(tracks.by_number()))
        return marks.set_tracks({row: names[one] for row, one in tracks.by_number().items() if marks.has(row)})
    found = project.runs[tracks.source["run"]].result
    names = _names(marks, tracks, set())
    labelled = set(marks.labelled)
    of_row = tracks.by_number()
    instances = [
        {**told, "track": names[of_row[row]] if row in of_row else None}
        for row, told in found.by_row()
        if told["frame"] not in labelled
    ]
    frames = [frame for frame in found.frames if frame not in labelled]
    return marks.replace_predictions(frames, instances)


def _names(marks: PlacedLabels, tracks: Tracks, ours: set[int]) -> dict[int, str]:
    """Names of tracks that no other instance of the level has: numbers, beyond those that are there."""
    columns = marks.arrays()
    others = {name for number, name in zip(columns["id"].tolist(), columns["track"].tolist(), strict=True)
              if number not in ours}  # fmt: skip
    first = max((int(name) for name in others if name.isdecimal()), default=0)
    return {number: str(first + number) for number in tracks.lineage}


def export_tracks(project: Project, tracks: Tracks, path: Path, overwrite: bool) -> Path:
    """Write tracks: a table (``.csv``, ``.parquet``, ``.xlsx``), or a folder as of the Cell Tracking Challenge."""
    from voxloop.tracks.challenge import write_challenge

    if path.exists() and not overwrite:
        raise PredictionError(f"{path} is there already; overwrite=True replaces it")
    if path.suffix:
        return tracks.save(path)
    write_challenge(path, tracks.lineage, _numbered_frames(project, tracks))
    return path


def _numbered_frames(project: Project, tracks: Tracks) -> Iterator[np.ndarray]:
    """A mask a frame, numbers are tracks; of points discs."""
    from voxloop.tracks.challenge import draw_discs

    if tracks.images:
        yield from (np.asarray(one) for one in masks_in_time(project, tracks))
        return
    info = project.images.info(tracks.image)
    if tracks.kind == "instances":
        array = _as_tracks(tracks, _masks(project, tracks)[0])
        yield from (np.asarray(array[frame]) for frame in range(info.shape[0]))
        return
    table = tracks.table()
    at = table[["y um", "x um"]].to_numpy() / np.array(info.spacing_um[1:])
    for frame in range(info.shape[0]):
        own = (table["frame"] == frame).to_numpy()
        yield draw_discs((info.shape[1], info.shape[2]), at[own], table["track"].to_numpy()[own])


def _masks(project: Project, tracks: Tracks) -> tuple[Any, str]:
    """The masks that were linked, and a stem for names."""
    source = tracks.source
    if source["is"] == "objects":
        return project.runs[source["run"]].result.labels, source["run"]
    return project.labels(source["level"], tracks.image).as_volume(), source["level"]


def _as_tracks(tracks: Tracks, old: Any) -> Any:
    """Masks (t, y, x), lazily, in which numbers are those of tracks."""
    names = tracks.by_frame()

    def renamed(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        first = block_info[0]["array-location"][0][0]
        out = np.zeros(block.shape, np.uint32)
        for z, plane in enumerate(block):
            values, place = np.unique(plane, return_inverse=True)
            of = names.get(first + z, {})
            out[z] = np.array([of.get(int(value), 0) for value in values], np.uint32)[place.reshape(plane.shape)]
        return out

    return old.data.map_blocks(renamed, dtype=np.uint32, meta=np.zeros((0, 0, 0), np.uint32))


def _accept_masks(project: Project, tracks: Tracks, level: str | None) -> Any:
    """A new level of instances, one number a track."""
    from voxloop.volumes import as_volume

    old, stem = _masks(project, tracks)
    array = _as_tracks(tracks, old)
    name = level or f"{stem} tracks"
    made = project.levels.add(name, kind="instances")
    return project.labels(made.name, tracks.image).load(as_volume(array, axes="zyx"), zero="unlabelled")


def _source(project: Project, given: Any, image: str | None) -> dict[str, Any]:
    """What is linked, as a run's config names it. Raises PredictionError or LabelError."""
    if isinstance(given, PlacedLabels | Labels):
        given, image = given.level.name, given.image
    if given is None:
        fitting = project.levels.of_kind("points", "boxes")
        if len(fitting) != 1:
            raise PredictionError(f"say what to link: a run, or a level: {', '.join(fitting) or 'none is there yet'}")
        given = fitting[0]
    if isinstance(given, str) and given in project.levels.names and given not in project.runs:
        series = named_series(project, image)
        if series is not None:
            return level_in_time(project, given, series)
        return _of_level(project, given, one_image(project.store, image))
    name = given if isinstance(given, str) else getattr(given, "name", None)
    run = given if isinstance(given, Run) else project.runs.get(str(name))
    if run is None:
        raise PredictionError(unknown("run or level", shown(given), [*project.runs, *project.levels.names]))
    if run.kind == "places":
        about = run.result
        if isinstance(about, FoundBatch):
            in_time = found_in_time(project, run.name, about)
            if in_time is not None:
                return in_time
            raise PredictionError(
                f"run {run.name!r} looked at {len(about.images)} images; accept it, and link each image of the level: "
                f"ws.track({str(run.config.get('level'))!r}, image=...)"
            )
        if about.kind == "pictures":
            raise PredictionError(f"run {run.name!r} tells classes of pictures, which have no places to link")
        source = {"is": "found", "run": run.name}
        return {"source": source, "level": about.level, "image": about.image, "holds": about.kind}
    if run.kind == "objects":
        return {
            "source": {"is": "objects", "run": run.name},
            "level": "",
            "image": _image_of(project, run),
            "holds": "instances",
        }
    raise PredictionError(
        f"run {run.name!r} says something of each voxel; ws.objects({run.name!r}) makes objects of it, and these can "
        "be linked"
    )


def _image_of(project: Project, run: Run) -> str:
    image = run.config.get("image")
    if image in project.images.names:
        return str(image)
    raise PredictionError(f"the image of run {run.name!r} is not in this workspace any more")


def _of_level(project: Project, level: str, image: str) -> dict[str, Any]:
    kind = project.levels[level].kind
    if kind in ("points", "boxes"):
        sequence = project.store.marks(None, level, image).sequence
    elif kind == "instances":
        sequence = project.labels(level, image).sequence
    else:
        raise PredictionError(
            f"level {level!r} holds {'classes of voxels' if kind == 'semantic' else kind}, which are no single things; "
            f"ws.objects({level!r}) makes objects of voxels"
        )
    return {
        "source": {"is": "level", "level": level, "sequence": sequence},
        "level": level,
        "image": image,
        "holds": kind,
    }
