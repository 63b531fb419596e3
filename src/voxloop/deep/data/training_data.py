"""What a network learns from: images, labels, classes, split. Reads through the store; knows no network.

Opening goes once through the chunks that hold labels. Pixels stay where they are until a window asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.blocks import CACHE_BYTES, Blocks
from voxloop.deep.data.labelled import Labelled, LabelSource, Table, gather, lookup, totals
from voxloop.deep.data.planning import COARSE
from voxloop.deep.data.split import CELL, ENOUGH_CELLS, SMALLEST_CELL, Cell, Grid, Key, Split, choose
from voxloop.deep.data.targets import Codes
from voxloop.deep.data.windows import TrainingImage
from voxloop.errors import ConfigError, LabelError, VolumeError
from voxloop.geometry import Box, Spacing
from voxloop.model import ClassInfo
from voxloop.runs.context import TaskContext
from voxloop.volumes.volume import channels_of, read_block, shape_zyx, spacing_of

if TYPE_CHECKING:
    from xarray import DataArray

#: in-plane voxels that are read from an image at once
_TILE = 512
#: image in RAM as a whole up to this many voxels, slice by slice beyond
_LABEL_BLOCK = (16, 256, 256)


class Labels(LabelSource, Protocol):
    """The label array of one image, as the store gives it."""

    def touched(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One image to learn from."""

    name: str
    volume: DataArray
    labels: Labels
    judges: bool = False  # part of a validation set: never taught


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Images with their labels and split. ``counts`` are the labelled voxels that teach, class by class."""

    images: tuple[TrainingImage, ...]
    classes: tuple[ClassInfo, ...]
    counts: tuple[int, ...]
    channels: int
    spacing_um: Spacing
    warnings: tuple[str, ...] = field(default=())
    instances: bool = False  # labels of windows are codes of objects (targets.py), classes are background and objects

    @property
    def teaching(self) -> tuple[TrainingImage, ...]:
        """The images that are learnt from; they come first."""
        return tuple(image for image in self.images if not image.judges)

    @property
    def background(self) -> int | None:
        """The label of windows that is no object; None where every class is one."""
        return next((label for label, info in enumerate(self.classes, start=1) if info.background), None)

    def split_to_json(self) -> dict[str, Any]:
        """The split as JSON: what :func:`assemble` takes to make the same one again."""
        return {
            image.name: {
                "cell": list(image.split.grid.cell),
                "cells": [list(c) for c in sorted(image.split.held)],
                "tested": [list(c) for c in sorted(image.split.tested)],
            }
            for image in self.images
        }


def open_data(context: TaskContext, config: DeepConfig, held: Mapping[str, Any] | None) -> TrainingData:
    """The images and labels that a run names, labels as they were when it was created."""
    from voxloop.store import Store
    from voxloop.store.teaching import open_portions

    portions, classes = open_portions(context.workspace, context.config)
    if not portions:
        raise LabelError("nothing is labelled; paint a few strokes of at least two classes")
    level = portions[0].labels.level
    if config.target != "semantic" and level.kind != "instances":
        raise ConfigError(
            f"target={config.target!r} learns numbered objects, and level {level.name!r} holds classes; choose a level "
            "of instances, or target='semantic'"
        )
    with Store.open(context.workspace, read_only=True) as store:
        sources = [
            Source(name=p.name, volume=store.images.open(p.image), labels=p.labels, judges=p.judges) for p in portions
        ]
    return assemble(sources, classes, config, held)


def assemble(
    sources: Sequence[Source], classes: Sequence[ClassInfo], config: DeepConfig, held: Mapping[str, Any] | None = None
) -> TrainingData:
    """Go through the labels and divide them.

    Parameters
    ----------
    held
        A split made before (:meth:`TrainingData.split_to_json`); None: make one.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled.
    VolumeError
        Image and labels differ in shape, or images in their channels.
    """
    channels, spacing = _common(sources, config)
    chunks = {source.name: [touched.box for touched in source.labels.touched()] for source in sources}
    warnings: list[str] = []
    if any(_relative(source, spacing, config) for source in sources):
        if config.across != (0,):
            raise ConfigError(
                f"axes={config.axes!r} needs images of one voxel size; use axes='z', or images of one kind"
            )
        warnings.append(
            "the images differ in voxel size: windows show the same micrometres, at the voxel size of the first; no "
            "teacher speaks of unlabelled voxels, since it knows one voxel size"
        )
    if config.across != (0,) and max(spacing) > COARSE * min(spacing):
        warnings.append(
            f"voxels are {max(spacing) / min(spacing):.1f} times as long along one axis as along another: planes "
            f"across y and x look squeezed; axes='z' or a 3-D network suits them better"
        )
    instances = config.target != "semantic"
    background = next((info.value for info in classes if info.background), None)
    classes = _objects(sources, background) if instances else _present(sources, chunks, classes, warnings)
    kinds: Table = Codes(background, kinds=True) if instances else lookup([info.value for info in classes])
    codes: Table = Codes(background) if instances else kinds
    size = _cell_of(held) or CELL
    found = _scan(sources, chunks, classes, kinds, config, size)
    named = any(source.judges for source in sources)
    while held is None and not named and config.split == "block" and size > SMALLEST_CELL and _few(found):
        size //= 2
        found = _scan(sources, chunks, classes, kinds, config, size)
    splits = _splits(sources, found, config, held, size, warnings)
    images = tuple(
        TrainingImage(
            name=source.name,
            pixels=_pixels(source.volume),
            labels=_label_blocks(source.labels, codes),
            labelled=labelled,
            split=split,
            frames=_frames(source),
            relative=_relative(source, spacing, config),
            judges=source.judges,
            area=getattr(source.labels, "area", None),
        )
        for source, labelled, split in zip(sources, found, splits, strict=True)
    )
    counts = _teaching(images, len(classes))
    for info, count in zip(classes, counts, strict=True):
        if not count:
            raise LabelError(
                f"class {info.name!r} has too few labels to learn from; paint another stroke of it elsewhere"
            )
    return TrainingData(
        images=images,
        classes=tuple(classes),
        counts=counts,
        channels=channels,
        spacing_um=spacing,
        warnings=tuple(warnings),
        instances=instances,
    )


def _common(sources: Sequence[Source], config: DeepConfig) -> tuple[int, Spacing]:
    channels = {channels_of(source.volume) for source in sources}
    if len(channels) > 1:
        raise VolumeError(
            f"the images have {' and '.join(map(str, sorted(channels)))} channels; train on images of one kind"
        )
    for source in sources:
        if tuple(source.labels.shape) != shape_zyx(source.volume):
            raise VolumeError(
                f"labels of {source.name!r} have shape {tuple(source.labels.shape)}, "
                f"the image has {shape_zyx(source.volume)}"
            )
        if config.volumetric and (_frames(source) or source.labels.shape[0] == 1):
            raise ConfigError(
                f"architecture={config.architecture!r} sees in 3-D, and {source.name!r} is "
                f"{'a stack of separate pictures' if _frames(source) else 'a single plane'}; use a network of planes "
                f"such as 'Unet'"
            )
        if config.across != (0,) and (_frames(source) or source.labels.shape[0] == 1):
            raise ConfigError(
                f"axes={config.axes!r}: {source.name!r} is "
                f"{'a stack of separate pictures' if _frames(source) else 'one plane'}, with nothing across y and x; "
                f"use axes='z'"
            )
        if config.neighbours > 1 and _frames(source):
            raise ConfigError(f"slices={config.slices}: {source.name!r} is a stack of separate pictures; use slices=1")
    return channels.pop(), spacing_of(sources[0].volume)


def _present(
    sources: Sequence[Source],
    chunks: Mapping[str, Sequence[Box]],
    classes: Sequence[ClassInfo],
    warnings: list[str],
) -> list[ClassInfo]:
    """The classes that occur; the others are left out, and said."""
    seen: set[int] = set()
    for source in (source for source in sources if not source.judges):
        for touched in source.labels.touched():
            seen |= {int(value) for value, count in touched.counts.items() if value and count}
    present = [info for info in classes if info.value in seen]
    missing = [info.name for info in classes if info.value not in seen]
    if not present:
        raise LabelError("nothing is labelled; paint a few strokes of at least two classes")
    if len(present) == 1:
        raise LabelError(f"only {present[0].name!r} is labelled; paint a few strokes of a second class as well")
    if missing:
        warnings.append(f"nothing is labelled as {', '.join(map(repr, missing))}: the model will not know it")
    return present


def _objects(sources: Sequence[Source], background: int | None) -> list[ClassInfo]:
    """Background and objects, both of which must be labelled."""
    seen = {
        int(v) for source in sources for t in source.labels.touched() for v, count in t.counts.items() if v and count
    }
    if not seen - {background}:
        raise LabelError("no object is labelled; paint a few, each with a number of its own")
    if background is None or background not in seen:
        raise LabelError(
            "no background is labelled; give the level a class 'background' and paint some, or load masks with "
            "zero='background'"
        )
    return [
        ClassInfo(value=background, name="background", color="#56b4e9", background=True),
        ClassInfo(value=max(seen - {background}), name="objects"),
    ]


def _scan(
    sources: Sequence[Source],
    chunks: Mapping[str, Sequence[Box]],
    classes: Sequence[ClassInfo],
    table: Table,
    config: DeepConfig,
    size: int,
) -> list[Labelled]:
    return [
        gather(source.labels, chunks[source.name], table, len(classes), _grid(source, config, size), config.seed)
        for source in sources
    ]


def _splits(
    sources: Sequence[Source],
    found: Sequence[Labelled],
    config: DeepConfig,
    held: Mapping[str, Any] | None,
    size: int,
    warnings: list[str],
) -> list[Split]:
    grids = [_grid(source, config, size) for source in sources]
    if held is not None:
        stored = [held.get(source.name, {}) for source in sources]
        return [
            Split(grid=grid, held=_cells(one.get("cells", ())), tested=_cells(one.get("tested", ())))
            for grid, one in zip(grids, stored, strict=True)
        ]
    # one choice over all images that teach: the key's first place is the image
    teach = [i for i, source in enumerate(sources) if not source.judges]
    counts = {_key(i, cell): n for i in teach for cell, n in found[i].counts.items()}
    links = [(_key(i, a), _key(i, b)) for i in teach for a, b in found[i].links]
    named = len(teach) < len(sources)
    tested = choose(counts, links, config.test_share, np.random.default_rng((config.seed, 3)))
    left = {key: n for key, n in counts.items() if key not in tested}
    share = 0.0 if named else config.validation_share
    judging = choose(left, links, share, np.random.default_rng((config.seed, 0))) if share else frozenset()
    splits = []
    for i, (grid, source) in enumerate(zip(grids, sources, strict=True)):
        own = frozenset(cell[1:] for cell in tested if cell[0] == i)
        others = frozenset(found[i].counts) if source.judges else frozenset(c[1:] for c in judging if c[0] == i)
        splits.append(Split(grid=grid, held=own | others, tested=own))
    if not named and config.validation_share:
        _judge(splits, found, config, size, warnings)
    if config.test_share and not tested:
        warnings.append("too few labels to keep a test block apart; label further places, or use test_share=0")
    return splits


def _judge(
    splits: Sequence[Split], found: Sequence[Labelled], config: DeepConfig, size: int, warnings: list[str]
) -> None:
    """Say where the split cannot tell much."""
    if not any(split.judging for split in splits):
        warnings.append(
            "too few labels to hold any out: the network is not judged while it trains; label a second place"
        )
    elif size <= 2 * SMALLEST_CELL and config.split == "block":
        warnings.append(
            "there is about one labelled block: the labels held out lie close to those trained on, so the validation "
            "flatters; label another slice or another place"
        )


def _teaching(images: Sequence[TrainingImage], classes: int) -> tuple[int, ...]:
    kept = [
        totals({cell: n for cell, n in image.labelled.counts.items() if cell not in image.split.held}, classes)
        for image in images
    ]
    return tuple(int(n) for n in np.sum(kept, axis=0))


def _few(found: Sequence[Labelled]) -> bool:
    """Some class lies in so few cells that none could be held out fairly."""
    counts = [n for labelled in found for n in labelled.counts.values()]
    return bool((np.sum(np.array(counts) > 0, axis=0) < ENOUGH_CELLS).any())


def _grid(source: Source, config: DeepConfig, size: int) -> Grid:
    shape = shape_zyx(source.volume)
    return Grid.of(spacing_of(source.volume), shape, split=config.split, frames=_frames(source), size=size)


def _relative(source: Source, spacing: Spacing, config: DeepConfig) -> Spacing | None:
    """Voxel size over that of the training; None where they differ by less than a hundredth."""
    z, y, x = (own / common for own, common in zip(spacing_of(source.volume), spacing, strict=True))
    looked_at = (z, y, x) if config.volumetric or config.across != (0,) else (y, x)
    same = all(abs(ratio - 1) < 0.01 for ratio in looked_at)
    return None if same or not config.match_spacing else (z, y, x)


def _cell_of(held: Mapping[str, Any] | None) -> int | None:
    sizes = [item["cell"][2] for item in (held or {}).values()]
    return int(sizes[0]) if sizes else None


def _cells(values: Sequence[Sequence[int]]) -> frozenset[Cell]:
    return frozenset((int(z), int(y), int(x)) for z, y, x in values)


def _key(image: int, cell: Cell) -> Key:
    return image, *cell


def _frames(source: Source) -> bool:
    return source.volume.attrs.get("z_kind") == "frame"


def _pixels(volume: DataArray) -> Blocks:
    shape = shape_zyx(volume)
    block = (1, min(_TILE, shape[1]), min(_TILE, shape[2]))
    return Blocks(lambda region: read_block(volume, region), shape, block, CACHE_BYTES)


def _label_blocks(labels: Labels, table: Table) -> Blocks:
    z, y, x = labels.shape
    return Blocks(lambda box: table[labels.read(box)], (z, y, x), _LABEL_BLOCK, CACHE_BYTES // 4)
