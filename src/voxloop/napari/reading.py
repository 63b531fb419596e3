"""A workspace as layers of napari: images, labels, predictions, points and boxes, where and as large as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VoxloopError
from voxloop.prediction import Prediction
from voxloop.store.points.placed_labels import PlacedLabels
from voxloop.volumes import open_volume, scales
from voxloop.volumes.volume import origin_of, spacing_of
from voxloop.workspace.workspace import Workspace

#: data, how it is shown, kind: what napari takes from a reader
LayerData = tuple[Any, dict[str, Any], str]
#: bytes of labels that are loaded to be painted on; larger ones are shown by the piece, and stay as they are
EDITABLE = 2_000_000_000
#: under this name a layer says what in which workspace it is
NOTE = "voxloop"


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """What napari asks: a function that reads the path, or None where it is no workspace."""
    one = path if isinstance(path, str | os.PathLike) else (path[0] if len(path) == 1 else None)
    folder = None if one is None else _folder(Path(one))
    if folder is None:
        return None
    return lambda _: workspace_layers(folder)


def _folder(path: Path) -> Path | None:
    if path.name == "workspace.json":
        path = path.parent
    return path if (path / "workspace.json").is_file() else None


def workspace_layers(workspace: str | Path | Workspace, image: str | None = None) -> list[LayerData]:
    """Layers of a workspace, ready for ``viewer.add_layer`` or ``napari.layers.Layer.create``.

    Parameters
    ----------
    workspace
        A workspace, or its folder. A folder is opened to read: nobody who works in it is disturbed.
    image
        One image; None: all, each above the other.

    Returns
    -------
    list of (data, settings, kind)
        Images lazily with their scales; labels as arrays that can be painted on, up to 2 GB, larger ones lazily;
        predictions lazily; points, and boxes as rectangles. Scale and place in micrometres. What only changes in napari
        goes back by :func:`keep_labels`.
    """
    if isinstance(workspace, Workspace):
        return list(_layers(workspace, image))
    with Workspace.open(workspace, read_only=True) as opened:
        return list(_layers(opened, image))


def _layers(ws: Workspace, only: str | None) -> Iterator[LayerData]:
    names = ws.images.names if only is None else [ws.images.one(only)]
    for name in names:
        yield _picture(ws, name)
        for prediction in ws.predictions.values():
            if prediction.image == name:
                yield from _prediction(prediction)
        for level in ws.levels.painted:
            yield _labels(ws, level, name)
        for level in ws.levels.of_kind("points", "boxes"):
            yield from _marks(ws, level, name)


def _place(volume: Any) -> dict[str, Any]:
    """Scale, place and units of an array (z, y, x), with as many axes before these as it has."""
    before = volume.ndim - 3
    frames = volume.attrs.get("z_kind") == "frame"
    spacing, origin = list(spacing_of(volume)), list(origin_of(volume))
    if frames:  # frames are counted, they lie nowhere
        spacing[0], origin[0] = 1.0, 0.0
    return {
        "scale": [1.0] * before + spacing,
        "translate": [0.0] * before + origin,
        "units": ["pixel"] * before + (["pixel", "um", "um"] if frames else ["um"] * 3),
        "axis_labels": ["c"] * before + ["z", "y", "x"],
    }


def _lazily(volumes: Sequence[Any]) -> dict[str, Any]:
    """Arrays of one thing at falling resolutions, as napari takes them."""
    arrays = [one.data for one in volumes]
    return {"data": arrays if len(arrays) > 1 else arrays[0], "multiscale": len(arrays) > 1}


def _picture(ws: Workspace, name: str) -> LayerData:
    volumes = ws.images.scales(name)
    whole = volumes[0]
    lazy, place = _lazily(volumes), _place(whole)
    data = lazy.pop("data")
    how: dict[str, Any] = {"name": name, "blending": "additive", "metadata": {NOTE: _note(ws, image=name)}}
    if whole.ndim == 4:
        how |= {"channel_axis": 0, "name": [f"{name}: {one}" for one in _channels(whole)]}
        place = {key: value[1:] for key, value in place.items()}
    elif whole.dtype == np.uint8:
        how["contrast_limits"] = (0, 255)
    return data, {**how, **place, **lazy}, "image"


def _channels(volume: Any) -> list[str]:
    names = volume.attrs.get("channel_names") or []
    count = volume.shape[0]
    return [str(one) for one in names] if len(names) == count else [f"channel {n}" for n in range(count)]


def _colors(classes: Sequence[Any]) -> dict[int | None, str]:
    """Colours of label values; all others are seen through."""
    return {None: "#00000000", 0: "#00000000", **{int(one.value): str(one.color) for one in classes}}


def _names(classes: Sequence[Any]) -> dict[str, list[Any]]:
    """What napari shows of the label under the pointer."""
    return {"index": [int(one.value) for one in classes], "class": [str(one.name) for one in classes]}


def _labels(ws: Workspace, level: str, image: str) -> LayerData:
    labels = ws.labels(level, image)
    volume = labels.as_volume()
    classes = ws.levels[level].classes
    editable = int(np.prod(labels.shape)) * labels.dtype.itemsize <= EDITABLE
    how: dict[str, Any] = {
        "name": f"{image}: {level}" if editable else f"{image}: {level} (too large to paint on)",
        "metadata": {NOTE: _note(ws, image=image, level=level, sequence=labels.sequence, editable=editable)},
        **_place(volume),
    }
    if ws.levels[level].kind == "semantic":
        how |= {"colormap": _colors(classes), "features": _names(classes)}
    data = labels.read() if editable else volume.data
    return data, how, "labels"


def _prediction(prediction: Prediction) -> Iterator[LayerData]:
    metadata = {NOTE: {"prediction": prediction.name, "path": str(prediction.path)}}
    opened = open_volume(prediction.path / f"labels/{prediction.level}")
    lazy = _lazily(scales(opened))
    found = {"name": prediction.name, "colormap": _colors(prediction.classes), "opacity": 0.4, "metadata": metadata}
    yield lazy.pop("data"), {**found, "features": _names(prediction.classes), **_place(opened), **lazy}, "labels"
    try:
        sure = prediction.uncertainty
    except VoxloopError:
        return  # it was not kept
    how = {"name": f"{prediction.name}: uncertainty", "visible": False, "colormap": "magma", "blending": "additive"}
    yield sure.data, {**how, **_place(sure), "metadata": metadata}, "image"


def _marks(ws: Workspace, level: str, image: str) -> Iterator[LayerData]:
    marks = ws.store.marks(None, level, image)
    if not isinstance(marks, PlacedLabels):
        return
    frames = marks.frames if marks.framed else [None]
    found = [(frame, one) for frame in frames for one in marks.read(frame)]
    place = {
        **_place(ws.images.open(image).isel(c=0, missing_dims="ignore")),
        "metadata": {NOTE: _note(ws, image, level)},
    }
    if ws.levels[level].kind == "boxes":
        corners = [_rectangle(frame, *one.box) for frame, one in found]
        names = {"label": [one.label or "" for _, one in found]}
        how = {"name": f"{image}: {level}", "shape_type": "rectangle", "face_color": "transparent", "features": names}
        yield corners or np.empty((0, 2, 3)), {**how, **place}, "shapes"
        return
    nodes = [(_whole(frame, at), node, one.track or "") for frame, one in found for node, at in one.points.items()]
    shown = {
        "name": f"{image}: {level}",
        "features": {"node": [node for _, node, _ in nodes], "track": [track for _, _, track in nodes]},
        "size": 6,
    }
    yield np.array([at for at, _, _ in nodes], float).reshape(-1, 3), {**shown, **place}, "points"


def _whole(frame: int | None, at: Sequence[float]) -> tuple[float, ...]:
    """A place (z, y, x) of a node in a frame or a volume."""
    return tuple(at) if frame is None else (float(frame), *at)


def _rectangle(frame: int | None, start: Sequence[float], stop: Sequence[float]) -> np.ndarray:
    """Corners (4, 3) of a box; of a box in a volume those in its middle plane."""
    z = float(frame) if frame is not None else (start[0] + stop[0]) / 2
    (y0, x0), (y1, x1) = start[-2:], stop[-2:]
    return np.array([(z, y0, x0), (z, y0, x1), (z, y1, x1), (z, y1, x0)], float)


def _note(ws: Workspace, image: str, level: str | None = None, **more: Any) -> Mapping[str, Any]:
    return {"workspace": str(ws.path), "image": image, **({"level": level} if level else {}), **more}
