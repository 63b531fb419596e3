"""Forecast and plan stay within the memory allowed, and the pipeline within the forecast."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prediction.fakes import make_spec

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.prediction import memory as memory_of
from voxloop.prediction.budget import exact_halo, forecast, is_planar, less_allowed
from voxloop.prediction.decode import Decoded
from voxloop.prediction.executor import AHEAD, batches, run_tiles
from voxloop.prediction.memory import Cost, measure, peak_memory
from voxloop.prediction.planning import Limits, make_plan


@pytest.fixture(autouse=True)
def roomy(monkeypatch):
    """A machine on which 64 GB are free."""
    monkeypatch.setattr(memory_of, "available_memory", lambda: 64 * 10**9)


@given(st.floats(0.01, 8), st.booleans(), st.integers(1, 100), st.floats(10, 5000))
@settings(max_examples=60, deadline=None)
def test_the_forecast_stays_within_the_budget(memory, planar, classes, per_voxel):
    cost = Cost(seconds_per_voxel=1e-6, bytes_per_voxel=per_voxel, base_bytes=1_000_000)
    try:
        found = forecast(
            make_spec(planar=planar, classes=classes), (64, 3000, 2000), PredictConfig(memory_gb=memory), cost
        )
    except PredictionError:
        smallest = 48 * 48 * (1 if planar else 48)
        tiles = 256 * 256 * (3 + 4 * (2 + classes))  # a chunk, read, decoded and written
        assert smallest * per_voxel + tiles > (memory * 1e9 - 1e6) * 0.5 or classes > 20
        return
    assert found.memory_bytes <= memory * 1e9
    assert found.seconds == pytest.approx(found.plan.work * 1e-6)


def test_more_memory_than_there_is_is_not_planned_with(monkeypatch):
    cost = Cost(seconds_per_voxel=1e-6, bytes_per_voxel=500, base_bytes=10**8)
    spec = make_spec(known=False)  # sees all: the whole picture is one block
    enough = forecast(spec, (1, 4096, 4096), PredictConfig(memory_gb=20.0), cost)
    assert enough.allowed_bytes == 20 * 10**9
    assert less_allowed(enough.allowed_bytes, PredictConfig(memory_gb=20.0)) == ""
    monkeypatch.setattr(memory_of, "available_memory", lambda: 2 * 10**9)
    config = PredictConfig(memory_gb=500.0)
    found = forecast(make_spec(), (64, 4096, 4096), config, cost)
    assert found.allowed_bytes == 2 * 10**9 + 10**8  # what is free, and what the process has already
    assert found.memory_bytes <= found.allowed_bytes
    assert less_allowed(found.allowed_bytes, config) == "memory_gb=500 is more than is free: 2.1 GB are used"
    with pytest.raises(PredictionError, match=r"does not fit 2.1 GB of memory: .*; close what else takes memory here"):
        forecast(spec, (1, 4096, 4096), config, cost)


def test_a_hundred_classes_take_smaller_tiles_not_more_memory():
    cost = Cost(seconds_per_voxel=1e-6, bytes_per_voxel=500, base_bytes=250 * 10**6)  # a process with torch
    few, many = (
        forecast(make_spec(classes=n), (64, 4096, 4096), PredictConfig(memory_gb=2.0), replace(cost, bytes_per_voxel=b))
        for n, b in ((2, 500), (100, 900))
    )
    assert many.memory_bytes <= 1.3 * few.memory_bytes
    assert many.plan.largest < few.plan.largest
    assert many.waste < 1.1 * few.waste


def test_a_larger_volume_takes_the_same_memory():
    cost = Cost(seconds_per_voxel=1e-6, bytes_per_voxel=500, base_bytes=0)
    sizes = [
        forecast(make_spec(), (n, 2048, 2048), PredictConfig(memory_gb=2.0), cost).memory_bytes
        for n in (64, 256, 10**5)
    ]
    assert sizes[0] == sizes[1] == sizes[2]


def test_measure_sees_the_memory_of_a_forward():
    def forward(batch):
        scratch = np.ones((50, *batch.shape), np.float32)
        return scratch.sum(axis=0)

    found = measure(forward, lambda shape: np.zeros((1, *shape), np.uint8), [(1, 64, 64), (1, 512, 512)], patience=60.0)
    assert 190 < found.bytes_per_voxel < 400
    assert found.seconds_per_voxel > 0


def test_peak_memory_sees_what_is_gone_again():
    with peak_memory() as peak:
        np.ones(200_000_000, np.uint8).sum()  # too large to come out of memory that the process has freed but kept
    assert 190e6 < peak.bytes < 260e6


def test_the_pipeline_holds_a_few_tiles_however_many_there_are():
    plan = make_plan((40, 64, 64), (1, 1, 1), (0, 0, 0), Limits(max_voxels=64 * 64), planar=True)
    held, most = set(), []

    def read(box):
        held.add(box.start[0])
        most.append(len(held))
        return np.zeros((1, *box.shape), np.uint8)

    def decode(output, core):
        return Decoded(output[0].astype(np.uint8), None, None)

    def write(tile, decoded):
        held.discard(tile.core.start[0])

    done = list(
        run_tiles(plan, plan.tiles(), read=read, forward=lambda b: b, decode=decode, write=write, batch_voxels=1)
    )
    assert len(done) == sum(1 for _ in plan.tiles()) == 40
    assert max(most) <= 2 * AHEAD + 3


def test_what_goes_wrong_in_any_stage_comes_out_and_nothing_hangs():
    plan = make_plan((40, 64, 64), (1, 1, 1), (0, 0, 0), Limits(max_voxels=64 * 64), planar=True)
    stages = {
        "read": lambda box: np.zeros((1, *box.shape), np.uint8),
        "forward": lambda batch: batch,
        "decode": lambda output, core: Decoded(output[0], None, None),
        "write": lambda tile, decoded: None,
    }
    for name in stages:

        def broken(*args, name=name):
            raise RuntimeError(name)

        with pytest.raises(RuntimeError, match=name):
            list(run_tiles(plan, plan.tiles(), batch_voxels=1, **{**stages, name: broken}))


def test_batches_hold_equal_shapes_up_to_a_size():
    plan = make_plan((10, 64, 100), (1, 1, 1), (0, 0, 4), Limits(max_voxels=64 * 50, planes_per_tile=8), planar=True)
    for tile in plan.tiles():
        blocks = list(plan.blocks(tile))
        found = list(batches(blocks, 4 * 64 * 50))
        assert [b for batch in found for b in batch] == blocks
        for batch in found:
            shapes = {block.outer.shape for block in batch}
            assert len(shapes) == 1
            assert len(batch) * np.prod(shapes.pop()) <= 4 * 64 * 50 or len(batch) == 1


def test_measure_does_not_try_blocks_that_take_too_long():
    seen = []

    def forward(batch):
        seen.append(batch.shape[2:])
        time.sleep(batch.size * 1e-5)
        return batch

    measure(forward, lambda shape: np.zeros((1, *shape), np.uint8), [(1, 16, 16), (1, 32, 32), (1, 512, 512)], 0.5)
    assert seen == [(1, 16, 16)] * 2 + [(1, 32, 32)] * 2


def test_a_model_of_neighbouring_slices_without_a_bound_in_the_plane_is_given_them():
    spec = replace(make_spec(known=False), extra={"slices": 5})
    assert exact_halo(spec) == (2, None, None)
    assert not is_planar(spec)
    assert exact_halo(make_spec(known=False)) == (0, None, None)
    assert is_planar(make_spec(known=False))
