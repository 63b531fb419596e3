"""Bring what a file says to a level and an image, as one edit; or say in a sentence what has to be decided first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, unknown
from voxloop.given import path_of, shown
from voxloop.store.points.files import coco_file, csv_file, sleap_file
from voxloop.store.points.files.given import Given
from voxloop.store.skeleton import Skeleton
from voxloop.store.values import number

if TYPE_CHECKING:
    from voxloop.store.points.placed_labels import PlacedLabels

FORMATS = ("slp", "analysis", "nwb", "labelstudio", "coco", "csv")
_BY_SUFFIX = {".slp": "slp", ".h5": "analysis", ".hdf5": "analysis", ".nwb": "nwb", ".csv": "csv"}


@dataclass(frozen=True, slots=True)
class Loading:
    """What was brought in, and what was left out, in words."""

    instances: int
    predicted: int
    frames: int
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = f"{self.instances} instances ({self.predicted} predicted) in {self.frames} frames"
        return "; ".join([words, *self.left_out])


def load(
    marks: PlacedLabels,
    path: str | Path,
    *,
    format: str | None = None,
    video: int | str | None = None,
    nodes: Mapping[str, str | None] | str | None = None,
    outside: str | None = None,
    beyond: str | None = None,
    doubles: str | None = None,
    scale: float | None = None,
) -> Loading:
    """Bring in points or boxes of another program, as one edit that can be undone. The video need not be there.

    Parameters
    ----------
    path
        ``.slp`` and ``.pkg.slp`` of SLEAP, its analysis HDF5 (``.h5``), DeepLabCut's ``.csv``, our ``.csv`` (columns
        such as ``frame``, ``track``, ``nose y``, ``nose x``), ``.nwb``, and ``.json`` of COCO or Label Studio.
    format
        One of ``slp``, ``analysis``, ``nwb``, ``labelstudio``, ``coco``, ``csv`` where the name does not say it.
    video
        Which of several videos in the file is this image: its number or its name.
    nodes
        Name in the file -> name of the level, None to leave a node out; ``"add"`` adds those that the level lacks (a
        level without points gets the skeleton of the file).
    outside
        What becomes of nodes outside of the picture: ``"leave out"`` or ``"move in"``.
    beyond
        ``"leave out"`` leaves out what lies in frames that the image does not have.
    doubles
        ``"no track"``: a second instance of a track in a frame comes without its track.
    scale
        Factor for coordinates, where the file is of a video of another size.

    Raises
    ------
    LabelError
        The file cannot be read, or one of the things above has to be decided; nothing has changed.
    """
    path = path_of(path, error=LabelError)
    if not path.exists():
        raise LabelError(f"{path} does not exist")
    kind = _kind(path, format)
    given = _read(marks, path, kind, video)
    left_out = list(given.remarks)
    names = _nodes(marks, given, nodes)
    factor = _scale(marks, given, scale)
    told = [_fitted(one, names, factor) for one in given.instances]
    empty = sum(not one["points"] for one in told)
    if empty:
        left_out.append(f"{empty} instances without a placed node were left out")
    told = [one for one in told if one["points"]]
    told = _in_time(marks, told, beyond, left_out)
    told = _in_picture(marks, told, outside, left_out)
    told = _of_one_track(told, doubles, left_out)
    _label_classes(marks, told, left_out)
    if not told and not given.empty:
        raise LabelError(f"{path} holds no instances of this video")
    with marks.reshaping(_body(marks, given, nodes)):
        marks.add_mixed(told, [frame for frame in given.empty if not marks.count(frame)], tool="load", path=str(path))
    predicted = sum(bool(one["predicted"]) for one in told)
    return Loading(len(told), predicted, len({one["frame"] for one in told}), tuple(left_out))


def _kind(path: Path, given: str | None) -> str:
    if given is not None:
        if given not in FORMATS:
            raise LabelError(unknown("format", given, FORMATS))
        return given
    suffix = path.suffix.lower()
    if suffix == ".json":
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise LabelError(f"{path} cannot be read as JSON ({error})") from error
        return "coco" if isinstance(content, dict) and "annotations" in content else "labelstudio"
    if suffix not in _BY_SUFFIX:
        raise LabelError(f"{path.name} is of no kind that is known; {', '.join(_BY_SUFFIX)}, .json are, or say format=")
    return _BY_SUFFIX[suffix]


def _read(marks: PlacedLabels, path: Path, kind: str, video: object) -> Given:
    boxes = marks.level.kind == "boxes"
    if kind == "coco":
        given = coco_file.read(path, boxes)
    elif kind == "csv":
        given = csv_file.read(path)
    elif boxes:
        raise LabelError(f"{path.name} holds points; a level of boxes takes .json of COCO or .csv")
    else:
        given = sleap_file.read(path, kind, video, marks.image)
    if given.boxes != boxes:
        what = "boxes" if given.boxes else "points"
        raise LabelError(f"{path.name} holds {what}, and level {marks.level.name!r} holds {marks.level.kind}")
    return given


def _nodes(marks: PlacedLabels, given: Given, wanted: Mapping[str, str | None] | str | None) -> dict[str, str | None]:
    """Name in the file -> name in the level, None where it is left out."""
    if given.boxes:
        return {"start": "start", "stop": "stop"}
    skeleton: Skeleton = marks.skeleton  # type: ignore[attr-defined]
    if wanted == "add":
        return {name: name for name in given.nodes}
    if wanted is not None and not isinstance(wanted, Mapping):
        raise LabelError(f"nodes={shown(wanted)} is neither 'add' nor a dict of their names and ours")
    table = dict(wanted or {})
    strange = next((name for name in table if name not in given.nodes), None)
    if strange is not None:
        raise LabelError(f"nodes: {unknown('node of the file', strange, given.nodes)}")
    names: dict[str, str | None] = {}
    missing = []
    for name in given.nodes:
        if name in table:
            mine = table[name]
            names[name] = None if mine is None else skeleton.node(mine)
        elif name in skeleton.nodes:
            names[name] = name
        elif len(given.nodes) == 1 == len(skeleton):
            names[name] = skeleton.nodes[0]
        else:
            missing.append(name)
    if missing:
        raise LabelError(
            f"the file has nodes that level {marks.level.name!r} has not: {', '.join(map(repr, missing))}; say which "
            f"they are with nodes={{{missing[0]!r}: {skeleton.nodes[0]!r}}} (None leaves one out), or nodes='add'"
        )
    return names


def _body(marks: PlacedLabels, given: Given, wanted: object) -> Skeleton | None:
    """The skeleton that the level is to have; None where it stays."""
    if wanted != "add" or given.boxes:
        return None
    skeleton: Skeleton = marks.skeleton  # type: ignore[attr-defined]
    theirs = Skeleton(given.nodes, _once(given.edges), _once(given.symmetric))
    if not len(marks) and not marks.sequence:
        return theirs
    new = [name for name in given.nodes if name not in skeleton.nodes]
    if not new:
        return None
    edges = [*skeleton.edges, *(edge for edge in theirs.edges if set(edge) & set(new))]
    pairs = [*skeleton.symmetric, *(pair for pair in theirs.symmetric if set(pair) <= set(new))]
    return Skeleton([*skeleton.nodes, *new], _once(edges), pairs)


def _once(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return list({frozenset(pair): pair for pair in pairs if pair[0] != pair[1]}.values())


def _scale(marks: PlacedLabels, given: Given, scale: float | None) -> float:
    if scale is not None:
        return number("scale", scale, 1e-6)
    rows, columns = marks.shape[1:]
    if given.size is not None and given.size != (rows, columns):
        there = f"{given.size[1]}x{given.size[0]}"
        raise LabelError(
            f"the labels are of a video of {there} pixels, and image {marks.image!r} has {columns}x{rows}; "
            f"scale={columns / given.size[1]:.4g} fits them, scale=1 takes them as they are"
        )
    return 1.0


def _fitted(one: dict[str, Any], names: dict[str, str | None], factor: float) -> dict[str, Any]:
    def mine(name: str) -> str | None:
        return names.get(name)

    points = {mine(name): tuple(factor * value for value in at) for name, at in one["points"].items() if mine(name)}
    fitted = {**one, "points": points}
    fitted["hidden"] = [mine(name) for name in one.get("hidden") or () if mine(name) in points]
    scores = {mine(name): score for name, score in (one.get("scores") or {}).items() if mine(name) in points}
    fitted["scores"] = scores or None
    return fitted


def _in_time(marks: PlacedLabels, told: list[dict[str, Any]], beyond: str | None, left_out: list[str]) -> list[Any]:
    if not marks.framed:
        return told
    depth = marks.shape[0]
    late = [one for one in told if one["frame"] is not None and not 0 <= one["frame"] < depth]
    if not late:
        return told
    last = max(one["frame"] for one in late)
    if beyond != "leave out":
        raise LabelError(
            f"the file labels frame {last}, and image {marks.image!r} ends with frame {depth - 1}: {len(late)} "
            "instances lie beyond; beyond='leave out' leaves them out"
        )
    left_out.append(f"{len(late)} instances beyond the last frame were left out")
    return [one for one in told if one["frame"] is None or 0 <= one["frame"] < depth]


def _in_picture(marks: PlacedLabels, told: list[dict[str, Any]], how: str | None, left_out: list[str]) -> list[Any]:
    extent = marks.shape[1:] if marks.framed else marks.shape
    count = 0
    for one in told:
        for name, at in list(one["points"].items()):
            if len(at) != len(extent) or all(-0.5 <= v <= n - 0.5 for v, n in zip(at, extent, strict=True)):
                continue
            count += 1
            if how == "leave out":
                del one["points"][name]
            elif how == "move in":
                one["points"][name] = tuple(min(max(v, 0.0), n - 1.0) for v, n in zip(at, extent, strict=True))
            else:
                x, y = at[-1], at[-2]
                raise LabelError(
                    f"{name} in frame {one['frame']} is at x {x:g}, y {y:g}, outside of the picture of "
                    f"{extent[-1]}x{extent[-2]}; outside='leave out' or outside='move in' says what becomes of such"
                )
    if count:
        left_out.append(f"{count} nodes outside of the picture were {'left out' if how == 'leave out' else 'moved in'}")
    for one in told:
        one["hidden"] = [name for name in one["hidden"] if name in one["points"]]
    return [one for one in told if one["points"]]


def _of_one_track(told: list[dict[str, Any]], how: str | None, left_out: list[str]) -> list[Any]:
    seen: set[tuple[Any, Any, bool]] = set()
    count = 0
    for one in told:
        key = one["frame"], one.get("track"), bool(one["predicted"])
        if one.get("track") is None or key not in seen:
            seen.add(key)
            continue
        if how != "no track":
            raise LabelError(
                f"frame {one['frame']} has two instances of track {one['track']!r}; doubles='no track' takes the "
                "second without its track"
            )
        one["track"] = None
        count += 1
    if count:
        left_out.append(f"{count} instances lost their track, which another one of the frame has")
    return told


def _label_classes(marks: PlacedLabels, told: list[dict[str, Any]], left_out: list[str]) -> None:
    """Classes that the level has not are left out; those of a level without classes all are."""
    known = {item.name for item in marks.level.classes}
    strange = sorted({str(one["label"]) for one in told if one.get("label") and one["label"] not in known})
    for one in told:
        if one.get("label") not in known:
            one["label"] = None
    if strange and known:
        left_out.append(f"classes that the level has not were left out: {', '.join(map(repr, strange))}")
