"""Memory maps that hold nothing: what was read of one is handed back to the system at once. Knows no format."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

#: bytes of a file that are mapped at a time: rows of a wide plane bring their whole surroundings with them
_AT_ONCE = 32 * 2**20


class Mapped:
    """The voxels of a memory map, copied where they are sliced.

    A system counts what was ever read of a map as memory of the process, and hands it back late: a region of a large
    file would seem to take gigabytes, and a limit on memory would end the process for them.
    """

    def __init__(self, array: np.ndarray) -> None:
        self._array, self._map = array, _map_of(array)
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Any) -> np.ndarray:
        wanted = self._array[key]
        out = np.empty(wanted.shape, wanted.dtype)
        if self._map is None or wanted.ndim < 2:
            out[...] = wanted
            self._let_go()
            return out
        span = sum((size - 1) * abs(step) for size, step in zip(wanted.shape[-2:], wanted.strides[-2:], strict=True))
        held = 0
        for place in np.ndindex(wanted.shape[:-2]):
            out[place] = wanted[place]
            held += span
            if held > _AT_ONCE:
                self._let_go()
                held = 0
        self._let_go()
        return out

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process maps the file for itself."""
        array = self._array
        if not isinstance(array, np.memmap):
            return Mapped, (np.array(array),)
        return _mapped_again, (array.filename, array.dtype, array.offset, array.shape, array.flags.fnc)

    def _let_go(self) -> None:
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _mapped_again(path: Any, dtype: np.dtype, offset: int, shape: tuple[int, ...], by_columns: bool) -> Mapped:
    return Mapped(np.memmap(path, dtype, "r", offset, shape, "F" if by_columns else "C"))


def _map_of(array: Any) -> mmap.mmap | None:
    """The map that an array looks into."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return array
