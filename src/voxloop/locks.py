"""Who holds a file: exclusive POSIX locks that end with their process. The one file to port for another system.

``lockf`` and not ``flock``: a ``flock`` is inherited by forked workers and outlives a killed parent; a pid can be a
zombie or used again. A POSIX lock has one trap: it ends as soon as its own process closes *any* handle of the file, so
every look at a lock file goes through this module, which knows what this process holds. Where the file system has no
locks, and for holders on another host, the age of a heartbeat decides. Knows nothing of runs or workspaces.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

#: seconds between heartbeats, and the age from which a heartbeat counts as silence
BEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_BUSY = {errno.EACCES, errno.EAGAIN}
# struct flock, in the order of each system's fcntl.h
_LINUX = sys.platform.startswith("linux")
_FLOCK = "hhqqi4x" if _LINUX else "qqihh"

_held: dict[tuple[int, int], Lock] = {}
_guard = threading.Lock()
_heart: threading.Thread | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. ``note`` is what the holder wrote beside it."""

    pid: int
    host: str
    since: float
    note: dict[str, Any]

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since)) if self.since else "an unknown time"
        return f"process {self.pid} on {self.host or 'an unknown host'} since {when}"


class Lock:
    """An exclusive lock on a file, held by this process until :meth:`release` or until the process ends.

    Not inherited by forked children. Within one process it excludes too: a second ``Lock`` on the same file is refused.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._fd: int | None = None
        self._key: tuple[int, int] | None = None
        self._pid = 0

    @property
    def held(self) -> bool:
        return self._fd is not None and self._pid == os.getpid()

    def acquire(self, **note: Any) -> bool:
        """Take the lock without waiting; False where another holder lives. ``note`` (JSON) is shown to others.

        Raises OSError where the file cannot be written.
        """
        with _guard:
            if self.held or _mine(self.path) is not None:
                return self.held
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not _take(fd, self.path):
                os.close(fd)
                return False
            stat = os.fstat(fd)
            self._fd, self._key, self._pid = fd, (stat.st_dev, stat.st_ino), os.getpid()
            _write_note(fd, note)
            _held[self._key] = self
            _start_heart()
        return True

    def release(self) -> None:
        """Give the lock back; safe to call twice."""
        with _guard:
            if self._fd is None:
                return
            if self.held:
                _held.pop(self._key, None)  # type: ignore[arg-type]
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def holder(path: str | Path) -> Holder | None:
    """Who holds the lock file now, None where nobody does. Takes no lock, so it never gets in a starter's way."""
    path = Path(path)
    with _guard:
        mine = _mine(path)
        if mine is not None and mine._fd is not None:
            return _read_note(mine._fd, os.getpid())
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except PermissionError:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            pid = _locked_by(fd)
            found = _read_note(fd, pid or 0)
            if pid:
                return found
            elsewhere = pid is None or (found.pid and found.host != socket.gethostname())
            return found if elsewhere and found.pid and _beats(fd) else None
        finally:
            os.close(fd)


def _mine(path: Path) -> Lock | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    lock = _held.get((stat.st_dev, stat.st_ino))
    return lock if lock is not None and lock.held else None


def _take(fd: int, path: Path) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        if error.errno not in _NO_LOCKS:
            raise
        found = _read_note(fd, 0)
        return not (found.pid and _beats(fd))
    return True


def _locked_by(fd: int) -> int | None:
    """Pid of the process that holds a lock on the file, 0 where none does, None where the system cannot say."""
    kind, zero = fcntl.F_WRLCK, (0, 0)
    ask = (kind, os.SEEK_SET, *zero, 0) if _LINUX else (*zero, 0, kind, os.SEEK_SET)
    try:
        answer = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, *ask)))
    except OSError:
        return None
    kind, pid = (answer[0], answer[4]) if _LINUX else (answer[3], answer[2])
    return 0 if kind == fcntl.F_UNLCK else (pid if pid > 0 else -1)  # -1: another host or container holds it


def _beats(fd: int) -> bool:
    return time.time() - os.fstat(fd).st_mtime < SILENT_SECONDS


def _write_note(fd: int, note: dict[str, Any]) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), **note})
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def _read_note(fd: int, pid: int) -> Holder:
    try:
        note = dict(json.loads(os.pread(fd, 1 << 16, 0)))
    except (ValueError, OSError):
        note = {}
    written, host, since = note.pop("pid", 0), note.pop("host", ""), note.pop("since", 0.0)
    return Holder(pid if pid > 0 else int(written), str(host), float(since), note)


def _forget() -> None:
    """A forked child holds nothing, and must not wait for a guard that a thread of its parent held."""
    global _guard
    _guard = threading.Lock()
    _held.clear()


os.register_at_fork(after_in_child=_forget)


def _start_heart() -> None:
    global _heart
    if _heart is None or not _heart.is_alive():
        _heart = threading.Thread(target=_beat, name="voxloop-heartbeat", daemon=True)
        _heart.start()


def _beat() -> None:
    while True:
        time.sleep(BEAT_SECONDS)
        with _guard:
            for lock in list(_held.values()):
                if lock.held and lock._fd is not None:
                    os.utime(lock._fd)
