"""One experiment: strokes, an answer, corrections where a strategy says, another answer. Keeps nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from voxloop.benchmark.here import HereRuns
from voxloop.benchmark.learners import PEERS, LearnerAnswer, learner_named
from voxloop.benchmark.rows import KEY, Row
from voxloop.benchmark.stacks import Stack
from voxloop.benchmark.strategies import PlaceWish, placing_named
from voxloop.errors import VoxloopError
from voxloop.machine import machine
from voxloop.review import effort
from voxloop.volumes import open_volume

if TYPE_CHECKING:
    from voxloop.review import Score
    from voxloop.workspace.workspace import Workspace

#: name of what is no strategy: every voxel of a few slices labelled at once
ALL = "all"
_SLICES = 5
#: how an experiment begins
PLACES, SLICES = "places", "slices"
#: places of the first strokes; places after which nobody looks for a second class any more; first strokes on slices
FIRST_PLACES, PATIENCE, FIRST_STROKES = 3, 300, 24
#: places that are looked at in a round at most, for each stroke of it
_LOOKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is tried.

    Attributes
    ----------
    start : ``"places"``: the first strokes go where the strategy says too, one of each class in sight (two at least) at
        :data:`FIRST_PLACES` places, and on until two classes are painted; ``"slices"``: the same :data:`FIRST_STROKES`
        on five slices for every strategy.
    strokes : of a round of corrections, as many places as that takes, each with two or (nothing is wrong there) none.
    doubts : strokes that ``ws.doctor`` doubts which are looked at before each round of corrections, and dropped where
        they are wrong; of learners of ours alone.
    """

    data: str
    strategy: str
    learner: str
    seed: int = 0
    rounds: int = 6
    voxels: int = 1_000_000
    mistakes: float = 0.02
    start: str = PLACES
    strokes: int = 12
    doubts: int = 3

    @property
    def keys(self) -> list[tuple[Any, ...]]:
        """The keys of its rows."""
        numbers = [0] if self.strategy == ALL else range(1, self.rounds + 1)
        return [tuple({**self._facts, "round": number}[name] for name in KEY) for number in numbers]

    @property
    def _facts(self) -> Row:
        facts = {name: getattr(self, name) for name in KEY if name != "round"}
        if self.strategy == ALL:
            return facts | {"start": ALL, "doubts": 0}
        return facts | ({"doubts": 0} if self.learner in PEERS else {})

    def run(self, stack: Stack) -> Iterator[Row]:
        """Go round the loop; a row for each round, when the next one has said what its corrections tell.

        At the end the earlier rows come once more, with what all later strokes tell of them.

        Raises
        ------
        VoxloopError
            Two classes were not found at :data:`PATIENCE` places.
        """
        with tempfile.TemporaryDirectory(prefix="voxloop-benchmark-") as folder:
            ws = _workspace(Path(folder), stack)
            try:
                yield from self._whole(ws, stack) if self.strategy == ALL else self._rounds(ws, stack)
            finally:
                ws.close()

    def _rounds(self, ws: Workspace, stack: Stack) -> Iterator[Row]:
        learner, annotator = learner_named(self.learner), _Annotator(self, ws, stack)
        answer: LearnerAnswer | None = None
        row: Row = {}
        earlier: list[tuple[Row, LearnerAnswer]] = []
        for number in range(1, self.rounds + 1):
            chance = 1000 * self.seed + number + _apart(self.data)
            if answer is None:
                annotator.begin(chance)
            else:
                if answer.judged:
                    annotator.look_at_doubts()
                annotator.correct(answer.prediction, chance)
                row |= _judged("corrected", ws, answer)
                earlier.append((row, answer))
                yield row
            row, answer = self._answered(ws, stack, learner)
            row |= {"round": number, "seconds": round(annotator.seconds, 2), "strokes": annotator.strokes}
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
            if depth <= _SLICES:  # half of each picture stays unlabelled, to be asked about
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
        # a class that nobody has painted yet is one that the model has wrong
        every = labels.level.classes
        unseen = evaluate(answer.prediction, stack.truth, exclude=labels, classes=every)
        whole = evaluate(answer.prediction, stack.truth, classes=every)
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


class _Annotator:
    """Who paints in an experiment: where the strategy says, and what that costs."""

    def __init__(self, experiment: Experiment, ws: Workspace, stack: Stack) -> None:
        self._experiment, self._ws, self._truth = experiment, ws, stack.truth
        self._classes = max(2, len(stack.classes))
        self._placing = placing_named(experiment.strategy)
        self._right: list[tuple[slice, slice, slice]] = []
        self.seconds, self.strokes = 0.0, 0

    def begin(self, chance: int) -> None:
        """Paint what comes before any answer."""
        if self._experiment.start == SLICES:
            self._paint(chance, strokes=FIRST_STROKES)
            return
        visited = 0
        while visited < PATIENCE:
            places = self._placing(self._ws, self._wish(None, FIRST_PLACES, chance + 100_000 * visited))
            self._paint(chance, suggest=places, strokes=self._classes * len(places))
            visited += FIRST_PLACES
            if sum(count > 0 for count in self._ws.labels().counts().values()) > 1:
                return
        raise VoxloopError(f"{self._experiment.strategy}: at {visited} places no second class was found to paint")

    def look_at_doubts(self) -> None:
        """Look at strokes that models contradict, the surest first, a key each to keep or drop it."""
        for doubt in self._ws.doctor(self._experiment.doubts):
            self.seconds += 2 * effort.KEY + effort.DECIDE
            labels = self._ws.labels()
            value = next(info.value for info in labels.level.classes if info.name == doubt.label)
            painted = labels.read(doubt.region) == value
            if 2 * (self._truth[doubt.region][painted] == value).sum() >= painted.sum():
                doubt.keep()
            else:
                doubt.drop()

    def correct(self, prediction: Any, chance: int) -> None:
        """Go through places until the strokes of a round are painted."""
        places = self._placing(self._ws, self._wish(prediction, self._experiment.strokes * _LOOKS, chance))
        self._paint(chance, prediction, suggest=places, strokes=self._experiment.strokes)

    def _wish(self, prediction: Any, count: int, chance: int) -> PlaceWish:
        return PlaceWish(prediction=prediction, truth=self._truth, count=count, seed=chance, right=self._right)

    def _paint(self, chance: int, prediction: Any = None, **how: Any) -> None:
        from voxloop.review import simulate

        common: dict[str, Any] = {"mistakes": self._experiment.mistakes, "seed": chance}
        painted = simulate(self._ws, self._truth, prediction, **common, **how)
        self.seconds += painted.annotation_seconds
        self.strokes += painted.strokes
        self._right += [place.region for place in painted.right]


def _apart(data: str) -> int:
    """What keeps the chance of one stack apart from that of others: else the same strokes are mistakes on all."""
    return 1_000_000 * (crc32(data.encode()) % 1000)


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
