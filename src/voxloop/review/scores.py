"""The score of every run and prediction of a workspace: computed once, kept on disk, dropped when its ground changes.

Knows no widgets, and no learner.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, PredictionError, VoxloopError, WorkspaceError
from voxloop.plain_files import read_plain
from voxloop.prediction import Prediction
from voxloop.review.audit import mark_of
from voxloop.review.cells import Cells, count_cells
from voxloop.review.judging import score_prediction
from voxloop.review.population import Population
from voxloop.review.score import Score, unknown_score
from voxloop.runs import Run, Runs
from voxloop.runs.kinds import UNSCORED
from voxloop.runs.run import ALIVE
from voxloop.store import open_labels
from voxloop.store.atomic import replace_json
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.store import Labels

#: goes up when the same evidence would give another score
VERSION = 5
#: seconds without an edit after which labels count as at rest: no score is computed for each stroke of many; and the
#: same for all but the newest predictions, since somebody who corrects looks at these
REST_S, LONG_REST_S = 3.0, 30.0
_NEWEST = 2
_NOTHING = "predict with it first"
_AT_WORK = "it is being predicted; the score follows"


@dataclass(frozen=True, slots=True)
class Head:
    """What has to be known of a prediction to find it.

    Attributes
    ----------
    mark : tells it from another of its name.
    trained_by : the run whose model made it; empty where it is unknown, or where several models did.
    made : seconds since 1970.
    """

    name: str
    image: str
    level: str
    mark: str
    run: str
    trained_by: str
    made: float


class ScoreCache:
    """The scores of a workspace, at the level of 0.9.

    Reading one that is known costs a few looks at files; computing one takes up to seconds and is for a thread, or for
    who waits. A score rests on the prediction, the journal of the labels and the audits: once one of these has changed
    it is known no more, until it is computed anew.

    Parameters
    ----------
    runs
        Those of the workspace, where somebody holds them.
    labels
        Gives the labels of (level, image) that somebody holds open; None: they are opened for reading and closed. May
        raise LabelError.

    Examples
    --------
    >>> ws.scores.compute("predict-1").words
    'not known yet: correct 10 more places, or check 100 points'
    >>> len(ws.scores.table())
    2
    """

    def __init__(
        self, layout: Layout, runs: Runs | None = None, labels: Callable[[str, str], Labels] | None = None
    ) -> None:
        self._layout, self._labels = layout, labels
        self._runs = Runs(layout.runs) if runs is None else runs
        self._heads: dict[str, tuple[int, Head]] = {}
        self._read: dict[str, tuple[int, dict[str, Any]]] = {}
        #: those that could not be computed, with the ground that they stood on
        self._failed: dict[str, tuple[list[Any], str]] = {}
        self._guard = threading.Lock()

    # ------------------------------------------------------------------------------------------------------ reading

    def of_run(self, run: Run) -> Score | None:
        """The score of what a run made; None where it has to be computed first.

        Of a training that of the newest prediction with its model; of several images that of the worst.
        """
        if not isinstance(run, Run):
            run = self._runs[run]
        made = self.made_by(run)
        if not made:
            return unknown_score(_NOTHING if run.kind == "train" else "nothing is predicted yet")
        scores = [self.of_prediction(head.name) for head in made]
        known = [score for score in scores if score is not None and score.known]
        if len(made) == 1 or not known:
            return scores[0]
        return min(known, key=lambda score: score.iou)

    def table(self) -> list[dict[str, Any]]:
        """One row a run, newest last: its name, kind, and the score of what it made.

        ``score`` is in words, ``iou``, ``low`` and ``high`` are None where it is not known; ``prediction`` is what it
        is the score of. What has to be computed is.
        """
        return [self._row(run) for run in self._runs.values() if run.kind not in UNSCORED]

    def _row(self, run: Run) -> dict[str, Any]:
        for head in self.made_by(run):
            with suppress(VoxloopError, OSError):
                self.compute(head.name)
        score = self.of_run(run) or unknown_score(_NOTHING)
        low, high = score.interval
        return {
            "name": run.name,
            "kind": run.kind,
            "score": score.words,
            "iou": score.iou if score.known else None,
            "low": low if score.known else None,
            "high": high if score.known else None,
            "basis": score.basis,
            "prediction": next((head.name for head in self.made_by(run)), None),
        }

    def made_by(self, run: Run) -> list[Head]:
        """The predictions that speak for a run: of a training the newest, of others what they made."""
        heads = self.heads()
        if run.kind == "train":
            return [head for head in heads if head.trained_by == run.name][-1:]
        return [head for head in heads if head.run == run.name]

    def heads(self) -> list[Head]:
        """What there is of predictions, oldest first; those that are damaged are left out."""
        heads = []
        for path in self._layout.predictions.glob("*.zarr"):
            with suppress(VoxloopError, OSError):
                heads.append(self._head(path.stem))
        return sorted(heads, key=lambda head: head.made)

    def of_prediction(self, name: str) -> Score | None:
        """The score of a prediction; None where it has to be computed first. Raises PredictionError."""
        head = self._head(name)
        if self.at_work(head):
            return unknown_score(_AT_WORK)
        ground = self.ground_of(head)
        failed = self._failed.get(name)
        if failed is not None and failed[0] == ground:
            return unknown_score(failed[1])
        stored = self._stored(name)
        if stored.get("ground") != ground:
            return None
        try:
            score = Score.from_json(stored["score"])
            if "classes" not in stored:
                return score
            return _with_sureness(score, Cells.from_json(stored["cells"]), stored["classes"])
        except (KeyError, TypeError, ValueError):  # a file that somebody else wrote
            return None

    # ---------------------------------------------------------------------------------------------------- computing

    def compute(self, name: str) -> Score:
        """The score of a prediction, computed where it is not known yet. Raises PredictionError."""
        score = self.of_prediction(name)
        return self._compute(self._head(name)) if score is None else score

    def compute_next(self) -> str | None:
        """Compute one score that is not known, of the newest prediction first; its name, None where all are known.

        Predictions whose labels are being painted wait. Where another thread computes, it is left to it.
        """
        if not self._guard.acquire(blocking=False):
            return None
        try:
            for number, head in enumerate(reversed(self.heads())):
                rest = REST_S if number < _NEWEST else LONG_REST_S
                with suppress(VoxloopError, OSError):  # of_prediction says from now on what kept it
                    if self.of_prediction(head.name) is None and self.at_rest(head, rest):
                        self._compute(head)
                        return head.name
            return None
        finally:
            self._guard.release()

    def _compute(self, head: Head) -> Score:
        ground = self.ground_of(head)
        prediction = Prediction(self._layout.prediction(head.name))
        cells = self._known_cells(head)

        def count(population: Population) -> Cells:
            nonlocal cells
            if cells is None:
                cells = count_cells(population)
            return cells

        try:
            with self.opened(head) as labels:
                score = score_prediction(self._layout, prediction, labels, cells=count)
        except (VoxloopError, OSError) as error:
            self._failed[head.name] = (ground, str(error))
            raise
        record = {"v": VERSION, "name": head.name, "mark": head.mark, "ground": ground, "score": score.to_json()}
        population = Population(prediction) if score.shift is not None else None
        if cells is not None:
            record["cells"] = cells.to_json()
        if population is not None and population.believes:
            names = [info.name for info in prediction.classes]
            counted = count(population)
            record |= {"cells": counted.to_json(), "classes": names}
            score = _with_sureness(score, counted, names)
        # a disk that is full or may not be written, or a link, cost only the time to compute it again
        with suppress(OSError, WorkspaceError):
            self._layout.check_unlinked(self._layout.score(head.name).parent)
            self._layout.score(head.name).parent.mkdir(parents=True, exist_ok=True)
            replace_json(self._layout.score(head.name), record)
        return score

    @contextmanager
    def opened(self, head: Head) -> Iterator[Labels | None]:
        """The labels that a prediction is scored on; None where there are none."""
        if self._labels is not None:
            labels = None
            with suppress(LabelError):
                labels = self._labels(head.level, head.image)
            yield labels
            return
        try:
            opened = open_labels(self._layout.root, head.level, head.image)
        except LabelError:
            yield None
            return
        with opened as labels:
            yield labels

    def _known_cells(self, head: Head) -> Cells | None:
        """How sure the prediction is, as it was counted before."""
        stored = self._stored(head.name)
        if stored.get("mark") != head.mark or self._grown(stored.get("ground"), head):
            return None
        try:
            return Cells.from_json(stored["cells"])
        except (KeyError, TypeError, ValueError):
            return None

    # ------------------------------------------------------------------------------------------------------- ground

    def ground_of(self, head: Head) -> list[Any]:
        """What the score of a prediction rests on, as numbers that change with it."""
        audits = sorted(self._layout.audits.glob(f"{head.name}.*.{head.mark}.jsonl"))
        answers = [[path.name, _size(path)] for path in audits]
        journal = self._layout.labels(head.level, head.image).journal
        return [VERSION, head.mark, self._events(head), _size(journal), answers]

    def _grown(self, ground: Any, head: Head) -> bool:
        """Whether more may have been predicted since a score of this ground."""
        return not isinstance(ground, list) or len(ground) < 3 or ground[:3] != [VERSION, head.mark, self._events(head)]

    def _events(self, head: Head) -> int:
        """How much the run that made a prediction has said; it says so when it goes on."""
        return _size(self._layout.run(head.run) / "events.jsonl") if head.run else 0

    def at_rest(self, head: Head, seconds: float) -> bool:
        """Whether nobody has painted labels of a prediction for so long."""
        try:
            changed = self._layout.labels(head.level, head.image).journal.stat().st_mtime
        except OSError:
            return True
        return not 0 <= time.time() - changed < seconds

    def at_work(self, head: Head) -> bool:
        """Whether a prediction is being made."""
        run = self._runs.get(head.run)
        return run is not None and run.state in ALIVE

    def _head(self, name: str) -> Head:
        """Raises PredictionError where there is none, or it is damaged."""
        changed = _changed(self._layout.prediction(name) / "zarr.json")
        cached = self._heads.get(name)
        if cached is None or cached[0] != changed or not changed:
            self._heads[name] = cached = (changed, _read_head(Prediction(self._layout.prediction(name))))
        return cached[1]

    def _stored(self, name: str) -> dict[str, Any]:
        """What is on disk of the score of a prediction; empty where there is nothing, or it is damaged."""
        path = self._layout.score(name)
        changed = _changed(path)
        cached = self._read.get(name)
        if cached is None or cached[0] != changed:
            record: dict[str, Any] = {}
            with suppress(OSError, ValueError, RecursionError):
                loaded = json.loads(read_plain(path))
                record = loaded if isinstance(loaded, dict) else {}
            self._read[name] = cached = (changed, record)
        return cached[1]


def _with_sureness(score: Score, cells: Cells, classes: Sequence[str]) -> Score:
    """A score that knows how sure the model is where."""
    return replace(score, sureness={str(name): row.tolist() for name, row in zip(classes, cells.sureness, strict=True)})


def _read_head(prediction: Prediction) -> Head:
    lineage = prediction.lineage
    several = bool(lineage.get("models"))
    if not prediction.image or not prediction.level:
        raise PredictionError(f"prediction {prediction.name!r} does not say of which image and level it is")
    return Head(
        name=prediction.name,
        image=prediction.image,
        level=prediction.level,
        mark=mark_of(prediction),
        run=str(lineage.get("run") or ""),
        trained_by="" if several else str(lineage.get("trained_by") or ""),
        made=float(lineage.get("time") or lineage.get("created") or 0),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _changed(path: Path) -> int:
    """When a file was written, nanoseconds since 1970; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
