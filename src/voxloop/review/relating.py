"""Which class of one labeling is which of another: by a mapping, by name, by number. Pure: reads no voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.review.contingency import ContingencyTable
from voxloop.review.reading import Class
from voxloop.store.classes import plain_name

#: what 0 is called where it counts
UNLABELLED = "unlabelled"
Mapped = Mapping[int | str, int | str]


@dataclass(frozen=True, slots=True)
class Relation:
    """Values of two labelings as places in one list of classes.

    Attributes
    ----------
    names : the classes, those of the first labeling before what only the second has.
    one, other : value to place in ``names``; values that are left out (nobody labelled) are not in here.
    background : places of what is background or unlabelled.
    """

    names: tuple[str, ...]
    one: dict[int, int]
    other: dict[int, int]
    background: frozenset[int] = frozenset()

    def places(self, values: np.ndarray, *, second: bool = False) -> np.ndarray:
        """Places (int32) of an array of values; -1 where a value is left out."""
        table = self.other if second else self.one
        keys = np.array(sorted(table), np.int64)
        if not len(keys):
            return np.full(values.shape, -1, np.int32)
        there = np.searchsorted(keys, values).clip(0, len(keys) - 1)
        found = np.array([table[key] for key in keys.tolist()], np.int32)[there]
        return np.where(keys[there] == values, found, -1)


def as_mapping(given: object) -> Mapped | None:
    """A mapping of classes, or None, from what a caller gives. Raises LabelError."""
    if given is not None and not isinstance(given, Mapping):
        raise LabelError(f"mapping={shown(given)} is no dict such as {{'mito': 'mitochondria', 3: 'membrane'}}")
    return given


def relate(
    table: ContingencyTable,
    one: Sequence[Class],
    other: Sequence[Class],
    mapping: Mapped | None,
    skip: tuple[bool, bool],
) -> Relation:
    """How the values that occur in two labelings belong together.

    Parameters
    ----------
    one, other
        Their classes; empty where they know none, so that each value is a class named by its number.
    mapping
        Classes of the second, by name or value, to those of the first.
    skip
        Whether 0 means that nobody labelled, in each of the two.

    Raises
    ------
    LabelError
        The mapping names a class that there is not.
    """
    values = _named(table.truth, one, skip[0]), _named(table.prediction, other, skip[1])
    names: list[str] = []
    place_of: dict[str, int] = {}
    for name in values[0].values():
        place_of[_key(name)] = place_of.get(_key(name), len(names))
        if place_of[_key(name)] == len(names):
            names.append(name)
    wanted = _wanted(mapping, values)
    second: dict[int, int] = {}
    for value, name in values[1].items():
        place = wanted.get(value, place_of.get(_key(name)))
        if place is None and not (one and other):
            place = _by_number(value, values[0], place_of)
        if place is None:
            place = place_of[_key(name)] = len(names)
            names.append(name)
        second[value] = place
    first = {value: place_of[_key(name)] for value, name in values[0].items()}
    grounds = {c.value for c in one if c.background} | {0}
    background = {first[value] for value in grounds if value in first}
    others = {c.value for c in other if c.background} | {0}
    background |= {second[value] for value in others if value in second and second[value] not in first.values()}
    return Relation(tuple(names), first, second, frozenset(background))


def _named(seen: np.ndarray, classes: Sequence[Class], skip: bool) -> dict[int, str]:
    """Names of the values of a labeling: its classes, then what else occurs."""
    names = {c.value: c.name for c in classes}
    for value in np.unique(seen).tolist():
        names.setdefault(int(value), UNLABELLED if value == 0 and classes else str(value))
    if skip:
        names.pop(0, None)
    return names


def _by_number(value: int, first: Mapping[int, str], place_of: Mapping[str, int]) -> int | None:
    return place_of[_key(first[value])] if value in first else None


def _wanted(mapping: Mapped | None, values: tuple[dict[int, str], dict[int, str]]) -> dict[int, int]:
    """Values of the second labeling to the places that a mapping gives them."""
    if mapping is None:
        return {}
    order = list(dict.fromkeys(_key(name) for name in values[0].values()))
    found: dict[int, int] = {}
    for theirs, ours in mapping.items():
        value = _value(theirs, values[1], "second")
        found[value] = order.index(_key(values[0][_value(ours, values[0], "first")]))
    return found


def _value(given: object, names: Mapping[int, str], which: str) -> int:
    """The value that is meant by a name or a number."""
    for value, name in names.items():
        if given == value or (isinstance(given, str) and _key(given) in (_key(name), str(value))):
            return value
    raise LabelError(f"mapping: {unknown(f'class of the {which} labeling', given, list(names.values()))}")


def _key(name: str) -> str:
    return plain_name(name).casefold()
