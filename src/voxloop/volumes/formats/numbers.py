"""Arrays as their file says they are meant: scaled, unsigned, turned. Each reads what is sliced. Knows no format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from voxloop.volumes.formats.contract import LazyArray
from voxloop.volumes.metadata import Notes, number, text_of


class Scaled:
    """Stored numbers times a factor plus an offset, as float32; the fill value is not-a-number."""

    dtype = np.dtype(np.float32)

    def __init__(self, array: LazyArray, factor: float, offset: float, fill: float | None) -> None:
        self._array, self._factor, self._offset, self._fill = array, factor, offset, fill
        self.shape = tuple(array.shape)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        stored = np.asarray(self._array[key])
        values = stored.astype(np.float64) * self._factor + self._offset
        if self._fill is not None:
            values[stored == self._fill] = np.nan
        return values.astype(np.float32)


class Seen:
    """The same bytes as numbers of another type of the same size."""

    def __init__(self, array: LazyArray, dtype: Any) -> None:
        self._array = array
        self._dtype = np.dtype(dtype)
        self.dtype = self._dtype
        self.shape = tuple(array.shape)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.ascontiguousarray(self._array[key]).view(self._dtype)


class Lowered:
    """Unsigned 16-bit numbers less half their range: how ImageJ stores signed ones."""

    dtype = np.dtype(np.int16)

    def __init__(self, array: LazyArray) -> None:
        self._array = array
        self.shape = tuple(array.shape)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return (np.asarray(self._array[key]).astype(np.int32) - 2**15).astype(np.int16)


class Turned:
    """An array some of whose axes run backwards."""

    def __init__(self, array: LazyArray, backwards: Sequence[bool]) -> None:
        self._array, self._backwards = array, tuple(backwards)
        self.shape = tuple(array.shape)
        self.dtype = array.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        forwards, turns = [], []
        for part, size, backwards in zip(key, self.shape, self._backwards, strict=True):
            start, stop, _ = part.indices(size)
            forwards.append(slice(size - stop, size - start) if backwards else slice(start, stop))
            turns.append(slice(None, None, -1) if backwards else slice(None))
        return np.asarray(self._array[tuple(forwards)])[tuple(turns)]


def as_meant(array: Any, attributes: Mapping[str, Any], notes: Notes) -> Any:
    """An array with the CF attributes ``_Unsigned``, ``scale_factor``, ``add_offset`` and ``_FillValue`` applied."""
    dtype = np.dtype(array.dtype)
    unsigned = text_of(attributes.get("_Unsigned", "")).lower()
    if unsigned == "true" and dtype.kind == "i":
        array = Seen(array, dtype.str.replace("i", "u"))
    factor = _numeric(attributes, "scale_factor", 1.0, notes)
    offset = _numeric(attributes, "add_offset", 0.0, notes)
    if (factor, offset) == (1.0, 0.0) or dtype.kind not in "buif":
        return array
    fill = _numeric(attributes, "_FillValue", np.nan, notes)
    notes.remarks.append(f"the stored numbers are multiplied by {factor:g} and raised by {offset:g}, as the file says")
    return Scaled(array, factor, offset, fill if np.isfinite(fill) else None)


def _numeric(attributes: Mapping[str, Any], name: str, otherwise: float, notes: Notes) -> float:
    if name not in attributes:
        return otherwise
    value = notes.attempt(name, lambda: number(attributes[name]), otherwise)
    if name == "scale_factor" and (not np.isfinite(value) or value == 0):
        notes.remarks.append(f"{name} is {value:g} and counts as not stated")
        return otherwise
    return value
