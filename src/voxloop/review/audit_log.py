"""The file of an audit: its design on the first line, then one line an answer; append-only. Knows no predictions."""

from __future__ import annotations

import base64
import json
import math
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import PredictionError, WorkspaceError
from voxloop.plain_files import open_plain, read_plain
from voxloop.store.json_lines import append_line, parse_lines

VERSION = 1


class AuditLog:
    """The lines of one audit. On disk when a call returns; a torn last line is not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        return self.path.exists()

    def begin(self, **header: Any) -> None:
        """Write the first line; raises WorkspaceError where the folder cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{self.path.parent} cannot be made: {error.strerror or error}") from error
        append_line(self.path, {"v": VERSION, **header, "time": time.time()})

    def header(self) -> dict[str, Any]:
        """The first line. Raises PredictionError where the file is damaged or of a newer version."""
        try:
            with open_plain(self.path) as file:
                header = dict(json.loads(file.readline()))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise PredictionError(
                f"the audit in {self.path} cannot be read ({error}); move it away to begin again"
            ) from error
        if header.get("v") != VERSION:
            raise PredictionError(
                f"the audit in {self.path} is of version {str(header.get('v'))[:20]!r}; this voxloop reads {VERSION}"
            )
        return header

    def append(self, **answer: Any) -> None:
        """Add one answer."""
        append_line(self.path, {**answer, "time": time.time()})

    def answers(self) -> Iterator[dict[str, Any]]:
        """Answers as they were given, oldest first; lines that are none are left out. Raises PredictionError."""
        try:
            lines = read_plain(self.path).split(b"\n")[1:]
        except OSError as error:
            raise PredictionError(f"the audit in {self.path} cannot be read ({error})") from error
        for answer in parse_lines(lines):
            if type(answer.get("i")) is int:
                yield answer


def pack(labels: np.ndarray) -> str:
    """Class values of a field as text."""
    return base64.b64encode(zlib.compress(labels.astype("<u2").tobytes(), 9)).decode()


def unpack(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """What :func:`pack` made, uint16. Raises ValueError or zlib.error where it is something else."""
    size = 2 * math.prod(shape)
    data = zlib.decompressobj().decompress(base64.b64decode(text), size + 1)  # what is larger may be endless
    return np.frombuffer(data, "<u2").reshape(shape)
