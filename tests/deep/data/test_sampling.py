"""Which windows teach: negatives, well labelled ones, hard ones; and a run that goes on draws the same."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.data.sampling import Mining, WindowSampler
from voxloop.deep.data.training_data import TrainingData, assemble
from voxloop.deep.data.windows import Geometry, Place, training_window
from voxloop.deep.learner import train
from voxloop.errors import ConfigError

GEOMETRY = Geometry(height=64, width=64)


@pytest.fixture(scope="module")
def data(make: SimpleNamespace) -> TrainingData:
    raw, truth = make.discs((3, 400, 400))
    labels = make.scribbles(truth, every=1)
    labels[:, 200:][labels[:, 200:] == 3] = 1  # the lower half holds nothing but background
    return assemble([make.source(raw, labels)], make.classes, DeepConfig(validation_share=0))


def sampler(data: TrainingData, **settings: Any) -> WindowSampler:
    return WindowSampler.of(DeepConfig(seed=3, **settings), data, GEOMETRY)


def labels_of(given: WindowSampler, count: int = 60) -> list[np.ndarray]:
    return [training_window(given.images, given.place_of(step, 0), GEOMETRY)[1] for step in range(count)]


def test_negatives_hold_background_alone(data: TrainingData) -> None:
    usual, some = sampler(data, balance=True), sampler(data, negatives=0.9)
    assert some.knows_nothing
    empty = [np.mean([not (found == 2).any() for found in labels_of(given)]) for given in (usual, some)]
    assert empty[1] > max(0.7, empty[0] + 0.2)
    assert all((found == 1).any() for found in labels_of(some))


def test_without_such_places_there_are_no_negatives(make: SimpleNamespace) -> None:
    raw, truth = make.discs((1, 64, 64))
    both = np.where(truth, 3, 1).astype(np.uint8)
    small = assemble([make.source(raw, both)], make.classes, DeepConfig(validation_share=0))
    given = WindowSampler.of(DeepConfig(negatives=0.5), small, GEOMETRY)
    assert given.knows_nothing == any(counts[0] == counts.sum() for counts in small.images[0].labelled.counts.values())
    assert given.sample(0, 0)[1].any()


def test_well_labelled_windows_are_preferred(data: TrainingData) -> None:
    counts = [np.mean([(found > 0).sum() for found in labels_of(sampler(data, prefer_labelled=n))]) for n in (1, 8)]
    assert counts[1] > 1.1 * counts[0]


def test_the_worst_quarter_of_an_epoch_comes_again(data: TrainingData) -> None:
    given = sampler(data, hard_examples=0.5)
    mining = Mining(given)
    places = [given.place_of(step, 0) for step in range(20)]
    for step in range(20):
        mining.note(step, np.array([float(step)]))
    told = mining.to_json()
    mining.turn()
    assert set(given.hard) == set(places[-5:])
    seen = [given.place_of(step, 0) for step in range(100, 300)]
    assert 0.35 < np.mean([place in given.hard for place in seen]) < 0.65
    other = sampler(data, hard_examples=0.5)
    again = Mining(other)
    again.restore(told)
    again.turn()
    assert other.hard == given.hard
    assert again.to_json() == mining.to_json()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_mines_goes_on_exactly(context: Any, workers: int) -> None:
    config = DeepConfig.from_json(context.settings).changed(
        epochs=3,
        steps_per_epoch=4,
        hard_examples=0.6,
        negatives=0.2,
        prefer_labelled=2,
        workers=workers,
        samples=0,
        augmentation=Augmentation().model_dump(),
    )
    context.config["settings"] = config.to_json()
    context.at_step[7] = SimpleNamespace(kind="pause", name="p", values={})
    assert train(context) == "paused"
    again = type(context)(path=context.path, config=context.config, workspace=context.workspace)
    assert train(again) == "finished"
    whole = context.path.parent / "unbroken"
    whole.mkdir()
    assert train(type(context)(path=whole, config=context.config, workspace=context.workspace)) == "finished"
    one, other = (load_file(run / "checkpoints/last/state.safetensors") for run in (context.path, whole))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_images_of_other_voxel_sizes_show_the_same_micrometres(make: SimpleNamespace) -> None:
    y, x = np.mgrid[:128, :128]
    coarse = ((np.sin(x / 6) + np.cos(y / 9)) * 50 + 120).astype(np.uint8)[None].repeat(3, 0)
    fine = np.repeat(np.repeat(coarse, 2, 1), 2, 2)
    marks = np.ones(coarse.shape, np.uint8)
    marks[:, 40:80, 30:90] = 3
    one = make.source(coarse, marks, spacing=(0.05, 0.02, 0.02))
    other = replace(make.source(fine, np.repeat(np.repeat(marks, 2, 1), 2, 2), spacing=(0.05, 0.01, 0.01)), name="fine")
    config = DeepConfig(validation_share=0)
    data = assemble([one, other], make.classes, config)
    assert (data.images[0].relative, data.images[1].relative) == (None, (1.0, 0.5, 0.5))
    assert "differ in voxel size" in data.warnings[0]
    first = training_window(data.images, Place(image=0, z=0, y=10, x=20), GEOMETRY)
    second = training_window(data.images, Place(image=1, z=0, y=20, x=40), GEOMETRY)
    assert first[0].shape == second[0].shape == (1, 64, 64)
    assert np.abs(first[0] - second[0])[:, 2:-2, 2:-2].mean() < 2
    np.testing.assert_array_equal(first[1], second[1])
    sampled = WindowSampler.of(config, data, GEOMETRY)
    pixels, labels = sampled.batch(0, 8)
    assert (pixels.shape, labels.shape) == ((8, 1, 64, 64), (8, 64, 64))
    apart = assemble([one, other], make.classes, config.changed(match_spacing=False))
    assert [image.relative for image in apart.images] == [None, None]
    with pytest.raises(ConfigError, match="images of one voxel size"):
        assemble([one, other], make.classes, config.changed(axes="zyx"))
