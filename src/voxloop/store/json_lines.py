"""Files of one JSON object a line: appended whole and synced, read past what a crash cut. Knows no format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from voxloop.errors import WorkspaceError
from voxloop.store.atomic import json_bytes, open_to_append, refusal, write_all


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add one record; it is on disk when this returns. A line that a crash cut before is ended first.

    Raises WorkspaceError where it cannot be written, or the file is a link: a workspace may come from anyone. Of a
    record that the disk has no room for nothing stays.
    """
    try:
        _append(path, record)
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be written: {refusal(path, error)}") from error


def _append(path: Path, record: dict[str, Any]) -> None:
    line = json_bytes(record, allow_nan=False) + b"\n"
    descriptor = open_to_append(path)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        try:
            write_all(descriptor, b"\n" + line if torn else line)
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def parse_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The records of these lines; what is empty, no object, or the stump of a line that a crash cut, is left out."""
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record
