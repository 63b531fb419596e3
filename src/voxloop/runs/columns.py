"""Named columns of numbers that grow at the end and never change what an older holder sees. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np


class Columns:
    """An immutable table of float64 columns. Appending shares the memory of the table it came from where it can.

    The newest table of a family writes into the spare room behind its rows; an older one, whose room is taken,
    copies. So a fold that appends batch after batch costs what a list would, and every table stays as it was.
    """

    __slots__ = ("_buffer", "_length", "_used", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._buffer = np.empty((len(self.names), 0))
        self._length = 0
        self._used = [0]  # rows of the buffer that some table of the family owns; shared by all of them

    def __len__(self) -> int:
        return self._length

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            row = self.names.index(name)
        except ValueError:
            raise AttributeError(name) from None
        view = self._buffer[row, : self._length]
        view.flags.writeable = False
        return view

    def __getitem__(self, name: str) -> np.ndarray:
        return self.__getattr__(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def append(self, rows: Sequence[Mapping[str, object]]) -> Columns:
        """A table with ``rows`` behind its own; what a row does not have, or is no number, is NaN."""
        if not rows:
            return self
        end = self._length + len(rows)
        out = self._with_room(end)
        for index, name in enumerate(self.names):
            out._buffer[index, self._length : end] = [_number(row.get(name)) for row in rows]
        out._length = out._used[0] = end
        return out

    def first(self, length: int) -> Columns:
        """The table of the first ``length`` rows."""
        return self if length >= self._length else self._sibling(length)

    def _sibling(self, length: int) -> Columns:
        out = object.__new__(Columns)
        out.names, out._buffer, out._used, out._length = self.names, self._buffer, self._used, length
        return out

    def _with_room(self, length: int) -> Columns:
        out = self._sibling(self._length)
        if self._used[0] != self._length or length > self._buffer.shape[1]:
            out._buffer = np.empty((len(self.names), max(64, 2 * length)))
            out._buffer[:, : self._length] = self._buffer[:, : self._length]
            out._used = [self._length]
        return out


def _number(value: object) -> float:
    if isinstance(value, int) and value.bit_length() > 1000:
        return np.nan  # more than a float holds
    return float(value) if isinstance(value, (int, float)) else np.nan
