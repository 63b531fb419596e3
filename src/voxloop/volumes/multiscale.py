"""One image at several resolutions in a zarr group: arrays, coarser ones, metadata. Knows no source and no learner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box
from voxloop.given import shown
from voxloop.volumes.chunks import chunk_plan
from voxloop.volumes.downsample import downsample
from voxloop.volumes.pyramid import Scale
from voxloop.volumes.volume import read_block

Kind = Literal["image", "labels"]
#: versions of OME-NGFF that are written; 0.4, which lies on zarr 2, is what Fiji and older programs read
NGFF = ("0.5", "0.4")


def _nothing() -> None:
    """Tell nobody."""


def check_ngff(version: object, *, is_zarr: bool) -> str:
    """A version of OME-NGFF as it was given. Raises VolumeError where it is none, or is of no use."""
    if not isinstance(version, str) or version not in NGFF:
        raise VolumeError(f"ngff={shown(version)} is no version that can be written; '0.5' or '0.4' (for Fiji)")
    if version != NGFF[0] and not is_zarr:
        raise VolumeError("ngff= is of OME-Zarr; write to a path that ends in .zarr")
    return str(version)


def new_group(path: Any, version: str) -> Any:
    """An empty group in which that version of OME-NGFF lies."""
    import zarr

    return zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)


@dataclass(frozen=True, slots=True)
class Layers:
    """How the arrays ``0``, ``1``, ... of a group are laid out.

    Attributes
    ----------
    group
        Of zarr.
    chunk
        Voxels along z, y, x; channels lie in chunks of their own. Chunks of nothing but zeros are never written.
    dtype
        Of all.
    dims
        Names of the axes as they lie on disk.
    frames_first
        Whether they lie as (t, c, y, x), although they are written and read as (c, t, y, x).
    """

    group: Any
    chunk: Sequence[int]
    dtype: Any
    dims: tuple[str, ...] = ("z", "y", "x")
    frames_first: bool = False

    def create(self, level: int, shape: Sequence[int], *, overwrite: bool = False) -> Any:
        """An empty array (z, y, x) or (c, z, y, x)."""
        lead = [1] * (len(shape) - 3)
        sizes, chunks = list(shape), [*lead, *map(min, self.chunk, shape[-3:])]
        if self.frames_first:
            sizes[:2], chunks[:2] = sizes[1::-1], chunks[1::-1]
        array = self.group.create_array(
            str(level),
            shape=tuple(sizes),
            chunks=tuple(chunks),
            dtype=self.dtype,
            fill_value=0,
            overwrite=overwrite,
            **_stored(self.group, self.dims),
        )
        return ChannelsFirst(array) if self.frames_first else array

    def write_coarser(
        self, finest: Any, plan: Sequence[Scale], kind: Kind, each: Callable[[], object] = _nothing
    ) -> None:
        """The arrays from ``1`` on, each from the one before; ``each`` is called after each block."""
        finer = finest
        for level, scale in enumerate(plan[1:], start=1):
            coarse = self.create(level, (*finer.shape[:-3], *scale.shape))
            for _ in coarsen(finer, coarse, scale, kind):
                each()
            finer = coarse


def is_old(group: Any) -> bool:
    """Whether a group is of zarr 2, and so of OME-NGFF 0.4."""
    return bool(group.metadata.zarr_format == 2)


def _stored(group: Any, dims: tuple[str, ...]) -> dict[str, Any]:
    """How the arrays of a group are packed, and what they know of their axes."""
    if is_old(group):
        from numcodecs import GZip

        # every Java has gzip; Blosc and Zstandard need libraries that Fiji may not have
        return {"compressors": GZip(level=1), "chunk_key_encoding": {"name": "v2", "separator": "/"}}
    from zarr.codecs import ZstdCodec

    return {"compressors": ZstdCodec(level=1), "dimension_names": dims}


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


def coarsen(
    finer: Any,
    coarse: Any,
    scale: Scale,
    kind: Kind,
    *,
    part: Box | None = None,
    block: tuple[int, ...] | None = None,
    record: Any = None,
) -> Iterator[bool]:
    """Fill one resolution from the next finer one: images by mean, labels by the most frequent value.

    Yields after each block whether it was written now, False where it was before: whoever leaves off goes on by calling
    it again.

    Parameters
    ----------
    finer
        A volume, or the zarr array of the next finer resolution.
    part
        Voxels of the coarse array that are to be filled; None: all.
    block
        Voxels zyx at a time, whole chunks; None: many chunks, so that a source of other chunks is read about once.
    record
        Array of one number a block, 1 where it is on disk; None: nothing is known to be there.
    """
    how: Literal["mode", "mean"] = "mode" if kind == "labels" else "mean"
    bytes_per_voxel = coarse.dtype.itemsize * prod(scale.factors)
    block = block or chunk_plan(scale.shape, "zyx", bytes_per_voxel, own=coarse.chunks[-3:])
    for box in (part or Box.whole(scale.shape)).blocks(block):
        index = box.cell(block)
        if record is not None and record[index]:
            yield False
            continue
        coarsen_block(finer, coarse, scale, how, box)
        if record is not None:
            record[index] = 1
        yield True


def coarsen_block(finer: Any, coarse: Any, scale: Scale, how: Literal["mode", "mean"], box: Box) -> None:
    """Fill a box of one resolution from the next finer one."""
    source = box.scale(scale.factors).clip(finer.shape[-3:])
    for channel in np.ndindex(coarse.shape[:-3]):
        voxels = _read(finer, source, channel)
        if voxels.any():  # where nothing is, no chunk is
            coarse[*channel, *box.slices] = downsample(voxels, scale.factors, how)


def _read(finer: Any, box: Box, channel: tuple[int, ...]) -> np.ndarray:
    if hasattr(finer, "dims"):
        part: np.ndarray = read_block(finer.isel(c=channel[0]) if channel else finer, box)[0]
        return part
    return np.asarray(finer[*channel, *box.slices])


def write_metadata(group: Any, plan: Sequence[Scale], *, dims: Sequence[str], name: str, kind: Kind) -> None:
    """Write and validate the OME-NGFF metadata of the arrays ``0``, ``1``, ... of ``group``: 0.5, of zarr 2 0.4."""
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_multiscales_metadata
    from ome_zarr_models import v04, v05

    old = is_old(group)

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
    write_multiscales_metadata(group, datasets, fmt=FormatV04() if old else FormatV05(), axes=axes, name=name)
    (v04 if old else v05).Image.from_zarr(group)
    if kind == "labels":
        add_metadata(group, **{"image-label": {"version": "0.4"} if old else {}})


def _in_order(dims: Sequence[str], zyx: Sequence[float], other: float) -> list[float]:
    """Numbers for z, y, x in the order of an array's axes, ``other`` for channels and time."""
    known = dict(zip("zyx", zyx, strict=True))
    return [known.get(dim, other) for dim in dims]


def add_metadata(group: Any, **metadata: Any) -> None:
    """Add to what OME-NGFF says of a group; 0.4 says it without a word around it."""
    if is_old(group):
        group.attrs.update(metadata)
    else:
        group.attrs["ome"] = {**group.attrs["ome"], **metadata}
