"""``save_volume``: multiscale OME-Zarr 0.5 and other files, by the block. Memory does not grow with the volume."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box
from voxloop.volumes.chunks import chunk_plan
from voxloop.volumes.downsample import downsample
from voxloop.volumes.opening import as_volume
from voxloop.volumes.pyramid import Scale, plan_scales
from voxloop.volumes.tiff_writer import write_tiff
from voxloop.volumes.volume import origin_of, read_block, shape_zyx, spacing_of
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

Kind = Literal["image", "labels"]
#: what can be written; the first that fits a name counts
SUFFIXES = (
    ".zarr", ".ome.tif", ".ome.tiff", ".tif", ".tiff", ".h5", ".hdf5", ".npy", ".mrc", ".mrcs", ".nii.gz", ".nii",
)  # fmt: skip


def save_volume(
    array: Any,
    path: str | Path,
    *,
    kind: Kind | None = None,
    spacing: float | Sequence[float] | None = None,
    overwrite: bool = False,
    chunks: Sequence[int] | None = None,
) -> Path:
    """Write a volume as multiscale OME-Zarr 0.5, TIFF, HDF5, NumPy, MRC or NIfTI, block by block.

    Opened again, it is what it was: voxels, axes, time, voxel size, names of channels or classes as far as the format
    has a place for them.

    Parameters
    ----------
    array
        A volume, or any array that :func:`open_volume` takes.
    path
        The suffix decides: ``.zarr``; ``.ome.tif`` for OME-TIFF; ``.tif`` for ImageJ, or OME-TIFF where it has no such
        numbers (32-bit labels) or 4 GB are not enough; ``.h5`` for a dataset ``volume``, or ``labels``, with axes and
        ``element_size_um`` as ilastik notes them, gzip; ``.npy`` with a text ``.npy.json`` beside it; ``.mrc``;
        ``.nii`` and ``.nii.gz``.
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

    Returns
    -------
    Path
        Where it was written. What was there before is replaced only once the new one is whole.
    """
    target = Path(path).expanduser()
    if target.exists() and not overwrite:
        raise VolumeError(f"{target} exists; choose another name or say overwrite=True")
    volume = as_volume(array, spacing=spacing)
    kind = kind or ("labels" if volume.attrs.get("kind") == "labels" else "image")
    if kind not in ("image", "labels"):
        raise VolumeError(f"kind {kind!r} is neither 'image' nor 'labels'")
    if kind == "labels" and volume.dtype.kind not in "bui":
        raise VolumeError(f"labels are whole numbers, not {volume.dtype}; convert them or save with kind='image'")
    name = target.name.lower()
    if not name.endswith(SUFFIXES):
        raise VolumeError(f"{target} must end in .zarr, .ome.tif, .tif, .h5, .npy, .mrc or .nii")
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = next(one for one in SUFFIXES if name.endswith(one))
    partial = target.with_name(f".{target.name}.partial{suffix}")
    _remove(partial)
    try:
        _write(volume, partial, suffix, kind, tuple(chunks) if chunks else None)
        _remove(target)
        partial.rename(target)
        if suffix == ".npy":
            write_beside(volume, target, labels=kind == "labels")
    except BaseException:
        _remove(partial)
        raise
    return target


def _write(volume: DataArray, path: Path, suffix: str, kind: Kind, chunks: tuple[int, ...] | None) -> None:
    if suffix == ".zarr":
        _write_zarr(volume, path, kind, chunks)
    elif suffix in (".h5", ".hdf5"):
        write_hdf5(volume, path, labels=kind == "labels", chunks=chunks)
    elif suffix == ".npy":
        write_npy(volume, path)
    elif suffix in (".mrc", ".mrcs"):
        write_mrc(volume, path)
    elif suffix in (".nii", ".nii.gz"):
        write_nifti(volume, path, compressed=suffix.endswith(".gz"))
    else:
        write_tiff(volume, path, ome=suffix.startswith(".ome"))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_zarr(volume: DataArray, path: Path, kind: Kind, chunks: tuple[int, ...] | None) -> None:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3)
    frames = is_frames(volume)
    plan = plan_scales(shape_zyx(volume), spacing_of(volume), origin_um=origin_of(volume), frames=frames)
    lead = volume.shape[:-3]
    dims = list(axes_of(volume))
    swapped = frames and bool(lead)  # OME-NGFF wants time before channels
    if swapped:
        dims[:2] = dims[1::-1]
    finer: Any = volume
    for level, scale in enumerate(plan):
        block = chunks or _chunk(scale, frames)
        shape = [*lead, *scale.shape]
        chunk = [*(1 for _ in lead), *(min(c, n) for c, n in zip(block, scale.shape, strict=True))]
        if swapped:
            shape[:2], chunk[:2] = shape[1::-1], chunk[1::-1]
        array: Any = group.create_array(
            str(level), shape=tuple(shape), chunks=tuple(chunk), dtype=volume.dtype, fill_value=0, dimension_names=dims
        )
        if swapped:
            array = ChannelsFirst(array)
        copy_scale(finer, array, scale, "mode" if kind == "labels" else "mean")
        finer = array
    write_multiscale(group, plan, dims=dims, name=str(volume.name), kind=kind)
    names = volume.attrs.get("channel_names")
    if lead and names:
        _add_ome(group, omero={"channels": _channels(volume, names)})
    classes = classes_of(volume) if kind == "labels" else []
    if classes:
        _add_ome(group, **{"image-label": _label_metadata(classes)})
    noted: dict[str, Any] = {"z_kind": volume.attrs.get("z_kind", "space"), "spacing_um": list(spacing_of(volume))}
    group.attrs["voxloop"] = {**noted, **({"classes": classes} if classes else {})}


class ChannelsFirst:
    """An array (t, c, y, x) written and read as (c, t, y, x)."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.dtype, self.ndim = array.dtype, array.ndim
        first, second, *rest = array.shape
        self.shape = (second, first, *rest)
        first, second, *rest = array.chunks
        self.chunks = (second, first, *rest)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        channel, frames, *rest = key
        return np.asarray(self._array[frames, channel, *rest])

    def __setitem__(self, key: tuple[Any, ...], value: np.ndarray) -> None:
        channel, frames, *rest = key
        self._array[frames, channel, *rest] = value


def _label_metadata(classes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Names and colours of classes as OME-NGFF keeps them of a label image."""
    colours = []
    for one in classes:
        colour = str(one.get("color") or "#ffffff")[1:]
        rgb = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
        colours.append({"label-value": int(one["value"]), "rgba": [*rgb, 255]})
    names = [{"label-value": int(one["value"]), "class": str(one["name"])} for one in classes]
    return {"colors": colours, "properties": names}


def _chunk(scale: Scale, frames: bool) -> tuple[int, int, int]:
    return (1 if frames or scale.shape[0] == 1 else CHUNK[0], *CHUNK[1:])


def copy_scale(finer: Any, coarse: Any, scale: Scale, how: Literal["mean", "mode"]) -> None:
    """Fill one resolution from the volume or from the zarr array of the next finer one.

    A block is many chunks at once, so that a source of other chunks is read about once.
    """
    lead = [(i,) for i in range(coarse.shape[0])] if coarse.ndim == 4 else [()]
    size = chunk_plan(scale.shape, "zyx", coarse.dtype.itemsize * prod(scale.factors), own=coarse.chunks[-3:])
    for box in Box.whole(scale.shape).blocks(size):
        source = box.scale(scale.factors).clip(finer.shape[-3:])
        for channel in lead:
            coarse[*channel, *box.slices] = downsample(_read(finer, source, channel), scale.factors, how)


def _read(finer: Any, box: Box, channel: tuple[int, ...]) -> np.ndarray:
    if hasattr(finer, "dims"):
        part: np.ndarray = read_block(finer.isel(c=channel[0]) if channel else finer, box)[0]
        return part
    return np.asarray(finer[*channel, *box.slices])


def write_multiscale(group: Any, plan: Sequence[Scale], *, dims: Sequence[str], name: str, kind: Kind) -> None:
    """Write and validate the OME-NGFF 0.5 metadata of the arrays ``0``, ``1``, ... of ``group``."""
    from ome_zarr.format import FormatV05
    from ome_zarr.writer import write_multiscales_metadata
    from ome_zarr_models.v05 import Image

    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": _in_order(dims, scale.spacing_um, 1.0)},
                {"type": "translation", "translation": _in_order(dims, scale.origin_um, 0.0)},
            ],
        }
        for level, scale in enumerate(plan)
    ]
    kinds = {"c": {"type": "channel"}, "t": {"type": "time"}}
    axes = [{"name": dim, **kinds.get(dim, {"type": "space", "unit": "micrometer"})} for dim in dims]
    write_multiscales_metadata(group, datasets, fmt=FormatV05(), axes=axes, name=name)
    Image.from_zarr(group)
    if kind == "labels":
        _add_ome(group, **{"image-label": {}})


def _in_order(dims: Sequence[str], zyx: Sequence[float], other: float) -> list[float]:
    """Numbers for z, y, x in the order of an array's axes, ``other`` for channels and time."""
    known = dict(zip("zyx", zyx, strict=True))
    return [known.get(dim, other) for dim in dims]


def _add_ome(group: Any, **metadata: Any) -> None:
    group.attrs["ome"] = {**group.attrs["ome"], **metadata}


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
