"""A writer killed at any moment: what it acknowledged is there, and undo still works."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import ReadOnlyError
from voxloop.store import Store, open_labels

from .conftest import make

WRITER = """
import os, sys, time, traceback
import numpy as np
from voxloop.store import Store

def write(path, seed, pause=0.0):
    labels = Store.open(path, read_only=False).labels()
    rng = np.random.default_rng(seed)
    while True:
        axis = int(rng.integers(3))
        size = [n for i, n in enumerate(labels.shape) if i != axis]
        edit = labels.paint(axis="zyx"[axis], index=int(rng.integers(labels.shape[axis])), value=int(rng.integers(3)),
                            points=rng.uniform(0, size, (3, 2)), radius=4, joined=bool(rng.random() < 0.3))
        print(edit.sequence, flush=True)
        time.sleep(pause)
        if rng.random() < 0.3:
            edit = labels.undo() or edit
            print(edit.sequence, flush=True)
        if rng.random() < 0.2:
            edit = labels.redo() or edit
            print(edit.sequence, flush=True)
        if rng.random() < 0.1:
            box = (slice(0, 9), slice(0, 99), slice(0, 99))
            edit = labels.write(box, rng.integers(0, 3, (9, 99, 99)), rng.random((9, 99, 99)) < 0.3, tool="accept")
            print(edit.sequence, flush=True)
"""
#: a process that has imported all, and forks a writer for every line; a writer says what it acknowledges into a pipe
NURSERY = """
for line in sys.stdin:
    path, seed, pipe = line.rstrip("\\n").split("\\t")
    pid = os.fork()
    if not pid:
        try:
            os.dup2(os.open(pipe, os.O_WRONLY), 1)
            write(path, int(seed))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""


def start(path: Path) -> subprocess.Popen[str]:
    program = f"{WRITER}\nwrite(sys.argv[1], 0, pause=0.01)"  # not so fast that a reader never catches up
    return subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER + NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def write_and_kill(nursery: subprocess.Popen[str], path: Path, seed: int, wanted: int, later: float) -> int:
    """Have a writer killed, some seconds after it acknowledged so many edits; what it acknowledged last."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    pipe = path.with_name("acknowledged")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    nursery.stdin.write(f"{path}\t{seed}\t{pipe}\n")
    nursery.stdin.flush()
    pid = int(nursery.stdout.readline())
    with pipe.open() as said:
        try:
            acknowledged = 0
            while acknowledged < wanted:
                acknowledged = int(said.readline())
            time.sleep(later)
        finally:
            os.kill(pid, signal.SIGKILL)
            assert nursery.stdout.readline() == "ended\n"
        rest = said.read().split()
    return int(rest[-1]) if rest else acknowledged


def replayed(path: Path, upto: int) -> np.ndarray:
    """The labels from nothing but the journal, in the plainest way there is."""
    from voxloop.store.journal import Journal

    from .conftest import SHAPE

    journal = Journal(path / "journal" / "labels.image.jsonl", SHAPE, np.dtype("u1"))
    values = np.zeros(SHAPE, np.uint8)
    for record in journal.records[:upto]:
        for patch in journal.patches(record):
            values[patch.box.slices][patch.changed] = patch.after[patch.changed]
    return values


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(10, 50))]
)
def test_every_acknowledged_stroke_survives_kill_9(tmp_path: Path, nursery: subprocess.Popen[str], seed: int) -> None:
    path = tmp_path / "ws"
    make(path).close()
    acknowledged = 0
    for again in range(5):  # killed, gone on, killed again
        wanted = acknowledged + random.Random(10 * seed + again).randint(1, 40)
        later = random.Random(again).choice([0, 0.003, 0.02, 0.3])
        acknowledged = write_and_kill(nursery, path, seed * 10 + again, wanted, later)
        follower = open_labels(path, "labels", "image")
        assert follower.sequence >= acknowledged
        np.testing.assert_array_equal(follower.read(), replayed(path, follower.sequence))
    with Store.open(path, read_only=False) as store:
        labels = store.labels()
        assert labels.sequence >= acknowledged
        np.testing.assert_array_equal(labels.read(), replayed(path, labels.sequence))
        counts = dict(zip(*np.unique(labels.read(), return_counts=True), strict=True))
        assert labels.counts() == {int(v): int(n) for v, n in counts.items() if v}
        while labels.undo():
            pass
        assert not labels.read().any()


def test_killed_while_the_array_was_being_made(tmp_path: Path) -> None:
    path = tmp_path / "ws"
    with make(path) as store:
        store.labels().paint(index=2, points=[(9.0, 9.0)], radius=3, value=1)
        expected = store.labels().read()
    array = path / "labels" / "labels" / "image.zarr"
    shutil.rmtree(array)
    (array / "0").mkdir(parents=True)  # the folder, and nothing in it yet
    with Store.open(path) as store:
        np.testing.assert_array_equal(store.labels().read(), expected)
        store.labels().flush()
        assert (array / "0" / "zarr.json").is_file()
        assert store.labels().undo()
        assert not store.labels().read().any()


def test_a_second_process_reads_on_and_is_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "ws"
    make(path).close()
    child = start(path)
    try:
        assert child.stdout is not None
        first = int(child.stdout.readline())
        with Store.open(path) as second:
            assert second.read_only
            assert second.writer is not None
            assert second.writer["pid"] == child.pid
            labels = second.labels()
            assert labels.sequence >= first
            with pytest.raises(ReadOnlyError, match=f"process {child.pid}"):
                labels.paint(points=[(5, 5)])
            with pytest.raises(ReadOnlyError, match=f"process {child.pid}"):
                second.levels.add("more", ["a"])
            until = time.monotonic() + 20
            while labels.sequence < first + 10 and time.monotonic() < until:
                labels.refresh()
                np.testing.assert_array_equal(labels.read(), replayed(path, labels.sequence))
            assert labels.sequence >= first + 10
            until = time.monotonic() + 20
            while labels.sequence < first + 80 and time.monotonic() < until:  # long enough to start over from the array
                labels.refresh()
            np.testing.assert_array_equal(labels.read(), replayed(path, labels.sequence))
            assert sum(labels.counts().values()) == (labels.read() > 0).sum()
        with pytest.raises(ReadOnlyError, match=r"cannot be written: process"):
            Store.open(path, read_only=False)
    finally:
        child.kill()
        child.wait()
    with Store.open(path, read_only=False) as store:  # the lock went with its process
        assert not store.read_only


def test_a_fork_cannot_write(store: Store) -> None:
    labels = store.labels()
    pid = os.fork()
    if not pid:
        try:
            labels.paint(points=[(5, 5)])
            os._exit(1)
        except ReadOnlyError:
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    labels.paint(points=[(5, 5)])


def test_threads_paint_read_and_flush_at_once(store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    labels = store.labels()

    def paint(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(20):
            labels.paint(
                index=int(rng.integers(20)), points=rng.uniform(0, 140, (2, 2)), radius=5, value=1 + number % 2
            )
            labels.plane("x", int(rng.integers(150)))

    with ThreadPoolExecutor(5) as pool:
        waits = [pool.submit(paint, number) for number in range(4)]
        while not all(wait.done() for wait in waits):
            labels.flush()
        for wait in waits:
            wait.result()
    labels.flush()
    np.testing.assert_array_equal(labels.read(), replayed(store.path, labels.sequence))
    np.testing.assert_array_equal(open_labels(store.path, "labels", "image").read(), labels.read())
