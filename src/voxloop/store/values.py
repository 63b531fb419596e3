"""Which numbers a level takes as labels: given one by one, or as an array from outside. Pure: knows no files."""

from __future__ import annotations

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.classes import Level


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


def checked(block: np.ndarray, level: Level, dtype: np.dtype) -> np.ndarray:
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
