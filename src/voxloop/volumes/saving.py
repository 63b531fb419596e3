"""``save_volume``: multiscale OME-Zarr 0.5 and other files, by the block. Memory does not grow with the volume."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxloop.errors import VolumeError
from voxloop.given import flag, path_of, shown
from voxloop.volumes.copying import Progress, told
from voxloop.volumes.multiscale import (
    Kind,
    Layers,
    add_metadata,
    check_ngff,
    coarsen,
    is_old,
    new_group,
    write_metadata,
)
from voxloop.volumes.opening import as_volume
from voxloop.volumes.pyramid import plan_scales
from voxloop.volumes.tiff_writer import write_tiff
from voxloop.volumes.volume import origin_of, shape_zyx, spacing_of, spacing_sources
from voxloop.volumes.writers import (
    CHUNK,
    axes_of,
    classes_of,
    is_frames,
    write_beside,
    write_hdf5,
    write_mrc,
    write_nifti,
    write_npy,
)

if TYPE_CHECKING:
    from xarray import DataArray

#: what can be written; the first that fits a name counts
SUFFIXES = (
    ".zarr", ".ome.tif", ".ome.tiff", ".tif", ".tiff", ".h5", ".hdf5", ".nc", ".npy", ".mrc", ".mrcs", ".nii.gz",
    ".nii",
)  # fmt: skip


def save_volume(
    array: Any,
    path: str | Path,
    *,
    kind: Kind | None = None,
    spacing: float | Sequence[float] | None = None,
    overwrite: bool = False,
    chunks: Sequence[int] | None = None,
    progress: Progress | None = None,
    ngff: Literal["0.5", "0.4"] = "0.5",
) -> Path:
    """Write a volume as multiscale OME-Zarr, TIFF, HDF5, NetCDF, NumPy, MRC or NIfTI, block by block.

    Opened again, it is what it was: voxels, axes, time, voxel size, names of channels or classes as far as the format
    has a place for them.

    Parameters
    ----------
    array
        A volume, or any array that :func:`open_volume` takes.
    path
        The suffix decides: ``.zarr``; ``.ome.tif`` for OME-TIFF; ``.tif`` for ImageJ, or OME-TIFF where it has no such
        numbers (32-bit labels) or 4 GB are not enough; ``.h5`` for a dataset ``volume``, or ``labels``, with axes and
        ``element_size_um`` as ilastik notes them, gzip; ``.nc`` for the same as NetCDF 4; ``.npy`` with a text
        ``.npy.json`` beside it; ``.mrc``; ``.nii`` and ``.nii.gz``.
    kind
        ``"labels"`` makes coarser scales by the most frequent value and writes names and colours of classes,
        ``"image"`` by mean. None: labels where the array's ``attrs["kind"]`` says so, as that of predictions, objects
        and label levels does, else image.
    spacing
        Voxel size in micrometres where the array does not know it.
    overwrite
        Replace what is there; otherwise that is an error.
    chunks
        Chunk of the zarr or HDF5 arrays, voxels along z, y, x.
    progress
        Called after each block with the bytes read so far and those in all. What it raises stops the writing, and
        nothing half made stays.
    ngff
        Version of OME-Zarr. ``"0.4"``, on zarr 2 with gzip, is what Fiji and older programs read.

    Returns
    -------
    Path
        Where it was written. What was there before is replaced only once the new one is whole.

    Examples
    --------
    >>> vl.save_volume(volume, "cells.ome.tif")
    PosixPath('cells.ome.tif')
    >>> vl.open_volume("cells.ome.tif").shape
    (6, 64, 64)
    """
    target, overwrite = path_of(path, error=VolumeError), flag("overwrite", overwrite, error=VolumeError)
    _check_free(target, overwrite=overwrite)
    volume = as_volume(array, spacing=spacing)
    if kind is None:
        kind = "labels" if volume.attrs.get("kind") == "labels" else "image"
    if not isinstance(kind, str) or kind not in ("image", "labels"):
        raise VolumeError(f"kind {kind!r} is neither 'image' nor 'labels'")
    if kind == "labels" and volume.dtype.kind not in "bui":
        raise VolumeError(f"labels are whole numbers, not {volume.dtype}; convert them or save with kind='image'")
    pieces = None if chunks is None else _chunks(chunks)
    name = target.name.lower()
    if not name.endswith(SUFFIXES):
        raise VolumeError(f"{target} must end in .zarr, .ome.tif, .tif, .h5, .nc, .npy, .mrc or .nii")
    suffix = next(one for one in SUFFIXES if name.endswith(one))
    version = check_ngff(ngff, is_zarr=suffix == ".zarr")
    told_of = volume if progress is None else told(volume, progress)

    def write(partial: Path) -> None:
        _write(told_of, partial, suffix, kind, pieces, progress, version)
        _still(volume, progress)()  # the last moment at which it can be stopped

    written_whole(target, suffix, write, overwrite=overwrite)
    if suffix == ".npy":
        write_beside(volume, target, labels=kind == "labels")
    return target


def written_whole(target: Path, suffix: str, write: Callable[[Path], object], *, overwrite: bool) -> Path:
    """Write to another name beside ``target``, and take that name only once all of it is there. Raises VolumeError."""
    _check_free(target, overwrite=overwrite)
    _make_folder(target.parent)
    partial = target.with_name(f".{target.name}.partial{suffix}")
    _remove(partial)
    try:
        write(partial)
        _remove(target)
        partial.rename(target)
    except BaseException as error:
        _remove(partial)
        if isinstance(error, PermissionError):
            raise VolumeError(f"{target} cannot be written ({error.strerror}); choose a folder of your own") from error
        raise
    return target


def _check_free(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise VolumeError(f"{target} exists; choose another name or say overwrite=True")


def _write(
    volume: DataArray,
    path: Path,
    suffix: str,
    kind: Kind,
    chunks: tuple[int, ...] | None,
    progress: Progress | None,
    ngff: str,
) -> None:
    if suffix == ".zarr":
        write_group(new_group(path, ngff), volume, kind, chunks, progress)
    elif suffix in (".h5", ".hdf5"):
        write_hdf5(volume, path, labels=kind == "labels", chunks=chunks)
    elif suffix == ".nc":
        write_hdf5(volume, path, labels=kind == "labels", chunks=chunks, coordinates=True)
    elif suffix == ".npy":
        write_npy(volume, path)
    elif suffix in (".mrc", ".mrcs"):
        write_mrc(volume, path)
    elif suffix in (".nii", ".nii.gz"):
        write_nifti(volume, path, compressed=suffix.endswith(".gz"))
    else:
        write_tiff([volume], path, ome=suffix.startswith(".ome"))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # a file in its place, no permission, a name too long
        raise VolumeError(f"{folder} cannot be made a folder ({error.strerror}); choose another place") from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_group(
    group: Any,
    volume: DataArray,
    kind: Kind,
    chunks: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> None:
    """Every scale of a volume in an empty group, and what OME-NGFF says of them."""
    frames = is_frames(volume)
    plan = plan_scales(shape_zyx(volume), spacing_of(volume), origin_um=origin_of(volume), frames=frames)
    dims = list(axes_of(volume))
    swapped = frames and volume.ndim == 4  # OME-NGFF wants time before channels
    if swapped:
        dims[:2] = dims[1::-1]
    layout = Layers(group, chunks or (1 if frames else CHUNK[0], *CHUNK[1:]), volume.dtype, tuple(dims), swapped)
    finest = layout.create(0, volume.shape)
    for _ in coarsen(volume, finest, plan[0], kind):
        pass
    layout.write_coarser(finest, plan, kind, _still(volume, progress))
    write_metadata(group, plan, dims=dims, name=str(volume.name), kind=kind)
    describe_group(group, volume, kind)


def describe_group(group: Any, volume: DataArray, kind: Kind) -> None:
    """Names and colours of channels or classes as OME-NGFF keeps them, and what it has no place for."""
    names = volume.attrs.get("channel_names")
    if volume.ndim == 4 and names:
        add_metadata(group, omero={"channels": _channels(volume, names)})
    classes = classes_of(volume) if kind == "labels" else []
    if classes:
        version = {"version": "0.4"} if is_old(group) else {}
        add_metadata(group, **{"image-label": {**version, **_label_metadata(classes)}})
    noted: dict[str, Any] = {
        "z_kind": volume.attrs.get("z_kind", "space"),
        "spacing_um": list(spacing_of(volume)),
        "spacing_from_zyx": " ".join(spacing_sources(volume)),
    }
    group.attrs["voxloop"] = {**noted, **({"classes": classes} if classes else {})}


def _still(volume: DataArray, progress: Progress | None) -> Callable[[], object]:
    """Tells that all was read, while what is left is done, so that it can be stopped too."""
    if progress is None:
        return lambda: None
    return lambda: progress(volume.nbytes, volume.nbytes)


def _label_metadata(classes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Names and colours of classes as OME-NGFF keeps them of a label image."""
    colours = []
    for one in classes:
        colour = str(one.get("color") or "#ffffff")[1:]
        rgb = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
        colours.append({"label-value": int(one["value"]), "rgba": [*rgb, 255]})
    names = [{"label-value": int(one["value"]), "class": str(one["name"])} for one in classes]
    return {"colors": colours, "properties": names}


def _channels(volume: DataArray, names: Sequence[str]) -> list[dict[str, Any]]:
    top = np.iinfo(volume.dtype).max if volume.dtype.kind in "ui" else 1.0
    colours = ("FFFFFF",) if len(names) == 1 else ("FF0000", "00FF00", "0000FF", "00FFFF", "FF00FF", "FFFF00")
    return [
        {
            "label": str(name),
            "color": colours[i % len(colours)],
            "window": {"min": 0, "max": float(top), "start": 0, "end": float(top)},
        }
        for i, name in enumerate(names)
    ]


def _chunks(given: Any) -> tuple[int, ...] | None:
    """Voxels of a chunk (z, y, x); None where nothing is asked for. Raises VolumeError."""
    try:
        sizes = tuple(int(size) for size in given)
    except (TypeError, ValueError, OverflowError):
        raise VolumeError(f"chunks={shown(given)} are no whole numbers, one for each axis") from None
    if sizes and (len(sizes) != 3 or min(sizes) < 1):
        raise VolumeError(f"chunks={shown(given)}: a chunk has three sizes (z, y, x), of one voxel at least")
    return sizes or None
