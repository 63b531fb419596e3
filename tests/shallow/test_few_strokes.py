"""One stroke a class, a voxel a class, tiny pictures: every classifier finds what is plainly there, the default too."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.config import ShallowConfig
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.shallow.fitting import Fitted, fit_examples
from voxloop.shallow.perceptron import Recipe, fit_perceptron
from voxloop.shallow.planning import bank_for
from voxloop.shallow.samples import in_block
from voxloop.shallow.table import Example
from voxloop.shallow.witnesses import unspoken

CLASSES = (ClassInfo(value=1, name="ground", background=True), ClassInfo(value=2, name="square"))
CUBIC = (1.0, 1.0, 1.0)
WAYS = {
    "auto": ShallowConfig(),
    "perceptron": ShallowConfig(choose="fixed"),
    "forest": ShallowConfig(choose="fixed", classifier="forest"),
}
#: shape, side of the square (its corner at a fifth of the picture), channels, discs (plane, y, x, radius, class)
SCENES = {
    "one stroke a class": ((1, 40, 40), 16, 1, [(0, 15, 15, 3, 2), (0, 32, 32, 3, 1)]),
    "tiny picture": ((1, 16, 16), 8, 1, [(0, 6, 6, 2, 2), (0, 13, 13, 2, 1)]),
    "one voxel a class": ((1, 40, 40), 16, 1, [(0, 15, 15, 0, 2), (0, 33, 33, 0, 1)]),
    "two tiny strokes": (
        (1, 64, 64),
        24,
        1,
        [(0, 17, 17, 1, 2), (0, 26, 26, 1, 2), (0, 50, 50, 1, 1), (0, 5, 50, 1, 1)],
    ),
    "a thousand voxels to ten": ((1, 96, 96), 36, 1, [(0, 36, 36, 2, 2), (0, 76, 76, 18, 1)]),
    "three channels": ((1, 48, 48), 18, 3, [(0, 18, 18, 3, 2), (0, 40, 40, 3, 1)]),
    "one plane of a stack": ((8, 48, 48), 20, 1, [(3, 18, 18, 4, 2), (3, 40, 40, 4, 1)]),
    "an empty channel and plane": ((4, 40, 40), 16, 2, [(1, 15, 15, 3, 2), (1, 32, 32, 3, 1)]),
    "all painted but a bit": ((1, 64, 64), 24, 1, [(0, 20, 20, 2, 2)]),
}


def scene(name: str, noise: float, seed: int = 0) -> tuple[Example, np.ndarray]:
    """A bright square on a dark ground, with strokes; a second channel is empty, a third is noise."""
    shape, side, channels, discs = SCENES[name]
    rng = np.random.default_rng(seed)
    corner = shape[1] // 5
    inside = np.zeros(shape, bool)
    inside[:, corner : corner + side, corner : corner + side] = True
    bright = (50 + 100 * inside + noise * rng.normal(size=shape)).clip(0, 255)
    if name == "an empty channel and plane":
        bright[3] = 0
        inside[3] = False
    image = np.stack([bright, np.zeros(shape), rng.integers(0, 255, shape)][:channels]).astype(np.uint8)
    labels = np.zeros(shape, np.uint8)
    if name == "all painted but a bit":
        labels[~inside] = 1
    y, x = np.indices(shape[1:])
    for z, down, right, radius, value in discs:
        labels[z][(y - down) ** 2 + (x - right) ** 2 <= radius**2] = value
    example = Example(
        name=name,
        read=lambda box: image[:, *box.slices],
        shape=shape,
        channels=channels,
        spacing_um=CUBIC,
        labelled=in_block(labels, Box.whole(shape)),
    )
    return example, inside


def iou(fitted: Fitted, one: Example, inside: np.ndarray, planes: slice) -> float:
    image = one.read(Box.whole(one.shape))[:, planes]
    said = fitted.model.predict(image).argmax(axis=0) == 1
    truth = inside[planes]
    return float((said & truth).sum() / (said | truth).sum())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("noise", [0, 12])
def test_every_classifier_finds_the_square(name, way, noise):
    one, inside = scene(name, noise)
    fitted = fit_examples(WAYS[way], [one], CLASSES, judge=True)
    assert iou(fitted, one, inside, slice(None)) > 0.8


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_plane_that_is_not_looked_at_changes_little(way):
    one, inside = scene("an empty channel and plane", 10)
    fitted = fit_examples(WAYS[way], [one], CLASSES, judge=True)
    assert iou(fitted, one, inside, slice(0, 3)) > 0.9


@pytest.mark.parametrize("value", [0, 1e-6, 1e-5])
def test_noise_of_rounding_is_not_blown_up(value):
    rng = np.random.default_rng(0)
    targets = np.arange(200) % 2
    rows = np.column_stack([targets + 0.1 * rng.normal(size=200), value * rng.normal(size=200)]).astype(np.float32)
    recipe = Recipe(hidden=(8,), passes=10, rate=3e-3, decay=1, balanced=True, seed=0)
    network = fit_perceptron(rows, targets, recipe)
    elsewhere = rows + np.array([0, 3e-5], np.float32)
    assert np.abs(network.rows(elsewhere) - network.rows(rows)).max() < 0.05


def test_many_strokes_speak_for_every_feature():
    bank = bank_for(ShallowConfig(), 1, CUBIC, 1)
    rng = np.random.default_rng(0)
    at = np.column_stack([np.zeros(400, int), rng.integers(0, 200, (400, 2))])
    targets = np.arange(400) % 2
    features = rng.normal(size=(400, bank.count)).astype(np.float32)
    assert not unspoken(features, bank, at, targets).any()
    near = at % 4
    left_out = unspoken(features, bank, near, targets)
    assert left_out.any()
    assert not left_out.all()
