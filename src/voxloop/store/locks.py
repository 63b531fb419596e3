"""Objects that were marked as right: which they are, by the journal, and what they are kept from. Pure.

A lock is a record of the journal without voxels, so that it is undone, survives and is seen by readers as edits are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from voxloop.store.changes import standing
from voxloop.store.records import Record

LOCK, UNLOCK = "lock", "unlock"


class ObjectLocks:
    """The locked objects of a label array after its newest edit; read from the journal when one changed them."""

    def __init__(self, arguments: Callable[[int], dict[str, Any]]) -> None:
        self._arguments = arguments
        self._known: tuple[int, ...] = ()
        self._ids: frozenset[int] = frozenset()
        self._sorted = np.zeros(0, np.int64)

    def after(self, records: Sequence[Record]) -> frozenset[int]:
        """The locked objects after these edits."""
        said = [record for record in records if record.tool in (LOCK, UNLOCK) and not record.of]
        if not said:
            return frozenset()
        stands = tuple(record.sequence for record in standing(records) if record.tool in (LOCK, UNLOCK))
        if stands != self._known:
            ids: set[int] = set()
            for number in stands:
                entry = self._arguments(number)
                given = {int(one) for one in entry.get("arguments", {}).get("ids", ())}
                ids = ids | given if entry.get("tool") == LOCK else ids - given
            self._known, self._ids = stands, frozenset(ids)
        return self._ids


def held(locked: Sequence[int], current: np.ndarray, new: np.ndarray) -> np.ndarray:
    """``new`` but where something locked is, or would become more."""
    numbers = np.asarray(sorted(locked), current.dtype)
    keep = np.isin(current, numbers)
    if current.dtype != np.uint8:
        keep |= np.isin(new, numbers)
    return np.where(keep, current, new)
