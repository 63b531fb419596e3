"""Which axis is which: what a file states, in whatever words; a guess only where it says nothing. Knows no format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.metadata import Notes, text_of

#: unnamed axes by their number
_BY_COUNT = {2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}
LETTERS = "tczyxs"
#: voxels along an axis: thirty times the longest that any scanner makes, and coordinates that still fit into memory
LONGEST = 2**25
#: how programs spell axes in words
_WORDS = {
    "time": "t", "frame": "t", "frames": "t", "timepoint": "t", "channel": "c", "channels": "c", "band": "c",
    "bands": "c", "ch": "c", "depth": "z", "slice": "z", "slices": "z", "plane": "z", "planes": "z", "section": "z",
    "height": "y", "row": "y", "rows": "y", "width": "x", "col": "x", "column": "x", "columns": "x", "cols": "x",
    "sample": "s", "samples": "s", "rgb": "s", "rgba": "s", "class": "c",
}  # fmt: skip
#: attributes in which programs name the axes of an array: vigra and ilastik, voxloop, xarray, PlantSeg, N5
_ATTRIBUTES = ("axistags", "axes", "_ARRAY_DIMENSIONS", "dimension_names", "axis_names", "dims", "DIMENSION_LABELS")


@dataclass(frozen=True, slots=True)
class Axes:
    """A letter for each axis of an array, where they come from, and what was taken for what."""

    letters: str
    stated: bool
    remarks: tuple[str, ...] = ()


def letter_of(name: object) -> str:
    """The letter of an axis by its name, ``?`` where the name says nothing."""
    text = text_of(name).strip().lower()
    if len(text) == 1 and text in LETTERS:
        return text
    return _WORDS.get(text, "?")


def letters_of(names: Sequence[object]) -> str:
    """Letters of axes by their names; a letter that comes twice says nothing."""
    letters = [letter_of(name) for name in names]
    return "".join(letter if letters.count(letter) == 1 else "?" for letter in letters)


def collect(attributes: Mapping[str, Any], ndim: int, notes: Notes, *, names: Sequence[object] = ()) -> str:
    """What is stated of the axes of an array: by its attributes, or by ``names`` that the file keeps for them.

    A letter an axis, ``?`` where nothing is said. The statement that names most axes counts; where two contradict each
    other, that is a remark.
    """
    statements: dict[str, str] = {}
    for attribute in _ATTRIBUTES:
        if attribute in attributes:
            listed = notes.attempt(f"the attribute {attribute}", partial(_names_in, attributes[attribute]), [])
            statements[attribute] = letters_of(listed)
    statements["the names of its dimensions"] = letters_of(names)
    fitting = {source: letters for source, letters in statements.items() if len(letters) == ndim}
    for source, letters in statements.items():
        if letters.strip("?") and source not in fitting:
            notes.remarks.append(f"{source} names {len(letters)} axes ({letters}) of an array of {ndim}; left aside")
    if not fitting:
        return "?" * ndim
    best = min(fitting, key=lambda source: fitting[source].count("?"))
    for source, letters in fitting.items():
        if any("?" not in pair and len(set(pair)) > 1 for pair in zip(letters, fitting[best], strict=True)):
            notes.remarks.append(f"{source} calls the axes {letters}, {best} {fitting[best]}; the latter is taken")
    return fitting[best]


def _names_in(given: Any) -> list[str]:
    """Names of axes from an attribute: vigra's JSON, a list of names, or letters in one text."""
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    if isinstance(given, bytes | str):
        text = text_of(given).strip()
        if text.startswith("{"):
            return [str(axis["key"]) for axis in json.loads(text)["axes"]]
        if text.startswith("["):
            return [str(name) for name in json.loads(text)]
        if "," in text or " " in text:
            return text.replace(",", " ").split()
        return list(text)
    return [text_of(name) for name in np.asarray(given).reshape(-1)]


def check_dtype(dtype: Any, text: str) -> None:
    """Raise VolumeError for what is not a picture's numbers."""
    kind = np.dtype(dtype).kind
    if kind == "c":
        raise VolumeError(f"{text} holds complex numbers; open its magnitude, for example numpy.abs(array)")
    if np.dtype(dtype).itemsize > 8 and kind == "f":
        raise VolumeError(
            f"{text} holds numbers of 128 bits, which no file here keeps; convert with .astype('float64')"
        )
    if kind not in "buif":
        raise VolumeError(f"{text} has dtype {dtype}; a volume holds integers or floats, for example uint8")


def resolve(axes: str, shape: Sequence[int], text: str) -> Axes:
    """A letter for each axis. Unnamed ones are, from the last, x y z c t; a last one of 3 or 4 is colour.

    Raises VolumeError for shapes that cannot be a volume.
    """
    shape = tuple(int(size) for size in shape)
    if any(size == 0 for size in shape):
        raise VolumeError(f"{text} has shape {shape}: there is nothing in it")
    if any(size > LONGEST for size in shape):
        raise VolumeError(f"{text} has shape {shape}; no axis is longer than {LONGEST:,}, so its header is damaged")
    stated = "?" not in axes and bool(axes)
    remarks: list[str] = []
    if set(axes) == {"?"} or not axes:
        axes = _guessed(shape, text, remarks)
    elif "?" in axes:
        axes = _filled(axes, shape, text)
    if (
        len(axes) != len(shape)
        or len(set(axes)) != len(axes)
        or not {"y", "x"} <= set(axes)
        or set(axes) - set(LETTERS)
    ):
        raise VolumeError(
            f"{text} has shape {shape} with axes {axes!r}; a volume needs y and x and each axis once: say axes=, a "
            "letter an axis of t, c, z, y, x, s"
        )
    return Axes(axes, stated, tuple(remarks))


def _guessed(shape: tuple[int, ...], text: str, remarks: list[str]) -> str:
    colour = "s" if len(shape) >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) > 4 else ""
    count = len(shape) - len(colour)
    if count not in _BY_COUNT:
        raise VolumeError(f"{text} has shape {shape}; a volume has 2 to 5 axes: (y, x), (z, y, x), (c, z, y, x)")
    if colour:
        remarks.append(f"the last axis, of {shape[-1]}, is taken for colours; axes= says otherwise")
    return _BY_COUNT[count] + colour


def _filled(axes: str, shape: tuple[int, ...], text: str) -> str:
    """Letters for the unnamed among named axes: y and x first, from the last; then z, c and t."""
    missing = [letter for letter in "xy" if letter not in axes] + [letter for letter in "zct" if letter not in axes]
    if axes.count("?") > len(missing):
        raise VolumeError(f"{text} has shape {shape} with axes {axes!r}; name at most one each of t, c, z")
    letters = list(axes)
    for place in reversed(range(len(letters))):
        if letters[place] == "?":
            letters[place] = missing.pop(0)
    return "".join(letters)
