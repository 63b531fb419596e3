"""From labelled voxels to a model. Pure: sources and settings in, a model and its scores out; no workspace, no runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import Box, Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.shallow.classifier import Classifier, fit_classifier
from voxloop.shallow.contrast import of_supervoxels, of_voxels
from voxloop.shallow.descriptors import Descriptor, fit_descriptor, needs_vocabulary
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.gathering import Read, Source, features_at
from voxloop.shallow.model import Normalisation, ShallowModel, describe
from voxloop.shallow.pieces import Pieces, labelled_supervoxels
from voxloop.shallow.planning import bank_for, supervoxels_for
from voxloop.shallow.refinement import Refinement
from voxloop.shallow.samples import Labelled, choose, hold_out, in_block, join
from voxloop.shallow.storage import hashed
from voxloop.shallow.supervoxels import Supervoxels

#: planes of one image lie this far from those of the next when blocks and cells are told apart
_APART = 1 << 24
#: voxels looked at to fix the normalisation
_LOOKED_AT = 1 << 20
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
    labelled: Labelled
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


@dataclass(frozen=True)
class Table:
    """Features (n, features) float32 of chosen voxels, or of the supervoxels they lie in, and what they teach.

    ``targets`` are positions in ``classes``, ``held`` marks what is held out.

    ``kept`` are those that the model learns from in the end: all, without those of a validation set.
    """

    features: np.ndarray
    targets: np.ndarray
    held: np.ndarray
    kept: np.ndarray
    classes: tuple[ClassInfo, ...]
    supervoxels: Supervoxels | None = None
    refinement: Refinement | None = None


@dataclass(frozen=True)
class Fitted:
    """A model and the IoU of its classes on blocks that a twin of it had not seen (None: nothing could be held out)."""

    model: ShallowModel
    validation: dict[str, Any] | None = field(default=None)


def fit(
    config: ShallowConfig,
    blocks: Sequence[tuple[np.ndarray, np.ndarray]],
    spacing_um: Spacing,
    classes: Sequence[ClassInfo] = (),
    threads: int = 1,
) -> ShallowModel:
    """Fit a model to blocks in memory.

    Parameters
    ----------
    blocks
        Pairs of intensities (c, z, y, x) or (z, y, x) and labels (z, y, x); 0 is unlabelled, classes from 1.
    classes
        Names and colours of the values; "class 1", ... where not given.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled.
    """
    examples = [_example(number, *pair, spacing_um) for number, pair in enumerate(blocks)]
    return fit_examples(config, examples, classes, threads).model


def fit_examples(
    config: ShallowConfig,
    examples: Sequence[Example],
    classes: Sequence[ClassInfo] = (),
    threads: int = 1,
    watch: Watch | None = None,
) -> Fitted:
    """Fit a model to labelled voxels of volumes; computes features where the chosen voxels lie, nowhere else.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled.
    VolumeError
        The images differ in channels or voxel size.
    """
    watch = watch or Watch()
    bank = _common_bank(config, examples)
    normalisation = measure([example for example in examples if not example.judges])
    table = gather(config, examples, bank, normalisation, classes, threads, watch)
    validation = _validate(config, table, threads, watch)
    classifier = fit_classifier(table.features[table.kept], table.targets[table.kept], config, threads)
    spec = describe(
        bank,
        normalisation,
        table.classes,
        config.smoothing,
        table.supervoxels,
        table.refinement,
        classifier=config.classifier,
        samples=int(table.kept.sum()),
        validation=validation,
        **({"constrain": config.constrain} if config.constrain else {}),
    )
    return Fitted(ShallowModel(hashed(spec, classifier), classifier), validation)


def measure(examples: Sequence[Example]) -> Normalisation:
    """Median and half the span of the central 98 % of intensities, per channel, around labelled voxels."""
    found = [_look(example) for example in examples if len(example.labelled)]
    values = np.concatenate(found, axis=1)
    low, mid, high = np.nanpercentile(np.where(np.isfinite(values), values, np.nan), (1, 50, 99), axis=1)
    scale = np.maximum((high - low) / 4, 1e-12)  # about one standard deviation where values are normal
    scale = np.where(high > low, scale, 1.0)
    return Normalisation(
        tuple(float(v) for v in np.nan_to_num(mid)), tuple(float(v) for v in np.nan_to_num(scale, nan=1))
    )


def gather(
    config: ShallowConfig,
    examples: Sequence[Example],
    bank: FeatureBank,
    normalisation: Normalisation,
    classes: Sequence[ClassInfo],
    threads: int,
    watch: Watch,
) -> Table:
    """Choose samples over all examples and compute their features.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled, or no supervoxel is of one of them.
    """
    rng = np.random.default_rng(config.seed)
    apart = np.array([_APART, 0, 0])
    pooled = join([Labelled(e.labelled.at + n * apart, e.labelled.values) for n, e in enumerate(examples)])
    judge = np.array([n for n, e in enumerate(examples) if e.judges], dtype=np.int64)
    teaches = ~np.isin(pooled.at[:, 0] // _APART, judge)
    known = _classes(pooled.values[teaches], classes)
    pooled = pooled.take(np.isin(pooled.values, [info.value for info in known]))
    chosen = pooled.take(choose(pooled, config.samples, rng))
    sources = [Source(partial(_read, example, normalisation), example.shape) for example in examples]
    own = [_of_image(chosen, number) for number in range(len(examples))]
    seen = [(source, at.at) for source, at, e in zip(sources, own, examples, strict=True) if not e.judges]
    unit = None
    if config.unit == "supervoxels":
        unit = supervoxels_for(config, bank, _descriptor(config, bank, seen, threads))
    pieces: list[Pieces] = []
    parts: list[np.ndarray] = []
    seats: list[Labelled] = []
    done = 0
    for number, (source, picks) in enumerate(zip(sources, own, strict=True)):
        if len(picks):
            count = partial(_count, watch, done, len(chosen))
            if unit:
                own_pieces = labelled_supervoxels(source, unit, picks.at, _of_image(pooled, number), threads, count)
                rows, at = own_pieces.rows, own_pieces.seats
                pieces += [] if examples[number].judges else [own_pieces]
            else:
                rows, at = features_at(source, bank, picks.at, threads, count), picks
            parts.append(rows)
            seats.append(Labelled(at.at + number * apart, at.values))
            done += len(picks)
    found = join(seats)
    owner = found.at[:, 0] // _APART
    targets = np.searchsorted([info.value for info in known], found.values)
    held = np.isin(owner, judge)
    kept = ~held
    if unit:
        _require(targets[kept], known)
    held = held if len(judge) else hold_out(found, config.validation, rng)
    refinement = None
    if config.refine != "none":
        usual = of_supervoxels(config.refine, pieces) if unit else of_voxels(bank, config.refine, seen, threads)
        refinement = Refinement(config.refine, config.refine_strength, usual)
    return Table(np.concatenate(parts), targets, held, kept, known, unit, refinement)


def _of_image(pooled: Labelled, number: int) -> Labelled:
    own = pooled.take(pooled.at[:, 0] // _APART == number)
    return Labelled(own.at - number * np.array([_APART, 0, 0]), own.values)


def _descriptor(
    config: ShallowConfig, bank: FeatureBank, seen: Sequence[tuple[Source, np.ndarray]], threads: int
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


def _read(example: Example, normalisation: Normalisation, box: Box) -> np.ndarray:
    return normalisation(example.read(box))


def _count(watch: Watch, before: int, total: int, done: int, _: int) -> None:
    watch.voxels(before + done, total)


def scores(classifier: Classifier, features: np.ndarray, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Cross entropy and IoU per class on labelled voxels, every class weighted alike."""
    probabilities = classifier.rows(features)
    found = probabilities.argmax(axis=1)
    counts = np.bincount(targets, minlength=len(names)).astype(float)
    weight = (1 / np.maximum(counts, 1))[targets]
    table = np.zeros((len(names), len(names)))
    np.add.at(table, (targets, found), weight)
    hit = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - hit
    loss = -np.log(np.maximum(probabilities[np.arange(targets.size), targets], 1e-7))
    return {
        "loss": float((loss * weight).sum() / weight.sum()),
        "iou": {name: float(h / u) if u else float("nan") for name, h, u in zip(names, hit, union, strict=True)},
    }


def _validate(config: ShallowConfig, table: Table, threads: int, watch: Watch) -> dict[str, Any] | None:
    """Fit a twin to what is not held out and score it on what is; the watch hears of every pass."""
    names = [info.name for info in table.classes]
    learn, held = ~table.held, table.held
    last: dict[str, Any] | None = None

    def after_pass(number: int, classifier: Classifier) -> bool:
        nonlocal last
        train = scores(classifier, table.features[learn], table.targets[learn], names)
        last = scores(classifier, table.features[held], table.targets[held], names) if held.any() else None
        return watch.epoch(number, config.passes if config.classifier == "network" else 1, train, last)

    fit_classifier(table.features[learn], table.targets[learn], config, threads, after_pass)
    return last


def _common_bank(config: ShallowConfig, examples: Sequence[Example]) -> FeatureBank:
    banks: dict[FeatureBank, str] = {}
    for example in examples:
        if len(example.labelled):
            depth = example.shape[0]
            bank = bank_for(config, example.channels, example.spacing_um, depth, frames=example.frames)
            banks.setdefault(bank, example.name)
    if not banks:
        raise LabelError("nothing is labelled yet; paint a few strokes of at least two classes")
    if len(banks) > 1:
        (first, one), (second, other) = list(banks.items())[:2]
        raise VolumeError(
            f"{one!r} ({first.channels} channels, {_voxel(first)}, {first.dimensions}-D) and {other!r} "
            f"({second.channels} channels, {_voxel(second)}, {second.dimensions}-D) cannot be learnt together; "
            "choose images of one kind with images=(...)"
        )
    return next(iter(banks))


def _voxel(bank: FeatureBank) -> str:
    return " x ".join(f"{size:g}" for size in bank.spacing_um) + " µm"


def _classes(values: np.ndarray, classes: Sequence[ClassInfo]) -> tuple[ClassInfo, ...]:
    """Those classes that are labelled, by value; a class without a voxel cannot be learnt. Raises LabelError."""
    present = [int(value) for value in np.unique(values)]
    known = {info.value: info for info in classes}
    found = tuple(known.get(value, ClassInfo(value=value, name=f"class {value}")) for value in present)
    if len(found) < 2:
        only = f"only {found[0].name!r} is labelled" if found else "nothing is labelled yet"
        raise LabelError(f"{only}; paint a few strokes of at least two classes")
    return found


def _look(example: Example) -> np.ndarray:
    """Intensities (c, n) of up to a million voxels in planes that carry labels."""
    planes, counts = np.unique(example.labelled.at[:, 0], return_counts=True)
    most = planes[np.argsort(-counts, kind="stable")[:8]]
    _, height, width = example.shape
    side = int(np.sqrt(_LOOKED_AT / len(most)))
    out = []
    for z in most:
        own = example.labelled.at[example.labelled.at[:, 0] == z]
        y, x = (int(v) for v in np.median(own[:, 1:], axis=0))
        top = max(0, min(y - side // 2, height - side))
        left = max(0, min(x - side // 2, width - side))
        box = Box.at((int(z), top, left), (1, side, side)).clip(example.shape)
        block = np.asarray(example.read(box), dtype=np.float32)
        out.append(block.reshape(block.shape[0], -1))
    return np.concatenate(out, axis=1)


def _example(number: int, image: np.ndarray, labels: np.ndarray, spacing_um: Spacing) -> Example:
    block = image if image.ndim == 4 else image[None]
    if block.shape[1:] != labels.shape:
        raise LabelError(f"labels of shape {labels.shape} do not fit an image of shape {block.shape[1:]}")
    whole = Box.whole(labels.shape)
    return Example(
        name=f"block {number}",
        read=lambda box: block[:, *box.slices],
        shape=whole.shape,
        channels=block.shape[0],
        spacing_um=spacing_um,
        labelled=in_block(labels, whole),
    )
