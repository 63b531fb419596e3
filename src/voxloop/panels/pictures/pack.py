"""Small pictures in one file, by key: a cache that may be deleted at any time. Knows no pictures."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from pathlib import Path

from voxloop.store.atomic import open_to_append, open_to_read, write_all

_HEAD = struct.Struct("<16sI")
#: bytes of a pack; what comes after is made anew each time
MOST = 2**29
#: no small picture is larger
_LARGEST = 2**20


class PicturePack:
    """Bytes by keys of 16 bytes; any thread. What a crash cut is left out; a disk that refuses costs time only."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self._path, self._writable = path, writable
        self._lock = threading.Lock()
        self._places: dict[bytes, tuple[int, int]] = {}
        self._fd = -1
        self._end = 0

    def get(self, key: bytes) -> bytes | None:
        with self._lock, contextlib.suppress(OSError):
            self._open()
            place = self._places.get(key)
            if place is not None:
                data = os.pread(self._fd, place[1], place[0])
                return data if len(data) == place[1] else None
        return None

    def put(self, key: bytes, data: bytes) -> None:
        if not self._writable:
            return
        with self._lock, contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = open_to_append(self._path)
            try:
                self._open()
                if key in self._places or self._end > MOST or len(data) > _LARGEST:
                    return
                if os.fstat(fd).st_size > self._end:
                    os.ftruncate(fd, self._end)  # what a crash cut
                write_all(fd, _HEAD.pack(key, len(data)) + data)
                self._places[key] = self._end + _HEAD.size, len(data)
                self._end += _HEAD.size + len(data)
            finally:
                os.close(fd)

    def _open(self) -> None:
        """Read what there is, once, and anew where the file is another one. Raises OSError."""
        facts = self._path.lstat()
        if self._fd >= 0:
            own = os.fstat(self._fd)
            if (own.st_dev, own.st_ino) == (facts.st_dev, facts.st_ino):
                return
            self._close()
        self._fd = open_to_read(self._path)
        self._places, self._end = {}, 0
        while True:
            head = os.pread(self._fd, _HEAD.size, self._end)
            if len(head) < _HEAD.size:
                return
            key, size = _HEAD.unpack(head)
            if size > _LARGEST or self._end + _HEAD.size + size > facts.st_size:
                return
            self._places[key] = self._end + _HEAD.size, size
            self._end += _HEAD.size + size

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        with self._lock:
            self._close()
