"""Lock files in folders that somebody else made, that were deleted under their holder, or that another host holds."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voxloop.locks import SILENT_SECONDS, Lock, holder

HOLD = """
import sys
from voxloop.locks import Lock
print(Lock(sys.argv[1]).acquire(), flush=True)
sys.stdin.read()
"""


def note_of_another_host(path: Path, age: float) -> None:
    path.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": time.time()}))
    os.utime(path, (time.time() - age, time.time() - age))


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (tmp_path / "lock").symlink_to(precious)
    with pytest.raises(OSError) as caught:
        Lock(tmp_path / "lock").acquire()
    assert caught.value.errno == errno.ELOOP
    assert holder(tmp_path / "lock") is None
    assert precious.read_text() == "precious"


def test_another_name_of_a_file_keeps_its_content(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (tmp_path / "lock").hardlink_to(precious)
    with Lock(tmp_path / "lock") as lock:
        assert lock.acquire(what="test")
        assert holder(tmp_path / "lock") is not None
    assert precious.read_text() == "precious"


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="no plain file"):
        Lock(tmp_path / "lock").acquire()


@pytest.mark.parametrize("text", ["[1]", "{", '{"pid": "x"}', '{"since": 1e300}', '{"pid": [1], "host": 5}', "\0" * 99])
def test_whatever_stands_in_the_file_it_can_be_locked(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    assert holder(tmp_path / "lock") is None
    with Lock(tmp_path / "lock") as lock:
        assert lock.acquire()


@pytest.mark.parametrize(("age", "free"), [(1.0, False), (SILENT_SECONDS + 5, True)])
def test_a_fresh_heartbeat_of_another_host_counts_where_locks_are_local(tmp_path: Path, age: float, free: bool) -> None:
    path = tmp_path / "lock"
    note_of_another_host(path, age)
    assert (holder(path) is None) == free
    with Lock(path) as lock:
        assert lock.acquire() == free
    assert bool(path.read_text()) != free  # what the other wrote is left alone


@pytest.mark.parametrize("how", ["deleted", "replaced", "overwritten"])
def test_the_holder_notices_that_its_file_is_not_its_own_any_more(tmp_path: Path, how: str) -> None:
    path = tmp_path / "lock"
    with Lock(path) as lock:
        assert lock.acquire()
        assert lock.intact
        if how == "deleted":
            path.unlink()
        elif how == "replaced":
            path.rename(tmp_path / "aside")
            path.write_text("")
        else:
            note_of_another_host(path, 0)
        assert lock.held
        assert not lock.intact


def test_a_lock_that_another_process_holds_is_not_taken_from_it_by_its_other_name(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        (tmp_path / "snapshot").hardlink_to(path)
        with Lock(path) as lock:
            assert not lock.acquire()
        assert holder(path).pid == child.pid  # type: ignore[union-attr]
    finally:
        child.communicate()
