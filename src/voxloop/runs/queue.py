"""The line in front of a device: one running run a device and user, first come first served, the dead fall out.

A lock file a device, and a locked ticket a waiter, in a folder of this machine (not of the workspace: two workspaces
share one device). Users of one machine share a line where ``VOXLOOP_QUEUE`` names a folder that all may write. Knows
devices by name only.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from voxloop.errors import RunError
from voxloop.locks import Holder, Lock, holder

_ELSEWHERE = "VOXLOOP_QUEUE names another folder"


def device_key(device: str, environ: Mapping[str, str] = os.environ) -> str:
    """The name of what ``device`` stands for on this machine: ``auto`` resolved, CUDA numbers made physical."""
    device = _automatic() if device == "auto" else device.lower()
    kind, _, index = device.partition(":")
    if kind == "cuda":
        number = int(index) if index.isdecimal() else 0
        visible = [name.strip() for name in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        index = visible[number] if number < len(visible) else str(number)
        return f"cuda-{re.sub(r'[^A-Za-z0-9-]', '', index)}"
    return re.sub(r"[^a-z0-9]+", "-", device) or "cpu"


def _automatic() -> str:
    gpus = Path("/proc/driver/nvidia/gpus")
    if gpus.is_dir() and any(gpus.iterdir()):
        return "cuda"
    return "mps" if sys.platform == "darwin" else "cpu"


def queue_folder() -> Path:
    """Where the lines of this machine and user are kept, made where it is missing.

    ``VOXLOOP_QUEUE`` names another place; one that is sticky and open to all (``chmod 1777``), or that a group may
    write, is a line that users share. Raises RunError where somebody else could turn the folder against this user.
    """
    named = os.environ.get("VOXLOOP_QUEUE")
    folder = Path(named).expanduser() if named else _usual_folder()
    try:
        if named:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        else:
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        facts = folder.stat() if named else folder.lstat()
    except OSError as error:
        raise RunError(f"the queue folder {folder} cannot be made ({error.strerror}); {_ELSEWHERE}") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise RunError(f"the queue folder {folder} is no folder; {_ELSEWHERE}")
    if not _shared(facts) and facts.st_uid != os.getuid():
        raise RunError(
            f"the queue folder {folder} belongs to another user (number {facts.st_uid}) and is not shared; {_ELSEWHERE}"
        )
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        raise RunError(f"anybody may change the queue folder {folder}; 'chmod 1777 {folder}' makes it safe to share")
    if not named and facts.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def _usual_folder() -> Path:
    """A folder of this user alone: the session's own where the system gives one, else one in the temporary folder."""
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session:
        with suppress(OSError):
            facts = Path(session).lstat()
            if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077:
                return Path(session) / "voxloop"
    return Path(tempfile.gettempdir()) / f"voxloop-{os.getuid()}"


def _shared(facts: os.stat_result) -> bool:
    return bool(os.environ.get("VOXLOOP_QUEUE") and facts.st_mode & 0o022)


def device_holder(device: str) -> Holder | None:
    """Who runs on the device now; ``note["run"]`` is the folder of the run. Raises RunError for an unsafe folder."""
    return holder(queue_folder() / f"{device_key(device)}.lock")


def lines() -> dict[str, list[tuple[int, Holder]]]:
    """Who stands in the line of each device of this machine, with their places: 0 has the device, the others wait.

    Raises RunError for an unsafe folder.
    """
    folder = queue_folder()
    found = {}
    for lock in sorted(folder.glob("*.lock")):
        waiting = map(_holder, sorted((folder / lock.stem).glob("*.ticket")))
        places = [(0, _holder(lock)), *enumerate(filter(None, waiting), start=1)]
        if standing := [(place, one) for place, one in places if one is not None]:
            found[lock.stem] = standing
    return found


def _holder(path: Path) -> Holder | None:
    with suppress(OSError):
        return holder(path)
    return None


class Turn:
    """One waiter's place in the line of a device, and then its turn. Ends with :meth:`leave` or with the process.

    Raises RunError where the queue folder is not safe, or cannot be written.
    """

    def __init__(self, device: str, run: str) -> None:
        folder = queue_folder()
        open_to = folder.stat().st_mode & 0o1022 if _shared(folder.stat()) else 0
        mode = 0o644 | (open_to & 0o022)
        self._run = run
        self._line = folder / device_key(device)
        self._device = Lock(folder / f"{device_key(device)}.lock", mode)
        self._ticket = Lock(self._line / f"{time.time_ns():019d}-{os.getpid()}.ticket", mode)
        try:
            self._make_line(open_to)
            self._ticket.acquire(run=run)
        except OSError as error:
            raise RunError(f"no place in the line in {folder} can be had ({error.strerror}); {_ELSEWHERE}") from error

    def _make_line(self, open_to: int) -> None:
        try:
            self._line.mkdir(mode=0o700)
        except FileExistsError:
            if not stat.S_ISDIR(self._line.lstat().st_mode):
                raise
            return
        if open_to:  # whatever the umask is, the others of this folder must be able to wait here too
            with suppress(OSError):
                os.chown(self._line, -1, self._line.parent.stat().st_gid)
            self._line.chmod(0o755 | open_to)

    def place(self) -> int:
        """How many are before this one, the one that is running included; 0: it is our turn now, until we leave."""
        if self._device.held:
            return 0
        before = self._before()
        if not before and self._acquired():
            self._drop_ticket()
            return 0
        return before + 1

    def held_by(self) -> str:
        """The name of the other user whose run has the device now; empty where it is this user's, or nobody's."""
        found = _holder(self._device.path)
        return found.of_another if found else ""

    def leave(self) -> None:
        self._drop_ticket()
        self._device.release()

    def _acquired(self) -> bool:
        try:
            return self._device.acquire(run=self._run)
        except OSError as error:
            raise RunError(f"{self._device.path} cannot be locked ({error.strerror}); {_ELSEWHERE}") from error

    def _before(self) -> int:
        waiting = 0
        for path in sorted(self._line.glob("*.ticket")):
            if path.name >= self._ticket.path.name:
                break
            if holder(path) is not None:
                waiting += 1
                continue
            with suppress(OSError):  # its process has died; in a shared line only its user may take it away
                path.unlink()
        return waiting

    def _drop_ticket(self) -> None:
        with suppress(OSError):
            self._ticket.path.unlink()
        self._ticket.release()
