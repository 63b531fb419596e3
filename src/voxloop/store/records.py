"""One edit as the journal knows it, and the line of JSON that says so. Pure: knows no files.

A line carries a checksum of itself, so that a damaged one is told from what it says. ``first`` is the lowest number
that a line accounts for: those between it and ``seq`` were lost, and nothing is known of them any more.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from voxloop.errors import LabelError
from voxloop.geometry import Box, Shape
from voxloop.store.atomic import json_bytes
from voxloop.store.signing import author, now

#: 2: lines are sealed with a checksum; an undo may name several edits
VERSION = 2
#: tool of a number whose edit is not known, and of one whose voxels were found again
LOST, RECOVERED = "lost", "recovered"

_SEAL = b',"sum":"'
_SEALED = len(_SEAL) + 10


@dataclass(frozen=True, slots=True)
class Record:
    """One edit. ``of`` names the edits whose voxels this one takes over, ``reverse`` the other way round (an undo).

    ``line`` is where it stands in the ``.jsonl``; arguments stay there, so that memory does not grow with strokes.
    """

    sequence: int
    tool: str
    box: Box
    voxels: int = 0
    offset: int = 0
    length: int = 0
    crc: int = 0
    blob: str | None = None
    of: tuple[int, ...] = ()
    reverse: bool = False
    joined: bool = False
    line: int = -1
    first: int = 0
    sealed: bool = True
    author: str = ""

    @property
    def lost(self) -> bool:
        """Nothing is known of this edit but its number."""
        return self.tool == LOST

    @property
    def end(self) -> int:
        """Where its voxels end in the ``.bin``; 0 where they lie elsewhere."""
        return 0 if self.blob is not None or self.of else self.offset + self.length


def signature() -> dict[str, str]:
    """Who is editing, and when."""
    return {"author": author(), "time": now()}


def lost(sequence: int) -> Record:
    """What stands for a number whose edit is not known."""
    return Record(sequence, LOST, Box((0, 0, 0), (0, 0, 0)), first=sequence)


def seal_line(entry: dict[str, Any]) -> bytes:
    """An entry as a line without its end, with the checksum that :func:`parse` compares.

    Raises LabelError where JSON cannot hold it.
    """
    try:
        body = json_bytes(entry, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise LabelError(f"what is to be noted of the edit cannot be written as JSON: {error}") from error
    return body[:-1] + _SEAL + f'{zlib.crc32(body):08x}"}}'.encode()


def _plain(value: Any) -> Any:
    """What NumPy means by a number or a list."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is neither number, text, list nor dict")


def parse(line: bytes, at: int, shape: Shape) -> Record | None:
    """The record on a line; None where it is torn or damaged, or speaks of voxels outside of ``shape``."""
    try:
        sealed = line[-_SEALED:-10] == _SEAL
        if sealed and zlib.crc32(line[:-_SEALED] + b"}") != int(line[-10:-2], 16):
            return None
        entry = json.loads(line)
        if int(entry["v"]) >= VERSION and not sealed:
            return None
        record = _record(entry, at, sealed)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record if _sensible(record, shape) else None


def parse_all(line: bytes, at: int, shape: Shape) -> Iterator[Record]:
    """The record of a line, or those of two whose line end between was damaged; none where it cannot be read."""
    record = parse(line, at, shape)
    starts = [0]
    while record is None and (start := line.find(b'{"v":', starts[-1] + 1)) > 0:
        starts.append(start)
    if record is not None:
        yield record
    elif len(starts) > 1:
        for start, stop in zip(starts, [*(n - 1 for n in starts[1:]), len(line)], strict=True):
            piece = parse(line[start:stop], at + start, shape)
            if piece is not None:
                yield piece


def _record(entry: dict[str, Any], at: int, sealed: bool) -> Record:
    z, z_stop, y, y_stop, x, x_stop = (int(edge) for edge in entry["box"])
    offset, length, crc = (int(number) for number in entry["bytes"])
    of = entry.get("of")
    if of is None:
        of = []
    elif not isinstance(of, list):
        of = [int(of)]
    sequence = int(entry["seq"])
    return Record(
        sequence,
        str(entry["tool"]),
        Box((z, y, x), (z_stop, y_stop, x_stop)),
        int(entry["voxels"]),
        offset,
        length,
        crc,
        entry.get("blob"),
        tuple(of),
        bool(entry.get("reverse", False)),
        bool(entry.get("joined", False)),
        at,
        int(entry.get("first", sequence)),
        sealed,
        sys.intern(str(entry.get("author", ""))),  # few names, many edits
    )


def _sensible(record: Record, shape: Shape) -> bool:
    inside = all(
        0 <= start <= stop <= size for start, stop, size in zip(record.box.start, record.box.stop, shape, strict=True)
    )
    plain_blob = record.blob is None or (isinstance(record.blob, str) and "/" not in record.blob)
    earlier = all(isinstance(number, int) and 1 <= number < record.sequence for number in record.of)
    return inside and plain_blob and earlier and 1 <= record.first <= record.sequence and record.offset >= 0


def edits_in_words(numbers: Sequence[int]) -> str:
    """``edit 4``, ``edits 4 to 9``, ``edits 4, 7 and 9``."""
    if len(numbers) == 1:
        return f"edit {numbers[0]}"
    if len(numbers) > 4 or numbers[-1] - numbers[0] == len(numbers) - 1:
        between = "to" if numbers[-1] - numbers[0] == len(numbers) - 1 else "... to"
        return f"edits {numbers[0]} {between} {numbers[-1]}"
    return f"edits {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
