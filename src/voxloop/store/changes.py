"""What each edit that still stands set, as voxels: the strokes of a label array. Reads the journal; draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from voxloop.geometry import Box
from voxloop.store.journal import Journal
from voxloop.store.records import Record
from voxloop.store.values import whole

#: voxels that are close enough to be read in one box
_TOGETHER = (16, 128, 128)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Voxels that one edit set and that nobody changed since.

    Attributes
    ----------
    sequence : number of the edit in the journal; of edits that were joined, the first.
    tool : what made it.
    at : (n, 3) int64 zyx; a sample where the edit was large.
    values : (n,) what it set, never 0.
    """

    sequence: int
    tool: str
    at: np.ndarray
    values: np.ndarray

    def take(self, which: np.ndarray) -> Change | None:
        """The voxels that a mask names; None where it names none."""
        return Change(self.sequence, self.tool, self.at[which], self.values[which]) if which.any() else None

    def unlike(self, read: Callable[[Box], np.ndarray]) -> Change | None:
        """The voxels where other labels, which ``read(box)`` gives, hold another value."""
        return self.take(self.values != values_at(self.at, read))


def standing(records: Sequence[Record]) -> list[Record]:
    """The edits that were not taken back, oldest first; an edit made again stands where it was first made."""
    taken_back: set[int] = set()
    for record in records:
        if record.reverse:
            taken_back.update(record.of)
        else:
            taken_back.difference_update(record.of)
    return [record for record in records if not record.of and not record.lost and record.sequence not in taken_back]


def set_by(journal: Journal, records: Sequence[Record], since: int, most: int) -> Iterator[Change]:
    """What edits after ``since`` set, at most ``most`` voxels of each, joined edits as one. Erased voxels are left out.

    Voxels that a later edit set again belong to both; :func:`left_of` compares with the labels as they are.
    """
    since, most = whole("since", since), whole("most", most, least=1)
    parts: list[Change] = []
    for record in standing(records):
        if record.sequence <= since:
            continue
        if parts and not record.joined:
            yield _joined(parts, most)
            parts = []
        parts.append(_one(journal, record, most))
    if parts:
        yield _joined(parts, most)


def _one(journal: Journal, record: Record, most: int) -> Change:
    rng = np.random.default_rng(record.sequence)
    places: list[np.ndarray] = []
    values: list[np.ndarray] = []
    share = min(1.0, most / max(1, record.voxels))
    for patch in journal.patches(record):
        inside = np.argwhere(patch.changed & (patch.after != 0))
        if share < 1:
            inside = inside[rng.random(len(inside)) < share]
        places.append(inside + np.array(patch.origin))
        values.append(patch.after[tuple(inside.T)])
    if not places:
        return Change(record.sequence, record.tool, np.empty((0, 3), np.int64), np.empty(0, np.int64))
    return Change(record.sequence, record.tool, np.concatenate(places), np.concatenate(values).astype(np.int64))


def _joined(parts: list[Change], most: int) -> Change:
    first = parts[0]
    if len(parts) == 1:
        return first
    at = np.concatenate([part.at for part in parts])
    values = np.concatenate([part.values for part in parts])
    if len(at) > most:
        picks = np.random.default_rng(first.sequence).choice(len(at), most, replace=False)
        at, values = at[picks], values[picks]
    return Change(first.sequence, first.tool, at, values)


def left_of(change: Change, read: Callable[[Box], np.ndarray]) -> Change | None:
    """The part of a change that the labels still hold; None where nothing is left. ``read(box)`` gives labels."""
    return change.take(change.values == values_at(change.at, read))


def values_at(at: np.ndarray, read: Callable[[Box], np.ndarray]) -> np.ndarray:
    """Labels (n,) of voxels ``at`` (n, 3), read chunk by chunk."""
    values = np.zeros(len(at), np.int64)
    _, inverse = np.unique(at // np.array(_TOGETHER), axis=0, return_inverse=True)
    for number in np.unique(inverse):
        own = np.flatnonzero(inverse.reshape(-1) == number)
        box = Box.around(at[own])
        values[own] = read(box)[tuple((at[own] - np.array(box.start)).T)]
    return values
