"""A workspace with a finished prediction of a model of numpy alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.prediction.conftest import Bench
from tests.prediction.fakes import load, objects_spec

from voxloop import model
from voxloop.objects import find_objects
from voxloop.prediction import task
from voxloop.workspace.workspace import Workspace

REGION = (slice(2, 9), slice(30, 110), slice(40, 131))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A workspace in which the fake learner is known."""
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
    assert callable(load)
    return Bench(tmp_path, monkeypatch)


@pytest.fixture
def predicted(bench: Bench) -> Iterator[Workspace]:
    """The prediction ``p`` of the classes ``class 1`` (background) and ``class 2``."""
    assert task.run(bench.context(bench.create("p", tile_seconds=2.0))) == "finished"
    with Workspace.open(bench.path) as ws:
        yield ws


@pytest.fixture
def learnt(bench: Bench) -> Iterator[Workspace]:
    """The prediction ``ob`` of a network that learnt objects."""
    run = bench.create("ob", spec=objects_spec(), tile_seconds=2.0)
    assert task.run(bench.context(run)) == "finished"
    with Workspace.open(bench.path) as ws:
        yield ws


@pytest.fixture
def of_a_region(bench: Bench) -> Iterator[Workspace]:
    """The prediction ``r`` of :data:`REGION`, and ``ob`` of a network that learnt objects, of the same."""
    box = [[part.start, part.stop] for part in REGION]
    for name, spec in (("r", None), ("ob", objects_spec())):
        assert task.run(bench.context(bench.create(name, spec=spec, region=box))) == "finished"
    with Workspace.open(bench.path) as ws:
        yield ws


@pytest.fixture
def balls(tmp_path: Path) -> Path:
    """Objects on disk: two boxes of a stack, 8 and 27 voxels, and one at the edge."""
    values = np.zeros((6, 20, 20), np.float32)
    values[1:3, 2:4, 2:4] = values[1:4, 10:13, 10:13] = values[0, 17:, 17:] = 1
    return find_objects(values, tmp_path / "balls.zarr").path
