"""How far copying a volume is, told while it is read, and stopped by whoever is told. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from voxloop.screen import screen
from voxloop.volumes.view import dask_over
from voxloop.volumes.volume import read_lazy

if TYPE_CHECKING:
    from xarray import DataArray

#: called after each block with the bytes read so far and those in all; what it raises stops the copy
Progress = Callable[[int, int], object]


class _Told:
    """An array that tells how much of it was read."""

    def __init__(self, array: Any, progress: Progress) -> None:
        self._array, self._progress = array, progress
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self._bytes = 0

    def __getitem__(self, key: Any) -> Any:
        block = read_lazy(self._array, key)
        self._bytes += block.nbytes
        # some files are made in two passes, the first of which looks for the largest number
        self._progress(min(self._bytes, self._array.nbytes), self._array.nbytes)
        return block


def told(volume: DataArray, progress: Progress) -> DataArray:
    """The same volume, lazy; ``progress(bytes read, bytes in all)`` is called whenever a block of it was read."""
    largest = tuple(max(sizes) for sizes in volume.data.chunks)
    return volume.copy(data=dask_over(_Told(volume.data, progress), largest))


@contextmanager
def bar(title: str, total: int) -> Iterator[Progress | None]:
    """A bar of bytes in a cell or on a terminal; None where nobody would see it."""
    stream = screen()
    if stream is None:
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=title, unit="B", unit_scale=True, file=stream, ncols=80) as line:
        yield lambda done, _total: line.update(done - line.n)
