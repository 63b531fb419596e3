"""Work killed with SIGKILL at any moment, again and again: in the end it makes what unbroken work makes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from voxloop import DeepConfig, PredictConfig, ShallowConfig, Workspace
from voxloop.runs import Run

#: a process that has imported all, and forks one for every line: what it starts, runs or exports dies alone
NURSERY = """
import os, sys
import torch
torch.set_num_threads(1)
import monai, segmentation_models_pytorch, sklearn.ensemble, zarr
import voxloop.deep.learner, voxloop.shallow.learner, voxloop.prediction.task, voxloop.objects.task
from voxloop import Workspace
from voxloop.runs import runner
for line in sys.stdin:
    verb, path, *more = line.rstrip("\\n").split("\\t")
    pid = os.fork()
    if not pid:
        os.setsid()
        log = os.open(os.devnull, os.O_WRONLY)
        os.dup2(log, 1), os.dup2(log, 2)
        if verb == "run":
            os._exit(runner.main([path]))
        with Workspace.open(path, read_only=True) as ws:
            ws.export(more[0], more[1], overwrite=True)
        os._exit(0)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""
SHAPE = (12, 160, 160)
DISCS = [(3, 30, 30), (6, 80, 90), (9, 130, 40), (5, 40, 120), (8, 120, 130)]


class Nursery:
    """Starts work, kills it at a moment of its own choosing, and starts it again."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", NURSERY],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.kills = 0

    def start(self, *line: str) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(line) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def wait(self) -> None:
        assert self._answer() == "ended"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the nursery died"
        return line

    def kill_after(self, pid: int, ready: Callable[[], bool], seconds: float) -> bool:
        """Kill a child once something is so, and a moment later; whether it was killed before it ended by itself."""
        while _lives(pid) and not ready():
            time.sleep(0.002)
        time.sleep(seconds)
        alive = _lives(pid)
        if alive:
            os.kill(pid, signal.SIGKILL)
        self.wait()
        self.kills += alive
        return alive

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    if not sys.platform.startswith("linux"):
        pytest.skip("processes are watched through /proc")
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of labelled discs, with a pixel classifier, a prediction of many tiles and its objects."""
    path = tmp_path_factory.mktemp("kills") / "ws"
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    image = np.random.default_rng(0).normal(90, 12, SHAPE)
    for cz, cy, cx in DISCS:
        image[(abs(z - cz) < 3) & ((y - cy) ** 2 + (x - cx) ** 2 < 200)] += 80
    with Workspace.create(path, image=image.clip(0, 255).astype(np.uint8), classes=["outside", "disc"]) as ws:
        labels = ws.labels()
        for cz, cy, cx in DISCS:
            for index in (cz - 1, cz, cz + 1):
                labels.paint(index=index, points=[(cy, cx - 5), (cy, cx + 5)], radius=5, value="disc")
                labels.paint(index=index, points=[(cy + 24, cx - 20), (cy + 24, cx + 9)], radius=4, value="outside")
        settings = ShallowConfig(trees=8, sigmas_um=(1.0, 2.0), dimensions="2d")
        ws.train(settings, name="forest").wait(240)
        assert ws.runs["forest"].state == "finished", ws.runs["forest"].log_tail(5)
    return path


TILES = PredictConfig(tile_seconds=1e-6, mode="exact")
TINY = {
    "encoder": "tu-test_efficientnet", "decoder_width": 0.0625, "batch_size": 2, "threads": 1, "steps_per_epoch": 3,
    "epochs": 3, "warmup_steps": 1, "device": "cpu", "samples": 0, "workers": 1, "compare_with": "none", "patience": 0,
}  # fmt: skip
WORK: dict[str, Callable[[Workspace, str], Run]] = {
    "predict": lambda ws, name: ws.predict("forest", config=TILES, name=name),
    "objects": lambda ws, name: ws.objects("whole", name=name, of="disc"),
    "network with a teacher": lambda ws, name: ws.train(DeepConfig(**TINY, window=(1, 64, 64), teacher="forest")),
    "network in 3-D": lambda ws, name: ws.train(
        DeepConfig(**{**TINY, "encoder": "none"}, architecture="UNet3d", width=8, window=(8, 32, 32), teacher="none")
    ),
}


def made_by(run: Run) -> dict[str, Any]:
    """What a run made, to be compared."""
    layout = run.path.parent.parent
    made: dict[str, Any] = {}
    for folder in (layout / "predictions" / f"{run.name}.zarr", layout / "objects" / f"{run.name}.zarr"):
        if folder.exists():
            arrays = zarr.open_group(folder, mode="r")
            for name in ("labels/labels/0", "probabilities/0", "0", "uncertainty/0"):
                if name in arrays:
                    made[f"{folder.parent.name} {name}"] = np.asarray(arrays[name][:])  # type: ignore[index]
    for table in sorted((layout / "objects").glob(f"{run.name}*/**/*.csv")):
        made[table.name] = table.read_text()
    for weights in sorted((run.path / "model").glob("*")):
        if weights.suffix in (".safetensors", ".skops", ".npz"):
            made[weights.name] = weights.read_bytes()
    return made


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    assert one, "nothing was made"
    for name, value in one.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other[name], err_msg=name)
        else:
            assert value == other[name], name


def unlaunched(path: Path, begin: Callable[[Workspace, str], Run], name: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that is made and not started."""
    with monkeypatch.context() as patch:
        patch.setattr(Run, "launch", lambda self, queue=True: self)
        with Workspace.open(path) as ws:
            return begin(ws, name)


def go_on(run: Run, nursery: Nursery, kills: int, rng: random.Random, usual: tuple[int, float] = (0, 0.0)) -> int:
    """Have a run killed so many times, if it lives long enough, then let it end; how often it was killed.

    ``usual``: events and seconds that it takes where nobody kills it.
    """
    log, killed = run.path / "events.jsonl", 0
    events, seconds = usual
    while killed < kills:
        lines = log.read_bytes().count(b"\n") if log.exists() else 0
        wanted, later = (
            lines + rng.randint(1, min(9, events - 1)),
            rng.choice([0, 0.002, rng.random() * seconds / events]),
        )
        if not killed:  # quick work might be over before a later moment
            wanted, later = lines + 1, 0
        pid = nursery.start("run", str(run.path))

        def ready(wanted: int = wanted) -> bool:
            return log.exists() and log.read_bytes().count(b"\n") >= wanted

        if not nursery.kill_after(pid, ready, later):
            break
        killed += 1
        again = Run(run.path)
        assert again.state in ("interrupted", "created"), again.state
    if Run(run.path).state != "finished":
        nursery.start("run", str(run.path))
        nursery.wait()
    run = Run(run.path)
    assert run.state == "finished", (run.history.error, run.log_tail(9))
    return killed


@pytest.fixture(scope="module")
def unbroken(
    world: Path, nursery: Nursery
) -> Callable[[str, pytest.MonkeyPatch], tuple[dict[str, Any], tuple[int, float]]]:
    """What each kind of work makes that nobody kills, and the events and seconds it took; done when it is asked for."""
    made: dict[str, tuple[dict[str, Any], tuple[int, float]]] = {}

    def of(kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], tuple[int, float]]:
        if kind == "objects":
            of("predict", monkeypatch)
        if kind not in made:
            name = "whole" if kind == "predict" else f"whole-{kind.split()[-1]}"
            run = unlaunched(world, WORK[kind], name, monkeypatch)
            began = time.monotonic()
            go_on(run, nursery, 0, random.Random(0))
            made[kind] = made_by(run), (len(run.events()), time.monotonic() - began)
        return made[kind]

    return of


@pytest.mark.slow(reason="processes that import torch, killed and taken up again")
@pytest.mark.parametrize(
    ("kind", "kills", "seeds"),
    [
        ("predict", 4, [0]),
        ("objects", 2, [0]),
        pytest.param("predict", 12, range(1, 9), marks=pytest.mark.nightly),
        pytest.param("objects", 4, range(1, 9), marks=pytest.mark.nightly),
        pytest.param("network with a teacher", 6, range(1, 3), marks=pytest.mark.nightly),
        pytest.param("network with a teacher", 6, range(3, 5), marks=pytest.mark.nightly),
        pytest.param("network in 3-D", 6, range(1, 3), marks=pytest.mark.nightly),
        pytest.param("network in 3-D", 6, range(3, 5), marks=pytest.mark.nightly),
    ],
)
def test_work_that_is_killed_and_taken_up_again_makes_what_unbroken_work_makes(
    world: Path,
    nursery: Nursery,
    unbroken: Callable[[str, pytest.MonkeyPatch], tuple[dict[str, Any], tuple[int, float]]],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    kills: int,
    seeds: range | list[int],
) -> None:
    expected, usual = unbroken(kind, monkeypatch)
    killed = 0
    for seed in seeds:
        run = unlaunched(world, WORK[kind], f"{kind.split()[-1]}-{seed}-{kills}", monkeypatch)
        killed += go_on(run, nursery, kills, random.Random(seed), usual)
        assert_same(expected, made_by(run))
    assert killed >= len(seeds), "work that ends before it can be killed shows nothing"


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.nightly)])
def test_a_killed_export_leaves_a_whole_file_or_none(world: Path, nursery: Nursery, tmp_path: Path, kills: int) -> None:
    import tifffile

    with Workspace.open(world, read_only=True) as ws:
        expected = ws.labels().read()
    target, rng = tmp_path / "labels.tif", random.Random(kills)
    pid = nursery.start("export", str(world), "labels", str(target))
    began = time.monotonic()
    nursery.wait()
    usual = time.monotonic() - began
    np.testing.assert_array_equal(tifffile.imread(target), expected)
    assert pid
    for number in range(kills):
        if number % 2:
            target.unlink()
        before = target.exists()
        pid = nursery.start("export", str(world), "labels", str(target))
        nursery.kill_after(pid, lambda: True, rng.random() * usual)
        assert target.exists() or not before, "what was there is gone"
        if target.exists():
            np.testing.assert_array_equal(tifffile.imread(target), expected)
        else:
            shutil.copyfile(__file__, target)  # something, to be replaced the next time
            nursery.start("export", str(world), "labels", str(target))
            nursery.wait()
            np.testing.assert_array_equal(tifffile.imread(target), expected)


def test_no_label_was_lost_by_any_of_it(world: Path, nursery: Nursery) -> None:
    with Workspace.open(world) as ws:
        assert ws.labels().sequence == 2 * 3 * len(DISCS)
        assert not ws.labels().remarks
    assert json.loads((world / "workspace.json").read_text())["images"]
