"""Labels divided into training, validation and test. Goes through them by cells; knows no windows and no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.apart import cut, widen
from voxloop.deep.data.labelled import Labelled, ValueTable, gather, keep_training, totals
from voxloop.deep.data.labelled_image import LabelledImage
from voxloop.deep.data.split import (
    CELL,
    ENOUGH_CELLS,
    SMALLEST_CELL,
    TOLERANCE,
    Cell,
    Grid,
    Key,
    Split,
    choose_held_out,
)
from voxloop.geometry import Shape

#: of the labels of a class that are not held out, the share that must be left to train on before the gap is narrowed
ENOUGH = 0.5


#: what is held out as a whole
_WHOLE = {"block": "blocks and strokes", "slice": "slices", "image": "images"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Labels of one image, which of them are trained on, and its split."""

    labelled: Labelled
    training: Labelled
    split: Split

    @classmethod
    def of(cls, image: LabelledImage, labelled: Labelled, split: Split) -> Part:
        return cls(labelled=labelled, training=keep_training(labelled, split, image.shape), split=split)

    def narrow(self, image: LabelledImage) -> Part | None:
        """The same with half the gap; None where it cannot be narrower."""
        grid = self.split.grid.narrower
        return None if grid is None else Part.of(image, self.labelled, replace(self.split, grid=grid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What becomes of the labelled voxels, shares of all; the rest lies next to held-out ones and is ignored."""

    training: float
    validation: float
    test: float

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Shares:
        whole = training = validation = test = 0
        for part in parts:
            whole += sum(int(n.sum()) for n in part.labelled.counts.values())
            training += sum(int(n.sum()) for n in part.training.counts.values())
            validation += sum(int(n.sum()) for cell, n in part.labelled.counts.items() if cell in part.split.validation)
            test += sum(int(n.sum()) for cell, n in part.labelled.counts.items() if cell in part.split.test)
        whole = max(1, whole)
        return cls(training=training / whole, validation=validation / whole, test=test / whole)

    @property
    def ignored(self) -> float:
        return max(0.0, 1 - self.training - self.validation - self.test)

    def __str__(self) -> str:
        words = [f"{self.training:.0%} train", f"{self.validation:.0%} validate"]
        if self.test:
            words.append(f"{self.test:.0%} test")
        if self.ignored >= 0.005:
            words.append(f"{self.ignored:.0%} lie next to those held out and are ignored")
        return ", ".join(words)


def divide(
    images: Sequence[LabelledImage],
    table: ValueTable,
    classes: int,
    config: DeepConfig,
    stored: Mapping[str, Any] | None = None,
    sight: Shape | None = None,
) -> tuple[list[Part], list[str]]:
    """Divide the labels of all images, as a config asks or as they were divided before.

    Cells are made smaller where labels are few, and the gap around held-out cells narrower where little would be left
    to train on; not with ``split="apart"``, whose gap is as wide as the network sees.

    Parameters
    ----------
    sight
        How far the network sees, voxels of the first image zyx; None while that is not known.

    Returns
    -------
    parts
        One for each image.
    notes
        What users should know of them.
    """
    if stored is not None:
        cells = [item["cell"][2] for item in stored.values()]
        size = int(cells[0]) if cells else CELL
        labelled = _scan(images, table, classes, config, size)
        splits = [_stored_split(_grid(image, config, size), stored.get(image.name, {})) for image in images]
        return [Part.of(*three) for three in zip(images, labelled, splits, strict=True)], []
    named = any(image.validation_only for image in images)
    size = CELL
    labelled = _scan(images, table, classes, config, size)
    while not named and config.split in ("block", "apart") and size > SMALLEST_CELL and _few(labelled):
        size //= 2
        labelled = _scan(images, table, classes, config, size)
    grids = [_grid(image, config, size) for image in images]
    if config.split == "apart" and sight is not None:
        wide = [
            widen(grid, _in_voxels(sight, image, images[0]), image) for grid, image in zip(grids, images, strict=True)
        ]
        parts = [
            Part.of(*three)
            for three in zip(images, labelled, cut(images, labelled, wide, classes, config), strict=True)
        ]
        return parts, _notes(parts, config, size, named=named)
    splits = _split(images, labelled, grids, config)
    parts = [Part.of(*three) for three in zip(images, labelled, splits, strict=True)]
    parts = _narrow_gaps(images, parts, classes)
    return parts, _notes(parts, config, size, named=named)


def _in_voxels(sight: Shape, image: LabelledImage, first: LabelledImage) -> Shape:
    """The same micrometres in voxels of another image."""
    z, y, x = (math.ceil(far * mine / own) for far, mine, own in zip(sight, first.spacing, image.spacing, strict=True))
    return z, y, x


def split_to_json(split: Split) -> dict[str, Any]:
    """A split as :func:`divide` takes it again."""
    return {
        "cell": list(split.grid.cell),
        "gap": list(split.grid.gap),
        "cells": [list(cell) for cell in sorted(split.held_out)],
        "tested": [list(cell) for cell in sorted(split.test)],
    }


def _stored_split(grid: Grid, item: Mapping[str, Any]) -> Split:
    if "gap" in item:
        z, y, x = item["gap"]
        grid = replace(grid, gap=(z, y, x))
    held_out, test = (_cells(item.get(name, ())) for name in ("cells", "tested"))
    return Split(grid=grid, validation=held_out - test, test=test)


def _cells(values: Sequence[Sequence[int]]) -> frozenset[Cell]:
    return frozenset((int(z), int(y), int(x)) for z, y, x in values)


def _grid(image: LabelledImage, config: DeepConfig, size: int) -> Grid:
    return Grid.of(image.spacing, image.shape, split=config.split, frames=image.frames, size=size)


def _scan(
    images: Sequence[LabelledImage], table: ValueTable, classes: int, config: DeepConfig, size: int
) -> list[Labelled]:
    """Go through the labels of all images."""
    scanned = []
    for image in images:
        chunks = [touched.box for touched in image.labels.touched()]
        scanned.append(gather(image.labels, chunks, table, classes, _grid(image, config, size), config.seed))
    return scanned


def _few(labelled: Sequence[Labelled]) -> bool:
    """Some class lies in so few cells that none could be held out fairly."""
    counts = [n for one in labelled for n in one.counts.values()]
    return bool((np.sum(np.array(counts) > 0, axis=0) < ENOUGH_CELLS).any())


def _split(
    images: Sequence[LabelledImage], labelled: Sequence[Labelled], grids: Sequence[Grid], config: DeepConfig
) -> list[Split]:
    """One choice over all images that are trained on; the first place of a key is the image."""
    numbers = [i for i, image in enumerate(images) if not image.validation_only]
    counts = {_key(i, cell): n for i in numbers for cell, n in labelled[i].counts.items()}
    links = [(_key(i, a), _key(i, b)) for i in numbers for a, b in labelled[i].links]
    test = choose_held_out(counts, links, config.test_share, np.random.default_rng((config.seed, 3)))
    validation: frozenset[Key] = frozenset()
    if len(numbers) == len(images):
        left = {key: n for key, n in counts.items() if key not in test}
        share = config.validation_share / (1 - config.test_share)  # of all labels, not of those that are left
        validation = choose_held_out(left, links, share, np.random.default_rng((config.seed, 0)))
    splits = []
    for number, (grid, image) in enumerate(zip(grids, images, strict=True)):
        tested = frozenset((z, y, x) for i, z, y, x in test if i == number)
        validated = frozenset((z, y, x) for i, z, y, x in validation if i == number)
        if image.validation_only:
            validated = frozenset(labelled[number].counts)
        splits.append(Split(grid=grid, validation=validated, test=tested))
    return splits


def _key(image: int, cell: Cell) -> Key:
    return image, *cell


def _narrow_gaps(images: Sequence[LabelledImage], parts: list[Part], classes: int) -> list[Part]:
    """Halve the gaps until enough of each class is left to train on, or they cannot be narrower."""
    while True:
        trained = sum(totals(part.training.counts, classes) for part in parts)
        free = sum(_not_held_out(part, classes) for part in parts)
        if np.all(trained >= ENOUGH * free):
            return parts
        narrow = [part.narrow(image) for part, image in zip(parts, images, strict=True)]
        if not any(narrow):
            return parts
        parts = [new or old for new, old in zip(narrow, parts, strict=True)]


def _not_held_out(part: Part, classes: int) -> np.ndarray:
    held_out = part.split.held_out
    return totals({cell: n for cell, n in part.labelled.counts.items() if cell not in held_out}, classes)


def _notes(parts: Sequence[Part], config: DeepConfig, size: int, *, named: bool) -> list[str]:
    """What the split cannot tell, and how little is left to train on."""
    notes = []
    if config.validation_share and not named:
        if not any(part.split.validation for part in parts):
            notes.append(
                "too few labels to hold any out: the network is not validated while it trains; label a second place"
            )
        elif size <= 2 * SMALLEST_CELL and config.split == "block":
            notes.append(
                "there is about one labelled block: the labels held out lie close to those trained on, so the "
                "validation flatters; label another slice or another place"
            )
    if config.test_share and not any(part.split.test for part in parts):
        notes.append("too few labels to keep a test block apart; label further places, or use test_share=0")
    shares = Shares.of(parts)
    if config.split == "apart":
        return notes  # what it costs is told as its price
    if shares.training < ENOUGH * (1 - config.validation_share - config.test_share) and not named:
        notes.append(f"of the labelled voxels {shares}; label further places, or hold out less")
    elif not notes and not named and abs(shares.validation - config.validation_share) > TOLERANCE:
        notes.append(
            f"of the labelled voxels {shares}, where {config.validation_share:.0%} were asked for to validate: "
            f"{_WHOLE[config.split]} are held out whole; more of them would come closer"
        )
    return notes
