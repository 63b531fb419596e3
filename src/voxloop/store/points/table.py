"""All instances of one level on one image, as columns, found by frame. Knows no files and no names of nodes.

A row is never moved: what changes is overwritten, what is removed is marked so. Rows that came since the last sorting
stand in small lists beside the sorted ones, so that adding costs the same at a million rows as at ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from voxloop.store.points.instance import EMPTY, PREDICTED, Entry

#: frame of what belongs to a whole volume and has no place
NOWHERE = -1
_ABSENT, _SEEN, _HIDDEN = 0, 1, 2
#: node keys that a file may name; more is damage, not a body
MAX_NODES = 4096


class MarkTable:
    """Instances by number. ``dims`` is 2 in frames and 3 in volumes, where ``frame`` is the plane of the middle."""

    def __init__(self, dims: int) -> None:
        self.dims = dims
        self.size = 0
        self.tracks: list[str] = []
        self.authors: list[str] = []
        self._codes: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self.id = np.zeros(0, np.int64)
        self.frame = np.zeros(0, np.int32)
        self.flags = np.zeros(0, np.uint8)
        self.label = np.zeros(0, np.uint8)
        self.track = np.zeros(0, np.int32)
        self.author = np.zeros(0, np.int32)
        self.score = np.zeros(0, np.float32)
        self.alive = np.zeros(0, bool)
        self.place = np.zeros((0, 1, dims))
        self.seen = np.zeros((0, 1), np.uint8)
        self.node_score = np.zeros((0, 1), np.float32)
        self._row_of = np.full(0, -1, np.int64)  # by number of the instance
        self.highest = 0
        self._sort()

    COLUMNS = ("id", "frame", "flags", "label", "track", "author", "score", "place", "seen", "node_score")

    # --------------------------------------------------------------------------------------------------------- read

    def __len__(self) -> int:
        return sum(self.counts.values())

    def row(self, number: int) -> int | None:
        """Where an instance stands; None where there is none."""
        if not 0 < number < len(self._row_of):
            return None
        row = int(self._row_of[number])
        return row if row >= 0 and self.alive[row] else None

    def rows(self, frame: int | None = None) -> np.ndarray:
        """The rows of a frame by number of instance; None: of all of them."""
        if frame is None:
            return np.flatnonzero(self.alive[: self.size])
        place = np.searchsorted(self._frames, frame)
        found = self._order[:0]
        if place < len(self._frames) and self._frames[place] == frame:
            found = self._order[self._starts[place] : self._starts[place + 1]]
        late = self._late.get(frame)
        if late:
            found = np.unique(np.concatenate([found, np.array(late)]))
        found = found[self.alive[found] & (self.frame[found] == frame)]
        return np.asarray(found)

    def entry(self, row: int) -> Entry:
        """A row as the journal writes it."""
        out: Entry = {"f": int(self.frame[row])}
        placed = np.flatnonzero(self.seen[row])
        if len(placed):
            where = self.place[row, placed].tolist()
            states = self.seen[row, placed]
            out["p"] = {
                str(key): [*at, 0] if state == _HIDDEN else at
                for key, at, state in zip(placed.tolist(), where, states, strict=True)
            }
            scores = self.node_score[row, placed]
            if not np.isnan(scores).all():
                pairs = zip(placed.tolist(), scores.tolist(), strict=True)
                out["q"] = {str(key): round(score, 6) for key, score in pairs if score == score}
        if self.track[row] >= 0:
            out["t"] = self.tracks[self.track[row]]
        if self.label[row]:
            out["c"] = int(self.label[row])
        if not np.isnan(self.score[row]):
            out["s"] = round(float(self.score[row]), 6)
        if self.author[row] >= 0:
            out["a"] = self.authors[self.author[row]]
        if self.flags[row]:
            out["x"] = int(self.flags[row])
        return out

    @property
    def frames(self) -> list[int]:
        """Frames that hold anything, in order."""
        return sorted(self.counts)

    def count_by_frame(self, predicted: bool) -> dict[int, int]:
        """Instances of each frame that are, or are not, predicted; frames said to be empty with 0."""
        rows = self.rows()
        flags = self.flags[rows]
        rows, flags = (some[(flags & PREDICTED != 0) == predicted] for some in (rows, flags))
        frames, place = np.unique(self.frame[rows], return_inverse=True)
        numbers = np.bincount(place, flags & EMPTY == 0, len(frames)).astype(int)
        return dict(zip(frames.tolist(), numbers.tolist(), strict=True))

    # ------------------------------------------------------------------------------------------------------- change

    def set(self, number: int, entry: Entry | None) -> None:
        """Put an instance where ``entry`` says, or take it out (None). Raises ValueError for what is no entry."""
        row = self.row(number)
        if row is not None:
            self._count(int(self.frame[row]), -1)
            self.alive[row] = False
        if entry is None:
            return
        row = self._row_for(number)
        frame = int(entry["f"])
        if frame != self.frame[row] or not self._findable(row):
            self._late.setdefault(frame, []).append(row)
        self.frame[row] = frame
        self._place(row, entry.get("p") or {}, entry.get("q") or {})
        self.track[row] = self._code(0, entry.get("t"))
        self.author[row] = self._code(1, entry.get("a"))
        self.label[row] = entry.get("c", 0)
        self.score[row] = entry.get("s", np.nan)
        self.flags[row] = entry.get("x", 0)
        self.alive[row] = True
        self._count(frame, 1)

    def _place(self, row: int, points: dict[str, list[float]], scores: dict[str, float]) -> None:
        self.seen[row] = _ABSENT
        self.node_score[row] = np.nan
        for name, at in points.items():
            key = int(name)
            self._widen(key + 1)
            self.place[row, key] = at[: self.dims]
            self.seen[row, key] = _HIDDEN if len(at) > self.dims else _SEEN
        for name, score in scores.items():
            if self.seen[row, int(name)]:
                self.node_score[row, int(name)] = score

    def _row_for(self, number: int) -> int:
        """The row of a number, made where it has none."""
        if number >= len(self._row_of):
            if not 0 < number <= 1 << 40 or number > 4 * len(self._row_of) + (1 << 20):
                raise ValueError(f"{number} is no number of an instance")
            more = np.full(max(number + 1, 2 * len(self._row_of)), -1, np.int64)
            more[: len(self._row_of)] = self._row_of
            self._row_of = more
        row = int(self._row_of[number])
        if row < 0:
            row = self.size
            self._lengthen(row + 1)
            self.size += 1
            self._row_of[number] = row
            self.id[row] = number
            self.frame[row] = NOWHERE - 1
            self.highest = max(self.highest, number)
        return row

    def _lengthen(self, rows: int) -> None:
        if rows <= len(self.id):
            return
        room = max(64, 2 * len(self.id), rows)
        for name in (*self.COLUMNS, "alive"):
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[: self.size] = old[: self.size]
            setattr(self, name, new)

    def _widen(self, nodes: int) -> None:
        have = self.place.shape[1]
        if nodes <= have:
            return
        if nodes > MAX_NODES:
            raise ValueError(f"{nodes - 1} is no key of a node")
        for name in ("place", "seen", "node_score"):
            old = getattr(self, name)
            new = np.zeros((len(old), nodes, *old.shape[2:]), old.dtype)
            new[:, :have] = old
            if name == "node_score":
                new[:, have:] = np.nan
            setattr(self, name, new)

    def _code(self, which: int, name: str | None) -> int:
        if name is None:
            return -1
        codes, names = self._codes[which], (self.tracks, self.authors)[which]
        if name not in codes:
            codes[name] = len(names)
            names.append(str(name))
        return codes[name]

    # -------------------------------------------------------------------------------------------------------- index

    def _sort(self) -> None:
        rows = np.flatnonzero(self.alive[: self.size])
        self._order = rows[np.argsort(self.frame[rows], kind="stable")]
        self._frames, starts, numbers = np.unique(self.frame[self._order], return_index=True, return_counts=True)
        self._starts = np.append(starts, len(self._order))
        self._late: dict[int, list[int]] = {}
        self._sorted = self.size
        self.counts: dict[int, int] = dict(zip(self._frames.tolist(), numbers.tolist(), strict=True))

    def _findable(self, row: int) -> bool:
        """Whether the row is in the sorted part or the lists under the frame that it has."""
        frame = int(self.frame[row])
        if row in self._late.get(frame, ()):
            return True
        place = np.searchsorted(self._frames, frame)
        if place == len(self._frames) or self._frames[place] != frame:
            return False
        return bool((self._order[self._starts[place] : self._starts[place + 1]] == row).any())

    def _count(self, frame: int, by: int) -> None:
        self.counts[frame] = self.counts.get(frame, 0) + by
        if not self.counts[frame]:
            del self.counts[frame]

    # ---------------------------------------------------------------------------------------------------- as columns

    def columns(self) -> dict[str, np.ndarray]:
        """Copies of what is there, a row an instance, for a file."""
        rows = self.rows()
        return {name: getattr(self, name)[rows] for name in self.COLUMNS}

    def restore(self, columns: dict[str, Any], tracks: list[str], authors: list[str], highest: int) -> None:
        """Take up what :meth:`columns` gave. Raises ValueError, KeyError or TypeError where it is something else."""
        number = len(columns["id"])
        for name in self.COLUMNS:
            have, given = getattr(self, name), columns[name]
            if given.dtype != have.dtype or given.ndim != have.ndim or len(given) != number:
                raise ValueError(f"{name} is no column")
            setattr(self, name, given)
        if self.place.shape[2] != self.dims or self.seen.shape != self.place.shape[:2]:
            raise ValueError("places of another kind")
        if self.node_score.shape != self.seen.shape or self.seen.shape[1] > MAX_NODES:
            raise ValueError("nodes of another kind")
        for codes, names in ((self.track, tracks), (self.author, authors)):
            if number and not (codes.min() >= -1 and codes.max() < len(names)):
                raise ValueError("an unknown name")
        if number and not (self.id.min() > 0 and self.id.max() <= highest <= 4 * number + (1 << 24)):
            raise ValueError("numbers that nobody gave")
        self.tracks, self.authors, self.highest, self.size = list(tracks), list(authors), highest, number
        self._codes = tuple({name: n for n, name in enumerate(names)} for names in (tracks, authors))  # type: ignore[assignment]
        self.alive = np.ones(number, bool)
        self._row_of = np.full(highest + 1, -1, np.int64)
        self._row_of[self.id] = np.arange(number)
        self._sort()

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows().tolist())
