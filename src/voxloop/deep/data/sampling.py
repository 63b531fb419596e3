"""Which windows are trained on: for each sample a function of (seed, step, sample), and of what was hard before.

Knows neither networks nor runs; torch is not imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import (
    Geometry,
    Place,
    TrainingImage,
    clip,
    clip_region,
    fit_geometry,
    training_window,
    window_box,
)

#: the worst one in so many windows of an epoch is hard
_QUARTER = 4


class WindowSampler:
    """Draws training windows: a class first, then a cell that holds it, then a voxel in the cell, then a shift.

    Parameters
    ----------
    balance
        Every class as often as the others; otherwise as often as it was labelled.
    background, negatives
        Place of the background among the classes, and the share of windows that lie where it alone is labelled.
    tries
        Of so many windows drawn, the one in whose surroundings most is labelled is taken.
    hard_examples
        Share of windows that are taken from :attr:`hard`, places that whoever trains sets between epochs.
    """

    def __init__(
        self,
        images: Sequence[TrainingImage],
        geometry: Geometry,
        classes: int,
        *,
        seed: int,
        balance: bool = True,
        augmentation: Augmentation | None = None,
        background: int | None = None,
        negatives: float = 0.0,
        tries: int = 1,
        hard_examples: float = 0.0,
    ) -> None:
        self.images = images
        self.geometry = geometry
        self.hard: tuple[Place, ...] = ()
        self._seed = seed
        self._augmentation = augmentation or Augmentation.none()
        self._tries, self._hard_examples = tries, hard_examples
        self._anchors: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(classes)]
        self._odds: list[np.ndarray] = []
        self._index(classes)
        self._empty = [] if background is None else self._nothing_else(background)
        self._negatives = negatives if self._empty else 0.0
        anchor_counts = np.array([sum(len(a) for _, a in cells) for cells in self._anchors], float)
        odds = (anchor_counts > 0).astype(float) if balance else anchor_counts
        self._class_odds = odds / odds.sum()

    @classmethod
    def of(cls, config: DeepConfig, data: TrainingData, geometry: Geometry) -> WindowSampler:
        """The sampler that a config asks for."""
        background = None if data.background is None else data.background - 1  # its place
        return cls(
            data.images,
            geometry,
            len(data.classes),
            seed=config.seed,
            balance=config.balance,
            augmentation=config.augmentation,
            background=background,
            negatives=config.negatives,
            tries=config.prefer_labelled,
            hard_examples=config.hard_examples,
        )

    @property
    def knows_nothing(self) -> bool:
        """Whether there are places where background is labelled and nothing else."""
        return bool(self._empty)

    def batch(self, step: int, size: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Windows of one step from number ``first`` on: raw pixels float32 (n, c * slices, y, x), labels uint8.

        In 3-D pixels (n, c, z, y, x) and labels (n, z, y, x).
        """
        pairs = [self.sample(step, sample) for sample in range(first, first + size)]
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    def sample(self, step: int, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """One window of one step, mirrored and turned by quarters."""
        rng = np.random.default_rng((self._seed, step, sample))
        place = self.place(rng)
        pixels, labels = training_window(self.images, place, self.geometry)
        return _turned(pixels, labels, self._augmentation, rng)

    def place_of(self, step: int, sample: int) -> Place:
        """Where :meth:`sample` lies."""
        return self.place(np.random.default_rng((self._seed, step, sample)))

    def place(self, rng: np.random.Generator) -> Place:
        """Where a window lies: the drawn voxel is somewhere in its middle half."""
        if self._hard_examples and rng.random() < self._hard_examples and self.hard:
            return self.hard[int(rng.integers(len(self.hard)))]
        if self._tries == 1:
            return self._drawn(rng)
        return max([self._drawn(rng) for _ in range(self._tries)], key=self._labelled)

    def _labelled(self, place: Place) -> int:
        """Labelled voxels that are trained on, of the cells that a window touches."""
        image = self.images[place.image]
        counts = image.training.counts
        box, _ = clip_region(window_box(place, fit_geometry(image, self.geometry)), image.shape)
        cells = (cell for cell in image.split.grid.cells(box) if cell in counts)
        return sum(int(counts[cell].sum()) for cell in cells)

    def _drawn(self, rng: np.random.Generator) -> Place:
        if self._negatives and rng.random() < self._negatives:
            image, anchors = self._empty[int(rng.integers(len(self._empty)))]
        else:
            value = rng.choice(len(self._class_odds), p=self._class_odds)
            image, anchors = self._anchors[value][rng.choice(len(self._odds[value]), p=self._odds[value])]
        at = anchors[rng.integers(len(anchors))]
        axes = self.geometry.axes
        axis = axes[0] if len(axes) == 1 else axes[int(rng.integers(len(axes)))]
        corner = [int(v) for v in at]
        sizes = fit_geometry(self.images[image], self.geometry).sizes(axis)
        for i, (size, extent) in enumerate(zip(sizes, self.images[image].shape, strict=True)):
            if size > 1:
                start = corner[i] - size // 2 + int(rng.integers(-(size // 4), size // 4 + 1))
                corner[i] = clip(start, size, extent)
        return Place(image=image, z=corner[0], y=corner[1], x=corner[2], axis=axis)

    def _index(self, classes: int) -> None:
        """Anchors that are trained on, by class; a cell counts by the root of its voxels, so no slab drowns others."""
        for value in range(classes):
            weights = []
            for number, image in enumerate(self.images):
                for cell in sorted(image.training.anchors):
                    anchors = image.training.anchors[cell][value]
                    if not len(anchors):
                        continue
                    self._anchors[value].append((number, anchors))
                    weights.append(np.sqrt(image.training.counts[cell][value]))
            odds = np.array(weights, float)
            self._odds.append(odds / odds.sum() if len(odds) else odds)

    def _nothing_else(self, background: int) -> list[tuple[int, np.ndarray]]:
        """Anchors of cells that hold background alone, of those that are trained on."""
        return [
            (number, image.training.anchors[cell][background])
            for number, image in enumerate(self.images)
            for cell, counts in sorted(image.labelled.counts.items(), key=lambda item: item[0])
            if cell in image.training.counts and counts[background] and counts[background] == counts.sum()
        ]


class Mining:
    """Which windows of an epoch the network did worst on, so that they come again in the next.

    What it knows is part of a checkpoint, so a run that goes on sees the same windows.
    """

    def __init__(self, sampler: WindowSampler) -> None:
        self._sampler = sampler
        self._seen: list[tuple[float, Place]] = []
        self._waiting: list[tuple[int, Any]] = []

    def note(self, step: int, losses: Any) -> None:
        """Losses of the first windows of a step, in their order: a tensor, which is not looked at before it must be."""
        self._waiting.append((step, losses))

    def _look(self) -> None:
        for step, losses in self._waiting:
            self._seen += [(loss, self._sampler.place_of(step, sample)) for sample, loss in enumerate(losses.tolist())]
        self._waiting = []

    def turn(self) -> None:
        """At the end of an epoch: its worst quarter is what is drawn from in the next."""
        self._look()
        worst = dict.fromkeys(place for _, place in sorted(self._seen, key=lambda item: -item[0]))
        self._sampler.hard = tuple(worst)[: max(1, len(worst) // _QUARTER)] if worst else ()
        self._seen = []

    def to_json(self) -> dict[str, Any]:
        self._look()
        return {
            "hard": [astuple(place) for place in self._sampler.hard],
            "seen": [[loss, *astuple(place)] for loss, place in self._seen],
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Put back what :meth:`to_json` gave."""
        self._waiting = []
        self._sampler.hard = tuple(_place(values) for values in data["hard"])
        self._seen = [(values[0], _place(values[1:])) for values in data["seen"]]


def _place(values: Sequence[int]) -> Place:
    image, z, y, x, axis = (int(value) for value in values)
    return Place(image=image, z=z, y=y, x=x, axis=axis)


def _turned(
    pixels: np.ndarray, labels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mirrored and turned by quarters: views, so they cost nothing here and stay exact."""
    flip, quarter = augmentation.flip, augmentation.quarter
    chances = rng.random(4)
    turns = int(rng.integers(1, 4))
    if labels.ndim == 3 and flip.on and flip.depth and chances[3] < flip.probability:
        pixels, labels = pixels[:, ::-1], labels[::-1]
    if flip.on and flip.horizontal and chances[0] < flip.probability:
        pixels, labels = pixels[..., ::-1], labels[..., ::-1]
    if flip.on and flip.vertical and chances[1] < flip.probability:
        pixels, labels = pixels[..., ::-1, :], labels[..., ::-1, :]
    if quarter.on and chances[2] < quarter.probability:
        turns = turns if labels.shape[-2] == labels.shape[-1] else 2
        pixels, labels = np.rot90(pixels, turns, (-2, -1)), np.rot90(labels, turns, (-2, -1))
    return pixels, labels
