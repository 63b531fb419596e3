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
from voxloop.shallow.contrast import of_supervoxels, of_voxels
from voxloop.shallow.descriptors import Descriptor, fit_descriptor, needs_vocabulary
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.gathering import BlockSource, Read, features_at
from voxloop.shallow.model import ChannelNormalisation
from voxloop.shallow.pieces import LabelledSupervoxels, Look, labelled_supervoxels
from voxloop.shallow.planning import supervoxels_for
from voxloop.shallow.refinement import Refinement
from voxloop.shallow.samples import APART, LabelledVoxels, choose, hold_out, join
from voxloop.shallow.supervoxels import Supervoxels

#: voxels that typical values of features are found from
_DESCRIBED_FROM = 4000


@dataclass(frozen=True, kw_only=True)
class Example:
    """One image with labels: ``read(box)`` gives raw intensities (c, z, y, x)."""

    name: str
    read: Read
    shape: Shape
    channels: int
    spacing_um: Spacing
    labelled: LabelledVoxels
    frames: bool = False
    judges: bool = False  # part of a validation set: never learnt from


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a caller wants to hear while a model is fitted.

    ``voxels(done, total)`` counts samples whose features are computed; ``epoch(number, of, train, val)`` follows every
    pass and ends fitting early by returning False. Either may raise to end everything.
    """

    voxels: Callable[[int, int], None] = lambda done, total: None
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
    supervoxels: Supervoxels | None = None
    refinement: Refinement | None = None
    looks: tuple[Look, ...] = ()


def gather(
    config: ShallowConfig,
    examples: Sequence[Example],
    bank: FeatureBank,
    normalisation: ChannelNormalisation,
    classes: Sequence[ClassInfo],
    threads: int,
    watch: Watch,
) -> FeatureTable:
    """Choose samples over all examples and compute their features.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled, or no supervoxel is of one of them.
    """
    rng = np.random.default_rng(config.seed)
    apart = np.array([APART, 0, 0])
    pooled = join([LabelledVoxels(e.labelled.at + n * apart, e.labelled.values) for n, e in enumerate(examples)])
    judge = np.array([n for n, e in enumerate(examples) if e.judges], dtype=np.int64)
    teaches = ~np.isin(pooled.at[:, 0] // APART, judge)
    known = _classes(pooled.values[teaches], classes)
    values = [info.value for info in known]
    pooled = pooled.take(np.isin(pooled.values, values))
    teaching = pooled.values[~np.isin(pooled.at[:, 0] // APART, judge)]
    chosen = pooled.take(choose(pooled, config.samples, rng))
    sources = [source_of(example, normalisation) for example in examples]
    own = [_of_image(chosen, number) for number in range(len(examples))]
    seen = [(source, at.at) for source, at, e in zip(sources, own, examples, strict=True) if not e.judges]
    unit = None
    if config.unit == "supervoxels":
        unit = supervoxels_for(config, bank, _descriptor(config, bank, seen, threads))
    pieces: list[LabelledSupervoxels] = []
    looks: list[Look] = []
    parts: list[np.ndarray] = []
    seats: list[LabelledVoxels] = []
    done = 0
    for number, (source, picks) in enumerate(zip(sources, own, strict=True)):
        if len(picks):
            count = partial(_count, watch, done, len(chosen))
            if unit:
                own_pieces = labelled_supervoxels(source, unit, picks.at, _of_image(pooled, number), threads, count)
                rows, at = own_pieces.rows, own_pieces.seats
                pieces += [] if examples[number].judges else [own_pieces]
                looks += [replace(look, members=look.members + done) for look in own_pieces.looks]
            else:
                rows, at = features_at(source, bank, picks.at, threads, count), picks
            parts.append(rows)
            seats.append(LabelledVoxels(at.at + number * apart, at.values))
            done += len(picks)
    seated = join(seats)
    targets = np.searchsorted(values, seated.values)
    judging = np.isin(seated.at[:, 0] // APART, judge)
    if unit:
        _require(targets[~judging], known)
    refinement = None
    held = judging if len(judge) else hold_out(seated, config.validation, rng)
    if config.refine != "none":
        usual = of_supervoxels(config.refine, pieces) if unit else of_voxels(bank, config.refine, seen, threads)
        refinement = Refinement(config.refine, config.refine_strength, usual)
    return FeatureTable(
        np.concatenate(parts),
        targets,
        seated,
        held,
        ~judging,
        known,
        chosen,
        np.bincount(np.searchsorted(values, teaching), minlength=len(values)) / max(1, len(teaching)),
        unit,
        refinement,
        tuple(looks),
    )


def source_of(example: Example, normalisation: ChannelNormalisation) -> BlockSource:
    """Where normalised intensities of an example come from."""
    return BlockSource(partial(_read, example, normalisation), example.shape)


def _of_image(pooled: LabelledVoxels, number: int) -> LabelledVoxels:
    own = pooled.take(pooled.at[:, 0] // APART == number)
    return LabelledVoxels(own.at - number * np.array([APART, 0, 0]), own.values)


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
    known = {info.value: info for info in classes}
    found = tuple(known.get(value, ClassInfo(value=value, name=f"class {value}")) for value in present)
    if len(found) < 2:
        only = f"only {found[0].name!r} is labelled" if found else "nothing is labelled yet"
        raise LabelError(f"{only}; paint a few strokes of at least two classes")
    return found
