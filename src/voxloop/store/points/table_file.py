"""The table of instances as a file beside its journal, so that opening reads columns and not every edit there was.

A cache: deleted, damaged or of another journal, it is left out and made again.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.plain_files import open_plain
from voxloop.store.atomic import replace_bytes
from voxloop.store.points.mark_journal import MarkJournal, MarkRecord
from voxloop.store.points.table import MarkTable

VERSION = 1
_JOINED, _REVERSE, _LOST = 1, 2, 4


def write(path: Path, table: MarkTable, journal: MarkJournal) -> None:
    """Put the table as it stands after the last edit of ``journal`` in one step. Raises OSError."""
    records = journal.records
    head = {
        "v": VERSION,
        "dims": table.dims,
        "end": journal.end,
        "seal": journal.seal(),
        "highest": table.highest,
        "tracks": table.tracks,
        "authors": table.authors,
        "of": [[one.sequence, *one.of] for one in records if one.of],
    }
    state = [one.joined * _JOINED | one.reverse * _REVERSE | one.lost * _LOST for one in records]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        head=np.frombuffer(json.dumps(head).encode(), np.uint8),
        line=np.array([one.line for one in records], np.int64),
        state=np.array(state, np.uint8),
        **table.columns(),  # type: ignore[arg-type]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, buffer.getvalue())


def read(path: Path, journal: MarkJournal, dims: int) -> MarkTable | None:
    """The table that lies there, and the journal brought to its edit; None where it is not of use."""
    try:
        with open_plain(path) as file, np.load(file, allow_pickle=False) as stored:
            columns: dict[str, Any] = {name: stored[name] for name in stored.files}
        head = json.loads(columns.pop("head").tobytes())
        if head["v"] != VERSION or head["dims"] != dims:
            return None
        records = _records(columns.pop("line"), columns.pop("state"), head["of"])
        table = MarkTable(dims)
        table.restore(columns, head["tracks"], head["authors"], int(head["highest"]))
        return table if journal.trust(records, int(head["end"]), str(head["seal"])) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, zipfile.BadZipFile):
        return None


def _records(lines: np.ndarray, states: np.ndarray, of: list[list[int]]) -> list[MarkRecord]:
    named = {int(first): tuple(int(one) for one in rest) for first, *rest in of}
    if len(lines) != len(states) or any(not 1 <= one < at for at, some in named.items() for one in some):
        raise ValueError("records that do not fit")
    return [
        MarkRecord(n, line, named.get(n, ()), bool(state & _REVERSE), bool(state & _JOINED), bool(state & _LOST))
        for n, (line, state) in enumerate(zip(lines.tolist(), states.tolist(), strict=True), start=1)
    ]
