"""A time series of volumes as one file: OME-Zarr or TIFF with an axis of time. One volume is read at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.multiscale import Kind, Layers, check_ngff, coarsen, is_old, new_group, write_metadata
from voxloop.volumes.pyramid import plan_scales
from voxloop.volumes.saving import describe_group, write_group, written_whole
from voxloop.volumes.tiff_writer import write_tiff
from voxloop.volumes.volume import origin_of, shape_zyx, spacing_of
from voxloop.volumes.writers import CHUNK, is_frames

if TYPE_CHECKING:
    from xarray import DataArray

_SUFFIXES = (".zarr", ".ome.tif", ".ome.tiff", ".tif", ".tiff")


def save_series(
    volumes: Sequence[DataArray],
    path: str | Path,
    *,
    labels: Mapping[str, Sequence[DataArray]] | None = None,
    overwrite: bool = False,
    ngff: str = "0.5",
) -> Path:
    """Write volumes as one file, the first axis time; one volume alone without that axis.

    Opened again with ``timepoint=``, each is what it was.

    Parameters
    ----------
    volumes
        One a time point, alike in shape, type and voxel size. Labels where their ``attrs["kind"]`` says so.
    path
        ``.zarr`` (OME-Zarr of version ``ngff``) or ``.ome.tif``; ``.tif`` is ImageJ's where that has the numbers.
    labels
        Labels of each time point by name, which OME-Zarr keeps within the picture, under ``labels/``.
    overwrite
        Replace what is there; otherwise that is an error.

    Raises
    ------
    VolumeError
        They are not alike, or the file has no place for what is to be written.
    """
    target = Path(path).expanduser()
    name = target.name.lower()
    suffix = next((one for one in _SUFFIXES if name.endswith(one)), "")
    if not suffix:
        raise VolumeError(f"{target} must end in .zarr, .ome.tif or .tif, which have an axis of time")
    if labels and suffix != ".zarr":
        raise VolumeError(f"{suffix} has no place for labels beside the picture; write .zarr, or the labels alone")
    version = check_ngff(ngff, is_zarr=suffix == ".zarr")
    for one in [volumes, *(labels or {}).values()]:
        _check_alike(one)

    def write(partial: Path) -> None:
        if suffix == ".zarr":
            _write_zarr(volumes, labels or {}, partial, version)
        else:
            write_tiff(volumes, partial, ome=suffix.startswith(".ome"))

    return written_whole(target, suffix, write, overwrite=overwrite)


def _check_alike(volumes: Sequence[DataArray]) -> None:
    if not volumes:
        raise VolumeError("there is no time point to write")
    first = volumes[0]
    for time, one in enumerate(volumes):
        if (one.dims, one.shape, one.dtype) != (first.dims, first.shape, first.dtype):
            raise VolumeError(
                f"time point {time} has {one.shape} voxels of {one.dtype}, the first {first.shape} of {first.dtype}; a "
                "file holds what is alike, so save each by itself"
            )
        if not np.allclose(spacing_of(one), spacing_of(first), rtol=1e-4):
            raise VolumeError(f"time point {time} has voxels of another size than the first; save each by itself")
        if is_frames(one) and len(volumes) > 1:
            raise VolumeError("the planes are frames in time themselves; a file has one axis of time, save each alone")


def _write_zarr(volumes: Sequence[DataArray], labels: Mapping[str, Sequence[DataArray]], path: Path, ngff: str) -> None:
    group = new_group(path, ngff)
    _write_group(group, volumes)
    if not labels:
        return
    kept = group.create_group("labels")
    kept.attrs.update({"labels": list(labels)} if is_old(group) else {"ome": {"version": ngff, "labels": list(labels)}})
    for name, masks in labels.items():
        _write_group(kept.create_group(name), masks)


def _write_group(group: Any, volumes: Sequence[DataArray]) -> None:
    """The arrays of every scale, a chunk a time point, and what OME-NGFF says of them."""
    first = volumes[0]
    kind: Kind = "labels" if first.attrs.get("kind") == "labels" else "image"
    if len(volumes) == 1:
        write_group(group, first, kind)
        return
    plan = plan_scales(shape_zyx(first), spacing_of(first), origin_um=origin_of(first), frames=False)
    dims = ("t", *map(str, first.dims))
    layout = Layers(group, CHUNK, first.dtype, dims)
    arrays = [layout.create(level, (len(volumes), *first.shape[:-3], *scale.shape)) for level, scale in enumerate(plan)]
    for time, volume in enumerate(volumes):
        finer: Any = volume
        for array, scale in zip(arrays, plan, strict=True):
            coarse = _AtTime(array, time)
            for _ in coarsen(finer, coarse, scale, kind):
                pass
            finer = coarse
    write_metadata(group, plan, dims=dims, name=str(first.name), kind=kind)
    describe_group(group, first, kind)


class _AtTime:
    """One time point of an array whose first axis is time."""

    def __init__(self, array: Any, time: int) -> None:
        self._array, self._time = array, time
        self.dtype, self.ndim = array.dtype, array.ndim - 1
        self.shape, self.chunks = array.shape[1:], array.chunks[1:]

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(self._array[self._time, *key])

    def __setitem__(self, key: tuple[Any, ...], value: np.ndarray) -> None:
        self._array[self._time, *key] = value
