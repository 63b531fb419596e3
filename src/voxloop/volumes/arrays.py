"""Arrays given as they are: NumPy, dask, zarr, h5py, torch, DataArray. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.axes import letters_of
from voxloop.volumes.formats import bio, tensor_store
from voxloop.volumes.formats.contract import Contents
from voxloop.volumes.metadata import (
    Notes,
    coordinate_step,
    first_line,
    is_size,
    length_unit,
    parse_assumed,
    parse_classes,
)


def contents_of(array: Any) -> Contents:
    """What an array-like is. Raises VolumeError for what is none."""
    if hasattr(array, "dims") and hasattr(array, "coords") and hasattr(array, "data"):
        return _of_dataarray(array)
    if bio.is_bio_image(array):
        return bio.contents_of(array)
    if type(array).__module__.partition(".")[0] == "tensorstore" and hasattr(array, "domain"):
        return tensor_store.contents_of(array)
    if isinstance(array, Mapping) or hasattr(array, "data_vars"):
        names = ", ".join(map(repr, list(getattr(array, "data_vars", array))[:6]))
        raise VolumeError(f"{type(array).__name__} holds several arrays ({names}); open one of them")
    remarks: list[str] = []
    if isinstance(array, np.ma.MaskedArray):
        remarks.append("what was masked is shown with the values that lie under the mask")
        array = np.asarray(array.data)
    if not _is_array(array):
        array = _converted(array)
    stored = getattr(array, "chunks", None)
    plain = isinstance(stored, tuple) and all(isinstance(n, int) for n in stored)
    return Contents(
        array=array, axes="?" * len(array.shape), chunks=tuple(stored) if plain and stored else None, remarks=remarks
    )


def _is_array(array: Any) -> bool:
    """Whether it has a shape, reads when it is sliced, and its type is one that NumPy knows (torch has its own)."""
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")):
        return False
    try:
        np.dtype(array.dtype)
    except TypeError:
        return False
    return True


def _converted(array: Any) -> np.ndarray:
    name = type(array).__name__
    if hasattr(array, "detach") and hasattr(array, "cpu"):  # a torch tensor, which may lie on a GPU and want gradients
        array = array.detach().cpu()
    try:
        converted = np.asarray(array)
    except Exception as error:  # whatever the object's own conversion raises
        raise VolumeError(f"{name} is no volume ({first_line(error)}); give a path or an array") from error
    if converted.dtype.kind not in "buif" or converted.ndim < 2:
        raise VolumeError(
            f"{name}: {converted.dtype} of shape {converted.shape} is no volume; give a path or an array (z, y, x)"
        )
    return converted


def _of_dataarray(array: Any) -> Contents:
    """A DataArray: its dims are the axes, its coordinates with units the spacing."""
    notes = Notes()
    axes = letters_of(list(array.dims))
    spacing = notes.attempt("spacing_um", lambda: _noted(array.attrs), {})
    origin: dict[str | int, float] = {}
    of_bioio = "micrometer" if "unprocessed" in array.attrs else ""  # its coordinates carry no unit, and are in these
    for place, dim in enumerate(array.dims):
        coordinate = array.coords.get(dim)
        if coordinate is None or coordinate.size == 0 or coordinate.dtype.kind not in "iuf":
            continue
        unit = coordinate.attrs.get("units") or array.attrs.get("units") or of_bioio
        if not unit or axes[place] not in "zyx?":
            continue
        step = notes.attempt(
            f"the coordinate {dim}", partial(coordinate_step, coordinate.values, unit, str(dim), notes), None
        )
        if step is not None:
            spacing.pop(axes[place], None)
            spacing[place], origin[place] = step
        elif coordinate.size == 1:
            um, start = length_unit(unit), float(coordinate.values[0])
            if um is not None and np.isfinite(start):
                origin[place] = start * um
    names = None
    if "c" in axes and array.dims[axes.index("c")] in array.coords:
        names = [str(name) for name in array.coords[array.dims[axes.index("c")]].values]
    classes = array.attrs.get("classes")
    return Contents(
        array=array.data,
        axes=axes,
        spacing_um=spacing,
        origin_um=origin,
        channel_names=names,
        z_kind=str(array.attrs.get("z_kind", "space")),
        labels=array.attrs.get("kind") == "labels",
        classes=notes.attempt("classes", lambda: parse_classes(array.attrs["classes"]), []) if classes else (),
        assumed=parse_assumed(array.attrs.get("spacing_from_zyx")),
        anatomy=str(array.attrs.get("anatomy", "")),
        remarks=notes.remarks,
    )


def _noted(attributes: Mapping[str, Any]) -> dict[str | int, float]:
    sizes: dict[str | int, float] = {}
    for axis, size in zip("zyx", attributes.get("spacing_um", ()), strict=False):
        if is_size(float(size)):
            sizes[axis] = float(size)
    return sizes
