"""What a teacher says of unlabelled voxels: only where it is sure, never against a stroke, never about the judges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.material import gather
from voxloop.deep.data.split import Grid, Split
from voxloop.deep.data.training_data import TrainingData, open_data
from voxloop.deep.learner import train
from voxloop.deep.training.classifier import PixelClassifier
from voxloop.deep.training.pseudo_labels import PseudoLabels, wanted
from voxloop.geometry import Box

SIZE = 160


@pytest.fixture
def data(context: Any) -> TrainingData:
    return open_data(context, DeepConfig.from_json(context.settings), None)


@pytest.fixture
def pool(context: Any, data: TrainingData, tmp_path: Path) -> Iterator[PseudoLabels]:
    settings = DeepConfig.from_json(context.settings)
    config = settings.changed(teacher_windows=6, teacher_confidence=0.8, window=(1, SIZE, SIZE))
    material = replace(gather(context, config), data=data, prepare=_tensors)
    classifier = PixelClassifier(material, tmp_path, 1, wanted=True, predicts=False)
    pool = PseudoLabels(material, classifier)
    yield pool
    pool.close()
    classifier.close()


def _tensors(pixels: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels.copy())


def fill(pool: PseudoLabels) -> None:
    while not pool.full:
        pool.start()
        while not pool.arrived():
            time.sleep(0.005)


def test_a_teacher_knows_more_than_the_strokes(
    pool: PseudoLabels, context: Any, data: TrainingData, world: Any
) -> None:
    fill(pool)
    raw, truth, strokes = world
    pixels, labels = pool.batch(0, 24)
    assert (labels > 0).float().mean() > 5 * (strokes > 0).mean()
    bright = {int(window.sum()): z for z, window in enumerate(raw.astype(np.int64))}  # turned windows keep their sum
    right = sure = 0
    for window, said in zip(pixels, labels, strict=True):
        known = truth[bright[int(window.double().sum())]]
        right += max(
            int(((said == 2) & (torch.from_numpy(np.rot90(turned, k).copy()))).sum())
            for turned in (known, known[::-1])
            for k in range(4)
        )
        sure += int((said == 2).sum())
    assert right > 0.8 * sure


def test_strokes_are_right_and_judges_stay_unseen(pool: PseudoLabels, context: Any, data: TrainingData) -> None:
    fill(pool)
    kept = pool.tensors()
    strokes, labels, told = kept["pool.strokes"], kept["pool.labels"], kept["pool.told"]
    assert torch.equal(labels[strokes > 0], strokes[strokes > 0])
    unsure = (told.max(1).values < 0.8 * 255 - 1) & (strokes == 0)
    assert unsure.any()
    assert not labels[unsure].any()
    image = data.images[0]
    assert image.split.held_out
    assert (strokes > 0).sum() < (image.labels(Box.whole((6, SIZE, SIZE))) > 0).sum()


def test_the_network_has_its_say_late_in_the_run(pool: PseudoLabels, context: Any) -> None:
    fill(pool)

    class Disc(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([torch.full_like(x[:, 0], -20), torch.full_like(x[:, 0], 20)], 1)

    before = pool.tensors()["pool.labels"]
    pool.relabel(Disc(), 0, 0.2)
    assert torch.equal(before, pool.tensors()["pool.labels"])
    pool.relabel(Disc(), 0, 0.9)
    after = pool.tensors()["pool.labels"]
    assert (after[::4] == 2).sum() > (before[::4] == 2).sum()
    assert torch.equal(after[1::4], before[1::4])


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_half_of_the_windows_are_the_teachers(pool: PseudoLabels, context: Any, size: int) -> None:
    assert pool.share(0, size) == 0, "nothing is there yet"
    fill(pool)
    shares = [pool.share(step, size) for step in range(10)]
    assert sum(shares) == 10 * size / 2
    assert all(0 <= share <= size for share in shares)


def test_wanted_where_labels_are_sparse(data: TrainingData, tiny: DeepConfig) -> None:
    assert wanted(tiny, data)
    assert not wanted(tiny.changed(teacher="none"), data)
    assert not wanted(tiny.changed(teacher_weight=0.0), data)
    dense = data.images[0].labelled
    for counts in dense.counts.values():
        counts *= 100
    assert not wanted(tiny, data)
    assert wanted(tiny.changed(teacher="an-earlier-run"), data)


def test_what_may_be_learnt_from_is_the_same_by_voxel_and_by_box() -> None:
    split = Split(grid=Grid(cell=(2, 8, 8), gap=(1, 3, 3)), validation=frozenset({(0, 1, 1), (2, 0, 3)}))
    shape = (6, 32, 32)
    everywhere = np.stack(np.nonzero(np.ones(shape)), axis=1)
    whole = split.training_mask(Box.whole(shape), shape)
    assert np.array_equal(split.in_training(everywhere, shape).reshape(shape), whole)


def test_without_a_teacher_nothing_is_kept_of_one(context: Any) -> None:
    context.config["settings"]["teacher"] = "none"
    assert train(context) == "finished"
    assert not (context.path / "checkpoints" / "teacher").exists()


def test_an_earlier_run_as_teacher_must_exist(context: Any) -> None:
    context.config["settings"]["teacher"] = "nobody"
    with pytest.raises(ValueError, match="teacher='nobody' is neither a run"):
        train(context)


def test_nobody_waits_for_a_classifier_that_nobody_began(tmp_path):
    """An earlier run teaches, and nothing is compared: no classifier is fitted."""
    material = SimpleNamespace(context=None, config=None, data=SimpleNamespace(images=[]))
    classifier = PixelClassifier(material, tmp_path, 1, wanted=True, predicts=False)
    assert classifier.ready
    classifier.close()
