"""Windows lie where they should, carry only labels that may teach, and depend on nothing but (seed, step, sample)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.data.blocks import Blocks
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.data.sampling import WindowSampler
from voxloop.deep.data.training_data import TrainingData, assemble
from voxloop.deep.data.windows import (
    Geometry,
    Place,
    read_pixels,
    validation_places,
    validation_window,
    window_box,
)
from voxloop.geometry import Box


@pytest.fixture(scope="module")
def data(make: SimpleNamespace) -> TrainingData:
    raw, truth = make.discs((5, 150, 170))
    return assemble([make.source(raw, make.scribbles(truth, every=2))], make.classes, DeepConfig())


@given(z=st.integers(0, 4), y=st.integers(-30, 116), x=st.integers(-40, 114), slices=st.sampled_from([1, 3, 5]))
def test_window_shows_the_image_and_mirrors_it_outside(data: TrainingData, z: int, y: int, x: int, slices: int) -> None:
    image = data.images[0]
    whole = image.pixels(Box.whole(image.shape))[0]
    planes = np.clip(np.arange(z - slices // 2, z + slices // 2 + 1), 0, 4)
    wide = np.pad(whole[planes], ((0, 0), (100, 100), (100, 100)), mode="reflect")
    expected = wide[:, y + 100 : y + 164, x + 100 : x + 196]
    found = read_pixels(image, Place(image=0, z=z, y=y, x=x), Geometry(height=64, width=96, slices=slices))
    assert np.array_equal(found, expected.astype(np.float32))


@given(step=st.integers(0, 10**6), sample=st.integers(0, 64))
@settings(max_examples=40)
def test_sample_is_a_function_of_its_numbers(data: TrainingData, step: int, sample: int) -> None:
    geometry = Geometry(height=64, width=64)
    one = WindowSampler(data.images, geometry, 2, seed=7, augmentation=Augmentation())
    other = WindowSampler(data.images, geometry, 2, seed=7, augmentation=Augmentation())
    other.batch(3, 2)  # what was drawn before changes nothing
    for a, b in zip(one.sample(step, sample), other.sample(step, sample), strict=True):
        assert np.array_equal(a, b)


def test_training_windows_never_show_held_out_labels(data: TrainingData) -> None:
    sampler = WindowSampler(data.images, Geometry(height=64, width=64), 2, seed=0)
    image = data.images[0]
    whole = Box.whole(image.shape)
    allowed = np.where(image.split.training_mask(whole, image.shape), image.labels(whole), 0)
    seen = np.zeros(image.shape, bool)
    for step in range(60):
        place = sampler.place(np.random.default_rng((0, step, 0)))
        window = window_box(place, sampler.geometry).slices
        _, labels = sampler.sample(step, 0)
        assert np.array_equal(labels, allowed[window][0])
        seen[window] = True
    assert seen[allowed > 0].mean() > 0.9


def test_classes_come_equally_often(data: TrainingData) -> None:
    sampler = WindowSampler(data.images, Geometry(height=8, width=8), 2, seed=0)
    image = data.images[0]
    at_centre = []
    for step in range(400):
        place = sampler.place(np.random.default_rng(step))
        labels = image.labels(window_box(place, Geometry(height=8, width=8)))
        at_centre.append([(labels == value).any() for value in (1, 2)])
    often = np.mean(at_centre, axis=0)
    assert often.min() > 0.45


def test_validation_windows_show_all_held_out_cells_and_nothing_else(data: TrainingData) -> None:
    image = data.images[0]
    places = validation_places(data.images, Geometry(height=64, width=64), 100, 0)
    whole = Box.whole(image.shape)
    expected = np.where(image.split.validation_mask(whole), image.labels(whole), 0)
    covered = np.zeros_like(expected)
    for place in places:
        window = window_box(place, Geometry(height=64, width=64)).slices
        _, labels = validation_window(data.images, place, Geometry(height=64, width=64))
        assert np.array_equal(labels, expected[window][0])
        covered[window] = np.maximum(covered[window], labels)
    assert (covered > 0).sum() > 0.8 * (expected > 0).sum() > 0


def test_image_smaller_than_the_window(make: SimpleNamespace) -> None:
    raw, truth = make.discs((3, 40, 50))
    small = assemble([make.source(raw, make.scribbles(truth, every=1))], make.classes, DeepConfig())
    pixels, labels = WindowSampler(small.images, Geometry(height=64, width=64), 2, seed=0).sample(0, 0)
    assert pixels.shape == (1, 64, 64)
    assert labels.shape == (64, 64)
    assert 0 < (labels > 0).sum() <= 40 * 50


@given(
    st.tuples(st.integers(0, 9), st.integers(0, 29), st.integers(0, 29)),
    st.tuples(st.integers(1, 5), st.integers(1, 12), st.integers(1, 12)),
)
def test_blocks_read_what_the_array_holds_within_their_limit(start: tuple[int, ...], size: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 255, (2, 10, 30, 30), np.uint8)
    blocks = Blocks(lambda box: array[:, *box.slices], (10, 30, 30), (3, 7, 11), limit=2 * 3 * 7 * 11 * 2)
    box = Box.at(start, size).clip((10, 30, 30))
    for _ in range(2):
        assert np.array_equal(blocks(box), array[:, *box.slices])
        assert blocks.nbytes <= 2 * 3 * 7 * 11 * 2


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_prefetching_changes_no_batch(workers: int) -> None:
    batches = Prefetcher(lambda step: step * step, workers)
    try:
        assert [batches(step) for step in (0, 1, 2, 7, 8, 3, 4)] == [0, 1, 4, 49, 64, 9, 16]
    finally:
        batches.close()


def test_threads_read_different_blocks_at_the_same_time_and_one_block_once() -> None:
    together = threading.Barrier(2, timeout=20)
    read: list[Box] = []

    def slow(box: Box) -> np.ndarray:
        read.append(box)
        together.wait()  # passes where the other is being read as well
        return np.full(box.shape, box.start[0], np.uint8)

    blocks = Blocks(slow, (4, 8, 8), (1, 8, 8))
    planes = [Box.at((z, 0, 0), (1, 8, 8)) for z in (0, 3, 0, 3)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(blocks, planes))
    assert [int(plane.max()) for plane in found] == [0, 3, 0, 3]
    assert sorted(box.start[0] for box in read) == [0, 3]
    assert blocks.nbytes == 2 * 64


def test_a_block_that_could_not_be_read_is_tried_again() -> None:
    answers = iter([OSError("gone"), np.ones((1, 4, 4), np.uint8)])

    def read(_: Box) -> np.ndarray:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    blocks, box = Blocks(read, (1, 4, 4), (1, 4, 4)), Box.whole((1, 4, 4))
    with pytest.raises(OSError, match="gone"):
        blocks(box)
    assert blocks(box).all()
