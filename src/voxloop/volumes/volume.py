"""What a volume is: a dask-backed DataArray in micrometres, and the few questions asked of it. Opens no files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError, VoxloopError
from voxloop.geometry import AXES, Box, Shape, Spacing, unit_um
from voxloop.volumes.graphs import compute
from voxloop.volumes.metadata import first_line
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
    spacing_from: Sequence[str] = ("given", "given", "given"),
    axes_from: str = "given",
    remarks: Sequence[str] = (),
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
        For z, y, x: ``"metadata"``, ``"given"``, or ``"assumed"`` where nobody said.
    axes_from
        The same for which axis is which.
    remarks
        What of the source is not shown, was not understood, or means something else than it seems.
    scale_count
        How many resolutions the source itself holds.
    """
    from xarray import DataArray, Variable

    dims = DIMS[-array.ndim :]
    coords: dict[str, Any] = {}
    for axis, size, step, start in zip(AXES, array.shape[-3:], spacing_um, origin_um, strict=True):
        coords[axis] = Variable(axis, start + np.arange(size) * step, {"units": "micrometer"})
    # numbers and text where it goes, since that is what every file format for arrays can keep
    attrs: dict[str, Any] = {
        "units": "micrometer",
        "spacing_um": tuple(float(s) for s in spacing_um),
        "spacing_from": _weakest(spacing_from, array.shape[-3], z_kind),
        "spacing_from_zyx": " ".join(spacing_from),
        "axes_from": axes_from,
        "remarks": list(remarks),
        "source": source,
        "z_kind": z_kind,
        "open_arguments": json.dumps(open_arguments) if open_arguments else "",
        "scale_count": scale_count,
    }
    if dims[0] == "c":
        names = list(channel_names) if channel_names else [f"channel {i}" for i in range(array.shape[0])]
        coords["c"] = names
        attrs["channel_names"] = names
    return DataArray(array, dims=dims, coords=coords, name=name, attrs=attrs)


def _weakest(origins: Sequence[str], depth: int, z_kind: str) -> str:
    """Where the voxel size as a whole comes from; that of a single plane or of frames needs no z."""
    needed = list(origins[1:]) if depth == 1 or z_kind == "frame" else list(origins)
    for origin in ("assumed", "metadata"):
        if origin in needed:
            return origin
    return "given"


def spacing_sources(volume: DataArray) -> tuple[str, str, str]:
    """Where the voxel size along z, y, x comes from: ``"metadata"``, ``"given"`` or ``"assumed"``."""
    z, y, x = str(volume.attrs.get("spacing_from_zyx") or "assumed assumed assumed").split()
    return z, y, x


def opened_with(volume: DataArray) -> dict[str, Any] | None:
    """The arguments with which :func:`open_volume` opens this volume again; None where it comes from no file."""
    noted = volume.attrs.get("open_arguments")
    arguments: dict[str, Any] | None = json.loads(noted) if noted else None
    return arguments


def spacing_of(volume: DataArray) -> Spacing:
    """Voxel size in micrometres, zyx: from the coordinates, from ``attrs`` where an axis has a single voxel."""
    noted_um = volume.attrs.get("spacing_um", (1.0, 1.0, 1.0))
    z, y, x = (_step_um(volume, axis, float(size)) for axis, size in zip(AXES, noted_um, strict=True))
    return z, y, x


def _step_um(volume: DataArray, axis: str, noted_um: float) -> float:
    """Micrometres from voxel to voxel along one axis; ``noted_um`` where it has a single voxel or no coordinates."""
    if axis not in volume.coords or volume.sizes.get(axis, 0) < 2:
        return noted_um
    centres_um = volume.coords[axis].values
    return abs(float(centres_um[-1]) - float(centres_um[0])) / (len(centres_um) - 1)


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
        try:
            return compute(part)
        except (VoxloopError, MemoryError):
            raise
        except Exception as error:  # whatever the functions of a foreign graph raise
            raise VolumeError(f"the voxels of a dask array cannot be computed ({first_line(error)})") from error
    return np.asarray(part)


def stored_chunk(volume: DataArray) -> Shape | None:
    """Voxels (z, y, x) of a chunk as the source stores it: what is decoded together; None where that is not known."""
    chunks = getattr(behind(volume.data), "chunks", None)
    if chunks is None:
        return None
    z, y, x = chunks[-3:]
    return z, y, x


def spacing_argument(spacing: object, unit: str) -> tuple[float | None, float, float] | None:
    """The ``spacing`` argument in micrometres: one number, (y, x) of a plane, or (z, y, x). Raises VolumeError."""
    if spacing is None:
        return None
    try:
        values = [float(v) for v in np.atleast_1d(np.asarray(spacing, dtype=float))]
    except (TypeError, ValueError):
        raise VolumeError(f"spacing {spacing!r} is not a number or three of them (z, y, x)") from None
    if len(values) not in (1, 2, 3):
        raise VolumeError(f"spacing {spacing!r} has {len(values)} numbers; give one, or three for (z, y, x)")
    sizes = [value * unit_um(unit) for value in values]
    if not all(np.isfinite(size) and size > 0 for size in sizes):
        raise VolumeError(f"spacing {spacing!r} must be positive numbers, in {unit}")
    if len(sizes) == 1:
        return sizes[0], sizes[0], sizes[0]
    z = sizes[0] if len(sizes) == 3 else None
    return z, sizes[-2], sizes[-1]
