"""The voxels of one edit that is too large for the run-length file: two sparse arrays on disk. Knows no journal."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from voxloop.geometry import Shape
from voxloop.store.atomic import sync_folder
from voxloop.store.chunks import Chunk, ChunkedArray
from voxloop.store.patches import Patch


class Blob:
    """The voxels of one large edit: a zarr group of two sparse arrays, readable with zarr alone."""

    def __init__(self, path: Path, shape: Shape, dtype: np.dtype, *, create: bool = False) -> None:
        self.path = path
        self.before = ChunkedArray(path / "before", shape, dtype)
        self.after = ChunkedArray(path / "after", shape, dtype)
        if create:
            import zarr

            shutil.rmtree(path, ignore_errors=True)
            zarr.create_group(store=path, zarr_format=3)
            self.before.create()
            self.after.create()

    def write(self, patch: Patch) -> None:
        """Add one patch; the patches of a chunk must come in one piece. Raises OSError."""
        size = self.before.chunks
        chunk = patch.box.cell(size)
        corner = [-index * n for index, n in zip(chunk, size, strict=True)]
        inside = patch.box.shift(corner).slices
        changed = patch.changed
        for array, values in ((self.before, patch.before), (self.after, patch.after)):
            full = np.zeros(size, array.dtype)
            full[inside] = np.where(changed, values, 0)
            array.write(chunk, full)

    def sync(self) -> None:
        """Wait until all of it is on the disk."""
        for array in (self.before, self.after):
            array.sync()
        sync_folder(self.path)
        sync_folder(self.path.parent)

    def chunks(self) -> set[Chunk]:
        return {chunk for array in (self.before, self.after) for chunk, _ in array.stored()}

    def read(self, chunk: Chunk) -> Patch | None:
        found = [array.read(chunk) for array in (self.before, self.after)]
        if found[0] is None and found[1] is None:
            return None
        box = self.before.box(chunk)
        cut = box.within(box).slices
        before, after = (
            np.zeros(self.before.chunks, self.before.dtype)[cut] if one is None else one[0][cut] for one in found
        )
        return Patch(box.start, before, after)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
