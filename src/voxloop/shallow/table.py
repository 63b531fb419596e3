"""Labelled voxels of images with their features: what is learned from. Computes features where labels are.

Knows no classifier, no workspace and no runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.errors import LabelError
from voxloop.geometry import Box, Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.shallow.beside import Beside
from voxloop.shallow.contrast import of_supervoxels, of_voxels
from voxloop.shallow.descriptors import Descriptor, fit_descriptor, needs_vocabulary
from voxloop.shallow.encoded import Encoder, with_encoded
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.gathering import BlockSource, Read, features_at
from voxloop.shallow.model import ChannelNormalisation
from voxloop.shallow.pieces import LabelledSupervoxels, Look, gather_supervoxels
from voxloop.shallow.planning import planes_of, supervoxels_for
from voxloop.shallow.refinement import Refinement
from voxloop.shallow.samples import APART, LabelledVoxels, choose, hold_out, join
from voxloop.shallow.supervoxels import Supervoxels
from voxloop.shallow.surroundings import surroundings
from voxloop.shallow.witnesses import unspoken

#: voxels that typical values of features are found from
_DESCRIBED_FROM = 4000
_NOWHERE = np.empty((0, 3), np.int64)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One image with labels: ``read(box)`` gives raw intensities (c, z, y, x).

    ``said_right`` are numbers of strokes that somebody looked at and kept, whatever the others say.
    """

    name: str
    read: Read
    shape: Shape
    channels: int
    spacing_um: Spacing
    labelled: LabelledVoxels
    frames: bool = False
    judges: bool = False  # part of a validation set: never learnt from
    said_right: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a caller wants to hear while a model is fitted.

    ``voxels(done, total)`` counts samples whose features are computed, ``heard()`` is called now and then where nothing
    is counted; ``epoch(number, of, train, val)`` follows every pass and ends fitting early by returning False. Any may
    raise to end everything.
    """

    voxels: Callable[[int, int], None] = lambda done, total: None
    heard: Callable[[], None] = lambda: None
    epoch: Callable[[int, int, dict[str, Any], dict[str, Any] | None], bool] = lambda *args: True


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of chosen voxels, or of the supervoxels they lie in, and what they teach.

    Attributes
    ----------
    features : (n, features) float32.
    targets : (n,) positions in ``classes``.
    seats : where the voxels, or the middles of the supervoxels, lie; images are :data:`APART` planes apart.
    held : (n,) what is held out to draw the curve of the validation.
    kept : (n,) what the model learns from in the end: all, without those of a validation set.
    chosen : the chosen voxels; the seats of a table of single voxels.
    shares : (classes,) of each class among all that is labelled and teaches.
    beside : what a blend sees besides; None where nobody asks for it.
    through : whether filters go through the stack.
    looks : of supervoxels, those around the chosen voxels, labelled or not.
    """

    features: np.ndarray
    targets: np.ndarray
    seats: LabelledVoxels
    held: np.ndarray
    kept: np.ndarray
    classes: tuple[ClassInfo, ...]
    chosen: LabelledVoxels
    shares: np.ndarray
    beside: Beside | None = None
    through: bool = False
    supervoxels: Supervoxels | None = None
    refinement: Refinement | None = None
    looks: tuple[Look, ...] = ()

    def without(self, rows: np.ndarray) -> FeatureTable:
        """The same, of which the rows of this mask neither teach nor judge."""
        return replace(self, kept=self.kept & ~rows, held=self.held & ~rows)


def gather(
    config: ShallowConfig,
    examples: Sequence[Example],
    bank: FeatureBank,
    normalisation: ChannelNormalisation,
    classes: Sequence[ClassInfo],
    threads: int,
    watch: Watch,
    encoder: Encoder | None = None,
) -> FeatureTable:
    """Choose samples over all examples and compute their features; an ``encoder`` sees them too, for a blend.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled, or no supervoxel is of one of them.
    """
    rng = np.random.default_rng(config.seed)
    labelled = join([_move_apart(example.labelled, number) for number, example in enumerate(examples)])
    taught = _classes(labelled.values[~_is_judging(labelled, examples)], classes)
    values = [info.value for info in taught]
    labelled = labelled.take(np.isin(labelled.values, values))
    teaching = labelled.values[~_is_judging(labelled, examples)]
    chosen = labelled.take(choose(labelled, config.samples, rng))

    sources = [source_of(example, normalisation) for example in examples]
    picks = [_of_image(chosen, number) for number in range(len(examples))]
    pairs = zip(sources, picks, examples, strict=True)
    learnt_from = [(source, voxels.at) for source, voxels, example in pairs if not example.judges]
    unit = None
    if config.unit == "supervoxels":
        unit = supervoxels_for(config, bank, _descriptor(config, bank, learnt_from, threads))
    blended = unit is None and (config.classifier == "blend" or config.is_open)
    places = _places(examples, picks, bank, config.seed) if blended else [_NOWHERE for _ in examples]
    rows = _describe(examples, sources, picks, places, labelled, bank, unit, threads, watch)

    beside = _beside(config, rows, sources, picks, places, bank, threads, watch) if blended else None
    if beside is not None and encoder is not None and config.features != "filters":
        beside = with_encoded(beside, encoder, sources, [voxels.at for voxels in picks], places)
    targets = np.searchsorted(values, rows.seats.values)
    judging = _is_judging(rows.seats, examples)
    if unit is None and config.sigmas_um == "auto":
        _silence(rows, beside, bank, planes_of(config, bank), ~judging)
    if unit:
        _require(targets[~judging], taught)
    held = judging
    if not any(example.judges for example in examples):
        held = hold_out(rows.seats, config.validation, rng)
    refinement = None
    if config.refine != "none":
        if unit:
            usual = of_supervoxels(config.refine, rows.pieces)
        else:
            usual = of_voxels(bank, config.refine, learnt_from, threads)
        refinement = Refinement(config.refine, config.refine_strength, usual)
    counts = np.bincount(np.searchsorted(values, teaching), minlength=len(values))
    return FeatureTable(
        features=rows.features,
        targets=targets,
        seats=rows.seats,
        held=held,
        kept=~judging,
        classes=taught,
        chosen=chosen,
        shares=counts / max(1, len(teaching)),
        beside=beside,
        through=bank.dimensions == 3,
        supervoxels=unit,
        refinement=refinement,
        looks=rows.looks,
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """Chosen voxels of all images, or the supervoxels they lie in, described.

    Attributes
    ----------
    features : (n, features) float32.
    seats : where they lie; images are :data:`APART` planes apart.
    around : (m, features) of voxels beside them.
    pieces : supervoxels of the images that teach, image by image.
    looks : of supervoxels, those around the chosen voxels of all images.
    """

    features: np.ndarray
    around: np.ndarray
    seats: LabelledVoxels
    pieces: list[LabelledSupervoxels]
    looks: tuple[Look, ...]


def _describe(
    examples: Sequence[Example],
    sources: Sequence[BlockSource],
    picks: Sequence[LabelledVoxels],
    places: Sequence[np.ndarray],
    labelled: LabelledVoxels,
    bank: FeatureBank,
    unit: Supervoxels | None,
    threads: int,
    watch: Watch,
) -> _Rows:
    """Features of the voxels picked in each image and at ``places``, or of the supervoxels (``unit``) they lie in."""
    total = sum(map(len, picks)) + sum(map(len, places))
    features: list[np.ndarray] = []
    around: list[np.ndarray] = []
    seats: list[LabelledVoxels] = []
    pieces: list[LabelledSupervoxels] = []
    looks: list[Look] = []
    done = 0
    for number, (example, source, voxels) in enumerate(zip(examples, sources, picks, strict=True)):
        if not len(voxels):
            continue
        count = partial(_count, watch, done, total)
        if unit is None:
            both = features_at(source, bank, np.concatenate([voxels.at, places[number]]), threads, count)
            features.append(both[: len(voxels)])
            around.append(both[len(voxels) :])
            seats.append(_move_apart(voxels, number))
        else:
            of_image = gather_supervoxels(source, unit, voxels.at, _of_image(labelled, number), threads, count)
            features.append(of_image.rows)
            seats.append(_move_apart(of_image.seats, number))
            looks += [replace(look, members=look.members + done) for look in of_image.looks]
            if not example.judges:
                pieces.append(of_image)
        done += len(voxels) + len(places[number])
    near = np.concatenate(around) if around else np.empty((0, features[0].shape[1]), np.float32)
    return _Rows(np.concatenate(features), near, join(seats), pieces, tuple(looks))


def _beside(
    config: ShallowConfig,
    rows: _Rows,
    sources: Sequence[BlockSource],
    picks: Sequence[LabelledVoxels],
    places: Sequence[np.ndarray],
    bank: FeatureBank,
    threads: int,
    watch: Watch,
) -> Beside:
    """What a blend sees besides; filters within planes where it counts them, or may come to."""
    flat = planes_of(config, bank)
    if flat is None:
        return Beside(rows.around)
    parts = []
    for source, voxels, near in zip(sources, picks, places, strict=True):
        if len(voxels):
            both = features_at(source, flat, np.concatenate([voxels.at, near]), threads, partial(_hear, watch))
            parts.append((both[: len(voxels)], both[len(voxels) :]))
    labelled, around = (np.concatenate(side) for side in zip(*parts, strict=True))
    return Beside(rows.around, labelled, around)


def _silence(
    rows: _Rows,
    beside: Beside | None,
    bank: FeatureBank,
    flat: FeatureBank | None,
    teach: np.ndarray,
) -> None:
    """Set features to 0, in place, that the strokes cannot speak for: what is constant has no say in a classifier."""
    taught = rows.seats.take(teach)
    left_out = unspoken(rows.features[teach], bank, taught.at, taught.values)
    rows.features[:, left_out] = 0
    rows.around[:, left_out] = 0
    if beside is not None and beside.planes is not None and beside.planes_around is not None:
        assert flat is not None
        left_out = unspoken(beside.planes[teach], flat, taught.at, taught.values)
        beside.planes[:, left_out] = 0
        beside.planes_around[:, left_out] = 0


def _hear(watch: Watch, done: int, total: int) -> None:
    """What is counted is done already."""
    watch.heard()


def _places(
    examples: Sequence[Example], picks: Sequence[LabelledVoxels], bank: FeatureBank, seed: int
) -> list[np.ndarray]:
    """Voxels near the strokes of each image that teaches, the more the more of it is labelled."""
    rng = np.random.default_rng(seed)
    total = sum(len(voxels) for voxels, example in zip(picks, examples, strict=True) if not example.judges)
    drawn = []
    for voxels, example in zip(picks, examples, strict=True):
        if example.judges or not len(voxels):
            drawn.append(_NOWHERE)
        else:
            drawn.append(surroundings(voxels.at, example.shape, bank, len(voxels) / total, rng))
    return drawn


def _move_apart(labelled: LabelledVoxels, number: int) -> LabelledVoxels:
    """Voxels of one image as they lie among those of all."""
    return labelled.moved(number * np.array([APART, 0, 0]))


def _is_judging(labelled: LabelledVoxels, examples: Sequence[Example]) -> np.ndarray:
    """Mask of voxels, among those of all images, that lie in one that is never learnt from."""
    judges = np.array([example.judges for example in examples], dtype=bool)
    return np.asarray(judges[labelled.at[:, 0] // APART])


def source_of(example: Example, normalisation: ChannelNormalisation) -> BlockSource:
    """Where normalised intensities of an example come from."""
    return BlockSource(partial(_read, example, normalisation), example.shape)


def _of_image(pooled: LabelledVoxels, number: int) -> LabelledVoxels:
    """Voxels of one image, among those of all, as they lie in it."""
    return _move_apart(pooled.take(pooled.at[:, 0] // APART == number), -number)


def _descriptor(
    config: ShallowConfig, bank: FeatureBank, seen: Sequence[tuple[BlockSource, np.ndarray]], threads: int
) -> Descriptor:
    """What supervoxels are described by; where that takes typical values, those of some of the voxels ``seen``."""
    if not needs_vocabulary(config.descriptor):
        return Descriptor(config.descriptor, bank.count, config.bins)
    step = max(1, sum(len(at) for _, at in seen) // _DESCRIBED_FROM)
    rows = [features_at(source, bank, at[::step], threads) for source, at in seen if len(at)]
    return fit_descriptor(config.descriptor, np.concatenate(rows), config.bins, config.seed)


def _require(targets: np.ndarray, known: Sequence[ClassInfo]) -> None:
    """Voxels of every class are there, but supervoxels may all be mostly of another. Raises LabelError."""
    lacking = [info.name for position, info in enumerate(known) if not (targets == position).any()]
    if lacking:
        raise LabelError(
            f"no supervoxel is labelled mostly {', '.join(map(repr, lacking))}; choose a smaller supervoxel_size, or "
            "paint more of it"
        )


def _read(example: Example, normalisation: ChannelNormalisation, box: Box) -> np.ndarray:
    return normalisation(example.read(box))


def _count(watch: Watch, before: int, total: int, done: int, _: int) -> None:
    watch.voxels(before + done, total)


def _classes(values: np.ndarray, classes: Sequence[ClassInfo]) -> tuple[ClassInfo, ...]:
    """Those classes that are labelled, by value; a class without a voxel cannot be learnt. Raises LabelError."""
    present = [int(value) for value in np.unique(values)]
    named = {info.value: info for info in classes}
    labelled = tuple(named.get(value, ClassInfo(value=value, name=f"class {value}")) for value in present)
    if len(labelled) < 2:
        only = f"only {labelled[0].name!r} is labelled" if labelled else "nothing is labelled yet"
        raise LabelError(f"{only}; paint a few strokes of at least two classes")
    return labelled
