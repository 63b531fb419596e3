"""From labelled voxels to a model. Pure: sources and settings in, a model and its scores out; no workspace, no runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import Box, Spacing
from voxloop.model import ClassInfo
from voxloop.shallow.calibration import calibration_error, fit_temperature, tempered
from voxloop.shallow.choice import Choice, choose_settings, iou_per_class, mean_iou
from voxloop.shallow.classifier import AfterPass, Classifier, fit_classifier
from voxloop.shallow.encoded import Encoder
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.kept import KeptSamples
from voxloop.shallow.model import ChannelNormalisation, ShallowModel, describe
from voxloop.shallow.planning import bank_for
from voxloop.shallow.samples import in_block
from voxloop.shallow.storage import add_hash
from voxloop.shallow.table import Example, FeatureTable, Watch, gather

#: places with strokes below which no temperature is fitted
FEWEST_CELLS = 8
#: voxels looked at to fix the normalisation
_LOOKED_AT = 1 << 20


@dataclass(frozen=True)
class Fitted:
    """A model and the IoU of its classes on blocks that a twin of it had not seen (None: nothing could be held out).

    ``samples``: what it learnt from, where that is to be kept.
    """

    model: ShallowModel
    validation: dict[str, Any] | None = field(default=None)
    choice: Choice | None = field(default=None)
    samples: KeptSamples | None = field(default=None)


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
    *,
    judge: bool = False,
    earlier: KeptSamples | None = None,
    encoder: Encoder | None = None,
) -> Fitted:
    """Fit a model to labelled voxels of volumes; computes features where the chosen voxels lie, nowhere else.

    ``judge`` holds strokes out in turn first: to choose settings, where ``config`` leaves that open, and to know how
    sure the model may be. ``encoder`` is the network that ``config.features`` asks for. ``earlier``: samples that
    teach as well, with their features and normalisation; strokes held out are of the new ones alone.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled.
    VolumeError
        The images differ in channels or voxel size.
    """
    watch = watch or Watch()
    if not judge:
        config = config.changed(choose="fixed")
    bank = common_bank(config, examples, earlier)
    normalisation = measure([example for example in examples if not example.judges])
    if earlier is not None:
        earlier.check_intensities(normalisation)
        normalisation = earlier.normalisation
    choice = None
    if judge:
        choice = choose_settings(config, examples, bank, normalisation, classes, threads, watch, encoder)
        config, table = choice.config, choice.table
    else:
        table = gather(config, examples, bank, normalisation, classes, threads, watch, encoder)
    if earlier is not None:
        table = earlier.joined(table, classes)
        if table.beside is not None and table.beside.planes is None:
            config = config.changed(planes_share=0.0)
    validation = _validate(config, table, threads, watch)
    classifier = _fit(config, table, table.kept, threads)
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
        **(_held_out(choice) if choice else {}),
    )
    samples = KeptSamples.of(spec, table, config.seed) if config.keep_samples else None
    return Fitted(ShallowModel(add_hash(spec, classifier), classifier), validation, choice, samples)


def _held_out(choice: Choice) -> dict[str, Any]:
    """What the spec says of strokes that were held out: the choice, the score, how sure the model may be."""
    facts: dict[str, Any] = {"choice": choice.to_json()}
    if choice.strokes:
        facts["strokes"] = choice.strokes
    answers = choice.answers
    if answers is None:
        return facts
    temperature = 1.0
    # what a blend taught learned probabilities, and knows how sure it may be; strokes, easy or hard, tell it less
    if choice.config.classifier != "blend" and len(np.unique(answers.cells)) >= FEWEST_CELLS:
        temperature = fit_temperature(answers.probabilities, answers.targets, answers.weights)
    sure = tempered(answers.probabilities, temperature, axis=1)
    right = sure.argmax(axis=1) == answers.targets
    names = [info.name for info in choice.table.classes]
    return {
        **facts,
        "temperature": round(temperature, 4),
        "crossfit": {
            "iou": round(mean_iou(answers, choice.table.classes), 4),
            "per_class": {
                name: round(float(iou), 4)
                for name, iou in zip(names, iou_per_class(answers), strict=True)
                if np.isfinite(iou)
            },
            "cells": len(np.unique(answers.cells)),
            "voxels": len(answers.targets),
            "calibration_error": round(calibration_error(sure.max(axis=1), right, answers.weights), 4),
        },
    }


def measure(examples: Sequence[Example]) -> ChannelNormalisation:
    """Median and half the span of the central 98 % of intensities, per channel, around labelled voxels."""
    found = [_look(example) for example in examples if len(example.labelled)]
    values = np.concatenate(found, axis=1)
    low, mid, high = np.nanpercentile(np.where(np.isfinite(values), values, np.nan), (1, 50, 99), axis=1)
    scale = np.maximum((high - low) / 4, 1e-12)  # about one standard deviation where values are normal
    scale = np.where(high > low, scale, 1.0)
    return ChannelNormalisation(
        tuple(float(v) for v in np.nan_to_num(mid)), tuple(float(v) for v in np.nan_to_num(scale, nan=1))
    )


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


def _validate(config: ShallowConfig, table: FeatureTable, threads: int, watch: Watch) -> dict[str, Any] | None:
    """Fit a twin to what is not held out and score it on what is; the watch hears of every pass."""
    names = [info.name for info in table.classes]
    learn, held = table.kept & ~table.held, table.held
    last: dict[str, Any] | None = None

    def after_pass(number: int, classifier: Classifier) -> bool:
        nonlocal last
        train = scores(classifier, table.features[learn], table.targets[learn], names)
        last = scores(classifier, table.features[held], table.targets[held], names) if held.any() else None
        return watch.epoch(number, config.passes if config.classifier in ("perceptron", "blend") else 1, train, last)

    _fit(config, table, learn, threads, after_pass)
    return last


def _fit(
    config: ShallowConfig,
    table: FeatureTable,
    rows: np.ndarray,
    threads: int,
    after_pass: AfterPass = lambda number, classifier: True,
) -> Classifier:
    beside = None if table.beside is None else table.beside.take(rows)
    return fit_classifier(table.features[rows], table.targets[rows], config, threads, after_pass, beside)


def common_bank(config: ShallowConfig, examples: Sequence[Example], earlier: KeptSamples | None) -> FeatureBank:
    banks: dict[FeatureBank, str] = {}
    for example in examples:
        if len(example.labelled):
            depth = example.shape[0]
            if earlier is None:
                bank = bank_for(config, example.channels, example.spacing_um, depth, frames=example.frames)
            else:
                bank = earlier.bank_on(example.channels, example.spacing_um, example.name)
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


def _look(example: Example) -> np.ndarray:
    """Intensities (c, n) of up to a million voxels in planes that carry labels."""
    blocks = [np.asarray(example.read(box), dtype=np.float32) for box in looked_at(example)]
    return np.concatenate([block.reshape(block.shape[0], -1) for block in blocks], axis=1)


def looked_at(example: Example) -> list[Box]:
    """The parts of planes that carry labels on which intensities are measured."""
    planes, counts = np.unique(example.labelled.at[:, 0], return_counts=True)
    most = planes[np.argsort(-counts, kind="stable")[:8]]
    _, height, width = example.shape
    side = int(np.sqrt(_LOOKED_AT / len(most)))
    boxes = []
    for z in most:
        own = example.labelled.at[example.labelled.at[:, 0] == z]
        y, x = (int(v) for v in np.median(own[:, 1:], axis=0))
        top = max(0, min(y - side // 2, height - side))
        left = max(0, min(x - side // 2, width - side))
        boxes.append(Box.at((int(z), top, left), (1, side, side)).clip(example.shape))
    return boxes


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
