"""The folder of the lines: whom it may belong to, who may write it, and users who share a device."""

from __future__ import annotations

import errno
import os
import stat
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import RunError
from voxloop.locks import Lock, user_name
from voxloop.runs.queue import Turn, device_holder, lines, queue_folder
from voxloop.store import Store
from voxloop.store.atomic import refusal

#: any number but root's and one's own
STRANGER = 64321


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "line"
    folder.mkdir()
    folder.chmod(0o1777)
    for parent in folder.parents:
        if parent.name.startswith("pytest-of-"):
            break
        parent.chmod(parent.stat().st_mode | 0o055)
    parent.chmod(parent.stat().st_mode | 0o055)
    monkeypatch.setenv("VOXLOOP_QUEUE", str(folder))
    return folder


def as_stranger(does: Callable[[], int]) -> int:
    """What ``does`` gives in a process of another user."""
    pid = os.fork()
    if not pid:
        try:
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            os._exit(does())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_two_users_wait_for_each_other_in_a_shared_folder(shared: Path) -> None:
    first = Turn("cuda:0", "/home/ann/runs/deep-1")
    assert first.place() == 0
    for path, mode in ((shared / "cuda-0", 0o1777), (shared / "cuda-0.lock", 0o666)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [(place, one.note["run"]) for place, one in lines()["cuda-0"]] == [(0, "/home/ann/runs/deep-1")]
    if os.getuid():
        return  # only root can be two users; the modes above are what the other one needs
    assert as_stranger(lambda: Turn("cuda:0", "/home/bob/runs/deep-1").place()) == 1
    assert as_stranger(lambda: Turn("cuda:0", "/home/bob/runs/deep-1").held_by() != "root") == 0
    assert not lines()["cuda-0"][1:]  # tickets of the dead stay in a sticky folder, and stand in no line
    first.leave()
    assert as_stranger(lambda: Turn("cuda:0", "/home/bob/runs/deep-1").place()) == 0
    assert first.place() == 0  # the other one's process has ended, its dead ticket and its lock file do not matter
    first.leave()


def test_a_folder_that_anybody_may_change_is_refused(shared: Path) -> None:
    shared.chmod(0o777)
    with pytest.raises(RunError, match="chmod 1777"):
        Turn("cpu", "run")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXLOOP_QUEUE", str(tmp_path / "theirs"))
    queue_folder()
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)
    with pytest.raises(RunError, match="belongs to another user"):
        Turn("cpu", "run")


def test_the_usual_folder_is_private_and_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOXLOOP_QUEUE")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = queue_folder()
    assert folder == tmp_path / f"voxloop-{os.getuid()}"
    folder.chmod(0o755)  # as earlier versions left it
    assert stat.S_IMODE(queue_folder().stat().st_mode) == 0o700
    folder.rmdir()
    (tmp_path / "victim").mkdir()
    folder.symlink_to(tmp_path / "victim")
    with pytest.raises(RunError, match="no folder"):
        Turn("cpu", "run")
    assert not list((tmp_path / "victim").iterdir())


def test_the_session_s_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOXLOOP_QUEUE")
    session = tmp_path / "session"
    session.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert queue_folder() == session / "voxloop"
    session.chmod(0o755)
    assert queue_folder() != session / "voxloop"


def test_a_link_in_the_line_is_not_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (queue_folder() / "cpu.lock").symlink_to(precious)
    turn = Turn("cpu", "run")
    with pytest.raises(RunError, match="cannot be locked"):
        turn.place()
    turn.leave()
    assert device_holder("cpu") is None
    assert precious.read_text() == "precious"


def test_files_of_a_workspace_are_open_to_a_group_where_the_umask_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    before = os.umask(0o002)
    try:
        with Store.create(project, image=np.zeros((2, 32, 32), np.uint8), classes=["a", "b"]) as store:
            store.labels().paint(index=1, points=[(5, 5), (9, 9)], radius=2, value=1)
            with Lock(project / "lock") as lock:
                assert lock.acquire()
    finally:
        os.umask(before)
    closed = [path for path in project.rglob("*") if not path.stat().st_mode & stat.S_IWGRP]
    assert not closed
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)  # as the others read it where that was not so
    words = refusal(project / "workspace.json", PermissionError(errno.EACCES, "Permission denied"))
    assert f"it is {user_name(project.stat().st_uid)}'s" in words
    assert f"chmod -R g+rwX {project}" in words
