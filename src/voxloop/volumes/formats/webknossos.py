"""Data sets of webKnossos, kept as zarr or wkw: layers and magnifications, whose arrays lie x before y before z."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxloop.errors import VolumeError
from voxloop.geometry import unit_um
from voxloop.volumes.formats.contract import Contents, Format, Source
from voxloop.volumes.formats.hdf5 import choose
from voxloop.volumes.formats.plain_zarr import open_zarr
from voxloop.volumes.formats.wkw_array import WkwArray
from voxloop.volumes.metadata import Notes

PROPERTIES = "datasource-properties.json"


def read(source: Source) -> Contents:
    """The layer that ``source.dataset`` names, or the only one, at the magnification ``source.scale``, finest first."""
    path = Path(str(source.path))
    properties = json.loads((path / PROPERTIES).read_text(encoding="utf-8"))
    layers = {str(layer["name"]): layer for layer in properties.get("dataLayers", [])}
    shapes = {name: tuple(layer.get("boundingBox", {}).get(key, 0) for key in ("depth", "height", "width"))
              for name, layer in layers.items()}  # fmt: skip
    layer = layers[choose(source, shapes)]
    name, kind = str(layer["name"]), str(layer.get("dataFormat", ""))
    if not kind.startswith(("zarr", "wkw")):
        raise VolumeError(
            f"layer {name!r} of {path} is kept as {kind or 'something else'}; webKnossos converts it to zarr3"
        )
    listed = layer.get("mags") or [{**one, "mag": one["resolution"]} for one in layer.get("wkwResolutions", [])]
    mags = sorted(listed, key=lambda mag: _factors(mag["mag"]))
    if source.scale >= len(mags):
        raise VolumeError(f"layer {name!r} of {path} has {len(mags)} scales; scale={source.scale} is not one of them")
    mag = mags[source.scale]
    notes = Notes()
    folder = _folder(path, name, mag)
    array = open_zarr(Source(text=str(folder), path=folder)) if kind.startswith("zarr") else _wkw(folder, layer, mag)
    axes = notes.attempt("the order of its axes", lambda: _axes(mag, array.ndim), "cxyz"[-array.ndim :])
    sizes = notes.attempt("the voxel size", lambda: _sizes(properties, _factors(mag["mag"])), {})
    return Contents(
        array=array,
        axes=axes,
        spacing_um=sizes,
        chunks=tuple(array.chunks),
        scale_count=len(mags),
        labels=layer.get("category") == "segmentation",
        remarks=notes.remarks,
    )


def _wkw(folder: Path, layer: Mapping[str, Any], mag: Mapping[str, Any]) -> WkwArray:
    """An array of wkw files as far as the layer's bounding box reaches."""
    box = layer["boundingBox"]
    ends = [int(top) + int(box[side]) for top, side in zip(box["topLeft"], ("width", "height", "depth"), strict=True)]
    x, y, z = (-(-end // factor) for end, factor in zip(ends, _factors(mag["mag"]), strict=True))
    return WkwArray(folder, (x, y, z))


def _factors(mag: Any) -> tuple[int, int, int]:
    """Voxels of the finest magnification along x, y, z in one of this."""
    if isinstance(mag, int):
        return mag, mag, mag
    if isinstance(mag, str):
        parts = [int(part) for part in mag.split("-")]
        mag = parts * 3 if len(parts) == 1 else parts
    x, y, z = (int(factor) for factor in mag)
    return x, y, z


def _folder(path: Path, layer: str, mag: Mapping[str, Any]) -> Path:
    """Where the array of a magnification lies; only within the data set. Raises VolumeError."""
    x, y, z = _factors(mag["mag"])
    short = str(x) if x == y == z else f"{x}-{y}-{z}"
    names = [str(mag["path"])] if mag.get("path") else [f"{layer}/{short}", f"{layer}/{x}-{y}-{z}"]
    for name in names:
        folder = path / name
        if folder.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            return folder
    raise VolumeError(f"{path} says that {names[0]} holds layer {layer!r}, which is not there; is the copy complete?")


def _axes(mag: Mapping[str, Any], count: int) -> str:
    order = mag.get("axisOrder") or {axis: place for place, axis in enumerate("cxyz"[-count:])}
    letters = ["?"] * count
    for axis, place in order.items():
        letters[int(place)] = str(axis)
    return "".join(letters)


def _sizes(properties: Mapping[str, Any], factors: tuple[int, int, int]) -> dict[str | int, float]:
    scale = properties["scale"]
    steps, unit = (scale["factor"], scale.get("unit", "nanometer")) if isinstance(scale, Mapping) else (scale, "nm")
    return {
        axis: float(step) * unit_um(unit) * factor for axis, step, factor in zip("xyz", steps, factors, strict=True)
    }


def _accepts(source: Source) -> bool:
    return source.path is not None and (source.path / PROPERTIES).is_file()


FORMAT = Format(name="webKnossos", suffixes=(PROPERTIES,), accepts=_accepts, read=read)
