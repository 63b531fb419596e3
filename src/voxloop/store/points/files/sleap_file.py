"""What sleap-io reads and writes: .slp, .pkg.slp, analysis HDF5, NWB, Label Studio."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.points.files.given import Given
from voxloop.volumes.metadata import first_line

if TYPE_CHECKING:
    from voxloop.store.points.point_labels import PointLabels


def library() -> Any:
    """The module sleap_io. Raises LabelError where it is not installed."""
    try:
        import sleap_io
    except ImportError:
        raise LabelError("files of SLEAP, NWB and Label Studio need sleap-io: pip install 'voxloop[points]'") from None
    return sleap_io


def read(path: Path, kind: str, video: object, image: str) -> Given:
    """What a file says of one of its videos; none of the videos has to be there. Raises LabelError."""
    sio = library()
    readers: dict[str, Callable[[], Any]] = {
        "slp": lambda: sio.load_slp(str(path), open_videos=False),
        "analysis": lambda: sio.load_analysis_h5(str(path)),
        "nwb": lambda: sio.load_nwb(str(path)),
        "labelstudio": lambda: sio.load_labelstudio(str(path)),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = readers[kind]()
    except Exception as error:  # a library of readers: whatever it stumbles over, the file is at fault
        raise LabelError(f"{path} cannot be read ({first_line(error)}); is it complete, and of that kind?") from error
    if not labels.skeletons:
        raise LabelError(f"{path} holds no skeleton, so no points")
    chosen = _video(labels, video, image, path)
    body = labels.skeletons[0]
    given = Given(nodes=list(body.node_names), instances=[], size=_size(chosen))
    given.edges = [(a, b) for a, b in ((edge.source.name, edge.destination.name) for edge in body.edges)]
    for pair in body.symmetries:
        a, b = sorted(node.name for node in pair.nodes)
        given.symmetric.append((a, b))
    for frame in labels.labeled_frames:
        if kind != "labelstudio" and frame.video is not chosen:
            continue
        at = int(frame.frame_idx)
        for one in frame.instances:
            if one.skeleton.node_names != body.node_names:
                given.nodes += [name for name in one.skeleton.node_names if name not in given.nodes]
            given.instances.append(_instance(one, at, sio))
        if getattr(frame, "is_negative", False):
            given.empty.append(at)
    if len(labels.skeletons) > 1:
        given.remarks.append(f"the file has {len(labels.skeletons)} skeletons; edges are those of the first")
    return given


def videos(path: Path) -> list[str]:
    """The videos that a file of SLEAP names. Raises LabelError."""
    labels = library().load_slp(str(path), open_videos=False)
    return [str(video.filename) for video in labels.videos]


def _video(labels: Any, wanted: object, image: str, path: Path) -> Any:
    """The video that is meant: named, the only one, or of the image's name. Raises LabelError."""
    names = [_name(video) for video in labels.videos]
    if wanted is not None:
        for n, (video, name) in enumerate(zip(labels.videos, names, strict=True)):
            if wanted in (n, name, Path(name).name, Path(name).stem):
                return video
    elif len(set(names)) == 1:  # Label Studio has one video a frame, all of one name
        return labels.videos[0]
    else:
        alike = [video for video, name in zip(labels.videos, names, strict=True) if Path(name).stem == image]
        if len(alike) == 1:
            return alike[0]
    listed = ", ".join(f"{n}: {name!r}" for n, name in enumerate(names)) or "none"
    raise LabelError(f"{path} is of several videos; say which is image {image!r}: video= one of {listed}")


def _name(video: Any) -> str:
    name = video.filename
    return str(name[0] if isinstance(name, list) and name else name)


def _size(video: Any) -> tuple[int, int] | None:
    try:
        shape = video.shape
    except Exception:  # a video that is gone
        return None
    return None if not shape or len(shape) < 3 or not shape[1] else (int(shape[1]), int(shape[2]))


def _instance(one: Any, frame: int, sio: Any) -> dict[str, Any]:
    predicted = isinstance(one, sio.PredictedInstance)
    points: dict[str, Any] = {}
    hidden: list[str] = []
    scores: dict[str, float] = {}
    for node, point in zip(one.skeleton.node_names, one.points, strict=True):
        x, y = (float(value) for value in point["xy"])
        if np.isnan(x) or np.isnan(y):
            continue
        points[node] = (y, x)
        if not point["visible"]:
            hidden.append(node)
        if predicted and np.isfinite(point["score"]):
            scores[node] = float(point["score"])
    told: dict[str, Any] = {"frame": frame, "points": points, "hidden": hidden, "predicted": predicted}
    told["track"] = None if one.track is None else one.track.name
    if predicted:
        told["scores"] = scores
        told["score"] = float(one.score) if np.isfinite(one.score) else None
    return told


# -------------------------------------------------------------------------------------------------------------- out


def write(points: PointLabels, path: Path, kind: str, predicted: bool | None) -> None:
    """Write a file that sleap-io writes; ``package``: with the pictures of all frames in it. Raises LabelError."""
    sio = library()
    labels = as_labels(points, predicted)
    if kind == "analysis":  # it has no word for covered nodes, and would drop them
        for frame in labels:
            for one in frame.instances:
                one.points["visible"] = ~np.isnan(one.points["xy"][:, 0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "slp":
                sio.save_slp(labels, str(path), verbose=False)
            elif kind == "package":
                with tempfile.TemporaryDirectory() as folder:
                    _show_pictures(points, labels, Path(folder))
                    sio.save_slp(labels, str(path), embed="all", verbose=False)
            elif kind == "analysis":
                sio.save_analysis_h5(labels, str(path))
            elif kind == "nwb":
                sio.save_nwb(labels, str(path))
            else:
                sio.save_labelstudio(labels, str(path))
    except Exception as error:
        hint = "; NWB names the video, so the image must be a video file" if kind == "nwb" else ""
        raise LabelError(f"{path} cannot be written ({first_line(error)}){hint}") from error


def _show_pictures(points: PointLabels, labels: Any, folder: Path) -> None:
    """Put the frames that a package holds into a folder, as pictures that sleap-io takes over byte by byte."""
    from PIL import Image

    wanted = sorted({int(frame.frame_idx) for frame in labels.labeled_frames})
    for frame in wanted:
        Image.fromarray(points.picture(frame)).save(folder / f"{frame:07d}.png")
    first = folder / f"{wanted[0]:07d}.png"
    names = [folder / f"{frame:07d}.png" for frame in range(points.shape[0])]
    video = labels.videos[0]
    # frames without labels are never asked for
    video.replace_filename([str(name if name.exists() else first) for name in names], open=True)


def as_labels(points: PointLabels, predicted: bool | None = None) -> Any:
    """Everything as a ``sleap_io.Labels``, for whoever goes on with that library."""
    sio = library()
    body = points.skeleton
    skeleton = sio.Skeleton(
        nodes=list(body.nodes), edges=list(body.edges), symmetries=list(body.symmetric), name=points.level.name
    )
    frames, rows, columns = points.shape
    source = points.source or f"{points.image}"
    movie = re.search(r"\.(mp4|avi|mov|mkv|mj2)$", source, re.IGNORECASE) is not None and Path(source).exists()
    video = sio.Video(filename=source, open_backend=movie)
    if not movie:
        video.backend_metadata = {"shape": (frames, rows, columns, 1)}
    columns_of = points.arrays(predicted=predicted)
    tracks = {name: sio.Track(name) for name in dict.fromkeys(columns_of["track"].tolist()) if name}
    by_frame: dict[int, list[Any]] = {}
    for n in range(len(columns_of["id"])):
        xy = columns_of["points"][n][:, ::-1]
        track = tracks.get(columns_of["track"][n])
        if columns_of["predicted"][n]:
            score = columns_of["score"][n]
            one = sio.PredictedInstance.from_numpy(
                xy,
                skeleton=skeleton,
                track=track,
                point_scores=np.nan_to_num(columns_of["scores"][n].astype(float)),
                score=0.0 if np.isnan(score) else float(score),
            )
        else:
            one = sio.Instance.from_numpy(xy, skeleton=skeleton, track=track)
        one.points["visible"] = ~np.isnan(xy[:, 0]) & ~columns_of["hidden"][n]
        by_frame.setdefault(int(columns_of["frame"][n]), []).append(one)
    empty = [] if predicted else [frame for frame in points.labelled if points.is_empty(frame)]
    labelled = [
        sio.LabeledFrame(video=video, frame_idx=frame, instances=by_frame.get(frame, []), is_negative=frame in empty)
        for frame in sorted({*by_frame, *empty})
    ]
    return sio.Labels(labeled_frames=labelled, videos=[video], skeletons=[skeleton], tracks=list(tracks.values()))
