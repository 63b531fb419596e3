"""``exercises.jsonl`` of a workspace: a line an answer, append-only. Knows no questions."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from voxloop.plain_files import open_plain
from voxloop.store.json_lines import append_line, parse_lines
from voxloop.store.signing import author

FILE = "exercises.jsonl"
#: bytes that are read of one, the newest
_MOST = 2**20


class AnswerLog:
    """The answers given in one workspace, oldest first. The file may come from anyone: odd lines are left out."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE

    def append(self, number: int, name: str, right: bool, words: str, *, of: int, noted: dict[str, Any]) -> None:
        """Add an answer to exercise ``number`` of ``of``. Raises WorkspaceError where it cannot be written."""
        record = {"v": 1, "time": time.time(), "author": author(), "exercise": number, "of": of, "name": name}
        append_line(self.path, {**record, "right": right, "words": words, "noted": noted})

    def read(self) -> list[dict[str, Any]]:
        try:
            with open_plain(self.path) as file:
                file.seek(max(0, file.seek(0, 2) - _MOST))
                lines = file.read().split(b"\n")[:-1]
        except OSError:
            return []
        return [record for record in parse_lines(lines) if _sound(record)]


def solved(records: Iterable[dict[str, Any]]) -> set[int]:
    """Numbers of the exercises that were answered right."""
    return {record["exercise"] for record in records if record["right"]}


def wrong_in_a_row(records: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """The exercise answered last, and how many wrong answers to it stand at the end; (0, 0) where there is none."""
    last = count = 0
    for record in records:
        if record["exercise"] != last:
            last, count = record["exercise"], 0
        count = 0 if record["right"] else count + 1
    return last, count


def _sound(record: dict[str, Any]) -> bool:
    numbers = (record.get("exercise"), record.get("of"))
    stamp = record.get("time")
    return (
        all(type(number) is int and 0 < number < 1000 for number in numbers)
        and type(stamp) in (int, float)
        and math.isfinite(stamp)  # type: ignore[arg-type]
        and type(record.get("right")) is bool
        and all(isinstance(record.get(name), str) for name in ("name", "words", "author"))
        and isinstance(record.get("noted"), dict)
    )
