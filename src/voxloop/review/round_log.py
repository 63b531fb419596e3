"""The log of the loop on disk: a line a training, and a line for strokes that nobody drew by hand. Computes nothing."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.plain_files import read_plain
from voxloop.store.json_lines import append_line, parse_lines
from voxloop.store.layout import Layout

_SIMULATED = "simulated"


class RoundLog:
    """``rounds.jsonl``, append-only; a torn last line is not there yet. A line without ``kind`` is a round."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Layout(folder).rounds

    def append(self, **facts: Any) -> dict[str, Any]:
        """Add one round: its number and the time are put in, nan becomes null. On disk when this returns."""
        record = {"v": 1, "round": len(self.read()) + 1, "time": time.time(), **_plain(facts)}
        append_line(self.path, record)
        return record

    def note_simulated(self, level: str, image: str, first: int, last: int, seconds: float) -> None:
        """Note that edits ``first`` to ``last`` were painted by no person, and what they would have cost one."""
        where = {"level": level, "image": image, "first": first, "last": last}
        append_line(self.path, _plain({"v": 1, "kind": _SIMULATED, "time": time.time(), **where, "seconds": seconds}))

    def read(self) -> list[dict[str, Any]]:
        """All rounds that are whole, oldest first."""
        return [record for record in self._records() if "kind" not in record]

    def simulated(self) -> list[dict[str, Any]]:
        """What :meth:`note_simulated` wrote: level, image, first, last, seconds."""
        return [record for record in self._records() if record.get("kind") == _SIMULATED]

    def _records(self) -> list[dict[str, Any]]:
        try:
            lines = read_plain(self.path).split(b"\n")[:-1]
        except OSError:  # there is none, or none that may be read
            return []
        return [record for record in parse_lines(lines) if _sound(record)]


def _sound(record: dict[str, Any]) -> bool:
    """Whether a line says what a line of this log says: the file may come from anyone."""
    if not _is_number(record.get("time", 0.0)):
        return False
    if "kind" not in record:
        labels = record.get("labels") or {}
        texts = (record.get("run") or "", record.get("level") or "", record.get("learner") or "")
        counts = [*labels.values(), record.get("labelled") or 0] if isinstance(labels, dict) else [None]
        return all(isinstance(text, str) for text in texts) and all(type(count) is int for count in counts)
    if record["kind"] == _SIMULATED:
        edits = (record.get("first"), record.get("last"))
        return all(type(edit) is int for edit in edits) and _is_number(record.get("seconds") or 0.0)
    return True


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
