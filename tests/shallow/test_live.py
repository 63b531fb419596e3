"""The live twin follows labels, covers exactly what is on screen, and can be cancelled."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from texture import CLASSES, SPACING, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.geometry import Box
from voxloop.shallow.keeping import BoundedCache
from voxloop.shallow.live import LiveShallow, Picture


class Labels:
    """An array in memory as a label reader."""

    def __init__(self, array):
        self.array = array

    def read(self, region=None):
        return self.array[region.slices]

    def touched(self):
        cells = Box.whole(self.array.shape).blocks((1, 64, 64))
        return [SimpleNamespace(box=cell) for cell in cells if self.array[cell.slices].any()]


@pytest.fixture
def scene():
    image, truth = textured((6, 240, 230))
    picture = Picture(read=lambda box: image[box.slices][None], shape=image.shape, channels=1, spacing_um=SPACING)
    live = LiveShallow(picture, ShallowConfig(scales=3), CLASSES)
    yield SimpleNamespace(live=live, truth=truth, labels=Labels(np.zeros_like(truth)), shape=image.shape)
    live.close()


def view(scene, axis="z", index=1, box=(slice(10, 231), slice(5, 222))):
    """The view put together, and how often each of its pixels was given."""
    sizes = [part.stop - part.start for part in box]
    values, times = np.zeros(sizes, np.uint8), np.zeros(sizes, int)
    across = "zyx".index(axis)
    for part in scene.live.predict(axis, index, box):
        assert part.values.dtype == part.confidence.dtype == np.uint8
        assert part.box.along(axis) == slice(index, index + 1)
        at = [p for n, p in enumerate(part.box.slices) if n != across]
        cut = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(at, box, strict=True))
        values[cut] = part.values.take(0, axis=across)
        times[cut] += 1
    return values, times


@pytest.mark.parametrize(
    ("axis", "box"),
    [("z", (slice(10, 231), slice(5, 222))), ("y", (slice(0, 6), slice(3, 220))), ("x", (slice(1, 5), slice(0, 240)))],
)
def test_every_pixel_of_the_view_is_given_once_and_mostly_right(scene, axis, box):
    scene.labels.array[:] = strokes(scene.truth)
    assert scene.live.learn(scene.labels, seconds=600)
    values, times = view(scene, axis, 1, box)
    assert (times == 1).all()
    edges = list(box)
    edges.insert("zyx".index(axis), 1)
    assert (values == scene.truth[tuple(edges)]).mean() > 0.85


def test_tiles_meet_without_a_seam(scene):
    """The box of the view decides which tiles there are; what a pixel says must not depend on it."""
    scene.labels.array[:] = strokes(scene.truth)
    scene.live.learn(scene.labels, seconds=600)
    whole, _ = view(scene, box=(slice(0, 240), slice(0, 230)))
    part, _ = view(scene, box=(slice(100, 220), slice(90, 211)))
    assert (whole[100:220, 90:211] != part).mean() < 0.002


def test_a_stroke_changes_its_mind_and_undoing_it_changes_it_back(scene):
    array = scene.labels.array
    array[1, 24:26] = scene.truth[1, 24:26]
    assert scene.live.learn(scene.labels, seconds=600)
    before, _ = view(scene)
    rows = slice(100, 200)
    array[1, rows] = np.where(scene.truth[1, rows] == 1, 2, 1)  # the opposite, and more of it
    changed = [Box((1, 100, 0), (2, 200, 230))]
    assert scene.live.learn(scene.labels, changed)
    after, _ = view(scene)
    assert (before != after).mean() > 0.5
    array[1, rows] = 0
    assert scene.live.learn(scene.labels, changed)
    again, _ = view(scene)
    np.testing.assert_array_equal(again, before)


def test_fewer_than_two_classes_show_nothing(scene):
    assert not scene.live.learn(scene.labels, seconds=600)
    scene.labels.array[1, 24:26, 20:30] = 1
    box = Box((1, 24, 20), (2, 26, 30))
    assert not scene.live.learn(scene.labels, [box])
    assert view(scene)[1].sum() == 0
    scene.labels.array[1, 2:4, 20:30] = 2
    assert scene.live.learn(scene.labels, [Box((1, 2, 20), (2, 4, 30))])
    scene.labels.array[:] = 0
    assert not scene.live.learn(scene.labels, [Box.whole(scene.shape)])
    assert scene.live.samples == 0


def test_what_a_cancelled_call_did_not_learn_the_next_one_does(scene):
    scene.labels.array[:] = strokes(scene.truth)
    assert not scene.live.learn(scene.labels, stale=lambda: True)
    assert scene.live.unfinished
    assert scene.live.learn(scene.labels, [], seconds=600)
    assert not scene.live.unfinished
    assert scene.live.samples > 100


def test_the_tile_at_the_focus_comes_first(scene):
    scene.labels.array[:] = strokes(scene.truth)
    scene.live.learn(scene.labels, seconds=600)
    first = next(scene.live.predict("z", 1, (slice(0, 240), slice(0, 230)), focus=(230, 225)))
    assert first.box.stop[1:] == (240, 230)


def test_the_cache_keeps_what_was_used_last_within_its_budget():
    kept = BoundedCache[str, int](10)
    for name in "abc":
        kept.put(name, 1, 4)
        kept.get("a")
    assert [kept.get(name) for name in "abc"] == [1, None, 1]
    kept.put("huge", 2, 100)
    assert kept.get("huge") == 2
    assert len(kept) == 1
