"""The rounds of the loop: what was painted, what learned from it, how good that is. Reads records; trains nothing.

A round is a training and what belongs to it: the strokes since the training before it (of the same level), and the
newest prediction that was made with its model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from voxloop.errors import LabelError, PredictionError, VoxloopError, unknown
from voxloop.review.annotation_time import Work, lines_of, work_of
from voxloop.review.outlook import Outlook, Reached, outlook
from voxloop.review.past import branch, restore
from voxloop.review.round_log import RoundLog
from voxloop.review.score import Score, unknown_score
from voxloop.store.layout import Layout
from voxloop.store.values import text, whole

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.review.scores import ScoreCache
    from voxloop.runs import Run, Runs
    from voxloop.store import Edit, Labels, Level
    from voxloop.store.levels import Levels


class LoopSource(Protocol):
    """What the rounds of a workspace are read from: a Workspace, or a part of one."""

    @property
    def path(self) -> Path: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def levels(self) -> Levels: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def scores(self) -> ScoreCache: ...
    def labels(self, level: str | None = None, image: str | None = None) -> Labels: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRound:
    """One round of the loop.

    Attributes
    ----------
    number : from 1, of its level.
    run, level : the training, and the level that it learned.
    prediction, image : the newest prediction with its model; None where nothing was predicted.
    labels : the state that it learned from: the number of the last edit of each ``"level/image"``.
    strokes, accepted, seconds, simulated : the work since the round before it (:class:`Work`).
    labelled : voxels with a label, all rounds together; None where nobody counted.
    learner, choice : who learned, and which settings it chose for itself, in words; empty where it chose none.
    cpu_seconds : of training and prediction; None where nobody counted.
    score : how good its prediction is, as far as is known now; None where that has yet to be computed.
    state : of the training; ``"deleted"`` where it is gone.
    time : seconds since 1970, when the training began.
    """

    number: int
    run: str
    level: str
    prediction: str | None
    image: str | None
    labels: Mapping[str, int]
    work: Work
    labelled: int | None
    learner: str
    choice: str
    cpu_seconds: float | None
    score: Score | None
    state: str
    time: float

    def row(self) -> dict[str, Any]:
        """Plain values for a table; what is not known is None."""
        score = self.score or unknown_score("it has yet to be computed")
        low, high = score.interval if score.known else (None, None)
        return {
            "round": self.number,
            "run": self.run,
            "prediction": self.prediction,
            "learner": self.learner,
            "choice": self.choice,
            "strokes": self.work.strokes,
            "accepted": self.work.accepted,
            "labelled_voxels": self.labelled,
            "annotation_seconds": round(self.work.seconds, 1),
            "simulated": self.work.simulated,
            "low": low,
            "iou": score.iou if score.known else None,
            "high": high,
            "basis": score.basis,
            "score": score.words,
            "cpu_seconds": None if self.cpu_seconds is None else round(self.cpu_seconds, 1),
            "state": self.state,
        }


class Rounds:
    """The rounds of a workspace, oldest first. They are recorded by ``ws.train`` and ``ws.predict`` themselves.

    Examples
    --------
    >>> ws.rounds.table()[["round", "run", "strokes"]]
       round        run  strokes
    0      1  shallow-1        3
    """

    def __init__(self, source: LoopSource) -> None:
        self._source = source
        self.log = RoundLog(source.layout.root)

    def read(self, level: str | None = None, *, compute: bool = True) -> list[LoopRound]:
        """The rounds of a level, or of all.

        Parameters
        ----------
        compute
            Compute scores that are not known yet, which takes seconds each; False: leave these out.
        """
        if level is not None:
            level = text("level", level)
        records = [record for record in self.log.read() if record.get("run")]
        simulated = self.log.simulated()
        made = {head.trained_by: (head.name, head.image) for head in self._source.scores.heads() if head.trained_by}
        rounds: list[LoopRound] = []
        before: dict[str, Mapping[str, Any]] = {}
        numbers: dict[str, int] = {}
        for record in records:
            own = str(record.get("level") or "")
            numbers[own] = numbers.get(own, 0) + 1
            if level is None or own == level:
                rounds.append(self._round(record, before.get(own), numbers[own], made, simulated, compute))
            before[own] = record
        return rounds

    def table(self, level: str | None = None) -> pd.DataFrame:
        """One row a round, oldest first.

        Columns: round, run, prediction, learner, choice (of settings, in words), strokes, accepted, labelled_voxels,
        annotation_seconds (from the times of the edits; a pause counts half a minute), simulated, low, iou, high and
        basis of the score, the score in words, cpu_seconds of training and prediction, state of the run.
        """
        import pandas as pd

        columns = list(_EMPTY.row())
        return pd.DataFrame([one.row() for one in self.read(level)], columns=columns)

    def reached(self, level: str, image: str) -> list[Reached]:
        """The predictions of an image that the rounds of a level led to, oldest first, with the work up to each.

        Predictions of that image and level by models of no round come too, without strokes and seconds.
        """
        image = text("image", image)
        strokes, seconds = 0, 0.0
        spent: dict[str, tuple[int, int, float]] = {}
        for one in self.read(level, compute=False):
            strokes, seconds = strokes + one.work.strokes, seconds + one.work.seconds
            spent[one.run] = (one.number, strokes, seconds)
        points = []
        for head in self._source.scores.heads():
            if (head.level, head.image) == (level, image):
                score = self._score(head.name, compute=True) or unknown_score("it has yet to be computed")
                number, done, took = spent.get(head.trained_by, (None, None, None))
                points.append(Reached(prediction=head.name, round=number, strokes=done, seconds=took, score=score))
        return points

    def outlook(self, level: str, image: str) -> Outlook:
        """Whether the next ten strokes are worth it, as far as the scores of all rounds tell."""
        return outlook(self.reached(level, image))

    def go_back(self, which: int | str, level: str | None = None) -> list[Edit]:
        """Make the labels what a round learned from: one edit an image, which undo takes back.

        Parameters
        ----------
        which
            Number of the round, or name of its run.
        """
        chosen = self.named(which, level)
        return restore(self._source, chosen.labels, {"round": chosen.number, "run": chosen.run})

    def branch(self, which: int | str, name: str | None = None, level: str | None = None) -> Level:
        """A new level with the labels that a round learned from; the labels there are stay as they are.

        What is painted on it and trained with ``level=name`` are rounds of its own. ``name``: ``labels-round-2`` and
        the like where not given.
        """
        chosen = self.named(which, level)
        if name is None:
            name = f"{chosen.level}-round-{chosen.number}"
        return branch(self._source, chosen.labels, name, {"round": chosen.number, "run": chosen.run})

    def named(self, which: int | str, level: str | None = None) -> LoopRound:
        """The round of a number or a run. Raises LabelError where there is none, or several levels have one."""
        listed = self.read(level, compute=False)
        if not isinstance(which, str):
            which = whole("which", which)
        fitting = [one for one in listed if which in (one.number, one.run)]
        if len({one.level for one in fitting}) > 1:
            raise LabelError(f"several levels have a round {which}; say which level, or name the run")
        if not fitting:
            raise LabelError(unknown("round", str(which), [str(one.number) for one in listed]))
        return fitting[-1]

    def __iter__(self) -> Iterator[LoopRound]:
        return iter(self.read())

    def __len__(self) -> int:
        return len([record for record in self.log.read() if record.get("run")])

    def __repr__(self) -> str:
        rounds = self.read(compute=False)
        words = [f"{one.number} {one.run}: {one.score.words if one.score else 'score not computed'}" for one in rounds]
        return f"<Rounds: {'; '.join(words) or 'none yet'}>"

    def _round(
        self,
        record: Mapping[str, Any],
        before: Mapping[str, Any] | None,
        number: int,
        made: Mapping[str, tuple[str, str]],
        simulated: list[dict[str, Any]],
        compute: bool,
    ) -> LoopRound:
        name = str(record["run"])
        run: Run | None = self._source.runs.get(name)
        prediction, image = made.get(name, (None, None))
        states = {str(key): int(value) for key, value in dict(record.get("labels") or {}).items()}
        return LoopRound(
            number=number,
            run=name,
            level=str(record.get("level") or ""),
            prediction=prediction,
            image=image,
            labels=states,
            work=self._work(states, before, simulated),
            labelled=record.get("labelled"),
            learner=str((run.learner if run else None) or record.get("learner") or ""),
            choice=choice_of(run) if run else "",
            cpu_seconds=self._cpu_seconds(run, prediction),
            score=self._score(prediction, compute),
            state=run.state if run else "deleted",
            time=float(record.get("time") or 0.0),
        )

    def _work(
        self, states: Mapping[str, int], before: Mapping[str, Any] | None, simulated: list[dict[str, Any]]
    ) -> Work:
        """What was painted between two rounds, on all images of the level."""
        earlier = dict((before or {}).get("labels") or {})
        arrays = []
        modelled = 0.0
        for key, last in states.items():
            level, _, image = key.partition("/")
            first = int(earlier.get(key, 0)) + 1
            with suppress(LabelError, VoxloopError):
                arrays.append(lines_of(self._source.labels(level, image), first, last, simulated))
            modelled += sum(
                float(one.get("seconds") or 0)
                for one in simulated
                if (one.get("level"), one.get("image")) == (level, image) and first <= int(one["last"]) <= last
            )
        since = None if before is None else float(before.get("time") or 0.0)
        return work_of(arrays, since, modelled)

    def _cpu_seconds(self, run: Run | None, prediction: str | None) -> float | None:
        runs = [run, self._source.runs.get(self._maker(prediction)) if prediction else None]
        counted = [one.history.cpu_s for one in runs if one is not None and one.history.cpu_s is not None]
        return sum(counted) if counted else None

    def _maker(self, prediction: str) -> str:
        return next((head.run for head in self._source.scores.heads() if head.name == prediction), "")

    def _score(self, prediction: str | None, compute: bool) -> Score | None:
        """The score of a prediction; None where it is to be computed first and nobody asks for that."""
        if prediction is None:
            return unknown_score("predict with it first")
        try:
            return self._source.scores.compute(prediction) if compute else self._source.scores.of_prediction(prediction)
        except (PredictionError, OSError) as error:
            return unknown_score(str(error))


def choice_of(run: Run) -> str:
    """What a training chose for itself, in its own words; empty where it says nothing of the kind."""
    return next((str(event["choice"]) for event in reversed(run.history.log) if event.get("choice")), "")


_EMPTY = LoopRound(
    number=0,
    run="",
    level="",
    prediction=None,
    image=None,
    labels={},
    work=Work(),
    labelled=None,
    learner="",
    choice="",
    cpu_seconds=None,
    score=None,
    state="",
    time=math.nan,
)
