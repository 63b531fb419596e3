"""Files of one JSON object a line: appended whole and synced, read past what a crash cut. Knows no format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add one record; it is on disk when this returns. A line that a crash cut before is ended first."""
    line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" + line if torn else line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The records of these lines; what is empty, or the stump of a line that a crash cut, is left out."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        yield record
