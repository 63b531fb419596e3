"""A split by one cut: what is held out lies at one end of the labels, where a wide gap beside it costs least. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.labelled import Labelled, keep_training, totals
from voxloop.deep.data.labelled_image import LabelledImage
from voxloop.deep.data.split import Grid, Key, Split
from voxloop.geometry import Shape


def cut(
    images: Sequence[LabelledImage],
    labelled: Sequence[Labelled],
    grids: Sequence[Grid],
    classes: int,
    config: DeepConfig,
) -> list[Split]:
    """Splits of all images, with the gaps that ``grids`` have.

    Both ends of the labels along every axis are tried; whole images are held out where there are many. Kept is the cut
    that has most classes on both sides, and of these the one that leaves most of its rarest class to train on. Test
    labels lie beyond those of the validation, for between these two nothing has to be left out.
    """
    numbers = [i for i, image in enumerate(images) if not image.validation_only]
    counts = {(i, *cell): n for i in numbers for cell, n in labelled[i].counts.items()}
    judged_elsewhere = len(numbers) < len(images)
    total = np.sum(list(counts.values()), axis=0) if counts else np.zeros(classes)
    best: list[Split] | None = None
    most: tuple[int, float] = (-1, -1.0)
    for order in _orders(counts, np.random.default_rng((config.seed, 6))):
        test = _first(order, counts, config.test_share)
        share = config.test_share + (0.0 if judged_elsewhere else config.validation_share)
        validation = _first(order, counts, share) - test
        splits = [
            Split(
                grid=grid,
                validation=frozenset(labelled[i].counts) if images[i].validation_only else _of(validation, i),
                test=_of(test, i),
            )
            for i, grid in enumerate(grids)
        ]
        taught = sum(
            totals(keep_training(labelled[i], splits[i], images[i].shape).counts, classes) for i in numbers
        ) + np.zeros(classes)
        judged = np.sum([counts[key] for key in validation | test], axis=0) if validation | test else np.zeros(classes)
        left = taught / np.maximum(1, total)
        worth = (int(np.sum((taught > 0) & ((judged > 0) | (share == 0)))), float(left.min()))
        if worth > most:
            best, most = splits, worth
    return best or [Split(grid=grid) for grid in grids]


def widen(grid: Grid, sight: Shape, image: LabelledImage) -> Grid:
    """A grid whose gap is at least as wide as the network sees, voxels of the image zyx; frames are apart anyhow."""
    z, y, x = (max(gap, far) for gap, far in zip(grid.gap, sight, strict=True))
    return replace(grid, gap=(0 if image.frames else z, y, x))


def _orders(counts: Mapping[Key, np.ndarray], rng: np.random.Generator) -> Iterator[list[Key]]:
    """Cells from each end along each axis, image by image."""
    names = sorted({key[0] for key in counts})
    rank = dict(zip(names, rng.permutation(len(names)).tolist(), strict=True))
    for axis in (1, 2, 3):
        for sign in (1, -1):
            yield sorted(counts, key=lambda key, axis=axis, sign=sign: (rank[key[0]], sign * key[axis], key))  # type: ignore[misc]


def _first(order: Sequence[Key], counts: Mapping[Key, np.ndarray], share: float) -> frozenset[Key]:
    """The first cells that hold about so large a share of all labelled voxels."""
    sizes = np.cumsum([int(counts[key].sum()) for key in order])
    if not share or not len(sizes):
        return frozenset()
    return frozenset(order[: 1 + int(np.argmin(np.abs(sizes - share * sizes[-1])))])


def _of(keys: frozenset[Key], image: int) -> frozenset[tuple[int, int, int]]:
    return frozenset((z, y, x) for i, z, y, x in keys if i == image)
