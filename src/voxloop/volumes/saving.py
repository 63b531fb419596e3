"""``save_volume``: multiscale OME-Zarr 0.5, TIFF and HDF5, by the block. Memory does not grow with the volume."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box
from voxloop.volumes.chunks import chunk_plan, planes_at_once
from voxloop.volumes.downsample import downsample
from voxloop.volumes.opening import as_volume
from voxloop.volumes.pyramid import Scale, plan_scales
from voxloop.volumes.volume import origin_of, read_block, shape_zyx, spacing_of

if TYPE_CHECKING:
    from xarray import DataArray

Kind = Literal["image", "labels"]
CHUNK = (16, 256, 256)
#: classic TIFF has 32-bit offsets; tifffile's own margin for metadata is 32 MB
BIG = 2**32 - 2**25
_HDF5 = (".h5", ".hdf5")


def save_volume(
    array: Any,
    path: str | Path,
    *,
    kind: Kind | None = None,
    spacing: float | Sequence[float] | None = None,
    overwrite: bool = False,
    chunks: Sequence[int] | None = None,
) -> Path:
    """Write a volume as multiscale OME-Zarr 0.5 (``.zarr``), TIFF (``.tif``) or HDF5 (``.h5``), block by block.

    Parameters
    ----------
    array
        A volume, or any array that :func:`open_volume` takes.
    path
        The suffix decides: ``.zarr``; ``.ome.tif`` for OME-TIFF; ``.tif`` for ImageJ, or BigTIFF beyond 4 GB; ``.h5``
        for a dataset ``volume``, or ``labels``, with ``element_size_um`` as ilastik writes it, gzip.
    kind
        ``"labels"`` makes coarser scales by the most frequent value and writes label metadata, ``"image"`` by mean.
        None: labels where the array's ``attrs["kind"]`` says so, else image.
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
    if not name.endswith((".zarr", ".tif", ".tiff", *_HDF5)):
        raise VolumeError(f"{target} must end in .zarr, .ome.tif, .tif or .h5")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial" + (".ome.tif" if ".ome.tif" in name else target.suffix))
    _remove(partial)
    try:
        if name.endswith(".zarr"):
            _write_zarr(volume, partial, kind, tuple(chunks) if chunks else None)
        elif name.endswith(_HDF5):
            _write_hdf5(volume, partial, kind, tuple(chunks) if chunks else None)
        else:
            _write_tiff(volume, partial, ome=".ome.tif" in name)
        _remove(target)
        partial.rename(target)
    except BaseException:
        _remove(partial)
        raise
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_zarr(volume: DataArray, path: Path, kind: Kind, chunks: tuple[int, ...] | None) -> None:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3)
    frames = volume.attrs.get("z_kind") == "frame"
    plan = plan_scales(shape_zyx(volume), spacing_of(volume), origin_um=origin_of(volume), frames=frames)
    lead = volume.shape[:-3]
    finer: Any = None
    for level, scale in enumerate(plan):
        block = chunks or _chunk(scale, frames)
        array = group.create_array(
            str(level),
            shape=(*lead, *scale.shape),
            chunks=(*(1 for _ in lead), *(min(c, n) for c, n in zip(block, scale.shape, strict=True))),
            dtype=volume.dtype,
            fill_value=0,
            dimension_names=[str(dim) for dim in volume.dims],
        )
        copy_scale(volume if finer is None else finer, array, scale, "mode" if kind == "labels" else "mean")
        finer = array
    write_multiscale(group, plan, dims=[str(dim) for dim in volume.dims], name=str(volume.name), kind=kind)
    names = volume.attrs.get("channel_names")
    if lead and names:
        _add_ome(group, omero={"channels": _channels(volume, names)})
    group.attrs["voxloop"] = {"z_kind": volume.attrs.get("z_kind", "space")}


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

    ones, zeros = [1.0] * (len(dims) - 3), [0.0] * (len(dims) - 3)
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*ones, *scale.spacing_um]},
                {"type": "translation", "translation": [*zeros, *scale.origin_um]},
            ],
        }
        for level, scale in enumerate(plan)
    ]
    axes = [
        {"name": dim, "type": "channel"} if dim == "c" else {"name": dim, "type": "space", "unit": "micrometer"}
        for dim in dims
    ]
    write_multiscales_metadata(group, datasets, fmt=FormatV05(), axes=axes, name=name)
    Image.from_zarr(group)
    if kind == "labels":
        _add_ome(group, **{"image-label": {}})


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


def _write_hdf5(volume: DataArray, path: Path, kind: Kind, chunks: tuple[int, ...] | None) -> None:
    import h5py

    shape = shape_zyx(volume)
    lead = volume.shape[:-3]
    depth, height, width = chunks or (CHUNK if shape[0] > 1 else (1, *CHUNK[1:]))
    chunk = min(depth, shape[0]), min(height, shape[1]), min(width, shape[2])
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "labels" if kind == "labels" else "volume",
            shape=volume.shape,
            dtype=volume.dtype,
            chunks=(*(1 for _ in lead), *chunk),
            compression="gzip",
            compression_opts=1,
        )
        for dim, axis in zip(data.dims, volume.dims, strict=True):
            dim.label = str(axis)
        data.attrs["axes"] = "".join(map(str, volume.dims))
        data.attrs["element_size_um"] = spacing_of(volume)
        if lead:
            data.attrs["channel_names"] = [str(name) for name in volume.attrs.get("channel_names", ())]
        size = chunk_plan(shape, "zyx", volume.dtype.itemsize * prod(lead), own=chunk)
        for box in Box.whole(shape).blocks(size):
            block = read_block(volume, box)
            if block.any():  # chunks of nothing but zeros are not written
                data[..., *box.slices] = block if lead else block[0]


def _write_tiff(volume: DataArray, path: Path, *, ome: bool) -> None:
    import tifffile

    z, y, x = spacing_of(volume)
    ome = ome or volume.sizes["x"] == 1  # without OME axes a single column reads as samples of one pixel
    channels = volume.shape[0] if volume.ndim == 4 else None
    imagej = not ome and volume.dtype in (np.uint8, np.uint16, np.float32) and volume.nbytes < BIG
    metadata: dict[str, Any] = {"axes": "ZYX" if channels is None else "CZYX" if ome else "ZCYX"}
    if ome:
        metadata |= {f"PhysicalSize{a}": s for a, s in zip("ZYX", (z, y, x), strict=True)}
        metadata |= {f"PhysicalSize{a}Unit": "µm" for a in "ZYX"}
        if channels is not None:
            metadata["Channel"] = {"Name": list(volume.attrs.get("channel_names", []))}
    else:
        metadata |= {"spacing": z, "unit": "um"}
    shape = volume.shape if channels is None or ome else (volume.shape[1], volume.shape[0], *volume.shape[2:])
    with tifffile.TiffWriter(path, bigtiff=volume.nbytes >= BIG, imagej=imagej, ome=ome) as tif:
        tif.write(
            _planes(volume, slices_first=not ome),
            shape=shape,
            dtype=volume.dtype,
            resolution=(1e4 / x, 1e4 / y) if ome else (1 / x, 1 / y),
            resolutionunit="CENTIMETER" if ome else "NONE",
            metadata=metadata,
            photometric="minisblack",
            compression=None if imagej else "zlib",
        )


def _planes(volume: DataArray, *, slices_first: bool) -> Any:
    """The planes in the order of the file, read one slab at a time."""
    channels, depth = volume.shape[0] if volume.ndim == 4 else 1, volume.sizes["z"]
    slab = planes_at_once(volume.nbytes // depth)
    rounds = [volume] if slices_first or channels == 1 else [volume.isel(c=i) for i in range(channels)]
    for part in rounds:
        for start in range(0, depth, slab):
            block = read_block(part, (slice(start, min(depth, start + slab)),))
            for plane in range(block.shape[1]):
                yield from (np.ascontiguousarray(block[channel, plane]) for channel in range(block.shape[0]))
