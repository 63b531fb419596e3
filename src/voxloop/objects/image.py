"""A label image being written: OME-Zarr, one file a chunk, whole chunks from any thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voxloop.geometry import Box, Shape
from voxloop.objects.fields import VoxelField
from voxloop.volumes.multiscale import Layers, write_metadata
from voxloop.volumes.pyramid import plan_scales

CHUNK = (16, 256, 256)


def chunk_of(field: VoxelField, block: Shape | None = None) -> Shape:
    """Voxels of a chunk: planes apart where they are pictures, larger then; no chunk lies in two of ``block``."""
    chunk = (1, 1024, 1024) if field.flat else CHUNK
    z, y, x = (min(c, n) for c, n in zip(chunk, field.shape, strict=True))
    if block is None:
        return z, y, x
    z, y, x = (c if b % c == 0 else min(b, n) for c, b, n in zip((z, y, x), block, field.shape, strict=True))
    return z, y, x


class LabelImage:
    """The finest resolution is written block by block, the others from it by :meth:`finish`."""

    def __init__(self, path: Path, field: VoxelField, dtype: Any, block: Shape) -> None:
        import zarr

        self._group = zarr.open_group(path, mode="w", zarr_format=3)
        self._field = field
        self._chunk = chunk_of(field, block)
        self._layers = Layers(self._group, self._chunk, dtype)
        self._array: Any = self._layers.create(0, field.shape)
        self._folder = path / "0" / "c"

    def write(self, box: Box, block: np.ndarray) -> None:
        """Write whole chunks (z, y, x). Chunk files are made here: it is four times as fast as through zarr."""
        import imagecodecs

        for part in box.blocks(self._chunk):
            data = block[part.within(box).slices]
            if not data.any():
                continue
            if data.shape != self._chunk:  # the last chunk of an axis is whole on disk
                data = np.pad(data, [(0, c - n) for c, n in zip(self._chunk, data.shape, strict=True)])
            path = self._folder.joinpath(*map(str, part.cell(self._chunk)))
            path.parent.mkdir(parents=True, exist_ok=True)
            raw: Any = np.ascontiguousarray(data, self._array.dtype.newbyteorder("<"))
            path.write_bytes(imagecodecs.zstd_encode(raw, level=1))

    def finish(self, name: str, facts: dict[str, Any], *, scales: bool = True) -> None:
        """Write coarser resolutions (most frequent value) and the metadata: OME-NGFF 0.5, kind labels."""
        field = self._field
        plan = plan_scales(field.shape, field.spacing_um, origin_um=field.origin_um, frames=field.frames)
        plan = plan if scales else plan[:1]
        self._layers.write_coarser(self._array, plan, "labels")
        write_metadata(self._group, plan, dims=["z", "y", "x"], name=name, kind="labels")
        self._group.attrs["voxloop"] = {"z_kind": "frame" if field.frames else "space", **facts}
