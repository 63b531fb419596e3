"""Runs with small fake tasks, in processes that do not outlive their test."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voxloop.runs import Run, Runs, spare
from voxloop.runs.run import ALIVE

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The fake tasks may be called, here and in every process started from here; the device's line is ours alone."""
    monkeypatch.setenv("VOXLOOP_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("VOXLOOP_PLUGINS", "fake_tasks,slow_tasks")
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    found = Runs(tmp_path / "workspace" / "runs")
    yield found
    for run in found.values():
        if run.state in ALIVE and run.holder is not None:
            _kill(run)
    spare.dismiss_all()


@pytest.fixture
def make(runs: Runs) -> Callable[..., Run]:
    def make(task: str = "train", name: str | None = None, device: str = "cpu", **settings: object) -> Run:
        return runs.create(name, f"fake_tasks:{task}", settings, result="fake_tasks:result", device=device)

    return make


@pytest.fixture
def kill() -> Callable[[Run], int]:
    return _kill


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    return _until


def _kill(run: Run) -> int:
    """kill -9 the process of a run, and wait until it is gone; its pid."""
    holder = run.holder
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    _until(lambda: run.holder is None)
    return holder.pid


def _until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until ``true()``; how long it takes is not what is tested."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
