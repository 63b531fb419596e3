"""Metadata of any file, piece by piece: what is bad counts as not stated and becomes a remark. Knows no format."""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import unit_um

T = TypeVar("T")

#: no microscope and no telescope has voxels beyond these: a picometre's thousandth, a million kilometres
SMALLEST_UM, LARGEST_UM = 1e-9, 1e15
#: how a file says that its lengths are in no unit
_NO_UNIT = ("", "pixel", "pixels", "px", "none", "unknown", "null", "voxel", "voxels", "arbitrary", "reference frame")
#: the letter for a millionth, as encodings and escapes leave it
_GARBLED = ("\\u00B5", "\\u00b5", "\\u03bc", "&#181;", "&micro;", "Âµ", "Î¼", "¬µ")
_LOGGERS = ("tifffile", "nibabel", "nibabel.global", "imageio_ffmpeg", "imageio", "h5py", "zarr", "mrcfile")
#: a damaged file may complain a thousand times
_MOST_COMPLAINTS = 6


class Notes:
    """What is noticed while a file is opened: ``remarks`` on its metadata, ``losses`` of its voxels."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.losses: list[str] = []

    def attempt(self, what: str, read: Callable[[], T], otherwise: Any) -> T:
        """What ``read`` gives; ``otherwise`` and a remark where it fails: metadata never makes voxels unreadable."""
        try:
            return read()
        except Exception as error:  # whatever a foreign file makes a library raise
            self.remarks.append(f"{what} cannot be understood ({first_line(error)}) and counts as not stated")
            return cast("T", otherwise)

    def size(self, what: str, value: Any, unit: float | None = 1.0) -> float | None:
        """A voxel size in micrometres from a number or text; None, and a remark, where it is no size."""
        if value is None or unit is None:
            return None
        try:
            size = number(value) * unit
        except (TypeError, ValueError):
            size = math.nan
        if is_size(size):
            return size
        self.remarks.append(f"{what} is {str(value)[:40]!r}, which is no size, and counts as not stated")
        return None


def is_size(value: float) -> bool:
    """Whether a number of micrometres can be the size of a voxel."""
    return math.isfinite(value) and SMALLEST_UM <= value <= LARGEST_UM


def number(value: Any) -> float:
    """A number from a number or text; a decimal comma is one. Raises TypeError, ValueError."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return float(value.strip().replace(",", "."))
    numbers = np.asarray(value, dtype=float).reshape(-1)
    if numbers.size != 1:
        raise ValueError(f"{numbers.size} numbers where one is expected")
    return float(numbers[0])


def text_of(value: Any) -> str:
    """Text from what libraries give for it: text, bytes, or an array of one of these."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return str(value)


def length_unit(unit: Any) -> float | None:
    """Micrometres in a unit as files spell it, garbled encodings included; None where it is no length."""
    text = text_of(unit).strip().strip("\x00\"'")
    text = (
        text.replace("\\u00B5", "µ")
        .replace("\\u00b5", "µ")
        .replace("&#181;", "µ")
        .replace("Âµ", "µ")
        .replace("Î¼", "µ")
    )
    if re.fullmatch(r"[^\x00-\x7f?]?[?\ufffd]m", text) or text in ("¬µm", "�m"):
        text = "µm"
    if text.lower() in _NO_UNIT:
        return None
    try:
        return unit_um(text)
    except VolumeError:
        return None


def unit_or_remark(notes: Notes, what: str, unit: Any) -> float | None:
    """:func:`length_unit`, with a remark where a unit is given that is none."""
    um = length_unit(unit)
    if um is None:
        notes.remarks.append(f"{what} is in {text_of(unit)!r}, which is no length; the voxel size counts as not stated")
    return um


def coordinate_step(values: Any, unit: Any, name: str, notes: Notes) -> tuple[float, float] | None:
    """Step and start, in micrometres, of evenly spaced coordinates with a unit; None where they are not.

    Coordinates that fall start where they are least: a volume's rise, and it is shown as it is stored.
    """
    um = length_unit(unit)
    coordinates = np.asarray(values, dtype=float).reshape(-1)
    if um is None or coordinates.size < 2:
        return None
    step = (coordinates[-1] - coordinates[0]) / (coordinates.size - 1)
    if not np.isfinite(step) or not np.allclose(np.diff(coordinates), step, rtol=1e-3, atol=abs(step) * 1e-3):
        notes.remarks.append(f"the coordinate {name} is not evenly spaced, so its size counts as not stated")
        return None
    size = abs(float(step)) * um
    if not is_size(size):
        return None
    if step < 0:
        notes.remarks.append(f"the coordinate {name} falls; its voxels are shown in the order in which they are stored")
    return size, float(coordinates.min()) * um


def attribute_sizes(attributes: Mapping[str, Any], notes: Notes) -> dict[str | int, float]:
    """Voxel size from the attributes by which programs note it beside an HDF5 or zarr array, by letter.

    ``element_size_um`` (ilastik, PlantSeg), ``resolution`` and ``voxel_size`` (CREMI, funlib: nanometres unless
    ``units`` says otherwise), all in the order z, y, x; ``pixelResolution`` of N5 in the order x, y, z; voxloop's own.
    """
    for name, default in (("element_size_um", 1.0), ("spacing_um", 1.0), ("resolution", 1e-3), ("voxel_size", 1e-3)):
        if name not in attributes:
            continue
        unit: float | None = default
        if default != 1.0 and attributes.get("units") is not None:
            unit = notes.attempt(f"units of {name}", lambda: _unit_of_all(attributes["units"]), None)
        sizes = notes.attempt(name, partial(_zyx, attributes[name], unit, name, notes), {})
        if sizes:
            return sizes
    noted = attributes.get("pixelResolution")
    if isinstance(noted, Mapping):
        values = noted.get("dimensions", ())
        unit = length_unit(noted.get("unit", "um"))
        return notes.attempt("pixelResolution", lambda: _zyx(list(values)[::-1], unit, "pixelResolution", notes), {})
    return {}


def _unit_of_all(units: Any) -> float | None:
    names = np.asarray(units).reshape(-1)
    return length_unit(names[-1]) if names.size else None


def _zyx(values: Any, unit: float | None, what: str, notes: Notes) -> dict[str | int, float]:
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim > 1 or not 1 <= numbers.size <= 5:
        raise ValueError(f"shape {numbers.shape}")
    numbers = np.atleast_1d(numbers)[-3:]
    sizes: dict[str | int, float] = {}
    for axis, value in zip("zyx"[-numbers.size :], numbers, strict=True):
        size = notes.size(f"{what} of {axis}", float(value), unit)
        if size is not None:
            sizes[axis] = size
    return sizes


def parse_assumed(noted: Any) -> list[str]:
    """Axes whose size voxloop noted to be an assumption: ``"assumed metadata metadata"`` for z, y, x."""
    return [axis for axis, source in zip("zyx", text_of(noted or "").split(), strict=False) if source == "assumed"]


def parse_classes(given: Any) -> list[dict[str, Any]]:
    """Classes as voxloop notes them beside a label array: JSON, or a list of ``"1: name"``. Raises ValueError."""
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    if isinstance(given, str | bytes):
        given = json.loads(text_of(given))
    if isinstance(given, list) and given and isinstance(given[0], Mapping):
        return [{**one, "value": int(one["value"]), "name": str(one["name"])} for one in given]
    classes = []
    for line in np.asarray(given).reshape(-1):
        value, _, name = text_of(line).partition(": ")
        classes.append({"value": int(value), "name": name})
    return classes


def first_line(error: object) -> str:
    """The first line of what a library says, short."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:160]


@contextmanager
def listening(remarks: list[str]) -> Iterator[None]:
    """Add what libraries log or warn of, in this thread, to ``remarks``: they go on where a file is damaged."""
    complaints: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                complaints.append(first_line(record.getMessage()))

    listener = Listener(logging.WARNING)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(listener)
        logger.propagate = False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(listener)
            logger.propagate = propagate
    for warning in caught:
        if not issubclass(warning.category, DeprecationWarning | FutureWarning | ResourceWarning | ImportWarning):
            complaints.append(first_line(warning.message))
    unique = list(dict.fromkeys(complaints))
    remarks.extend(f"noticed on opening: {text}" for text in unique[:_MOST_COMPLAINTS])
    if len(unique) > _MOST_COMPLAINTS:
        remarks.append(f"noticed on opening: {len(unique) - _MOST_COMPLAINTS} more of the kind")


def list_some(items: Sequence[object], most: int = 6) -> str:
    """A few of many: ``1, 2, 3, ... (12 in all)``."""
    shown = ", ".join(map(str, items[:most]))
    return f"{shown}, ... ({len(items)} in all)" if len(items) > most else shown
