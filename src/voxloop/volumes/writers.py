"""Volumes as HDF5, NumPy, MRC and NIfTI files, block by block. Knows no scales; TIFF and OME-Zarr lie elsewhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import UNITS_UM, Box
from voxloop.volumes.chunks import chunk_plan, planes_at_once
from voxloop.volumes.formats.mrc import FRAMES
from voxloop.volumes.formats.nifti import SIZES_FROM
from voxloop.volumes.formats.numpy_file import beside_of
from voxloop.volumes.volume import read_block, shape_zyx, spacing_of, spacing_sources

if TYPE_CHECKING:
    from xarray import DataArray

CHUNK = (16, 256, 256)
#: MRC's modes by type; unsigned bytes go as 16 bits, since mode 0 is signed
_MRC_MODES = {"int8": 0, "int16": 1, "float32": 2, "uint8": 6, "uint16": 6, "float16": 12}
_NIFTI_HEADER = 352
_NIFTI_LARGEST = 32767


def is_frames(volume: DataArray) -> bool:
    """Whether the planes are separate pictures."""
    return volume.attrs.get("z_kind") == "frame"


def axes_of(volume: DataArray) -> str:
    """The letters of the axes as other programs shall see them: ``t`` where the planes are separate pictures."""
    letters = "".join(str(dim) for dim in volume.dims)
    return letters.replace("z", "t") if is_frames(volume) else letters


def classes_of(volume: DataArray) -> list[dict[str, Any]]:
    """Value, name and colour of the classes that the numbers stand for; none for pictures."""
    noted = volume.attrs.get("classes")
    return list(json.loads(noted)) if noted else []


def known_sizes(volume: DataArray) -> dict[str, float]:
    """Micrometres along the axes whose size is known: a file must not state what was only assumed."""
    sizes = zip("zyx", spacing_of(volume), spacing_sources(volume), strict=True)
    return {axis: size for axis, size, source in sizes if source != "assumed"}


def blocks_of(volume: DataArray, chunk: tuple[int, int, int]) -> Iterator[tuple[Box, np.ndarray]]:
    """Boxes of whole chunks and their voxels, with the axes of the volume."""
    lead = volume.shape[:-3]
    size = chunk_plan(shape_zyx(volume), "zyx", volume.dtype.itemsize * prod(lead), own=chunk)
    for box in Box.whole(shape_zyx(volume)).blocks(size):
        block = read_block(volume, box)
        yield box, block if lead else block[0]


def slabs_of(volume: DataArray) -> Iterator[np.ndarray]:
    """The voxels (c, z, y, x) of a few planes at a time, in order."""
    depth = int(volume.sizes["z"])
    step = planes_at_once(volume.nbytes // depth)
    for start in range(0, depth, step):
        yield read_block(volume, (slice(start, min(depth, start + step)),))


def write_hdf5(
    volume: DataArray, path: Path, *, labels: bool, chunks: tuple[int, ...] | None, coordinates: bool = False
) -> None:
    """Dataset ``volume`` or ``labels``, gzip, with its axes, size and classes as ilastik and voxloop read them.

    ``coordinates`` makes it NetCDF 4: its dimensions have names and, where they are known, places in micrometres.
    """
    import h5py

    shape = shape_zyx(volume)
    lead = volume.shape[:-3]
    depth, height, width = chunks or (CHUNK if shape[0] > 1 else (1, *CHUNK[1:]))
    chunk = min(depth, shape[0]), min(height, shape[1]), min(width, shape[2])
    axes = axes_of(volume)
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "labels" if labels else "volume",
            shape=volume.shape,
            dtype=volume.dtype,
            chunks=(*(1 for _ in lead), *chunk),
            compression="gzip",
            compression_opts=1,
        )
        for dim, axis in zip(data.dims, axes, strict=True):
            dim.label = axis
        for name, value in _noted(volume, labels=labels).items():
            data.attrs[name] = json.dumps(value) if name == "classes" else value
        data.attrs["axistags"] = _axistags(axes)
        if coordinates:
            _attach_coordinates(file, data, volume)
        for box, block in blocks_of(volume, chunk):
            if block.any():  # chunks of nothing but zeros are not written
                data[..., *box.slices] = block


def _attach_coordinates(file: Any, data: Any, volume: DataArray) -> None:
    """The scales of dimensions, which make an HDF5 file NetCDF 4."""
    known = known_sizes(volume)
    for place, dim in enumerate(map(str, volume.dims)):
        values = volume.coords[dim].values if dim in known else np.arange(volume.sizes[dim])
        scale = file.create_dataset(dim, data=values)
        if dim in known:
            scale.attrs["units"] = "micrometer"
        scale.make_scale(dim)
        data.dims[place].attach_scale(scale)


def _noted(volume: DataArray, *, labels: bool) -> dict[str, Any]:
    """What a file for arrays is told beside the voxels; JSON."""
    noted: dict[str, Any] = {
        "axes": axes_of(volume),
        "spacing_from_zyx": " ".join(spacing_sources(volume)),
        "z_kind": str(volume.attrs.get("z_kind", "space")),
        "kind": "labels" if labels else "image",
    }
    if known_sizes(volume):
        noted["element_size_um"] = list(spacing_of(volume))
    if volume.ndim == 4:
        noted["channel_names"] = [str(name) for name in volume.attrs.get("channel_names", ())]
    if labels and classes_of(volume):
        noted["classes"] = classes_of(volume)
    return noted


def _axistags(axes: str) -> str:
    """The axes as vigra and ilastik note them: channel 1, space 2, time 8."""
    flags = {"c": 1, "t": 8}
    listed = [{"key": a, "typeFlags": flags.get(a, 2), "resolution": 0, "description": ""} for a in axes]
    return json.dumps({"axes": listed})


def write_npy(volume: DataArray, path: Path) -> None:
    """A NumPy array; see :func:`write_beside` for what it has no place for."""
    data = np.lib.format.open_memmap(path, mode="w+", dtype=volume.dtype, shape=volume.shape)
    for box, block in blocks_of(volume, CHUNK):
        data[..., *box.slices] = block
    data.flush()


def write_beside(volume: DataArray, path: Path, *, labels: bool) -> None:
    """The text beside a ``.npy``: axes, voxel size, classes."""
    noted = {"shape": list(volume.shape), **_noted(volume, labels=labels)}
    beside_of(path).write_text(json.dumps(noted, indent=1, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")


def write_mrc(volume: DataArray, path: Path) -> None:
    """An MRC map, voxel size in angstrom. Raises VolumeError for what MRC has no numbers for."""
    import mrcfile

    if volume.ndim == 4:
        raise VolumeError(f"MRC holds one channel, this volume has {volume.shape[0]}; save one, volume.isel(c=0)")
    dtype = str(volume.dtype)
    if dtype not in _MRC_MODES:
        volume, dtype = _narrowed(volume)
    mode = _MRC_MODES[dtype]
    with closing(mrcfile.new_mmap(path, shape=volume.shape, mrc_mode=mode, overwrite=True)) as file:
        for box, block in blocks_of(volume, CHUNK):
            file.data[box.slices] = block
        sizes = known_sizes(volume)
        z, y, x = (sizes.get(axis, 0.0) / UNITS_UM["angstrom"] for axis in "zyx")
        file.voxel_size = (x, y, z)
        if is_frames(volume):
            file.set_image_stack()
            file.voxel_size = (x, y, z)
            file.add_label(FRAMES)
        else:
            file.set_volume()
        file.update_header_stats()


def _narrowed(volume: DataArray) -> tuple[DataArray, str]:
    """Whole numbers of 32 or 64 bits as 16 bits where all fit. Raises VolumeError where they do not."""
    if volume.dtype.kind in "ui":
        low = min((int(slab.min()) for slab in slabs_of(volume)), default=0)
        high = max((int(slab.max()) for slab in slabs_of(volume)), default=0)
        for dtype in ("uint16", "int16"):
            limits = np.iinfo(dtype)
            if limits.min <= low and high <= limits.max:
                return volume.astype(dtype), dtype
        raise VolumeError(f"MRC holds whole numbers of 16 bits at most, here are {low} to {high}; save .tif or .zarr")
    raise VolumeError(f"MRC has no {volume.dtype}; convert the volume with .astype('float32'), or save .tif or .zarr")


def write_nifti(volume: DataArray, path: Path, *, compressed: bool) -> None:
    """A NIfTI image (x, y, z, t, c), size in millimetres, rising to the right, front and top. Raises VolumeError."""
    try:
        import nibabel
    except ImportError:
        raise VolumeError("NIfTI needs the package nibabel: pip install 'voxloop[formats]'") from None
    depth, rows, columns = shape_zyx(volume)
    channels = volume.shape[0] if volume.ndim == 4 else 1
    shape: tuple[int, ...] = (columns, rows, 1, depth) if is_frames(volume) else (columns, rows, depth, 1)
    shape = (*shape, channels) if channels > 1 else shape if is_frames(volume) else shape[:3]
    large = max(shape) > _NIFTI_LARGEST
    header = nibabel.Nifti2Header() if large else nibabel.Nifti1Header()
    try:
        header.set_data_dtype(volume.dtype)
    except nibabel.spatialimages.HeaderDataError as error:
        raise VolumeError(f"NIfTI has no {volume.dtype}; convert the volume with .astype('float32')") from error
    header.set_data_shape(shape)
    z, y, x = (size / UNITS_UM["millimeter"] for size in spacing_of(volume))
    header.set_zooms((x, y, z, *(1.0 for _ in shape[3:])))
    header["descrip"] = f"{SIZES_FROM}{' '.join(spacing_sources(volume))}".encode()
    turn = -1.0 if volume.attrs.get("anatomy") == "LPS" else 1.0  # NIfTI counts to the right and to the front
    header.set_sform(np.diag([turn * x, turn * y, z, 1.0]), code="scanner")
    header.set_xyzt_units("mm", "sec")
    header["magic"] = b"n+2" if large else b"n+1"
    start = 544 if large else _NIFTI_HEADER
    header["vox_offset"] = start
    with gzip.open(path, "wb", compresslevel=4) if compressed else path.open("wb") as file:
        file.write(header.binaryblock.ljust(start, b"\0"))
        for channel in range(channels):
            one = volume.isel(c=channel) if volume.ndim == 4 else volume
            for slab in slabs_of(one):
                file.write(np.ascontiguousarray(slab[0], slab.dtype.newbyteorder("=")).tobytes())
