"""``evaluate``: a segmentation against the truth, block by block. Knows no learner and no widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review import metrics
from voxloop.review.contingency import ContingencyTable, count, merge
from voxloop.review.reading import Class, Readable, readable, same_shape, walk
from voxloop.review.report import Report

OVERLAPS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
_MERGE_EVERY = 64  # blocks whose tables are kept apart at a time


def evaluate(
    prediction: Any,
    truth: Any,
    exclude: Any = None,
    region: object = None,
    *,
    classes: Sequence[Class] | None = None,
    named: Sequence[Class] = (),
    kind: str = "auto",
    ignore: int | None = 0,
    seed: int = 0,
) -> Report:
    """Score a segmentation. Memory does not grow with the volume.

    A class of the truth that the prediction does not know, because nobody had painted it when its model learned, counts
    as what it is, missed: ``report.missed`` says how many voxels of each, the means are of the classes that both have.

    Parameters
    ----------
    prediction, truth
        Arrays (z, y, x), volumes, dask arrays, Labels, or a Prediction (its labels, within its region).
    exclude
        Labels or an array; where it is not 0, voxels are left out, so that scores are of what was never labelled.
    region
        Slices (z, y, x) to which the score is confined.
    classes
        What the values mean; taken from prediction or truth where these know. Otherwise every value counts as a class
        of its own, named by its number.
    named
        Names of values of the truth that are no class of the prediction.
    kind
        ``"semantic"`` (classes), ``"instances"`` (one value per object, 0 none), or ``"auto"``: instances where the
        labels say so.
    ignore
        Value of the truth that means nobody knows; such voxels are left out. None: there is no such value. Has no
        effect on instances.

    Raises
    ------
    VolumeError
        Shapes differ, values are no whole numbers, or the truth holds none of the values that the classes have.

    Examples
    --------
    >>> report = vl.evaluate(truth, np.where(truth == 4, 0, truth), kind="instances")
    >>> report.objects, round(report.f1, 2)
    ((3, 4), 0.86)
    """
    ours, theirs = readable(prediction, "the prediction"), readable(truth, "the truth")
    same_shape(ours, theirs, ("the prediction", "the truth"))
    left_out = None if exclude is None else readable(exclude, "exclude")
    if left_out is not None:
        same_shape(left_out, theirs, ("exclude", "the truth"))
    box = _box(ours, region)
    if kind not in ("auto", "semantic", "instances"):
        raise VolumeError(f"kind {kind!r} is not 'auto', 'semantic' or 'instances'")
    if kind == "instances" or (kind == "auto" and (theirs.instances or ours.instances)):
        return _instances(_gather(ours, theirs, left_out, box, None, _binary), seed)
    known = tuple(classes) if classes is not None else ours.classes or theirs.classes
    tally = _gather(ours, theirs, left_out, box, ignore, None)
    return _semantic(tally, known, (*named, *theirs.classes), ignore, seed)


def _box(ours: Readable, region: object) -> Box:
    whole = ours.box or Box.whole(ours.shape)
    if region is None:
        return whole
    inside = Box.of(region, ours.shape).meet(whole)
    if inside is None:
        raise VolumeError(f"region {region} lies outside what was predicted, {whole.code()}")
    return inside


@dataclass(slots=True)
class _Tally:
    """What is kept of the blocks: one table of all, and a small one a block for the bootstrap."""

    table: ContingencyTable
    blocks: list[ContingencyTable] = field(default_factory=list)
    excluded: int = 0


def _binary(table: ContingencyTable) -> ContingencyTable:
    """Instances as object or none."""
    return merge([ContingencyTable((table.truth > 0).astype(int), (table.prediction > 0).astype(int), table.voxels)])


def _gather(
    ours: Readable,
    theirs: Readable,
    left_out: Readable | None,
    box: Box,
    ignore: int | None,
    small: Any,
) -> _Tally:
    tally = _Tally(merge([]))
    waiting: list[ContingencyTable] = []
    for block in walk(box):
        truth, prediction = theirs.read(block), ours.read(block)
        keep = None if ignore is None else truth != ignore
        if left_out is not None:
            labelled = left_out.read(block) != 0
            tally.excluded += int((labelled if keep is None else labelled & keep).sum())
            keep = ~labelled if keep is None else keep & ~labelled
        if keep is not None:
            truth, prediction = truth[keep], prediction[keep]
        table = count(truth, prediction)
        tally.blocks.append(table if small is None else small(table))
        waiting.append(table)
        if len(waiting) == _MERGE_EVERY:
            tally.table, waiting = merge([tally.table, *waiting]), []
    tally.table = merge([tally.table, *waiting])
    return tally


def _semantic(tally: _Tally, known: Sequence[Class], named: Sequence[Class], ignore: int | None, seed: int) -> Report:
    table = tally.table
    unknown: list[Class] = []
    present = sorted({*table.truth.tolist(), *table.prediction.tolist()} - {ignore})
    if known:
        in_truth, learned = set(table.truth.tolist()), {c.value for c in known}
        strange = sorted(in_truth - learned)
        if strange and not in_truth & learned:
            listed = ", ".join(f"{c.value} {c.name}" for c in known)
            raise VolumeError(
                f"the truth holds values {strange[:8]}, none of which is a class (there are {listed}); map them to "
                "classes first, 0 where nobody knows"
            )
        names_of = {c.value: c.name for c in named}
        unknown = [ClassInfo(value=value, name=names_of.get(value, str(value))) for value in strange]
    else:
        known = [ClassInfo(value=value, name=str(value), background=value == 0) for value in present]
    everything = [*known, *unknown]
    values = [c.value for c in everything]
    counts = metrics.class_counts(table, values)
    names = [c.name for c in everything]
    foreground = [i for i, c in enumerate(known) if not c.background] or list(range(len(known)))
    per_block = np.array([_stacked(metrics.class_counts(block, values)) for block in tally.blocks])

    def mean(scores: np.ndarray) -> float:
        chosen = scores[foreground]
        return float(np.nanmean(chosen)) if np.isfinite(chosen).any() else float("nan")

    def by_name(scores: np.ndarray) -> dict[str, float]:
        return {name: float(score) for name, score in zip(names, scores, strict=True)}

    return Report(
        iou=mean(counts.iou),
        iou_interval=metrics.bootstrap(per_block, foreground, seed=seed),
        dice=mean(counts.dice),
        precision=mean(counts.precision),
        recall=mean(counts.recall),
        accuracy=metrics.accuracy(table),
        voxels=table.total,
        iou_per_class=by_name(counts.iou),
        dice_per_class=by_name(counts.dice),
        precision_per_class=by_name(counts.precision),
        recall_per_class=by_name(counts.recall),
        foreground=tuple(names[i] for i in foreground),
        excluded=tally.excluded,
        missed={c.name: int(counts.fn[len(known) + i]) for i, c in enumerate(unknown)},
    )


def _stacked(counts: metrics.Counts) -> np.ndarray:
    return np.stack([counts.tp, counts.fp, counts.fn], axis=1)


def _instances(tally: _Tally, seed: int) -> Report:
    table = tally.table
    binary = _binary(table)
    counts = metrics.class_counts(binary, [1])
    matchings = {overlap: metrics.match(table, overlap) for overlap in OVERLAPS}
    half = matchings[0.5]
    split, merged = metrics.information(table)
    per_block = np.array([_stacked(metrics.class_counts(block, [1])) for block in tally.blocks])
    iou, dice, precision, recall = (float(s[0]) for s in (counts.iou, counts.dice, counts.precision, counts.recall))
    return Report(
        iou=iou,
        iou_interval=metrics.bootstrap(per_block, [0], seed=seed),
        dice=dice,
        precision=precision,
        recall=recall,
        accuracy=metrics.accuracy(binary),
        voxels=table.total,
        iou_per_class={"objects": iou},
        dice_per_class={"objects": dice},
        precision_per_class={"objects": precision},
        recall_per_class={"objects": recall},
        foreground=("objects",),
        excluded=tally.excluded,
        ap={overlap: found.precision for overlap, found in matchings.items()},
        pq=half.quality,
        f1=half.f1,
        arand=metrics.rand_error(table),
        voi_split=split,
        voi_merge=merged,
        objects=(half.matched + half.missed, half.matched + half.extra),
    )
