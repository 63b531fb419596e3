"""Who holds a file: exclusive POSIX locks that end with their process. The one file to port for another system.

``lockf`` and not ``flock``: a ``flock`` is inherited by forked workers and outlives a killed parent; a pid can be a
zombie or used again. A POSIX lock has one trap: it ends as soon as its own process closes *any* handle of the file, so
every look at a lock file goes through this module, which knows what this process holds. Where the file system has no
locks, and for holders on another host, the age of a heartbeat decides. A lock file may come with a folder that somebody
else made, so links are never followed, nor is a file written that has another name elsewhere. Knows nothing of runs or
workspaces.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import socket
import stat
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

#: seconds between heartbeats, and the age from which a heartbeat counts as silence
BEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0

#: never through a link, and never waiting at a pipe
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_BUSY = {errno.EACCES, errno.EAGAIN}
#: letters of a user's name that are shown
_LONGEST_NAME = 64
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
    user: str = ""

    @property
    def of_another(self) -> str:
        """The name of the user whose process it is; empty where that is the user of this one, or not known."""
        return "" if self.user == user_name() else self.user

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since)) if self.since else "an unknown time"
        whose = f" of {self.of_another}" if self.of_another else ""
        return f"process {self.pid}{whose} on {self.host or 'an unknown host'} since {when}"


def user_name(number: int | None = None) -> str:
    """The name of a user of this machine, or the number where it has none; None: of this process."""
    number = os.getuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


class Lock:
    """An exclusive lock on a file, held by this process until :meth:`release` or until the process ends.

    Not inherited by forked children. Within one process it excludes too: a second ``Lock`` on the same file is refused.

    Parameters
    ----------
    mode
        Permissions of the file where it is made, whatever the umask; None: as the umask has it. Those of a line that
        users share let others lock it too.
    """

    def __init__(self, path: str | Path, mode: int | None = None) -> None:
        self.path = Path(path)
        self._mode = mode
        self._fd: int | None = None
        self._key: tuple[int, int] | None = None
        self._pid = 0

    @property
    def held(self) -> bool:
        return self._fd is not None and self._pid == os.getpid()

    @property
    def intact(self) -> bool:
        """Whether it is held, and the file at its path is still the one that was locked, with our name in it.

        A file that was deleted or replaced (by a sync tool, by hand) can be locked by somebody else.
        """
        with _guard:
            if not self.held or self._fd is None:
                return False
            note = _read_note(self._fd, 0)
            return _mine(self.path) is self and (note.pid, note.host) == (self._pid, socket.gethostname())

    def acquire(self, **note: Any) -> bool:
        """Take the lock without waiting; False where another holder lives. ``note`` (JSON) is shown to others.

        Raises OSError where the file cannot be written, or is a link.
        """
        with _guard:
            if self.held or _mine(self.path) is not None:
                return self.held
            fd = _opened(self.path, self._mode)
            if not _take(fd):
                os.close(fd)
                return False
            facts = os.fstat(fd)
            self._fd, self._key, self._pid = fd, (facts.st_dev, facts.st_ino), os.getpid()
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
            fd = _looked_at(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None  # a link is no lock of ours
            raise
        try:
            pid = _locked_by(fd)
            found = _read_note(fd, pid or 0)
            if pid:
                return found
            unseen = pid is None or _elsewhere(found)
            return found if unseen and found.pid and _beats(fd) else None
        finally:
            os.close(fd)


def _opened(path: Path, mode: int | None) -> int:
    """A lock file to write in, made where there is none. Raises OSError, ELOOP for a link."""
    while True:
        try:
            fd = os.open(path, os.O_RDWR | _FLAGS)
        except FileNotFoundError:
            with suppress(FileExistsError):
                return _made(path, mode)
            continue
        facts = os.fstat(fd)
        if stat.S_ISREG(facts.st_mode) and (facts.st_nlink == 1 or _locked_by(fd)):
            return fd
        os.close(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # another name of it may be a file of the user's
        os.close(_made(fresh, mode))
        fresh.replace(path)


def _made(path: Path, mode: int | None) -> int:
    """A new file that others may lock where ``mode`` says so, whatever the umask and their group."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666 if mode is None else mode)
    if mode is not None and mode & 0o022:
        with suppress(OSError):
            os.fchown(fd, -1, path.parent.stat().st_gid)
        os.fchmod(fd, mode)
    return fd


def _looked_at(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | _FLAGS)
    except PermissionError:
        return os.open(path, os.O_RDONLY | _FLAGS)


def _mine(path: Path) -> Lock | None:
    try:
        facts = path.lstat()
    except OSError:
        return None
    lock = _held.get((facts.st_dev, facts.st_ino))
    return lock if lock is not None and lock.held else None


def _take(fd: int) -> bool:
    """Lock it, unless a holder lives: one that the system knows, or one elsewhere whose heart beats.

    Where locks are local to a host the system knows nothing of the others; then the heartbeat alone tells.
    """
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        if error.errno not in _NO_LOCKS:
            raise
        return not (_read_note(fd, 0).pid and _beats(fd))
    return not (_elsewhere(_read_note(fd, 0)) and _beats(fd))


def _elsewhere(found: Holder) -> bool:
    return bool(found.pid) and found.host != socket.gethostname()


def _locked_by(fd: int) -> int | None:
    """Pid of the process that holds a lock on the file, 0 where none does, None where the system cannot say."""
    kind, zero = fcntl.F_WRLCK, (0, 0)
    ask = (kind, os.SEEK_SET, *zero, 0) if _LINUX else (*zero, 0, kind, os.SEEK_SET)
    try:
        answer = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, *ask)))
    except OSError:
        return None
    kind, pid = (answer[0], answer[4]) if _LINUX else (answer[3], answer[2])
    if kind == fcntl.F_UNLCK:
        return 0
    return pid if pid > 0 else -1  # -1: another host or container holds it


def _beats(fd: int) -> bool:
    return time.time() - os.fstat(fd).st_mtime < SILENT_SECONDS


def _write_note(fd: int, note: dict[str, Any]) -> None:
    who = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "user": user_name()}
    text = json.dumps({**who, **note})
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def _read_note(fd: int, pid: int) -> Holder:
    """What a holder wrote beside its lock; ``pid`` where the system knows it. Anybody may have written anything."""
    try:
        note = dict(json.loads(os.pread(fd, 1 << 16, 0)))
        written, host, since = int(note.pop("pid", 0)), str(note.pop("host", "")), float(note.pop("since", 0.0))
        user = "".join(filter(str.isprintable, str(note.pop("user", ""))))[:_LONGEST_NAME]
        time.localtime(since)
    except (ValueError, TypeError, OSError, OverflowError, RecursionError):
        note, written, host, since, user = {}, 0, "", 0.0, ""
    return Holder(pid if pid > 0 else written, host, since, note, user)


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
