"""What a damaged journal lost, found again: in its own voxel file, in what later edits saw, and in the label array.

A hole is a number whose edit cannot be read. Where its voxels are still in the ``.bin``, they are whole. Else every
later edit tells what it found in the voxels that it changed, and the array tells the rest: what differs from all the
edits that can be read is what the hole did. Every number stays taken, so that runs which name one still mean it.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from voxloop.geometry import Box, cover
from voxloop.plain_files import open_plain
from voxloop.store.blobs import Blob
from voxloop.store.chunks import Chunk, ChunkedArray
from voxloop.store.journal import DamagedEditError, Journal
from voxloop.store.patches import Patch, streams
from voxloop.store.records import LOST, RECOVERED, VERSION, Record, edits_in_words, parse, seal_line, signature

#: chunks from which the voxels of recovered edits go to blobs
_MANY_CHUNKS = 32
_NOWHERE = Box((0, 0, 0), (0, 0, 0))

#: the voxels of a chunk as the array holds them for sure, None where it does not
Truth = Callable[[Chunk], np.ndarray | None]


def mend(journal: Journal, array: ChunkedArray, truth: Truth, applied: int) -> list[str]:
    """Fill the holes of a journal and write it anew; what was found, in words. Nothing where there are no holes.

    ``applied`` is the last edit that the array holds. Raises OSError where the disk refuses; the journal is as it was.
    """
    while journal.holes:
        try:
            return _mended(journal, array, truth, applied)
        except DamagedEditError as error:
            journal.holes.add(error.sequence)
    return []


def _mended(journal: Journal, array: ChunkedArray, truth: Truth, applied: int) -> list[str]:
    holes = sorted(journal.holes)
    whole = _from_voxel_file(journal, holes)
    for record in whole.values():
        journal.records[record.sequence - 1] = record
    rest = [hole for hole in holes if hole not in whole]
    search = _Search(journal, array, rest)
    back = search.results(truth, applied) if rest else {}
    journal.rewrite(list(_lines(journal, {**whole, **back}, set(rest))))
    return _in_words(sorted(whole), search.last, set(back))


def _in_words(whole: list[int], stretches: dict[int, int], back: set[int]) -> list[str]:
    words = []
    if whole:
        words.append(f"the journal was damaged; {edits_in_words(whole)} came back from the voxels that it keeps")
    seen = [number for number, last in stretches.items() if last in back]
    if seen:
        words.append(
            f"the journal was damaged, or older than the labels; what {edits_in_words(seen)} changed came back from "
            "the label array"
        )
    gone = [number for number, last in stretches.items() if last not in back]
    if gone:
        words.append(f"the journal was damaged; {edits_in_words(gone)} cannot be taken back any more")
    return words


# --------------------------------------------------------------------------------------------- from its own voxels


def _from_voxel_file(journal: Journal, holes: list[int]) -> dict[int, Record]:
    """The holes whose voxels are whole, by number: those that an undo names, in a blob, or between their neighbours."""
    records = _named_by_undo(journal, holes)
    unnamed = [hole for hole in holes if hole not in records and journal.records[hole - 1].lost]
    for run in _runs(unnamed):
        before = [record.end for record in journal.records[: run[0] - 1]] + [one.end for one in records.values()]
        start = max((end for end in before), default=0)
        later = [r.offset for r in journal.records[run[-1] :] if r.length and not r.of and r.blob is None]
        blobs = [number for number in run if _blob_of(journal, number).path.is_dir()]
        pieces = _pieces(journal, start, min(later, default=None))
        if len(pieces) + len(blobs) != len(run):
            continue  # some of them were taken back or made again, and nobody knows which
        for number in run:
            draft = Record(number, RECOVERED, _NOWHERE, first=number)
            if number in blobs:
                draft = replace(draft, blob=_blob_of(journal, number).path.name)
            else:
                offset, length, crc = pieces.pop(0)
                draft = replace(draft, offset=offset, length=length, crc=crc)
            records[number] = _described(draft, list(journal.patches(draft)))
    return records


def _named_by_undo(journal: Journal, holes: list[int]) -> dict[int, Record]:
    records = {}
    for record in journal.records:
        if len(record.of) == 1 and record.of[0] in holes and journal.records[record.of[0] - 1].lost:
            number = record.of[0]
            records[number] = replace(
                record, sequence=number, first=number, tool=RECOVERED, of=(), reverse=False, line=-1
            )
    return records


def _pieces(journal: Journal, start: int, stop: int | None) -> list[tuple[int, int, int]]:
    """What lies in the voxel file between two places: offset, length and checksum of each edit; none if damaged."""
    try:
        data = journal.bytes_between(start, stop)
        found = streams(data)
        for first, last in found:
            journal.decode(data[first:last])
    except (OSError, ValueError, zlib.error, struct.error):
        return []
    return [(start + first, last - first, zlib.crc32(data[first:last])) for first, last in found]


def _blob_of(journal: Journal, number: int) -> Blob:
    return journal.blob(number, create=False)


def _described(record: Record, patches: list[Patch]) -> Record:
    changed = sum(int(np.count_nonzero(patch.changed)) for patch in patches)
    box = cover([patch.box for patch in patches]) if patches else _NOWHERE
    return replace(record, voxels=changed, box=box)


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers that follow each other, together."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


# ------------------------------------------------------------------------------ from later edits and from the array


@dataclass
class _Hole:
    """One chunk as it stood before a hole, and as it must have stood after it."""

    number: int
    before: np.ndarray
    after: np.ndarray
    settled: np.ndarray = field(init=False)  # voxels that a later edit changed

    def __post_init__(self) -> None:
        self.settled = np.zeros(self.before.shape, bool)


def _last_of(numbers: list[int], applied: int) -> list[int]:
    """Of holes with no known edit between them, the last one that the array has seen, and the last of all."""
    seen = [number for number in numbers if number <= applied]
    return sorted({*seen[-1:], *numbers[-1:]})


class _Search:
    """What holes did, chunk by chunk; numbers that were lost together are one edit, with the last of their numbers."""

    def __init__(self, journal: Journal, array: ChunkedArray, holes: list[int]) -> None:
        self._journal = journal
        self._array = array
        #: hole -> the number that stands for it
        self.last: dict[int, int] = {}
        for run in _runs(hole for hole in holes if journal.records[hole - 1].lost):
            self.last |= dict.fromkeys(run, run[-1])
        self.last |= {hole: hole for hole in holes if hole not in self.last}
        self.last = dict(sorted(self.last.items()))

    def results(self, truth: Truth, applied: int) -> dict[int, Record]:
        """The records of the holes of which something could be found, by number. Raises OSError, DamagedEditError."""
        touching: dict[Chunk, list[Record]] = {chunk: [] for chunk, _ in self._array.stored()}
        for record in self._journal.records:
            if record.sequence in self.last or any(number in self.last for number in record.of):
                continue
            for chunk in self._journal.chunks(record) if record.voxels else ():
                touching.setdefault(chunk, []).append(record)
        inline: dict[int, list[Patch]] = {}
        blobs: dict[int, Blob] = {}
        for chunk in sorted(touching):
            for hole in self._holes_in(chunk, touching[chunk], truth(chunk), applied):
                patch = self._patch(chunk, hole)
                if patch is None:
                    continue
                if len(touching) <= _MANY_CHUNKS:
                    inline.setdefault(hole.number, []).append(patch)
                    continue
                if hole.number not in blobs:
                    blobs[hole.number] = self._journal.blob(hole.number)
                blobs[hole.number].write(patch)
        return {**self._inline(inline), **self._in_blobs(blobs)}

    def _holes_in(self, chunk: Chunk, records: list[Record], truth: np.ndarray | None, applied: int) -> Iterator[_Hole]:
        """What can be told of holes in one chunk. What an edit found changed, the last hole before it did."""
        state = np.zeros(self._array.chunks, self._array.dtype)
        waiting = deque(sorted(set(self.last.values())))
        corner = [-first for first in self._array.box(chunk).start]
        latest: _Hole | None = None  # of all
        seen: _Hole | None = None  # of those that the array has seen: what is not explained at the end, it did
        for record in [*records, None]:
            passed = []
            while waiting and (record is None or waiting[0] < record.sequence):
                passed.append(waiting.popleft())
            for number in _last_of(passed, applied):
                hole = _Hole(number, state.copy(), state.copy())
                if latest is not None and latest is not seen:
                    yield latest
                if number <= applied:
                    if seen is not None:
                        yield seen
                    seen = hole
                latest = hole
            for patch in () if record is None else self._journal.patches(record, chunk):
                part = patch.box.shift(corner).slices
                changed = patch.changed
                if latest is not None:
                    odd = changed & ~latest.settled[part] & (state[part] != patch.before)
                    latest.after[part][odd] = patch.before[odd]
                for one in (latest, seen):
                    if one is not None:
                        one.settled[part] |= changed
                state[part][changed] = patch.after[changed]
        if seen is not None and truth is not None:
            odd = ~seen.settled & (state != truth)
            seen.after[odd] = truth[odd]
        yield from {id(hole): hole for hole in (seen, latest) if hole is not None}.values()

    def _patch(self, chunk: Chunk, hole: _Hole) -> Patch | None:
        """What a hole did in a chunk, cut to the voxels that it changed."""
        box = self._array.box(chunk)
        before, after = (values[box.within(box).slices] for values in (hole.before, hole.after))
        places = np.nonzero(before != after)
        if not len(places[0]):
            return None
        part = Box.from_json([[int(axis.min()), int(axis.max()) + 1] for axis in places])
        return Patch(part.shift(box.start).start, before[part.slices].copy(), after[part.slices].copy())

    def _draft(self, number: int) -> Record:
        """The record as far as it is known: a readable line keeps its tool."""
        record = self._journal.records[number - 1]
        first = min(hole for hole, last in self.last.items() if last == number)
        return replace(record, tool=RECOVERED if record.lost else record.tool, first=first, blob=None)

    def _inline(self, found: dict[int, list[Patch]]) -> dict[int, Record]:
        records = {}
        for number, patches in found.items():
            offset, length, crc = self._journal.add_voxels(patches)
            draft = replace(self._draft(number), offset=offset, length=length, crc=crc)
            records[number] = _described(draft, patches)
        return records

    def _in_blobs(self, found: dict[int, Blob]) -> dict[int, Record]:
        records = {}
        for number, blob in found.items():
            blob.sync()
            draft = replace(self._draft(number), offset=0, length=0, crc=0, blob=blob.path.name)
            patches = [patch for chunk in sorted(blob.chunks()) if (patch := blob.read(chunk)) is not None]
            records[number] = _described(draft, patches)
        return records


# ------------------------------------------------------------------------------------------------- the new journal


def _lines(journal: Journal, mended: dict[int, Record], holes: set[int]) -> Iterator[bytes]:
    """All lines of the journal as it is to be from now on."""
    first: int | None = None  # of the numbers of which nothing is known, up to here
    for record in journal.records:
        number = record.sequence
        unknown = number not in mended and record.lost
        if unknown:
            first = first or number
            if number < len(journal) and (journal.records[number].lost or number + 1 in mended):
                continue
            yield seal_line(_entry(Record(number, LOST, _NOWHERE), first))
        elif number in mended:
            yield seal_line(_entry(mended[number], first or number, _line_of(journal, record)))
        else:
            yield _kept(journal, record, mended, holes)
        first = None


def _kept(journal: Journal, record: Record, mended: dict[int, Record], holes: set[int]) -> bytes:
    """The line of an edit that was readable; voxels that lie elsewhere now are named anew."""
    entry = _line_of(journal, record) or {}
    if record.sequence in holes or (len(record.of) == 1 and record.of[0] in holes):
        nothing = Record(0, LOST, _NOWHERE)
        source = mended.get(record.of[0], nothing) if record.of else nothing
        moved = replace(record, offset=source.offset, length=source.length, crc=source.crc, blob=source.blob)
        return seal_line(_entry(replace(moved, voxels=source.voxels), record.first, entry))
    with open_plain(journal.path) as file:
        file.seek(record.line)
        line = file.readline().rstrip(b"\n")
    if parse(line, 0, journal.shape) is not None:
        return line
    return seal_line({name: value for name, value in entry.items() if name != "sum"} | {"v": VERSION})


def _line_of(journal: Journal, record: Record) -> dict[str, Any] | None:
    return journal.arguments(record.sequence) if record.line >= 0 else None


def _entry(record: Record, first: int, line: dict[str, Any] | None = None) -> dict[str, Any]:
    """What stands for a record in the journal; of ``line``, what was readable of it, the rest is kept."""
    entry = {
        **({"arguments": {}, **signature()} if line is None else line),
        "v": VERSION,
        "seq": record.sequence,
        "kind": "voxels",
        "tool": record.tool,
        "box": [edge for bounds in record.box.to_json() for edge in bounds],
        "voxels": record.voxels,
        "bytes": [record.offset, record.length, record.crc],
        "first": first,
    }
    entry.pop("sum", None)
    entry.pop("blob", None)
    return entry if record.blob is None else {**entry, "blob": record.blob}
