"""What is offered of each image: gathers what is known of its predictions, and keeps the choice on disk.

The choice itself is made in :mod:`voxloop.review.best`. Knows no widgets.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from voxloop.errors import PredictionError, VoxloopError, WorkspaceError
from voxloop.plain_files import read_plain
from voxloop.prediction import Prediction
from voxloop.review.apart import distance_between
from voxloop.review.audit import mark_of
from voxloop.review.best import Candidate, PredictionOffer, choose
from voxloop.review.compare import CellTable, compare, count_pairs
from voxloop.review.comparison import Comparison, Pair
from voxloop.review.evidence import Evidence, drawn_units, later_strokes, seen_by
from voxloop.review.held_out import gain_on_held_out
from voxloop.review.population import Population
from voxloop.review.score import FEWEST
from voxloop.review.scores import Head, ScoreCache
from voxloop.runs import Run, Runs
from voxloop.store.atomic import replace_json
from voxloop.store.layout import Layout

#: seconds without an edit after which it is worth choosing anew
REST_S = 30.0
#: goes up when the same evidence would give another offer
VERSION = 2
#: the newest predictions of an image that are looked at
MOST = 8


@dataclass(frozen=True, slots=True)
class _Ground:
    """Predictions that an offer is chosen from, and what that rests on."""

    heads: tuple[Head, ...]
    numbers: list[Any]


class Offers:
    """The prediction to offer of each image and level; computed once, dropped when what it rests on has changed."""

    def __init__(self, layout: Layout, scores: ScoreCache, runs: Runs | None = None) -> None:
        self._layout, self._scores = layout, scores
        self._runs = Runs(layout.runs) if runs is None else runs
        self._guard = threading.Lock()
        #: of every two predictions what they say together, by what tells them from others of their names
        self._tables: dict[tuple[str, str], CellTable] = {}
        #: and how far they differ
        self._distances: dict[tuple[str, str], float] = {}

    def known(self, image: str, level: str) -> PredictionOffer | None:
        """The offer that was computed before; None where there is none, or it has to be computed anew."""
        ground = self._ground(image, level)
        stored = self._stored(image, level)
        if stored.get("ground") != ground.numbers:
            return None
        with suppress(KeyError, TypeError):
            offer = stored["offer"]
            return PredictionOffer(
                name=str(offer["name"]),
                clear=bool(offer["clear"]),
                words=str(offer["words"]),
                reasons=tuple(str(reason) for reason in offer["reasons"]),
            )
        return None

    def compute(self, image: str, level: str) -> PredictionOffer:
        """The offer, computed where it is not known. Raises PredictionError where nothing is predicted."""
        offer = self.known(image, level)
        if offer is not None:
            return offer
        ground = self._ground(image, level)
        if not ground.heads:
            raise PredictionError(f"nothing is predicted yet of image {image!r}, level {level!r}; ws.predict() does")
        predictions = {head.name: Prediction(self._layout.prediction(head.name)) for head in ground.heads}
        classes = predictions[ground.heads[-1].name].classes
        pairs: dict[tuple[str, str], Pair] = {}

        def pair_of(one: str, other: str) -> Pair:
            if (one, other) not in pairs:
                pairs[one, other] = self._pair(predictions[one], predictions[other], ground.heads[0])
            return pairs[one, other]

        def held_out(one: str, other: str) -> tuple[float, float, float] | None:
            return gain_on_held_out(self._layout.run(one), self._layout.run(other), classes)

        def apart(one: str, other: str) -> float | None:
            return self._apart(predictions[one], predictions[other])

        candidates = [self._candidate(head, predictions[head.name]) for head in ground.heads]
        offer = choose(candidates, pair_of, held_out, apart)
        record = {"v": VERSION, "ground": ground.numbers, "offer": asdict(offer)}
        with suppress(OSError, WorkspaceError):  # costs only the time to compute it again
            path = self._layout.offer(image, level)
            self._layout.check_unlinked(path.parent)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_json(path, record)
        return offer

    def compute_next(self) -> str | None:
        """Compute one offer that is not known, of labels that nobody is painting; its image, None where all are."""
        if not self._guard.acquire(blocking=False):
            return None
        try:
            for head in reversed(self._scores.heads()):
                with suppress(VoxloopError, OSError):
                    if self._scores.at_rest(head, REST_S) and self.known(head.image, head.level) is None:
                        self.compute(head.image, head.level)
                        return head.image
            return None
        finally:
            self._guard.release()

    # ---------------------------------------------------------------------------------------------------- gathering

    def compare(self, predictions: Sequence[Prediction], level: float, evidence: Evidence | None = None) -> Comparison:
        """Predictions of one image on places from which none of their models has learned.

        Parameters
        ----------
        evidence
            The places; where not given what was answered in audits, else strokes made after all had learned.
        """
        first = predictions[0]
        if evidence is None:
            evidence = self._evidence(predictions, str(first.image), str(first.level))
        lacking = f"check 100 points of one of them, as with ws.audit({predictions[-1].name!r})"
        return compare(predictions, evidence, level, lacking)

    def _pair(self, one: Prediction, other: Prediction, head: Head) -> Pair:
        """Two predictions; where no place can judge them nothing is read of either."""
        evidence = self._evidence([one, other], head.image, head.level)
        if not _enough(evidence):
            return Pair(one=one.name, other=other.name, lacking="check 100 points")
        names, marks = (one.name, other.name), (_mark(one), _mark(other))
        if marks not in self._tables:
            self._tables[marks] = count_pairs(
                {name: Population(made) for name, made in zip(names, (one, other), strict=True)}
            )[names]
        return compare([one, other], evidence, tables={names: self._tables[marks]}).pairs[0]

    def _apart(self, one: Prediction, other: Prediction) -> float | None:
        """How far two predictions differ; None where that cannot be read."""
        marks = (_mark(one), _mark(other))
        with suppress(VoxloopError, OSError):
            if marks not in self._distances:
                self._distances[marks] = distance_between(Population(one), Population(other))
            return self._distances[marks]
        return None

    def _evidence(self, predictions: Sequence[Prediction], image: str, level: str) -> Evidence:
        heads = [head for head in self._scores.heads() if (head.image, head.level) == (image, level)]
        drawn = drawn_units(self._layout, [Prediction(self._layout.prediction(head.name)) for head in heads])
        if drawn.units or not heads:
            return drawn
        with self._scores.opened(heads[0]) as labels:
            return later_strokes(self._layout, predictions, labels)

    def _candidate(self, head: Head, prediction: Prediction) -> Candidate:
        score = None
        with suppress(VoxloopError, OSError):
            score = self._scores.compute(head.name)
        learner = str(prediction.lineage.get("learner") or "")
        return Candidate(
            name=head.name,
            run=head.trained_by,
            learner=learner,
            seen=seen_by(prediction),
            voxels=round(prediction.box.size * prediction.done),
            against=_against(self._runs.get(head.trained_by)) if learner == "deep" else "",
            score=score,
        )

    def _ground(self, image: str, level: str) -> _Ground:
        heads = [head for head in self._scores.heads() if (head.image, head.level) == (image, level)]
        heads = [head for head in heads if not self._scores.at_work(head)][-MOST:]
        return _Ground(tuple(heads), [VERSION, *([head.name, *self._scores.ground_of(head)] for head in heads)])

    def _stored(self, image: str, level: str) -> Mapping[str, Any]:
        with suppress(OSError, ValueError, RecursionError):
            loaded = json.loads(read_plain(self._layout.offer(image, level)))
            if isinstance(loaded, dict):
                return loaded
        return {}


def _mark(one: Prediction) -> str:
    """What tells a prediction from another of its name, and from itself when it has grown."""
    return f"{one.name} {mark_of(one)} {one.done}"


def _enough(evidence: Evidence) -> bool:
    return bool(evidence.units) if evidence.drawn else len(evidence.units) >= FEWEST


def _against(run: Run | None) -> str:
    """What the training of a network says of the pixel classifier of the same strokes."""
    outcome = None if run is None else run.outcome
    if outcome is None:
        return ""
    if outcome.kept == "classifier":
        return "behind"
    return "ahead" if outcome.gain else ""
