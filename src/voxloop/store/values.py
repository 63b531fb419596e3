"""Numbers that callers give: whole ones, lengths, and those that a level takes as labels. Pure: knows no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voxloop.errors import LabelError, VoxloopError
from voxloop.given import shown
from voxloop.store.classes import Level


def whole(what: str, given: object, least: float = -np.inf, *, error: type[VoxloopError] = LabelError) -> int:
    """A whole number, ``least`` or more, from what a caller gives. Raises ``error``."""
    value = number(what, given, least, error=error)
    if not value.is_integer() or abs(value) > 2**53:
        raise error(f"{what}={shown(given)} is no whole number")
    return int(value)


def text(what: str, given: object, *, error: type[VoxloopError] = LabelError) -> str:
    """A name or another text from what a caller gives. Raises ``error``."""
    if not isinstance(given, str):
        raise error(f"{what}={shown(given)} is no text")
    return given


def share(what: str, given: object, *, error: type[VoxloopError] = LabelError) -> float:
    """A probability or a share, 0 to 1, from what a caller gives. Raises ``error``."""
    value = number(what, given, error=error)
    if not 0 <= value <= 1:
        raise error(f"{what}={shown(given)} is not between 0 and 1; 0.9 stands for 90 %")
    return value


def as_list(what: str, given: object, *, error: type[VoxloopError] = LabelError) -> Sequence[Any]:
    """A list from what a caller gives. Raises ``error``."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise error(f"{what}={shown(given)} is no list")
    return given


def number(
    what: str,
    given: object,
    least: float = -np.inf,
    *,
    endless: bool = False,
    error: type[VoxloopError] = LabelError,
) -> float:
    """A number, ``least`` or more, finite unless ``endless``, from what a caller gives. Raises ``error``."""
    try:
        value = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise error(f"{what}={shown(given)} is no number") from None
    if isinstance(given, str | bytes) or np.isnan(value) or (np.isinf(value) and not endless):
        raise error(f"{what}={shown(given)} is no number")
    if value < least:
        raise error(f"{what}={shown(given)} is less than {least:g}")
    return value


def paintable(level: Level, given: object, dtype: np.dtype) -> int:
    """The value that ``given``, a class name or a number, stands for, where it may be painted. Raises LabelError."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if not isinstance(given, str | int | np.integer):
        raise LabelError(f"value {given!r} is neither the name of a class nor a whole number")
    if level.kind == "instances":
        return _instance(given, dtype)
    if given == 0:
        return 0
    item = level.class_of(given if isinstance(given, str) else int(given))
    if item.locked:
        raise LabelError(f"class {item.name!r} is locked; unlock it or choose another")
    return item.value


def _instance(given: str | int | np.integer, dtype: np.dtype) -> int:
    try:
        number = int(given)
    except ValueError:
        raise LabelError(f"instances have numbers, {given!r} is none; next_id() gives a free one") from None
    if not 0 <= number <= np.iinfo(dtype).max:
        raise LabelError(f"instance number {given} is out of range; next_id() gives a free one")
    return number


def as_labels(block: np.ndarray, level: Level, dtype: np.dtype) -> np.ndarray:
    """A block from outside as labels of a level: whole numbers that it has. Raises LabelError."""
    if block.dtype.kind not in "biuf":
        raise LabelError(f"labels are whole numbers, not {block.dtype}; turn them into class values first")
    whole = np.isfinite(block) & (block == np.rint(block)) if block.dtype.kind == "f" else np.ones(1, bool)
    if not whole.all():
        raise LabelError(
            f"labels are whole numbers, {block[~whole].flat[0]:g} is none; of probabilities take those above a "
            "threshold first, or ws.accept(prediction, above=0.9)"
        )
    if level.kind == "semantic":
        strange = sorted({int(value) for value in np.unique(block)} - {0, *(item.value for item in level.classes)})
        if strange:
            there = ", ".join(f"{item.value} {item.name!r}" for item in level.classes) or "it has none yet"
            raise LabelError(
                f"values {', '.join(map(str, strange[:5]))} are no classes of level {level.name!r}: {there}"
            )
    elif block.size and (block.min() < 0 or int(block.max()) > np.iinfo(dtype).max):
        raise LabelError(f"instance numbers must lie in 0..{np.iinfo(dtype).max}")
    return block.astype(dtype, copy=False)
