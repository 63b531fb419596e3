"""Blended blocks: weights that add up to one, the same for any tiles, no seam where cutting leaves one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.config import PredictConfig
from voxloop.prediction.blending import blocks_touching, outer_of, ramps
from voxloop.prediction.job import make_job
from voxloop.prediction.memory import Cost
from voxloop.prediction.plan import Plan
from voxloop.prediction.planning import Limits, make_plan
from voxloop.volumes import open_volume

COST = Cost(seconds_per_voxel=1e-7, bytes_per_voxel=100, base_bytes=0)


def plan_of(shape, stride, halo, max_voxels, max_tile_voxels=None, **settings) -> Plan:
    limits = Limits(max_voxels=max_voxels, max_tile_voxels=max_tile_voxels)
    return make_plan(shape, stride, halo, limits, blend=True, **settings)


@given(st.integers(40, 400), st.sampled_from([1, 4, 8]), st.integers(1, 30), st.integers(2000, 20_000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_weights_add_up_to_one(size, step, halo, allowed, part):
    region = (slice(0, 1), slice(7, size - 5), slice(0, size)) if part else None
    try:
        plan = plan_of((1, size, size), (1, step, step), (0, halo, halo), allowed, planar=True, region=region)
    except Exception:
        return
    total = np.zeros((size, size))
    for block in blocks_touching(plan, plan.box):
        _, y, x = ramps(plan, block)
        rows, columns = block.outer.clip((1, size, size)).slices[1:]
        total[rows, columns] += (y[:, None] * x)[: rows.stop - rows.start, : columns.stop - columns.start]
    inside = total[plan.box.slices[1:]]
    assert inside.min() > 0
    fits = all(size % block == 0 for block in plan.block[1:])  # the last block is as large as the others
    if plan.halo[1] * 2 <= min(plan.block[1:]) and step == 1 and not part and fits:
        assert np.allclose(inside, 1, atol=1e-4)


def test_a_tile_reads_what_its_blocks_see_and_its_work_is_counted():
    plan = plan_of((1, 300, 260), (1, 4, 4), (0, 8, 8), 4000, planar=True, max_tile_voxels=30_000)
    assert plan.blend
    assert plan.count > 1
    seen = 0
    for tile in plan.tiles():
        outer = outer_of(plan, tile.core)
        for block in blocks_touching(plan, tile.core):
            assert outer.covers(block.outer)
            seen += block.outer.size
    assert plan.work == seen
    assert Plan.from_json(plan.to_json()) == plan


def test_nothing_is_blended_where_blocks_do_not_overlap():
    assert not plan_of((4, 64, 64), (1, 4, 4), (0, 8, 8), 10**6, planar=True).blend
    assert not plan_of((4, 64, 64), (1, 4, 4), (0, 0, 0), 2000, planar=True).blend


@pytest.mark.parametrize("planar", [True, False])
def test_the_seam_is_gone_and_tiles_do_not_matter(planar):
    def predictor(batch):
        # a mean over the whole block, as global pooling has it
        level = batch.astype(np.float32).mean(axis=(1, 2, 3, 4), keepdims=True)[:, 0] / 255
        one = np.clip(0.5 + (batch[:, 0].astype(np.float32) / 255 - 0.5) * 0.2 + (level - 0.5) * 2, 0, 1)
        return np.stack([one, 1 - one], axis=1)

    shape = (1, 400, 400) if planar else (60, 80, 80)
    slope = np.broadcast_to(np.linspace(60, 200, shape[2]), shape).astype(np.uint8)
    spec = replace(make_spec(planar=planar, stride=4), halo=None)
    found = {}
    for blend in (False, True):
        config = PredictConfig(mode="fast", memory_gb=1, blend=blend)
        job = make_job(spec, predictor, open_volume(slope), config)
        halo = (0, 16, 16) if planar else (8, 8, 8)
        for tile_voxels in (10_000, 200_000):
            plan = make_plan(
                shape,
                spec.stride,
                halo,
                Limits(max_voxels=20_000 if planar else 60_000, max_tile_voxels=tile_voxels),
                planar=planar,
                blend=blend,
            )
            assert plan.blend == blend
            whole = np.zeros((2, *shape), np.float32)

            def write(tile, made, whole=whole):
                whole[:, *tile.core.slices] = made.probabilities / 255

            list(job.run(plan, plan.tiles(), write))
            found[blend, tile_voxels] = whole
            seam = job.seam(plan, COST)
            assert seam is not None
    assert np.abs(found[True, 10_000] - found[True, 200_000]).max() <= 1 / 255 + 1e-6
    jumps = {blend: np.abs(np.diff(found[blend, 200_000][0], axis=-1)).max() for blend in (False, True)}
    assert jumps[True] < 0.3 * jumps[False]


def test_a_run_blends_in_fast_mode_alone():
    spec = make_spec(known=False, radius=12)
    volume = open_volume(picture((2, 1200, 1200)))
    for mode, halo, wanted in (("exact", (0, 16, 16), False), ("fast", (0, 16, 16), True)):
        config = PredictConfig(mode=mode, memory_gb=0.08, blend=True)
        job = make_job(spec, FakeModel(spec)._forward, volume, config)
        assert job.forecast(COST, halo).plan.blend == wanted
