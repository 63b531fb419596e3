"""Named regions: boxes and outlines, and the active one that everything stays inside of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.config import ShallowConfig
from voxloop.errors import LabelError, VoxloopError, WorkspaceError
from voxloop.geometry import Box
from voxloop.store import Store
from voxloop.store.confined import Area
from voxloop.store.document import NamedRegion
from voxloop.store.region_mask import as_outline, crossing, mask_of
from voxloop.store.teaching import freeze, open_portions

OUTLINE = [(10, 10), (10, 60), (60, 60), (60, 10)]


def test_painting_stays_inside_of_the_active_region_and_undo_does_not(store: Store):
    labels = store.labels()
    labels.box(index=1, points=[(0, 0), (99, 99)], value=2)
    store.regions.add("cell 1", (slice(0, 2), slice(20, 40), slice(20, 40)))
    store.regions.add("round", outline=OUTLINE)
    store.regions.activate("cell 1")
    for index in (1, 5):
        labels.box(index=index, points=[(0, 0), (99, 99)], value=1)
    assert labels.counts() == {2: 10_000 - 400, 1: 400}
    store.regions.activate("round")
    labels.write(None, 1)
    assert labels.counts()[1] == store.images.info("image").shape[0] * 51 * 51
    store.regions.deactivate()
    labels.undo()
    labels.undo()
    assert labels.counts() == {2: 10_000}
    with Store.open(store.path, read_only=True) as again:
        assert again.regions.active() is None


def test_an_active_region_is_written_down_follows_its_name_and_comes_back_by_undo(store: Store):
    store.regions.add("a", (slice(0, 2),))
    store.regions.activate("a")
    store.regions.rename("a", "b")
    with Store.open(store.path, read_only=True) as again:
        assert again.regions.active().name == "b"
    assert [one.name for one in store.regions.of("image")] == ["b"]
    store.regions.remove("b")
    assert store.regions.active() is None
    assert store.regions.undo()
    assert store.regions.active() == store.regions["b"]
    assert [store.regions.undo() for _ in range(4)] == [True, True, True, False]
    assert store.regions.names == []


@pytest.mark.parametrize(
    ("region", "outline", "words"),
    [
        (None, [(0, 0), (10, 10), (0, 10), (10, 0)], r"crosses itself near \(5, 5\)"),
        (None, [(0, 0), (10, 10), (0, 0)], "at least 3 corners"),
        (
            None,
            [(300, 300), (300, 310), (310, 310)],
            "outside of what there is along y: voxels 300 to 310, of 0 to 139",
        ),
        ((slice(0, 3), slice(0, 5)), OUTLINE, "outside of what there is along y"),
        ((slice(0, 3), slice(0, 500)), None, "past the volume's 140 voxels"),
        (None, "round", "no list of corners"),
    ],
)
def test_what_is_no_region_is_refused_in_a_sentence(store: Store, region, outline, words):
    with pytest.raises(VoxloopError, match=words):
        store.regions.add("x", region, outline=outline)
    assert store.regions.names == []


def test_a_training_learns_inside_of_the_active_region_alone(store: Store):
    labels = store.labels()
    labels.box(index=1, points=[(0, 0), (20, 20)], value=1)
    labels.box(index=1, points=[(30, 30), (60, 60)], value=2)
    store.regions.add("round", outline=[(0, 0), (0, 40), (40, 40), (40, 0)])
    store.regions.add("corner", (slice(None), slice(0, 10), slice(0, 10)))
    store.regions.activate("round")
    facts = freeze(store, ShallowConfig())
    portions, _ = open_portions(store.path, facts)
    assert portions[0].labels.counts() == {1: 441, 2: 121}
    store.regions.activate("corner")  # a run means what was active when it began
    assert open_portions(store.path, facts)[0][0].labels.counts() == {1: 441, 2: 121}
    with pytest.raises(LabelError, match=r"only 'object' is labelled .* inside of region 'corner', which is active"):
        freeze(store, ShallowConfig())


corner = st.tuples(st.integers(0, 20), st.integers(0, 20))


@given(st.lists(corner, min_size=3, max_size=6), st.sampled_from("zyx"), st.integers(0, 2**31))
def test_a_region_is_the_same_whatever_the_blocks(corners, axis, seed):
    try:
        outline = as_outline(corners)
    except WorkspaceError:
        return
    shape = (12, 25, 23)
    box = Box((1, 0, 2), (11, 24, 23))
    region = NamedRegion(name="r", image="i", box=box, axis=axis, outline=outline)
    whole = mask_of(region, Box.whole(shape))
    assert not whole[0].any()
    area = Area(within=region)
    for part in Box.whole(shape).blocks(np.random.default_rng(seed).integers(3, 12, 3)):
        assert np.array_equal(mask_of(region, part), whole[part.slices])
        assert np.array_equal(area.mask(part), whole[part.slices])
        assert area.touches(part) == whole[part.slices].any()
        assert not area.holds(part) or whole[part.slices].all()


@given(st.lists(corner, min_size=4, max_size=8))
def test_an_outline_that_crosses_itself_does_so_from_wherever_it_begins(corners):
    points = np.array(corners, float)
    crossed = crossing(points) is not None
    assert (crossing(np.roll(points, 1, axis=0)) is not None) == crossed
    assert (crossing(points[::-1]) is not None) == crossed
