"""Strokes that a page drew, by the id it gave them: noted with their edits, so that none is painted twice. No widgets.

A page keeps a stroke until it hears that it is on disk. Where the process dies between the two, the next one is handed
the stroke again; the journal says how much of it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from voxloop.plain_files import open_plain
from voxloop.store.journal import Journal
from voxloop.store.values import text

#: the argument of an edit that names its stroke, and how many points of it are painted then
_KEY = "stroke"
_MARK: ContextVar[dict[str, Any] | None] = ContextVar("mark", default=None)


@dataclass(frozen=True, slots=True)
class Drawn:
    """How much of a stroke is on record: its first ``points``, by edit ``sequence`` (``newest``: the last of all)."""

    points: int
    sequence: int
    newest: bool


@contextmanager
def marked(stroke: str, points: int) -> Iterator[None]:
    """Note with the edits made in here that they paint a stroke up to so many points."""
    token = _MARK.set({_KEY: [stroke, points]})
    try:
        yield
    finally:
        _MARK.reset(token)


def with_mark(arguments: dict[str, Any] | None) -> dict[str, Any]:
    """What the journal notes of an edit, its stroke included where it paints one."""
    return {**(arguments or {}), **(_MARK.get() or {})}


def find(journal: Journal, stroke: str) -> Drawn | None:
    """What is on record of a stroke; None where nothing is. Reads the journal's lines once."""
    wanted = f'"{_KEY}":[{json.dumps(text("stroke", stroke), ensure_ascii=False)},'.encode()
    if not journal.path.exists():
        return None
    drawn = None
    with open_plain(journal.path) as file:
        ends = {record.line: record.sequence for record in journal.records}
        at = 0
        for line in file:
            if wanted in line and at in ends:
                sequence = ends[at]
                points = int(journal.arguments(sequence)["arguments"][_KEY][1])
                drawn = Drawn(points, sequence, sequence == len(journal.records))
            at += len(line)
    return drawn
