"""The event log of a run: one line of JSON an event, appended whole, read from where the last look ended.

Knows nothing of what the events mean. Numbers are rounded to what a curve needs; what is not a number becomes null.

Every event has ``v``, ``kind`` and ``time``; a field that is not known is left out. What tasks emit:

``step``
    ``iteration`` (optimiser steps so far, from 1), ``loss``, ``lr``, ``samples_per_s``, ``epoch``
``epoch``
    ``epoch`` (from 1), ``iteration``, ``train`` and ``val`` (``{"loss": x, "iou": {"class": x}, ...}``), ``seconds``,
    ``eta_s``, ``plateau``, ``patience``, ``best`` (this is the best so far; else the mean ``val`` IoU decides, then
    the ``val`` loss)
``progress``
    ``done``, ``total``, ``unit``, ``eta_s``, ``memory_bytes`` and ``memory_total`` of the device; ``coarser`` and
    ``objects``: blocks of coarser scales, and of objects, that are done, and in all
``test``
    the kept model on labels held out to the end: ``on`` ("test", or "validation" where nothing else was held out),
    ``windows``, ``voxels``, ``iou`` by class, ``mean``, ``low``, ``high``, the same in ``baseline`` with its ``name``;
    of a network that learns objects also ``objects`` (``ap50``, ``pq``), here and in ``baseline``;
    of a network that was put beside a pixel classifier also ``strokes``, ``kept`` and ``words``
``measured``
    a model of places on pictures held out: ``name`` ("OKS" or "F1"), ``pictures``, ``mean``, ``low``, ``high``
    (90 %), ``measures`` by name
``checkpoint``
    ``iteration``, ``path`` within the run's folder
``sample``
    ``iteration``, ``epoch``, ``path`` of a PNG (input, truth, prediction), ``name`` or ``window`` (which fixed
    window)
``updated``
    ``what``, ``old``, ``new``, ``order`` (the order's name)
``resumed``
    ``step``: the iteration it goes on from; curves drop what came after
``warning``, ``log``
    ``text``; ``choice`` (in words) where a learner says which settings it chose

The process of the run emits ``queued`` (``place``), ``started`` (host, pid, device, versions, seed, threads), and at
the end ``finished``, ``stopped``, ``cancelled``, ``paused`` or ``failed`` (``error``, ``hint``), each with the
``cpu_seconds`` of this process and those that it started.
"""

from __future__ import annotations

import errno
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxloop.plain_files import NoPlainFileError, open_plain

Event = dict[str, Any]
VERSION = 1
DIGITS = 7

#: bytes read at a time, so that a long log costs little memory
_CHUNK = 1 << 22
#: lines kept in memory while the disk is full; beyond that the oldest are dropped
_KEPT_LINES = 100_000
#: bytes laid aside at the start, so that the word "disk full" still fits on a full disk
_RESERVE = 1 << 16
FULL = {errno.ENOSPC, errno.EDQUOT}


def encode(kind: str, fields: Mapping[str, Any], now: float) -> bytes:
    """One event as a line that ends with a newline."""
    event = {"v": VERSION, "kind": kind, "time": round(now, 3), **{name: plain(v) for name, v in fields.items()}}
    return json.dumps(event, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace") + b"\n"


def plain(value: Any, digits: int = DIGITS) -> Any:
    """``value`` as JSON can hold it: floats rounded, NaN and infinity as None, numpy values and paths as plain ones."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _round(value, digits) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(item, digits) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, digits) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays, torch tensors
        return plain(value.tolist(), digits)
    return str(value)


def _is_event(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("kind"), str)


def decode_all(lines: list[bytes]) -> list[Event]:
    """The events of whole lines; what is torn or no event is left out."""
    if all(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        try:  # in one go, which is three times as fast
            events = json.loads(b"[" + b",".join(lines) + b"]")
        except (ValueError, RecursionError):
            events = []
        if len(events) == len(lines) and all(_is_event(event) for event in events):
            return list(events)
    return [event for line in lines if (event := decode(line)) is not None]


def _round(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}") if abs(value) < 1e4 else round(value, max(3, digits - 5))  # times keep their ms


def decode(line: bytes) -> Event | None:
    """The event of a line, None where the line is torn or not an event."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if _is_event(event) else None


class EventWriter:
    """Append events to a log, each with a single unbuffered write. One writer at a time: the holder of the run's lock.

    A full disk does not end a run here: lines wait in memory and go out, in order, once there is room; the last ones
    use a reserve that was laid aside at the start.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        # not through a link: a run folder may come from anybody
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        self._reserve = self.path.with_name(".reserve")
        self._waiting: list[bytes] = []
        self._torn = self._ends_torn()
        self._guard = threading.Lock()
        self._lay_aside()

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event; from any thread."""
        line = encode(kind, fields, time.time())
        with self._guard:
            self._waiting.append(line)
            if not self._drain():
                del self._waiting[:-_KEPT_LINES]

    def close(self) -> None:
        """Write what still waits; on a full disk the newest of it, in the place of the reserve.

        Raises OSError where even that is not possible.
        """
        with self._guard:
            if self._fd < 0:
                return
            try:
                full = not self._drain()
                self._reserve.unlink(missing_ok=True)
                if full:
                    self._keep_newest(_RESERVE // 2)
                    if not self._drain():
                        raise OSError(errno.ENOSPC, "no room for the last events", str(self.path))
            finally:
                os.close(self._fd)
                self._fd = -1

    def _keep_newest(self, size: int) -> None:
        dropped = len(self._waiting)
        while dropped and (size := size - len(self._waiting[dropped - 1])) >= 0:
            dropped -= 1
        if dropped:
            text = f"the disk was full; {dropped} earlier events could not be written"
            self._waiting[:dropped] = [encode("warning", {"text": text}, time.time())]

    def _drain(self) -> bool:
        done = 0
        try:
            for line in self._waiting:
                self._append(line)
                done += 1
        except OSError as error:
            if error.errno not in FULL:
                raise
        del self._waiting[:done]
        return not self._waiting

    def _append(self, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        written = os.write(self._fd, data)
        self._torn = written < len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _ends_torn(self) -> bool:
        size = os.fstat(self._fd).st_size
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def _lay_aside(self) -> None:
        try:
            self._reserve.unlink(missing_ok=True)
            self._reserve.write_bytes(os.urandom(_RESERVE))  # random: a compressing disk gives nothing back for zeros
        except OSError as error:
            if error.errno not in FULL:
                raise


class EventReader:
    """Read a log from where the last :meth:`read` ended; a torn last line is simply not there yet."""

    def __init__(self, path: str | Path, offset: int = 0) -> None:
        self.path = Path(path)
        self.offset = offset

    def read(self) -> list[Event]:
        """The events since the last call. Cheap where nothing is new; may be called any number of times."""
        try:
            if self.path.stat().st_size <= self.offset:
                return []
            stream = open_plain(self.path)
        except (FileNotFoundError, NoPlainFileError):  # nothing is said
            return []
        events: list[Event] = []
        with stream as file:
            file.seek(self.offset)
            rest = b""
            while chunk := file.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                self.offset += sum(len(line) + 1 for line in lines)
                events += decode_all([line for line in lines if line])
        return events
