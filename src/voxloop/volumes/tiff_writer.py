"""Volumes as ImageJ TIFF and OME-TIFF, plane by plane, with axes, size and classes where Fiji and others look."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.volumes.formats.tiff_size import CLASSES
from voxloop.volumes.writers import classes_of, is_frames, known_sizes, slabs_of

if TYPE_CHECKING:
    from xarray import DataArray

#: classic TIFF has 32-bit offsets; tifffile's own margin for metadata is 32 MB
BIG = 2**32 - 2**25
_IMAGEJ = ("uint8", "uint16", "float32")
_OME = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def write_tiff(volumes: Sequence[DataArray], path: Path, *, ome: bool) -> None:
    """ImageJ's TIFF where it has the numbers and the size, else OME-TIFF, so that the voxel size always goes along.

    ``volumes``: one, or all of a time series, alike in shape and type.
    """
    import tifffile

    volume, bytes_in_all = volumes[0], sum(one.nbytes for one in volumes)
    dtype = str(volume.dtype)
    # without OME axes a single column reads as samples of one pixel
    imagej = not ome and dtype in _IMAGEJ and bytes_in_all < BIG and volume.sizes["x"] > 1
    ome = not imagej and dtype in _OME
    slices_first = not ome or is_frames(volume)
    axes = "t" * (len(volumes) > 1) + _axes(volume, slices_first=slices_first)
    sizes_um = known_sizes(volume)
    channels = [str(name) for name in volume.attrs.get("channel_names", ())] if volume.ndim == 4 else []
    metadata: dict[str, Any] = {"axes": axes.upper()}
    if ome:
        for axis, size in sizes_um.items():
            metadata |= {f"PhysicalSize{axis.upper()}": size, f"PhysicalSize{axis.upper()}Unit": "µm"}
        if channels:
            metadata["Channel"] = {"Name": channels}
        if classes_of(volume):
            metadata["MapAnnotation"] = {"Namespace": "voxloop", CLASSES: json.dumps(classes_of(volume))}
    else:
        if sizes_um:
            metadata["unit"] = "um"
        if "z" in sizes_um:
            metadata["spacing"] = sizes_um["z"]
        if classes_of(volume) and imagej:
            metadata |= _imagej_classes(volume)
        elif classes_of(volume):
            metadata[CLASSES] = json.dumps(classes_of(volume))
    sizes = dict(zip("czyx"[-volume.ndim :], volume.shape, strict=True))
    sizes["t"] = len(volumes) if len(volumes) > 1 else sizes["z"]
    compression = None if imagej else "zlib"
    with tifffile.TiffWriter(path, bigtiff=bytes_in_all >= BIG, imagej=imagej, ome=ome) as tif:
        tif.write(
            chain.from_iterable(_planes(one, slices_first=slices_first) for one in volumes),
            shape=tuple(sizes[axis] for axis in axes),
            dtype=volume.dtype,
            **_resolution(sizes_um, ome=ome),
            metadata=metadata,
            photometric="minisblack",
            compression=compression,
        )


def _resolution(sizes_um: dict[str, float], *, ome: bool) -> dict[str, Any]:
    """The resolution tags; none where the pixel size is not known."""
    if not {"x", "y"} <= sizes_um.keys():
        return {}
    length = 1e4 if ome else 1.0
    unit = "CENTIMETER" if ome else "NONE"
    return {"resolution": (length / sizes_um["x"], length / sizes_um["y"]), "resolutionunit": unit}


def _axes(volume: DataArray, *, slices_first: bool) -> str:
    depth = "t" if is_frames(volume) else "z"
    if volume.ndim == 3:
        return f"{depth}yx"
    return f"{depth}cyx" if slices_first else f"c{depth}yx"


def _imagej_classes(volume: DataArray) -> dict[str, Any]:
    """Names where Fiji shows them (Image > Show Info), and a look-up table of the colours for 8-bit labels."""
    classes = classes_of(volume)
    tags: dict[str, Any] = {"Info": f"{CLASSES}: {json.dumps(classes)}"}
    if volume.dtype == np.uint8:
        table = np.zeros((3, 256), np.uint8)
        for one in classes:
            colour = str(one.get("color") or "#ffffff")[1:]
            table[:, int(one["value"])] = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
        tags |= {"LUTs": [table], "mode": "color", "Ranges": (0.0, 255.0), "min": 0.0, "max": 255.0}
    return tags


def _planes(volume: DataArray, *, slices_first: bool) -> Iterator[np.ndarray]:
    """The planes in the order of the file, read one slab at a time."""
    channels = volume.shape[0] if volume.ndim == 4 else 1
    parts = [volume]
    if channels > 1 and not slices_first:
        parts = [volume.isel(c=i) for i in range(channels)]
    for part in parts:
        for block in slabs_of(part):
            for plane in range(block.shape[1]):
                yield from (np.ascontiguousarray(block[channel, plane]) for channel in range(block.shape[0]))
