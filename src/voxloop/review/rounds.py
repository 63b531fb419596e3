"""The log of the loop, one line a round. Knows no learner, and computes nothing."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.store.json_lines import append_line, parse_lines
from voxloop.store.layout import Layout


class Rounds:
    """The rounds of a workspace, oldest first: ``rounds.jsonl``, append-only; a torn last line is not there yet."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Layout(folder).rounds

    def append(self, **facts: Any) -> dict[str, Any]:
        """Add one round: its number and the time are put in, nan becomes null. On disk when this returns."""
        record = {"v": 1, "round": len(self.read()) + 1, "time": time.time(), **_plain(facts)}
        append_line(self.path, record)
        return record

    def read(self) -> list[dict[str, Any]]:
        """All rounds that are whole."""
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return list(parse_lines(lines))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
