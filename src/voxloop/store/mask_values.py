"""What the numbers of a mask become: classes, object numbers, unlabelled. Pure tables; reads no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.classes import plain_name

if TYPE_CHECKING:
    from voxloop.store.label_contract import OpenLabels

ZERO = ("background", "unlabelled")
#: what ``values=`` may say for a number that is no label
UNLABELLED = "unlabelled"
#: what a number is in a level of instances
OBJECT = "object"
Values = Mapping[int, int | str | None]


@dataclass(frozen=True, slots=True)
class MaskValue:
    """A number in a mask: how much of the mask it is, and what it seems to mean.

    ``meaning`` is a class, ``"unlabelled"``, ``"object"`` where it is an object's number, or None where only the user
    can say it. ``name`` is what the mask itself calls it.
    """

    value: int
    share: float
    name: str | None
    meaning: str | None


class MaskTable:
    """Mask value -> label value, for whole blocks at once."""

    def __init__(self, pairs: Mapping[int, int], label_dtype: Any, *, renumbered: bool = False) -> None:
        self.pairs = dict(sorted(pairs.items()))
        self.renumbered = renumbered
        wide = any(value > np.iinfo(np.int64).max for value in self.pairs)
        self._dtype: Any = np.uint64 if wide else np.int64
        self._keys = np.array(list(self.pairs), dtype=self._dtype)
        self._results = np.array(list(self.pairs.values()), dtype=label_dtype)

    def apply(self, block: np.ndarray) -> np.ndarray:
        """The labels of a block of the mask, whose values are all in the table."""
        return np.asarray(self._results[np.searchsorted(self._keys, block.astype(self._dtype, copy=False))])

    def to_json(self) -> dict[str, int] | None:
        """For the journal; None where it would be longer than what it explains."""
        return {str(key): value for key, value in self.pairs.items()} if len(self.pairs) <= 256 else None


def table_for(
    labels: OpenLabels,
    present: Sequence[int],
    zero: str | None,
    values: Values | None,
    names: Mapping[int, str],
) -> MaskTable:
    """What each value that is present in a mask becomes.

    ``names`` are those that the mask itself gives for its values. Raises LabelError, which says how to say it.
    """
    if values is not None and not isinstance(values, Mapping):
        raise LabelError(f"values={values!r} is no table; write values={{1: 'name of a class', 2: 'unlabelled'}}")
    given = dict(values or {})
    pairs: dict[int, int] = {}
    if 0 in present and 0 not in given:
        pairs[0] = _meaning_of_zero(labels, zero)
    rest = [value for value in present if value != 0 or 0 in given]
    if labels.level.kind == "instances":
        return _instances(labels, rest, given, pairs)
    if values is not None:
        missing = [value for value in rest if value not in given]
        if missing:
            raise LabelError(f"values= says nothing about {list_some(missing)} in the mask; add them, or map them to 0")
        return MaskTable(pairs | {value: _label(labels, given[value]) for value in rest}, labels.dtype)
    if names and all(value in names for value in rest):
        return MaskTable(pairs | _by_name(labels, rest, names), labels.dtype)
    return MaskTable(pairs | _guessed(labels, rest, zero), labels.dtype)


def meanings(labels: OpenLabels, counts: Mapping[int, int], names: Mapping[int, str]) -> list[MaskValue]:
    """What the values of a mask seem to mean, as :func:`table_for` takes them; None for 0, which is never guessed."""
    classes = {item.value: item.name for item in labels.level.classes}
    by_name = {plain_name(name).lower(): name for name in classes.values()}
    foreground = [item.name for item in labels.level.classes if not item.background]
    positive = [value for value in sorted(counts) if value > 0]
    in_order = dict(zip(positive, foreground, strict=False)) if len(positive) == len(foreground) else {}
    # beside zeros a 1 is as often the first structure as the value of the background
    own = {item.value: item.name for item in labels.level.classes if not (item.background and 0 in counts)}
    total = sum(counts.values()) or 1
    listed = []
    for value in sorted(counts):
        name = names.get(value)
        meaning: str | None = by_name.get(plain_name(name).lower()) if name is not None else None
        if value < 0:
            meaning = UNLABELLED
        elif labels.level.kind == "instances" and value > 0:
            meaning = OBJECT
        elif meaning is None and value > 0:
            meaning = own.get(value) if set(positive) <= set(own) else in_order.get(value)
        listed.append(MaskValue(value, counts[value] / total, name, meaning))
    return listed


def _label(labels: OpenLabels, given: int | str | None) -> int:
    """A label value from what ``values=`` says: a class, or nothing."""
    classes = {item.name for item in labels.level.classes}
    if given is None or (isinstance(given, str) and given.lower() == UNLABELLED and given not in classes):
        return 0
    return labels.paintable(given)


def _instances(labels: OpenLabels, present: list[int], given: dict[int, Any], pairs: dict[int, int]) -> MaskTable:
    """Object numbers: as they come, raised where they are values of classes, numbered anew where they are too large."""
    chosen = {value: _label(labels, given[value]) for value in present if value in given}
    numbers = [value for value in present if value not in chosen]
    if numbers and numbers[0] < 0:
        negative = [number for number in numbers if number < 0]
        raise LabelError(
            f"the mask holds {list_some(negative)}, and object numbers are never negative; say what "
            f"it means: values={{{numbers[0]}: 0}} leaves those voxels unlabelled"
        )
    reserved = max((item.value for item in labels.level.classes), default=0)
    raised = reserved if any(value <= reserved for value in numbers) else 0
    largest = int(np.iinfo(labels.dtype).max)
    if not numbers or numbers[-1] + raised <= largest:
        return MaskTable(pairs | chosen | {value: value + raised for value in numbers}, labels.dtype)
    anew = {value: reserved + place for place, value in enumerate(numbers, 1)}
    return MaskTable(pairs | chosen | anew, labels.dtype, renumbered=True)


def _meaning_of_zero(labels: OpenLabels, zero: str | None) -> int:
    if zero is None:
        raise LabelError(
            "the mask holds zeros: say what they mean, zero='background' (all of it was looked at, 0 is background) or "
            "zero='unlabelled' (nobody looked there)"
        )
    if zero == UNLABELLED:
        return 0
    for item in labels.level.classes:
        if item.background:
            return item.value
    name = labels.level.name
    raise LabelError(
        f"level {name!r} has no background class: a class called background, other, rest or nothing is one "
        f"(ws.levels.add_class({name!r}, 'background')); or use zero='unlabelled'"
    )


def _by_name(labels: OpenLabels, present: list[int], names: Mapping[int, str]) -> dict[int, int]:
    """Values whose names the mask gives. Raises LabelError where one is no class of the level."""
    there = {item.name: item.value for item in labels.level.classes}
    pairs = {}
    for value in present:
        name = plain_name(names[value])
        if name not in there:
            raise LabelError(
                f"the mask calls {value} {name!r}, which is no class of level {labels.level.name!r} "
                f"({_classes(labels)}); add it, or say which is which: values={{{value}: ...}}"
            )
        pairs[value] = labels.paintable(there[name])
    return pairs


def _guessed(labels: OpenLabels, present: list[int], zero: str | None) -> dict[int, int]:
    classes = labels.level.classes
    foreground = [item.value for item in classes if not item.background]
    allowed = foreground if zero == "background" else [item.value for item in classes]
    if set(present) <= set(allowed):
        return {value: value for value in present}
    negative = bool(present) and present[0] < 0
    if not negative and len(present) == len(foreground):
        return dict(zip(present, foreground, strict=True))
    first = next((item.name for item in classes if not item.background), "name")
    example = f"{{{present[0]}: {first!r}, ...}}"
    hint = ""
    if negative:
        example = f"{{{present[0]}: 'unlabelled', {present[-1]}: {first!r}, ...}}"
        hint = "; negative numbers are no classes, most programs mean by them that nobody looked there"
    raise LabelError(
        f"the mask holds {list_some(present)}, level {labels.level.name!r} has {_classes(labels)}{hint}; say which is "
        f"which: values={example}"
    )


def _classes(labels: OpenLabels) -> str:
    return ", ".join(f"{item.value} {item.name!r}" for item in labels.level.classes) or "no classes"


def list_some(values: Sequence[int]) -> str:
    """A few of many values."""
    shown = ", ".join(map(str, values[:6]))
    return f"{shown}, ... ({len(values)} values)" if len(values) > 6 else shown
