"""Lazy arrays behind the coarser scales: halved when sliced, and blocks kept in a folder. Knows no coordinates."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.volumes.downsample import downsample
from voxloop.volumes.volume import read_lazy


class Halved:
    """An array half as wide and high, each pixel the mean of up to four; computed for what is sliced."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.dtype = array.dtype
        self.ndim = array.ndim
        self.shape = (*array.shape[:-2], *((n + 1) // 2 for n in array.shape[-2:]))

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        *stack, rows, columns = (part.indices(n) for part, n in zip(key, self.shape, strict=True))
        plane = [
            slice(2 * start, min(2 * stop, n))
            for (start, stop, _), n in zip((rows, columns), self._array.shape[-2:], strict=True)
        ]
        block = read_lazy(self._array, (*(slice(start, stop) for start, stop, _ in stack), *plane))
        return downsample(block, (1,) * (self.ndim - 2) + (2, 2), "mean")


class CachedBlocks:
    """An array whose blocks are computed once and then read from a zarr folder; a block is whole or not there."""

    def __init__(self, array: Any, path: Path, chunks: tuple[int, ...], fingerprint: dict[str, Any]) -> None:
        self._array, self._path, self._chunks, self._fingerprint = array, path, chunks, fingerprint
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self._store: Any = None

    def _opened(self) -> Any:
        import zarr

        if self._store is None:
            try:
                store: Any = zarr.open_array(self._path, mode="r+")
                stale = store.attrs.get("made_from") != self._fingerprint or store.chunks != self._chunks
            except (FileNotFoundError, ValueError, KeyError):
                stale = True
            if stale:
                store = zarr.create_array(
                    self._path,
                    shape=self.shape,
                    chunks=self._chunks,
                    dtype=self.dtype,
                    overwrite=True,
                    attributes={"made_from": self._fingerprint},
                    config={"write_empty_chunks": True},  # so that a missing file means: not computed
                )
            self._store = zarr.open_array(self._path, mode="r+", config={"write_empty_chunks": True})
        return self._store

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        store = self._opened()
        bounds = [part.indices(n)[:2] for part, n in zip(key, self.shape, strict=True)]
        grid = [range(start // c, -(-stop // c)) for (start, stop), c in zip(bounds, self._chunks, strict=True)]
        for index in product(*grid):
            if not (self._path / "c" / "/".join(map(str, index))).exists():
                box = tuple(
                    slice(i * c, min((i + 1) * c, n)) for i, c, n in zip(index, self._chunks, self.shape, strict=True)
                )
                store[box] = self._array[box]
        return np.asarray(store[tuple(slice(*bound) for bound in bounds)])
