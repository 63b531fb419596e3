"""Strokes that somebody looked at and kept, although models contradict them: one line each. Judges nothing."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from voxloop.plain_files import read_plain
from voxloop.store.json_lines import append_line, parse_lines


def kept_strokes(path: Path) -> set[tuple[str, str, int]]:
    """Level, image and edit of the strokes on record as kept."""
    try:
        lines = read_plain(path).split(b"\n")
    except OSError:  # there is none, or none that may be read
        return set()
    kept = set()
    for line in parse_lines(lines):
        with suppress(KeyError, TypeError, ValueError, OverflowError):  # a line that somebody else wrote
            kept.add((str(line["level"]), str(line["image"]), int(line["sequence"])))
    return kept


def keep_stroke(path: Path, level: str, image: str, sequence: int) -> None:
    """Note that a stroke is right. On disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    append_line(path, {"v": 1, "level": level, "image": image, "sequence": sequence, "time": time.time()})
