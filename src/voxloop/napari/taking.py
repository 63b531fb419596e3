"""``vl.from_napari(viewer)``: the layers of an open viewer become a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from voxloop.errors import WorkspaceError
from voxloop.given import flag, path_of, shown
from voxloop.napari.reading import NOTE
from voxloop.store.document import safe_name
from voxloop.volumes import open_volume
from voxloop.workspace.workspace import Workspace

#: micrometres, by how napari (and pint) call units
_UNITS = {
    "um": 1.0, "µm": 1.0, "micrometer": 1.0, "micron": 1.0, "nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3,
    "m": 1e6, "meter": 1e6, "angstrom": 1e-4,
}  # fmt: skip
#: more values than this are numbers of objects, not classes
_CLASSES = 20


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the voxels of a layer lie, zyx: shape, size in micrometres (None: not known), and both in its own units."""

    shape: tuple[int, ...]
    spacing_um: tuple[float, ...] | None
    scale: tuple[float, ...]
    translate: tuple[float, ...]

    def voxel(self, layer: Any, at: Any) -> tuple[float, ...]:
        """A place in another layer as voxel of this one."""
        world = np.asarray(at, float) * np.asarray(layer.scale) + np.asarray(layer.translate)
        world = np.concatenate([np.zeros(max(0, 3 - len(world))), world])[-3:]
        return tuple(float(one) for one in (world - self.translate) / self.scale)


def from_napari(
    viewer: Any, path: str | Path, *, zero: Literal["unlabelled", "background"] = "unlabelled", apart: bool = False
) -> Workspace:
    """Make a workspace of the layers in a napari viewer.

    Image layers of one grid become the channels of one image (``apart=True``: an image each), labels a level for every
    layer (of classes, or of objects where there are more than 20 values), points a level of points, rectangles a level
    of boxes. Scales and units are taken along; ``pixel``, where nobody set any, says that the voxel size is not known.

    Parameters
    ----------
    viewer
        ``napari.current_viewer()``, or anything that has ``layers``.
    path
        Folder of the new workspace.
    zero
        What 0 means in layers of labels.

    Raises
    ------
    WorkspaceError
        There is no image layer that can be taken, or the folder is in use. Nothing is left of it.

    Examples
    --------
    A window of napari is needed:

    >>> ws = vl.from_napari(napari.current_viewer(), "my-project")  # doctest: +SKIP
    """
    layers = list(getattr(viewer, "layers", ()))
    apart, folder = flag("apart", apart, error=WorkspaceError), path_of(path, error=WorkspaceError)
    if not isinstance(zero, str) or zero not in ("unlabelled", "background"):
        raise WorkspaceError(f"zero={shown(zero)} is neither 'unlabelled' nor 'background'")
    pictures = [layer for layer in layers if _kind(layer) == "Image" and not getattr(layer, "rgb", False)]
    if not pictures:
        raise WorkspaceError(
            "this viewer has no image layer of gray values; add one, colours are taken by vl.open_volume"
        )
    ws = Workspace.create(folder)
    try:
        for level in list(ws.levels.names):
            ws.levels.remove(level)
        grids = _add_images(ws, pictures, apart)
        for layer in layers:
            image = next((name for name, grid in grids.items() if _fits(layer, grid)), None)
            if image is not None and _kind(layer) == "Labels":
                _add_labels(ws, layer, image, zero)
            elif _kind(layer) in ("Points", "Shapes") and len(layer.data):
                first = next(iter(grids))
                _add_marks(ws, layer, first, grids[first])
    except BaseException:
        ws.close()
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        raise
    return ws


def _kind(layer: Any) -> str:
    """``Image``, ``Labels``, ``Points`` or ``Shapes``, also of a class that was made of one."""
    names = [one.__name__ for one in type(layer).__mro__]
    return next((name for name in ("Labels", "Image", "Points", "Shapes") if name in names), "")


def _array(layer: Any) -> Any:
    """The finest array of a layer (z, y, x), lazy where it was so."""
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    if data.ndim not in (2, 3):
        raise WorkspaceError(
            f"layer {layer.name!r} has {data.ndim} dimensions; only planes and volumes are taken: split the others"
        )
    return data if data.ndim == 3 else data[None]


def _grid(layer: Any) -> _Grid:
    shape = tuple(int(n) for n in _array(layer).shape)
    scale = [float(one) for one in layer.scale][-3:]
    translate = [float(one) for one in layer.translate][-3:]
    units = [str(one) for one in getattr(layer, "units", ()) or ()][-3:]
    while len(scale) < 3:
        scale, translate = [scale[0], *scale], [0.0, *translate]
        units = [units[0], *units] if units else []
    factors = [_UNITS.get(one) for one in units] or [None]
    if any(one is None for one in factors):
        return _Grid(shape, None, tuple(scale), tuple(translate))
    spacing = tuple(step * float(factor or 1) for step, factor in zip(scale, factors, strict=True))
    return _Grid(shape, spacing, tuple(scale), tuple(translate))


def _fits(layer: Any, grid: _Grid) -> bool:
    return _kind(layer) == "Labels" and tuple(_array(layer).shape) == grid.shape


def _add_images(ws: Workspace, layers: Sequence[Any], apart: bool) -> dict[str, _Grid]:
    groups: dict[Any, list[Any]] = {}
    for layer in layers:
        key = (_grid(layer), id(layer) if apart else None)
        groups.setdefault(key, []).append(layer)
    found = {}
    for (grid, _), together in groups.items():
        data = _array(together[0])
        channels: list[str] | None = None
        if len(together) > 1:
            import dask.array as da

            data = da.stack([da.asarray(_array(layer)) for layer in together])
            channels = [str(layer.name) for layer in together]
        volume = open_volume(data, spacing=grid.spacing_um)
        if channels:
            volume = volume.assign_coords(c=channels).assign_attrs(channel_names=channels)
        name = ws.images.free_name(str(together[0].name))
        ws.images.add(name, volume)
        found[name] = grid
    return found


def _add_labels(ws: Workspace, layer: Any, image: str, zero: str) -> None:
    values = np.asarray(_array(layer))
    present = [int(one) for one in np.unique(values) if one]
    name = _free_level(ws, layer)
    if len(present) > _CLASSES:
        ws.levels.add(name, kind="instances")
    else:
        ws.levels.add(name, classes=_classes(layer, present or [1], zero))
    as_asked = "unlabelled" if len(present) > _CLASSES else zero
    ws.labels(name, image).load(values, zero=as_asked)


def _classes(layer: Any, present: Sequence[int], zero: str) -> list[dict[str, Any]]:
    """Classes with the names and colours that the layer has for them."""
    table = getattr(layer, "features", None)
    names: dict[int, str] = {}
    if table is not None and {"index", "class"} <= set(getattr(table, "columns", ())):
        names = {int(value): str(name) for value, name in zip(table["index"], table["class"], strict=True)}
    found = []
    for value in present:
        one: dict[str, Any] = {"name": names.get(value, f"label {value}"), "value": value}
        color = layer.get_color(value) if hasattr(layer, "get_color") else None
        if color is not None and float(color[-1]) > 0:
            one["color"] = "#" + "".join(f"{round(255 * float(part)):02x}" for part in color[:3])
        found.append(one)
    if zero == "background":
        found.append({"name": "background", "value": max(present) + 1, "background": True})
    return found


def _add_marks(ws: Workspace, layer: Any, image: str, grid: _Grid) -> None:
    name = _free_level(ws, layer)
    if _kind(layer) == "Points":
        ws.levels.add(name, kind="points", skeleton=["point"])
        points = ws.points(name, image)
        for at in layer.data:
            frame, place = _framed(points.framed, grid.voxel(layer, at))
            points.add(frame, {"point": place})
        return
    shapes = zip(layer.data, layer.shape_type, strict=True)
    rectangles = [shape for shape, kind in shapes if kind == "rectangle"]
    if not rectangles:
        return
    ws.levels.add(name, kind="boxes")
    boxes = ws.boxes(name, image)
    for shape in rectangles:
        corners = [grid.voxel(layer, at) for at in (np.min(shape, axis=0), np.max(shape, axis=0))]
        frame, start = _framed(boxes.framed, corners[0])
        _, stop = _framed(boxes.framed, corners[1])
        if len(start) == 3 and start[0] == stop[0]:  # drawn in a plane of a volume: as deep as that
            start, stop = (start[0] - 0.5, *start[1:]), (stop[0] + 0.5, *stop[1:])
        boxes.add(frame, [*start, *stop])


def _framed(framed: bool, at: tuple[float, ...]) -> tuple[int | None, tuple[float, ...]]:
    """A voxel (z, y, x) as a frame and the place in it; as it is in a volume."""
    return (round(at[0]), at[1:]) if framed else (None, at)


def _free_level(ws: Workspace, layer: Any) -> str:
    """A name for the level of a layer: the one that it had in a workspace, or the layer's as far as names go."""
    note = dict(getattr(layer, "metadata", None) or {}).get(NOTE) or {}
    wanted = safe_name(str(note.get("level") or layer.name))
    name, number = wanted, 2
    while name in ws.levels.names:
        name, number = f"{wanted} {number}", number + 1
    return name
