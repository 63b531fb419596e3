"""Tiles cover every voxel once, blocks see what they must, and shapes follow the memory allowed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.errors import PredictionError
from voxloop.prediction.plan import Plan, order_tiles
from voxloop.prediction.planning import FOR_LIVELINESS, GOOD_ENOUGH, Limits, make_plan


@st.composite
def plans(draw):
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 300), st.integers(1, 300)))
    planar = draw(st.booleans())
    stride = draw(st.sampled_from([1, 2, 8, 7, 32]))
    reach = draw(st.one_of(st.none(), st.integers(0, 60)))
    z = (1, 0) if planar else (draw(st.sampled_from([1, 2, 4])), draw(st.integers(0, 5)))
    region = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        region.append(slice(start, draw(st.integers(start + 1, size))))
    limits = Limits(
        max_voxels=draw(st.integers(200, 10**6)),
        planes_per_tile=draw(st.integers(1, 40)),
        lively_voxels=draw(st.sampled_from([None, 5000])),
    )
    part = draw(st.sampled_from([None, tuple(region)]))
    halo = (z[1], reach, reach)
    try:
        plan = make_plan(shape, (z[0], stride, stride), halo, limits, region=part, planar=planar)
    except PredictionError:
        return None
    return plan, limits.max_voxels, halo


@given(plans())
@settings(max_examples=120, deadline=None)
def test_tiles_cover_the_region_once_and_own_their_chunks(drawn):
    if drawn is None:
        return
    plan, _, _ = drawn
    seen = np.zeros(plan.shape, np.uint8)
    chunks = {}
    for tile in plan.tiles():
        assert plan.tile_at(tile.index) == tile
        seen[tile.core.slices] += 1
        cells = [
            range(part.start // c, -(-part.stop // c)) for part, c in zip(tile.core.slices, plan.chunk, strict=True)
        ]
        for cell in np.ndindex(*(len(r) for r in cells)):
            chunk = tuple(r[i] for r, i in zip(cells, cell, strict=True))
            assert chunks.setdefault(chunk, tile.index) == tile.index, "two tiles write one chunk"
    inside = np.zeros_like(seen)
    inside[plan.box.slices] = 1
    assert np.array_equal(seen, inside)


@given(plans())
@settings(max_examples=120, deadline=None)
def test_blocks_cover_their_tile_and_see_their_halo(drawn):
    if drawn is None:
        return
    plan, allowed, asked = drawn
    work = 0
    for tile in plan.tiles():
        seen = np.zeros(tile.core.shape, np.uint8)
        for block in plan.blocks(tile):
            seen[block.core.within(tile.core).slices] += 1
            volume = 1
            for core, outer, step, halo, size in zip(
                block.core.slices, block.outer.slices, plan.stride, asked, plan.shape, strict=True
            ):
                padded = -(-size // step) * step
                assert outer.start % step == 0
                assert outer.stop % step == 0
                assert 0 <= outer.start <= core.start < core.stop <= outer.stop <= padded
                if halo is None:
                    assert (outer.start, outer.stop) == (0, padded)
                else:
                    assert outer.start == 0 or outer.start <= core.start - halo
                    assert outer.stop == padded or outer.stop >= core.stop + halo
                volume *= outer.stop - outer.start
            assert volume <= allowed
            work += volume
        assert (seen == 1).all()
    assert work == plan.work
    assert Plan.from_json(plan.to_json()) == plan


def test_whole_planes_where_they_fit_then_strips_then_squares():
    def block(allowed):
        return make_plan((8, 2048, 2048), (1, 32, 32), (0, 562, 562), Limits(max_voxels=allowed), planar=True).block

    assert block(5_000_000) == (1, 2048, 2048)
    strip = block(3_500_000)
    assert strip[2] == 2048
    assert strip[1] < 2048
    square = block(1_600_000)
    assert max(square[1:]) < 2048


def test_handy_blocks_where_the_halo_costs_nothing():
    plan = make_plan((100, 4096, 4096), (1, 1, 1), (0, 0, 0), Limits(max_voxels=10**9, planes_per_tile=5), planar=True)
    assert plan.work == plan.voxels
    assert 2**18 <= plan.largest < 2**20
    assert plan.tile[0] == 4


def test_a_large_halo_is_not_cut_for_liveliness_beyond_a_little():
    def plan(lively):
        return make_plan((256, 256, 256), (8, 8, 8), (51, 51, 51), Limits(max_voxels=10**8, lively_voxels=lively))

    assert plan(None).work == 256**3
    assert plan(10**6).block == plan(None).block  # would cost several times the work
    cheap = make_plan((256, 256, 256), (1, 1, 1), (1, 1, 1), Limits(max_voxels=10**8, lively_voxels=3 * 10**6))
    assert cheap.largest <= 3 * 10**6
    assert cheap.work <= (1 + FOR_LIVELINESS) * (1 + GOOD_ENOUGH) * 256**3


def test_refusal_says_what_the_smallest_block_would_need():
    with pytest.raises(PredictionError, match=r"holds 1,048,576 voxels, 100 are allowed"):
        make_plan((1, 1000, 1000), (1, 32, 32), (0, None, None), Limits(max_voxels=100), planar=True)


def test_order_shows_the_visible_plane_first_from_the_focus_outwards():
    plan = make_plan((4, 1024, 1024), (1, 32, 32), (0, 0, 0), Limits(max_voxels=256 * 256), planar=True)
    tiles = list(order_tiles(plan, (2, 900, 100)))
    per_plane = len(tiles) // 4
    assert {tile.index[0] for tile in tiles[:per_plane]} == {2}
    assert tiles[0].core.along("y").start <= 900 < tiles[0].core.along("y").stop
    assert tiles[0].core.along("x").start <= 100 < tiles[0].core.along("x").stop
    assert {tile.index[0] for tile in tiles[per_plane : 3 * per_plane]} == {1, 3}
    assert sorted(t.index for t in tiles) == sorted(t.index for t in plan.tiles())
