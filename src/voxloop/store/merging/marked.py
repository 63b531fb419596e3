"""What two copies of points, boxes or classes of pictures did since they parted, brought together. Knows no files.

An instance that was there when they parted is the same one in both, by its number. New ones are the same where they lie
in the same place (boxes that overlap by more than half, nodes a few voxels apart) or say of which class a frame is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.store.merging.base import TOOL, find_base, note_of
from voxloop.store.merging.conflicts import BOTH, MINE, THEIRS, Conflict, Decisions
from voxloop.store.points.instance import EMPTY, LOCKED, Entry, Step, with_key
from voxloop.store.points.mark_labels import MarkLabels
from voxloop.store.points.state import MarkState
from voxloop.store.signing import author, signed_as

#: voxels between the nodes of two that are the same one, on average; of larger bodies a tenth of their size
NEAR = 5.0
#: overlap (intersection over union) from which two boxes are the same one
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class _Clash:
    """An instance of which both say something else: its numbers (None: not there), and what each says."""

    key: str
    mine: int | None
    theirs: int
    ours: Entry | None
    other: Entry | None
    track: bool = False  # two of one track in one frame, which may not be


class MarkMerge:
    """Points, boxes or classes of pictures of one level on one image, here and in a copy."""

    def __init__(self, labels: MarkLabels, others: MarkLabels, classes: Mapping[int, int], source: str) -> None:
        self.labels, self.source = labels, source
        self._others, self._classes = others, classes
        self._theirs = others.after(others.sequence)
        self.look()

    def look(self) -> None:
        """Compare with what is here now."""
        self.sequence = self.labels.sequence
        own = self.labels.after(self.sequence)
        journal = self._theirs.journal
        self.base = find_base(
            own.journal.path,
            journal.path,
            own.journal.records[: self.sequence],
            journal.records[: self._theirs.sequence],
        )
        before = (self._others if self.base.side == "theirs" else self.labels).after(self.base.sequence)
        self._mine = _entries(own)
        self._there = {n: self._here(entry) for n, entry in _entries(self._theirs).items()}
        self._before = _entries(before)
        if self.base.side == "theirs":
            self._before = {n: self._here(entry) for n, entry in self._before.items()}
        self._highest = max(own.table.highest, 0)
        # numbers that were given before they parted
        self._shared = max(_entries(self.labels.after(self.base.copied)), default=0)
        self._compare()

    @property
    def is_new(self) -> bool:
        """Whether the copy has edits that were not taken in so far."""
        first = self.base.copied if self.base.side == "mine" else self.base.sequence
        return self._theirs.sequence > first

    @property
    def taken(self) -> int:
        """Instances that only the copy added, changed or removed."""
        return len(self._news) + len(self._changes)

    unlisted = 0

    @property
    def words(self) -> str:
        """How many both have, and one alone, of what was added since they parted."""
        return f"{self._same:,} the same in both, {self._only_here:,} only here, {len(self._news):,} only there"

    # ----------------------------------------------------------------------------------------------------- compare

    def _here(self, entry: Entry) -> Entry:
        """An instance of the copy with classes and nodes as they are called here."""
        names = {key: name for name, key in self._others.node_keys.items()}
        keys = self.labels.node_keys
        for part in ("p", "q"):
            if part in entry and names:
                known = {name: value for key, value in entry[part].items() if (name := names.get(int(key)))}
                strange = next((name for name in known if name not in keys), None)
                if strange is not None:
                    raise LabelError(
                        f"level {self._others.level.name!r} of the copy has node {strange!r}, which is none here; "
                        f"ws.levels.add_node({self.labels.level.name!r}, {strange!r}) adds it"
                    )
                entry = {**entry, part: {str(keys[name]): value for name, value in known.items()}}
        return with_key(entry, "c", self._classes.get(entry["c"]) or None) if "c" in entry else entry

    def _compare(self) -> None:
        self._changes: list[tuple[int, Entry | None, Entry | None]] = []
        self._clashes: list[_Clash] = []
        before = self._before
        if self.base.side == "theirs":
            before = {self._number_here(n): entry for n, entry in before.items()}
        there = {self._number_here(n): (n, entry) for n, entry in self._there.items()}
        for number, was in before.items():
            theirs, ours = there.get(number, (number, None)), self._mine.get(number)
            if _alike(theirs[1], was) or _alike(theirs[1], ours):
                continue
            if _alike(ours, was):
                self._changes.append((number, ours, theirs[1]))
            else:
                self._clash(number if ours is not None else None, theirs[0], ours, theirs[1])
        new = {n: entry for here, (n, entry) in there.items() if here not in before}
        added = {n: entry for n, entry in self._mine.items() if n not in before}
        self._pair(new, added)
        self.conflicts = [self._conflict(one) for one in self._clashes]

    def _number_here(self, number: int) -> int:
        """What an instance of the copy is called here; below 0 where it has no counterpart."""
        return self.base.numbers.get(number, number if number <= self._shared else -number)

    def _pair(self, new: dict[int, Entry], added: dict[int, Entry]) -> None:
        """Which of the new ones are the same, and which are of one side alone."""
        self._news: list[tuple[int, Entry]] = []
        self._same = 0
        self._partners: dict[int, int] = {}
        frames: dict[int, list[int]] = {}
        tracks = {(entry["f"], entry["t"]): n for n, entry in self._mine.items() if "t" in entry}
        for number, entry in added.items():
            frames.setdefault(entry["f"], []).append(number)
        used: set[int] = set()
        reach = 0 if self.labels.framed else 1
        for number, entry in new.items():
            planes = range(entry["f"] - reach, entry["f"] + reach + 1)
            near = [n for plane in planes for n in frames.get(plane, ()) if n not in used]
            partner = next((n for n in near if self._one(added[n], entry)), None)
            if partner is None and entry.get("x", 0) & EMPTY and near:
                continue  # said to be empty there, and something lies in it here
            track = tracks.get((entry["f"], entry.get("t"))) if partner is None else None
            if partner is not None:
                used.add(partner)
                self._partners[number] = partner
                self._same += 1
                if not _alike(added[partner], entry) and self._differ(added[partner], entry):
                    self._clash(partner, number, added[partner], entry)
            elif track is not None:
                self._clash(track, number, self._mine[track], entry, track=True)
            else:
                self._news.append((number, entry))
        self._only_here = len(added) - len(used)

    def _one(self, ours: Entry, theirs: Entry) -> bool:
        """Whether two new instances of one frame are the same one."""
        if bool(ours.get("x", 0) & EMPTY) != bool(theirs.get("x", 0) & EMPTY):
            return False
        if "p" not in ours or "p" not in theirs:
            return True
        dims = len(self.labels.shape) - (1 if self.labels.framed else 0)
        common = [key for key in ours["p"] if key in theirs["p"]]
        if not common:
            return False
        a, b = (np.array([one["p"][key][:dims] for key in common], float) for one in (ours, theirs))
        if self.labels.level.kind == "boxes":
            inside = np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None).prod()
            return bool(inside > _SAME * ((a[1] - a[0]).prod() + (b[1] - b[0]).prod() - inside))
        size = float(np.ptp(a, axis=0).max()) if len(a) > 1 else 0.0
        return bool(np.linalg.norm(a - b, axis=1).mean() <= max(NEAR, size / 10))

    @staticmethod
    def _differ(ours: Entry, theirs: Entry) -> bool:
        """Whether somebody has to say which: another class, track or body; a place a little elsewhere is none."""
        return any(ours.get(key) != theirs.get(key) for key in ("c", "t")) or set(ours.get("p", ())) != set(
            theirs.get("p", ())
        )

    def _clash(
        self, mine: int | None, theirs: int, ours: Entry | None, other: Entry | None, *, track: bool = False
    ) -> None:
        where = f"{self.labels.level.folder}|{self.labels.image}|{mine}|{theirs}"
        key = f"{where}|{json.dumps([ours, other], sort_keys=True)}"
        self._clashes.append(_Clash(key, mine, theirs, ours, other, track))

    def _conflict(self, one: _Clash) -> Conflict:
        known = one.ours or one.other or {"f": 0}
        dims = len(self.labels.shape) - (1 if self.labels.framed else 0)
        nodes = np.array([at[:dims] for at in known.get("p", {}).values()], float)
        places = np.rint(nodes).astype(int) if len(nodes) else np.zeros((1, dims), int)
        if self.labels.framed:
            places = np.insert(places, 0, max(known["f"], 0), axis=1)
        places = np.clip(places, 0, np.array(self.labels.shape) - 1)
        middle = places.mean(axis=0).round().astype(int)
        return Conflict(
            self.labels.level.name,
            self.labels.image,
            Box.around(places),
            (int(middle[0]), int(middle[1]), int(middle[2])),
            self._says(one.ours),
            self._says(one.other),
            (str((one.ours or {}).get("a", "")), str((one.other or {}).get("a", ""))),
            1,
            one.key,
            unit={"points": "point", "boxes": "box"}.get(self.labels.level.kind, "picture"),
        )

    def _says(self, entry: Entry | None) -> str:
        if entry is None:
            return "removed"
        level = self.labels.level
        name = next((item.name for item in level.classes if item.value == entry.get("c")), "")
        words = [name, f"track {entry['t']}" if "t" in entry else ""]
        return ", ".join(filter(None, words)) or {"points": "a point", "boxes": "a box"}.get(level.kind, "no class")

    # ------------------------------------------------------------------------------------------------------- apply

    def apply(self, decisions: Decisions) -> list[MarkApplied]:
        """Take the copy in: one undo. Raises LabelError where a conflict is not decided; then nothing has changed."""
        if self.labels.sequence != self.sequence:
            self.look()
        said = {one.key: decisions.of(one.key) for one in self._clashes}
        if not self.is_new:
            return []
        numbers = {**self.base.numbers, **self._partners}
        steps: list[Step] = [(n, ours, theirs) for n, ours, theirs in self._changes if not _locked(ours)]
        fresh = list(self._news)
        for one in self._clashes:
            what = said[one.key]
            if what == MINE or _locked(one.ours):
                continue
            if what == BOTH and one.other is not None:
                fresh.append((one.theirs, with_key(one.other, "t", None) if one.track else one.other))
            elif what == THEIRS and one.mine is None and one.other is not None:
                fresh.append((one.theirs, one.other))
            elif one.mine is not None:
                steps.append((one.mine, one.ours, one.other if what == THEIRS else None))
        frames = {entry["f"] for _, entry in fresh if not entry.get("x", 0) & EMPTY}
        steps += [(n, e, None) for n, e in self._mine.items() if e.get("x", 0) & EMPTY and e["f"] in frames]
        for at, (theirs, entry) in enumerate(fresh, start=1):
            numbers[theirs] = self._highest + at
            steps.append((self._highest + at, None, entry))
        records = self._theirs.journal.records[: self._theirs.sequence]
        told = {"from": self.source, "merged": note_of(self._theirs.journal.path, records, numbers)}
        by_author: dict[str, list[Step]] = {}
        for step in steps:
            by_author.setdefault(str((step[2] or {}).get("a") or author()), []).append(step)
        joined = False
        for name, own in by_author.items():
            with signed_as(name):
                self.labels.take_over(TOOL, told, own, joined=joined)
            joined = True
        if not by_author:
            self.labels.take_over(TOOL, told, [])
        return [MarkApplied(len(steps))]


@dataclass(frozen=True, slots=True)
class MarkApplied:
    """How many instances were added, changed or removed."""

    marks: int
    voxels: int = 0


def _entries(state: MarkState) -> dict[int, Entry]:
    """All instances by number."""
    table = state.table
    return {int(table.id[row]): table.entry(row) for row in table.rows().tolist()}


def _alike(one: Entry | None, other: Entry | None) -> bool:
    """Whether two say the same, whoever says it."""
    if one is None or other is None:
        return one is other
    return with_key(one, "a", None) == with_key(other, "a", None)


def _locked(entry: Entry | None) -> bool:
    return entry is not None and bool(entry.get("x", 0) & LOCKED)
