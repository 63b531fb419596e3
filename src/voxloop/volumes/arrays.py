"""Arrays given as they are: NumPy, dask, zarr, h5py, DataArray. Reads nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import unit_um
from voxloop.volumes.formats.contract import Found


def found_in(array: Any) -> Found:
    """What an array-like is. Raises VolumeError for what is none."""
    if hasattr(array, "dims") and hasattr(array, "coords"):
        return _found_in_dataarray(array)
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")):
        try:
            array = np.asarray(array)
        except ValueError as error:
            raise VolumeError(f"{type(array).__name__} is no volume ({error}); give a path or an array") from error
        if array.dtype.kind not in "buif" or array.ndim < 2:
            raise VolumeError(f"{array.dtype} of shape {array.shape} is no volume; give a path or an array (z, y, x)")
    own = getattr(array, "chunks", None)
    plain = own is not None and all(isinstance(n, int) for n in own)
    return Found(array=array, axes="?" * len(array.shape), chunks=tuple(own) if plain and own is not None else None)


def _found_in_dataarray(array: Any) -> Found:
    """A DataArray: its dims are the axes, its coordinates with units the spacing."""
    letters = [str(dim).lower() for dim in array.dims]
    axes = "".join(letters) if all(len(name) == 1 and name in "tczyxs" for name in letters) else "?" * array.ndim
    spacing = {axis: float(size) for axis, size in zip("zyx", array.attrs.get("spacing_um", ()), strict=False)}
    origin = {}
    for axis in set(axes) & set("zyx"):
        coordinate = array.coords.get(array.dims[axes.index(axis)])
        if coordinate is None or coordinate.size == 0:
            continue
        unit = coordinate.attrs.get("units") or array.attrs.get("units")
        um = unit_um(str(unit)) if unit else None
        if um is not None:
            origin[axis] = float(coordinate.values[0]) * um
            if coordinate.size > 1 and float(coordinate.values[1]) > float(coordinate.values[0]):
                last, first = float(coordinate.values[-1]), float(coordinate.values[0])
                spacing[axis] = (last - first) / (coordinate.size - 1) * um
    names = [str(name) for name in array.coords["c"].values] if "c" in axes and "c" in array.coords else None
    return Found(
        array=array.data,
        axes=axes,
        spacing_um=spacing,
        origin_um=origin,
        channel_names=names,
        z_kind=array.attrs.get("z_kind", "space"),
        labels=array.attrs.get("kind") == "labels",
    )
