"""The log of the loop, one line a round, and what corrections say of the model. Knows no learner."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box, Shape
from voxloop.review import metrics
from voxloop.review.contingency import count, merge
from voxloop.review.reading import readable, same_shape
from voxloop.store import open_labels
from voxloop.store.layout import Layout


class Rounds:
    """The rounds of a workspace, oldest first: ``rounds.jsonl``, append-only; a torn last line is not there yet."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Layout(folder).rounds

    def append(self, **facts: Any) -> dict[str, Any]:
        """Add one round: its number and the time are put in, nan becomes null. On disk when this returns."""
        record = {"v": 1, "round": len(self.read()) + 1, "time": time.time(), **_plain(facts)}
        line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, b"\n" + line if torn else line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return record

    def read(self) -> list[dict[str, Any]]:
        """All rounds that are whole."""
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:  # the stump of a line that a crash cut
                continue
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """How a prediction fares on voxels labelled after the model was trained: it cannot have learned them.

    Voxels that were accepted from a prediction do not count.
    People correct where they see errors, so ``agreement`` errs on the low side; from round to round it compares like
    with like. ``interval`` is the 95 % interval by bootstrap over chunks.
    """

    voxels: int
    agreement: float
    interval: tuple[float, float]
    recall_per_class: dict[str, float]


def corrections(before: Any, after: Any, prediction: Any, *, draws: int = 1000, seed: int = 0) -> Corrections:
    """Compare a prediction with the labels that came after its model.

    Parameters
    ----------
    before
        Labels as the model saw them (``open_labels(..., at=sequence)``).
    after
        Labels now; only chunks that hold labels are read.
    prediction
        Anything :func:`evaluate` takes.

    Raises
    ------
    LabelError
        ``before`` and ``after`` are not of one image.
    """
    old, new, said = (
        readable(before, "labels before"),
        readable(after, "labels after"),
        readable(prediction, "prediction"),
    )
    if old.shape != new.shape:
        raise LabelError(
            f"the labels before have shape {old.shape}, those after {new.shape}; they must be of one image"
        )
    same_shape(said, new, ("the prediction", "the labels"))
    tables = []
    for box in _boxes(after, new.shape):
        inside = box if said.box is None else box.meet(said.box)
        if inside is None:
            continue
        labels = new.read(inside)
        changed = (labels != 0) & (labels != old.read(inside))
        if hasattr(after, "made_by"):  # what was accepted is the prediction itself, and agrees with it
            changed &= ~after.made_by("accept", region=inside, since=getattr(before, "sequence", 0))
        if changed.any():
            tables.append(count(labels[changed], said.read(inside)[changed]))
    total = merge(tables)
    right = np.array([[t.voxels[t.truth == t.prediction].sum(), t.total] for t in tables]).reshape(-1, 2)
    names = {c.value: c.name for c in new.classes or said.classes}
    values = sorted({int(value) for value in total.truth})
    recall = metrics.class_counts(total, values).recall
    return Corrections(
        voxels=total.total,
        agreement=metrics.accuracy(total),
        interval=_interval(right, draws, seed),
        recall_per_class={names.get(v, str(v)): float(r) for v, r in zip(values, recall, strict=True)},
    )


def judge(workspace: str | Path, prediction: Any, labels: Any) -> Corrections | None:
    """:func:`corrections` of a prediction of a workspace, by what was painted since its model was trained.

    None where the prediction does not know which labels its model saw.
    """
    seen = prediction.lineage.get("labels", {}).get(f"{prediction.level}/{prediction.image}")
    if seen is None:
        return None
    with open_labels(workspace, prediction.level, prediction.image, at=int(seen)) as before:
        return corrections(before, labels, prediction)


def _boxes(labels: Any, shape: Shape) -> list[Box]:
    if hasattr(labels, "touched"):
        return [chunk.box for chunk in labels.touched()]
    return list(Box.whole(shape).blocks((16, 128, 128)))


def _interval(right: np.ndarray, draws: int, seed: int) -> tuple[float, float]:
    if len(right) < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    drawn = right[rng.integers(len(right), size=(draws, len(right)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return float(low), float(high)
