"""NRRD through pynrrd: raw ones read slice by slice, compressed ones as a whole; segments of 3D Slicer are classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.axes import letter_of
from voxloop.volumes.formats.anatomy import LPS, oriented
from voxloop.volumes.formats.contract import Contents, Format, LazyArray, Source, has_suffix
from voxloop.volumes.formats.decoded import DecodedOnce
from voxloop.volumes.formats.extra import needed
from voxloop.volumes.formats.mapped import Mapped
from voxloop.volumes.metadata import Notes, length_unit, text_of

SUFFIXES = (".nrrd", ".nhdr")
#: names of types in headers. Source: the NRRD format's own list
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}  # fmt: skip
_KINDS = {"rgb-color": "s", "rgba-color": "s", "3-color": "s", "4-color": "s", "time": "t"}
_IN_SPACE = ("domain", "space", "")
#: signs that turn a space's axes into left, posterior, superior
_SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip


class Raw:
    """Voxels as they lie in a file, mapped for each read: the file is not held."""

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._path, self._offset = path, offset
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        mapped = np.memmap(self._path, self.dtype, "r", self._offset, self.shape)
        return Mapped(mapped)[key]


def read(source: Source) -> Contents:
    """The array of a NRRD file, its axes in reverse: the format counts the fastest first."""
    nrrd = needed("nrrd", "NRRD")
    path = Path(str(source.path))
    with path.open("rb") as file:
        header = nrrd.read_header(file)
        offset = file.tell()
    shape = tuple(int(size) for size in header["sizes"])[::-1]
    dtype = _dtype(header, str(path))
    stored = _stored(nrrd, path, header, offset, shape, dtype)
    notes = Notes()
    letters = notes.attempt("the kinds of its axes", lambda: _letters(header), "?" * len(shape))
    directions = notes.attempt("its directions", lambda: _directions(header), None)
    sizes = notes.attempt("the voxel size", partial(_sizes, header, notes), ({}, False))
    array: LazyArray = stored
    anatomy = ""
    signs = _SPACES.get(text_of(header.get("space", "")).lower())
    if signs and directions and "z" in letters:
        turned = [None if one is None else np.multiply(one, signs) for one in directions]
        letters, array = notes.attempt(
            "how it lies", lambda: oriented(stored, letters, turned, notes), (letters, stored)
        )
        anatomy = LPS
    classes = notes.attempt("its segments", lambda: _segments(header), [])
    if isinstance(stored, DecodedOnce):
        notes.remarks.append(
            "compressed as a whole, so all of it is read for the first look; a copy (copy=True) is not"
        )
    return Contents(
        array=array,
        axes=letters,
        spacing_um=sizes[0],
        assumed="zyx" if sizes[1] else "",
        chunks=shape if isinstance(stored, DecodedOnce) else None,
        labels=bool(classes),
        classes=classes,
        anatomy=anatomy,
        remarks=notes.remarks,
    )


def _dtype(header: Mapping[str, Any], text: str) -> np.dtype:
    name = str(header["type"]).lower()
    code = next((code for code, names in _TYPES.items() if name in names), None)
    if code is None:
        raise VolumeError(f"{text} holds {name!r}, which is no type of numbers that can be read")
    return np.dtype(code).newbyteorder(">" if header.get("endian") == "big" else "<")


def _stored(
    nrrd: Any, path: Path, header: Mapping[str, Any], offset: int, shape: tuple[int, ...], dtype: np.dtype
) -> Raw | DecodedOnce:
    detached = header.get("data file", header.get("datafile"))
    encoding = str(header.get("encoding", "raw")).lower()
    single = isinstance(detached, str) and detached.upper() != "LIST" and "%" not in detached
    if encoding == "raw" and (single or detached is None) and int(header.get("line skip", 0)) == 0:
        place = path if detached is None else path.parent / detached
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        skip = int(header.get("byte skip", 0))
        length = place.stat().st_size
        start = length - size if skip < 0 else skip + (offset if detached is None else 0)
        if start < 0 or start + size > length:
            raise VolumeError(
                f"{path} is cut short: its voxels take {size:,} bytes, but {place.name} has {length:,}; copy it again"
            )
        return Raw(place, start, shape, dtype)

    def decode() -> np.ndarray:
        data, _ = nrrd.read(str(path), index_order="C")
        return np.asarray(data)

    return DecodedOnce(decode, shape, dtype.newbyteorder("="))


def _letters(header: Mapping[str, Any]) -> str:
    """Letters of the axes, slowest first."""
    count = int(header["dimension"])
    kinds = [text_of(kind or "").lower() for kind in header.get("kinds") or [""] * count]
    labels = [letter_of(label) for label in header.get("labels") or [""] * count]
    directions = header.get("space directions")
    letters = []
    space = iter("xyz")
    for place, (kind, label) in enumerate(zip(kinds, labels, strict=True)):
        outside = directions is not None and not np.isfinite(np.asarray(directions[place], float)).all()
        if label != "?":
            letters.append(label)
        elif kind in _KINDS:
            letters.append(_KINDS[kind])
        elif (outside or kind not in _IN_SPACE) and count > 2:
            letters.append("c")
        else:
            letters.append(next(space, "?"))
    stated = any(kinds) or directions is not None or set(labels) != {"?"}
    return "".join(letters)[::-1] if stated or count < 4 else "?" * count


def _directions(header: Mapping[str, Any]) -> list[np.ndarray | None] | None:
    """Directions of the axes, slowest first; None for those outside of space."""
    given = header.get("space directions")
    if given is None:
        return None
    rows = [np.asarray(row, float) for row in given]
    return [row if np.isfinite(row).all() and row.any() and row.size == 3 else None for row in rows][::-1]


def _sizes(header: Mapping[str, Any], notes: Notes) -> tuple[dict[str | int, float], bool]:
    """Micrometres by the place of an axis, slowest first; and whether their unit is a guess."""
    count = int(header["dimension"])
    directions, spacings = header.get("space directions"), header.get("spacings")
    if directions is not None:
        lengths = [float(np.linalg.norm(np.asarray(row, float))) for row in directions]
        units = header.get("space units") or []
    elif spacings is not None:
        lengths = [float(value) for value in np.asarray(spacings, float)]
        units = header.get("units") or []
    else:
        return {}, False
    # axes outside of space have no unit of space
    spatial = [place for place, length in enumerate(lengths) if np.isfinite(length)]
    named = dict(zip(spatial if len(units) == len(spatial) else range(count), units, strict=False))
    in_body = text_of(header.get("space", "")).lower() in _SPACES
    sizes: dict[str | int, float] = {}
    for place in spatial:
        unit = length_unit(named[place]) if named.get(place) else 1e3
        size = notes.size(f"the spacing of axis {place}", lengths[place], unit)
        if size is not None:
            sizes[count - 1 - place] = size
    guessed = bool(sizes) and not any(named.values()) and not in_body
    if guessed:
        notes.remarks.append("the file names no unit for its voxel size; millimetres are assumed")
    return sizes, guessed


def _segments(header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Classes as 3D Slicer notes them: ``Segment0_LabelValue``, ``_Name``, ``_Color``."""
    classes = []
    for key in header:
        number = re.fullmatch(r"Segment(\d+)_LabelValue", str(key))
        if number is None:
            continue
        prefix = f"Segment{number[1]}"
        one: dict[str, Any] = {"value": int(header[key]), "name": str(header.get(f"{prefix}_Name", prefix))}
        colour = header.get(f"{prefix}_Color")
        if colour is not None:
            parts = [float(part) for part in str(colour).split()]
            one["color"] = "#" + "".join(f"{min(255, max(0, round(255 * part))):02x}" for part in parts[:3])
        classes.append(one)
    return classes


FORMAT = Format(name="NRRD", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read, parts=False)
