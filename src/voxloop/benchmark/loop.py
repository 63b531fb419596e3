"""One experiment: strokes, an answer, corrections where a strategy says, another answer. Keeps nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.benchmark.here import HereRuns
from voxloop.benchmark.learners import LearnerAnswer, learner_named
from voxloop.benchmark.rows import KEY, Row
from voxloop.benchmark.stacks import Stack
from voxloop.benchmark.strategies import placing_named
from voxloop.machine import machine
from voxloop.volumes import open_volume

if TYPE_CHECKING:
    from voxloop.review import Score
    from voxloop.workspace.workspace import Workspace

#: name of what is no strategy: every voxel of a few slices labelled at once
ALL = "all"
_SLICES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is tried. ``first`` strokes, then ``rounds`` - 1 times ``places`` with two strokes each."""

    data: str
    strategy: str
    learner: str
    seed: int = 0
    rounds: int = 6
    voxels: int = 1_000_000
    mistakes: float = 0.02
    first: int = 24
    places: int = 6

    @property
    def keys(self) -> list[tuple[Any, ...]]:
        """The keys of its rows."""
        numbers = [0] if self.strategy == ALL else range(1, self.rounds + 1)
        return [tuple({**self._facts, "round": number}[name] for name in KEY) for number in numbers]

    @property
    def _facts(self) -> Row:
        return {name: getattr(self, name) for name in KEY if name != "round"}

    def run(self, stack: Stack) -> Iterator[Row]:
        """Go round the loop; a row for each round, when the next one has said what its corrections tell.

        At the end the earlier rows come once more, with what all later strokes tell of them.
        """
        with tempfile.TemporaryDirectory(prefix="voxloop-benchmark-") as folder:
            ws = _workspace(Path(folder), stack)
            try:
                yield from self._whole(ws, stack) if self.strategy == ALL else self._rounds(ws, stack)
            finally:
                ws.close()

    def _rounds(self, ws: Workspace, stack: Stack) -> Iterator[Row]:
        from voxloop.review import simulate

        learner, placing = learner_named(self.learner), placing_named(self.strategy)
        answer: LearnerAnswer | None = None
        row: Row = {}
        earlier: list[tuple[Row, LearnerAnswer]] = []
        seconds, strokes = 0.0, 0
        for number in range(1, self.rounds + 1):
            chance = 1000 * self.seed + number
            common: dict[str, Any] = {"mistakes": self.mistakes, "seed": chance}
            if answer is None:
                painted = simulate(ws, stack.truth, strokes=self.first, **common)
            else:
                places = placing(ws, answer.prediction, stack.truth, self.places, chance)
                most = 2 * self.places
                painted = simulate(ws, stack.truth, answer.prediction, suggest=places, strokes=most, **common)
                row |= _judged("corrected", ws, answer)
                earlier.append((row, answer))
                yield row
            seconds, strokes = seconds + painted.annotation_seconds, strokes + painted.strokes
            row, answer = self._answered(ws, stack, learner)
            row |= {"round": number, "seconds": round(seconds, 2), "strokes": strokes}
        yield row
        # the same answers again, with all strokes that came after them
        for before, judged in earlier[:-1]:
            if judged.judged:
                yield before | _judged("later", ws, judged)

    def _whole(self, ws: Workspace, stack: Stack) -> Iterator[Row]:
        """What all labels of a few slices give."""
        labels, depth = ws.labels(), len(stack.truth)
        for z in sorted({int((at + 0.5) * depth / _SLICES) for at in range(_SLICES)}):
            plane = stack.truth[z : z + 1].copy()
            if depth < _SLICES:  # a single picture: half of it stays unlabelled, to be asked about
                plane[:, : plane.shape[1] // 2] = 0
            labels.write(np.s_[z : z + 1, :, :], plane)
        row, _ = self._answered(ws, stack, learner_named(self.learner))
        yield row | {"round": 0}

    def _answered(self, ws: Workspace, stack: Stack, learner: Any) -> tuple[Row, LearnerAnswer]:
        from voxloop.review import evaluate

        began = time.monotonic()
        answer: LearnerAnswer = learner(ws, stack, self.seed)
        spent = time.monotonic() - began
        labels = ws.labels()
        unseen = evaluate(answer.prediction, stack.truth, exclude=labels)
        whole = evaluate(answer.prediction, stack.truth)
        names = unseen.foreground
        row = self._facts | {
            "iou": round(unseen.iou, 4),
            "iou_whole": round(whole.iou, 4),
            "iou_per_class": {name: round(float(unseen.iou_per_class[name]), 4) for name in names},
            "labelled_share": round(sum(labels.counts().values()) / stack.truth.size, 5),
            "compute_seconds": round(spent, 2),
            "cores": machine().cores,
            "version": version("voxloop"),
            "date": time.strftime("%Y-%m-%d"),
        }
        return row | _judged("score", ws, answer), answer


def _judged(prefix: str, ws: Workspace, answer: LearnerAnswer) -> Row:
    """What the workspace shows of how good an answer is, with the strokes there are now."""
    if not answer.judged:
        return {}
    score: Score = ws.score(answer.prediction)
    if not score.known:
        return {f"{prefix}_basis": score.basis}
    low, high = score.interval
    return {
        f"{prefix}_low": round(low, 4),
        f"{prefix}_iou": round(score.iou, 4),
        f"{prefix}_high": round(high, 4),
        f"{prefix}_basis": score.basis,
        f"{prefix}_n": score.n,
    }


def _workspace(folder: Path, stack: Stack) -> Workspace:
    from voxloop.workspace.workspace import Workspace

    kind = "frame" if stack.frames else "space"
    volume = open_volume(stack.image, axes="zyx", spacing=stack.spacing_um, z_kind=kind)
    ws = Workspace.create(folder / "ws", image=volume, classes=list(stack.classes))
    ws.runs = HereRuns(ws.layout.runs)
    return ws
