"""What a volume is: a dask-backed DataArray in micrometres, and the few questions asked of it. Opens no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import AXES, Box, Shape, Spacing, unit_um
from voxloop.volumes.view import behind

if TYPE_CHECKING:
    from xarray import DataArray

DIMS = ("c", "z", "y", "x")


def make_volume(
    array: Any,
    *,
    spacing_um: Spacing = (1.0, 1.0, 1.0),
    origin_um: Spacing = (0.0, 0.0, 0.0),
    name: str = "volume",
    source: str = "array",
    channel_names: Sequence[str] | None = None,
    z_kind: str = "space",
    spacing_from: str = "argument",
    open_arguments: dict[str, Any] | None = None,
    scale_count: int = 1,
) -> DataArray:
    """Wrap a dask array (z, y, x) or (c, z, y, x) as a volume. Computes nothing.

    Parameters
    ----------
    spacing_um, origin_um
        Distance of voxel centres and the centre of voxel 0, micrometres, zyx.
    z_kind
        ``"space"``, or ``"frame"`` where neighbouring planes are separate pictures.
    spacing_from
        ``"metadata"``, ``"argument"``, or ``"assumed"`` where nobody said.
    scale_count
        How many resolutions the source itself holds.
    """
    from xarray import DataArray, Variable

    dims = DIMS[-array.ndim :]
    coords: dict[str, Any] = {}
    for axis, size, step, start in zip(AXES, array.shape[-3:], spacing_um, origin_um, strict=True):
        coords[axis] = Variable(axis, start + np.arange(size) * step, {"units": "micrometer"})
    attrs: dict[str, Any] = {
        "units": "micrometer",
        "spacing_um": tuple(float(s) for s in spacing_um),
        "spacing_from": spacing_from,
        "source": source,
        "z_kind": z_kind,
        "open_arguments": open_arguments,
        "scale_count": scale_count,
    }
    if dims[0] == "c":
        names = list(channel_names) if channel_names else [f"channel {i}" for i in range(array.shape[0])]
        coords["c"] = names
        attrs["channel_names"] = names
    return DataArray(array, dims=dims, coords=coords, name=name, attrs=attrs)


def spacing_of(volume: DataArray) -> Spacing:
    """Voxel size in micrometres, zyx: from the coordinates, from ``attrs`` where an axis has a single voxel."""
    known = volume.attrs.get("spacing_um", (1.0, 1.0, 1.0))
    found = []
    for axis, kept in zip(AXES, known, strict=True):
        if axis in volume.coords and volume.sizes.get(axis, 0) > 1:
            values = volume.coords[axis].values
            found.append(abs(float(values[-1]) - float(values[0])) / (len(values) - 1))
        else:
            found.append(float(kept))
    return found[0], found[1], found[2]


def origin_of(volume: DataArray) -> Spacing:
    """Centre of the first voxel in micrometres, zyx."""
    z, y, x = (float(volume.coords[axis].values[0]) if axis in volume.coords else 0.0 for axis in AXES)
    return z, y, x


def shape_zyx(volume: DataArray) -> Shape:
    """Voxels along z, y, x."""
    z, y, x = (int(volume.sizes[axis]) for axis in AXES)
    return z, y, x


def channels_of(volume: DataArray) -> int:
    """Number of channels; 1 where there is no channel axis."""
    return int(volume.sizes.get("c", 1))


def read_block(volume: DataArray, region: object = None) -> np.ndarray:
    """The voxels of ``region`` as ``(c, z, y, x)``, in memory; the dtype of the volume.

    ``region`` is anything :meth:`voxloop.geometry.Box.of` takes (None: all). Raises VolumeError where it lies
    outside.
    """
    box = Box.of(region, shape_zyx(volume))
    key = (*(slice(0, n) for n in volume.shape[:-3]), *box.slices)
    block = read_lazy(volume.data, key)
    return block if block.ndim == 4 else block[np.newaxis]


def read_lazy(array: Any, key: tuple[slice, ...]) -> np.ndarray:
    """Part of a dask array in memory; straight from what it reads where nothing lies between."""
    source = behind(array)
    if source is not None:
        return np.asarray(source[key])
    part = array[key]
    if hasattr(part, "compute"):
        # a scheduler of threads costs more than it gives for the few chunks of a plane or a tile
        part = part.compute(scheduler="threads" if part.npartitions > 2 else "synchronous")
    return np.asarray(part)


def stored_chunk(volume: DataArray) -> Shape | None:
    """Voxels (z, y, x) of a chunk as the source stores it: what is decoded together; None where that is not known."""
    chunks = getattr(behind(volume.data), "chunks", None)
    if chunks is None:
        return None
    z, y, x = chunks[-3:]
    return z, y, x


def as_volume(array: Any, *, like: DataArray | None = None, spacing: Any = None, **options: Any) -> DataArray:
    """A volume as it is; anything else through :func:`open_volume`, spacing taken from ``like`` where not given."""
    from xarray import DataArray

    from voxloop.volumes.opening import open_volume

    is_volume = isinstance(array, DataArray) and tuple(array.dims) in (DIMS, AXES) and "spacing_um" in array.attrs
    if isinstance(array, DataArray) and is_volume and spacing is None and hasattr(array.data, "dask"):
        return array
    return open_volume(array, spacing=spacing_of(like) if spacing is None and like is not None else spacing, **options)


def spacing_argument(spacing: object, unit: str) -> Spacing | None:
    """The ``spacing`` argument in micrometres: one number, (y, x) with z = y, or (z, y, x). Raises VolumeError."""
    if spacing is None:
        return None
    try:
        values = [float(v) for v in np.atleast_1d(np.asarray(spacing, dtype=float))]
    except (TypeError, ValueError):
        raise VolumeError(f"spacing {spacing!r} is not a number or three of them (z, y, x)") from None
    if len(values) == 1:
        values = values * 3
    elif len(values) == 2:
        values = [values[0], *values]
    if len(values) != 3:
        raise VolumeError(f"spacing {spacing!r} has {len(values)} numbers; give one, or three for (z, y, x)")
    if not all(np.isfinite(v) and v > 0 for v in values):
        raise VolumeError(f"spacing {spacing!r} must be positive numbers, in {unit}")
    z, y, x = (v * unit_um(unit) for v in values)
    return z, y, x
