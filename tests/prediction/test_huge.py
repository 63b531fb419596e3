"""A region of a volume of 10^12 voxels: what is held and looked at does not grow with the volume. No clock is asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from voxloop import ShallowConfig, Workspace
from voxloop.prediction import task
from voxloop.prediction.memory import peak_memory
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.shallow.model import ShallowPredictor

SIDE = 10_000
#: bytes that a prediction may take beyond what the process holds when it begins, its libraries loaded
ALLOWED = 400e6


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is to predict a region of a large zarr, of which few chunks are stored, by a classifier in 3-D."""
    folder = tmp_path_factory.mktemp("huge")
    volume = zarr.create_array(
        store=str(folder / "big.zarr"), shape=(SIDE,) * 3, chunks=(64, 128, 128), dtype="uint8", fill_value=90
    )
    volume[5000:5016, 5000:5128, 5000:5128] = np.random.default_rng(0).integers(60, 200, (16, 128, 128), np.uint8)
    with Workspace.create(folder / "ws", image=folder / "big.zarr", classes=["a", "b"], spacing=(0.01,) * 3) as ws:
        labels = ws.labels()
        for index in (5004, 5010):
            labels.paint(index=index, points=[(5020, 5020), (5020, 5060)], radius=5, value="a")
            labels.paint(index=index, points=[(5090, 5020), (5090, 5060)], radius=5, value="b")
        config = ShallowConfig(sigmas_um=(0.02, 0.08), dimensions="3d", trees=8)
        trained = ws.train(config, name="t")
        assert trained.wait(240) == "finished", trained.log_tail(9)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voxloop.runs.run.Run.launch", lambda self, queue=True: self)
            box = (slice(5000, 5016), slice(4960, 5216), slice(4960, 5216))
            return Path(ws.predict("t", region=box, name="p").path)


@pytest.mark.slow(reason="trains a classifier in a process of its own")
def test_a_region_of_a_huge_volume_takes_little_and_progress_comes_before_the_work(
    run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    original = ShallowPredictor.region

    def region(self: ShallowPredictor, block: np.ndarray, inner: object) -> np.ndarray:
        out = original(self, block, inner)
        kept.append(out[0].size)
        return out

    monkeypatch.setattr(ShallowPredictor, "region", region)
    monkeypatch.setattr(ShallowPredictor, "__call__", lambda *args: pytest.fail("what is looked at was computed too"))
    config = json.loads((run_path / "config.json").read_text())
    context = RunContext(run_path, config, EventWriter(run_path / "events.jsonl"))
    before: dict[str, int] = {}
    context.listen(lambda event: before.setdefault(event["kind"], sum(kept)))
    with peak_memory() as peak:
        assert task.run(context) == "finished"
    assert peak.bytes < ALLOWED, f"{peak.bytes / 1e6:.0f} MB"
    voxels = 16 * 256 * 256
    measured = before["progress"]
    assert 0 < measured < 0.5 * voxels, "measuring is a part of the work, not most of it"
    assert sum(kept) - measured == voxels, "and nothing is computed twice"
    assert before["log"] == 0, "what it is about to do is said first"


def test_the_region_is_what_the_model_says_of_all_around_it(run_path: Path) -> None:
    from voxloop.model import load_model
    from voxloop.prediction import open_result

    with Workspace.open(run_path.parents[1], read_only=True) as ws:
        halo = load_model(ws.runs["t"].path / "model").spec.halo
        around = [slice(at - h, to + h) for at, to, h in zip((5000, 4992, 4992), (5016, 5056, 5056), halo, strict=True)]
        block = ws.images.open().isel(z=around[0], y=around[1], x=around[2]).values[None]
        said = ws.runs["t"].model().predict(block)
        inside = tuple(slice(h, -h or None) for h in halo)
        said = said[:, *inside]
    labels = open_result(run_path).labels[5000:5016, 4992:5056, 4992:5056].values
    # a feature that is summed in another order may fall on the other side of a tree's threshold: one tree of eight
    others = labels != 1 + said.argmax(axis=0)
    assert np.count_nonzero(others) <= 3
    assert (abs(said[0] - said[1])[others] < 2 / 8).all()
