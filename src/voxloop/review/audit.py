"""``audit``: places drawn by chance from a prediction, what a person said of them, and the score that follows.

Kept on disk answer by answer, so that it goes on after a restart. Knows no labels: what is said here teaches no model.
"""

from __future__ import annotations

import hashlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from voxloop.errors import LabelError, PredictionError, unknown
from voxloop.geometry import Box
from voxloop.review.audit_log import AuditLog, pack, unpack
from voxloop.review.field_draft import FieldDraft
from voxloop.review.fields import Fields, draw_fields, fractions, score_fields, totals
from voxloop.review.points import Points, draw_points, score_points
from voxloop.review.population import Population
from voxloop.review.score import FEWEST, Score, interval_level, unknown_score
from voxloop.store.values import whole

if TYPE_CHECKING:
    from voxloop.prediction import Prediction

#: how many are drawn where nobody says, and how many answers it takes to say anything
USUAL = {"points": 100, "fields": 12}
#: nobody judges more
MOST = 100_000
_FEWEST = {"points": 2 * FEWEST, "fields": 5}


class Audit(ABC):
    """Places drawn from a prediction for a person to judge. Get one from ``ws.audit(prediction)``."""

    how: ClassVar[str]

    def __init__(self, prediction: Prediction, log: AuditLog) -> None:
        self.prediction = prediction
        self.classes = tuple(prediction.classes)
        self.path = log.path
        self._log = log
        #: replaced, never changed: a score may be computed while the next answer is given
        self._answers: Mapping[int, dict[str, Any]] = {}

    def _read_answers(self) -> None:
        """Take the answers on disk; lines that answer nothing that this audit asks are left out."""
        self._answers = {
            answer["i"]: answer
            for answer in self._log.answers()
            if 0 <= answer["i"] < self.count and (answer.get("skip") or self._sound(answer))
        }

    @abstractmethod
    def _sound(self, answer: dict[str, Any]) -> bool:
        """Whether what a file says of a place is an answer."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many places there are."""

    @property
    def answered(self) -> list[int]:
        """Places that somebody has judged."""
        return _judged(self._answers)

    @property
    def left(self) -> list[int]:
        """Places that nobody has judged or skipped, in the order in which to ask."""
        return [i for i in range(self.count) if i not in self._answers]

    @property
    def enough(self) -> bool:
        """Whether enough was judged to say anything."""
        return len(self.answered) >= min(_FEWEST[self.how], self.count)

    def weights(self) -> dict[int, float]:
        """How many voxels each voxel of a judged place stands for, by place."""
        answered = self.answered
        return dict(zip(answered, self._weights(np.array(answered, int)).tolist(), strict=True))

    @abstractmethod
    def _weights(self, answered: np.ndarray) -> np.ndarray: ...

    def skip(self, i: int) -> None:
        """Leave a place out because nobody can tell. Skipping what is hard makes the score too good; do it seldom."""
        self._put(i, skip=True)

    def score(self, level: float = 0.9) -> Score:
        """The score that the answers give."""
        level = interval_level(level)
        answers = self._answers
        done = len(_judged(answers))
        needed = min(_FEWEST[self.how], self.count)
        if done < needed:
            return unknown_score(f"check {needed - done} more {self.how}", done, level)
        return self._score(answers, level)

    @abstractmethod
    def _score(self, answers: Mapping[int, dict[str, Any]], level: float) -> Score: ...

    def _put(self, i: int, **answer: Any) -> None:
        i = self._place(i)
        self._log.append(i=i, **answer)
        self._answers = {**self._answers, i: {"i": i, **answer}}

    def _place(self, i: object) -> int:
        """Number of a place. Raises PredictionError where there is none."""
        at = whole("place", i, error=PredictionError)
        if not 0 <= at < self.count:
            raise PredictionError(f"there is no place {at}; this audit has places 0 to {self.count - 1}")
        return at

    def _position(self, value: int | str) -> int:
        """Position of a class given by value or name. Raises LabelError."""
        if isinstance(value, str | int | np.integer):
            for position, info in enumerate(self.classes):
                if value in (info.value, info.name):
                    return position
        raise LabelError(unknown("class", value, [f"{info.value} {info.name}" for info in self.classes]))

    def __repr__(self) -> str:
        return (
            f"<Audit of {self.prediction.name!r}: {len(self.answered)} of {self.count} {self.how} judged; "
            f"{self.score().words}>"
        )


class PointAudit(Audit):
    """Single voxels: which class is it really?"""

    how = "points"

    def __init__(self, prediction: Prediction, log: AuditLog, design: Points) -> None:
        super().__init__(prediction, log)
        self._design = design
        self._read_answers()

    def _sound(self, answer: dict[str, Any]) -> bool:
        return answer.get("value") in [info.value for info in self.classes]

    @property
    def count(self) -> int:
        return len(self._design.places)

    @property
    def points(self) -> list[tuple[int, int, int]]:
        """Voxels (z, y, x), in the order in which to ask."""
        return [(int(z), int(y), int(x)) for z, y, x in self._design.places]

    def said(self, i: int) -> int | None:
        """The class value that was answered; None where nobody has."""
        return self._answers.get(self._place(i), {}).get("value")

    def _weights(self, answered: np.ndarray) -> np.ndarray:
        strata = self._design.strata[answered]
        judged = np.bincount(strata, minlength=len(self._design.sizes))
        return np.asarray(self._design.sizes[strata] / judged[strata])

    def answer(self, i: int, value: int | str) -> None:
        """Say which class the voxel of point ``i`` truly is, by value or name; the last answer counts."""
        self._put(i, value=int(self.classes[self._position(value)].value))

    def _score(self, answers: Mapping[int, dict[str, Any]], level: float) -> Score:
        truth = np.full(self.count, -1)
        for i in _judged(answers):
            truth[i] = self._position(answers[i]["value"])
        return score_points(self._design, truth, self.classes, level)


class FieldAudit(Audit):
    """Small squares of planes: is the prediction right here, and if not, what would be?"""

    how = "fields"

    def __init__(self, prediction: Prediction, log: AuditLog, design: Fields) -> None:
        super().__init__(prediction, log)
        self._design = design
        self._population = Population(prediction)
        self._read_answers()

    def _sound(self, answer: dict[str, Any]) -> bool:
        try:
            unpack(answer["labels"], self._box(answer["i"]).shape)
            table = np.array(answer["table"], float)
        except (KeyError, TypeError, ValueError, zlib.error):
            return False
        return table.shape == (len(self.classes),) * 2 and bool((np.isfinite(table) & (table >= 0)).all())

    @property
    def count(self) -> int:
        return len(self._design.boxes)

    @property
    def fields(self) -> list[tuple[slice, slice, slice]]:
        """Regions (slices zyx), in the order in which to ask."""
        return [box.slices for box in self._design.boxes]

    def predicted(self, i: int) -> np.ndarray:
        """Class values (z, y, x) predicted in a field, 0 where nothing is."""
        return self._values(self._population.read(self._box(i)))

    def corrected(self, i: int) -> np.ndarray | None:
        """Class values (z, y, x) as a person left them; None where nobody has judged the field."""
        i = self._place(i)
        return self._truth(i) if i in self.answered else None

    def draft(self, i: int) -> FieldDraft:
        """A copy of field ``i`` to paint on: as it was left where somebody judged it, else as it is predicted."""
        box = self._box(i)
        before = self.corrected(i)
        values = self.predicted(i) if before is None else before
        spacing_um = self._population.spacing_um or (1.0, 1.0, 1.0)
        return FieldDraft(box, values[0], spacing_um[1:])

    def _weights(self, answered: np.ndarray) -> np.ndarray:
        return np.asarray(self._design.weights[answered] / max(1, len(answered)))

    def accept(self, i: int) -> None:
        """The prediction is right everywhere in field ``i``."""
        self._judge(i, self.predicted(i))

    def correct(self, i: int, labels: Any) -> None:
        """What field ``i`` truly is: class values (z, y, x), or (y, x) of its plane; 0 where nobody can tell.

        Raises LabelError where the shape or a value does not fit.
        """
        box = self._box(i)
        try:
            given = np.asarray(labels)
        except ValueError as error:  # rows of several lengths
            raise LabelError(f"labels of field {i} are no array: {error}") from error
        if given.shape == box.shape[1:]:
            given = given[None]
        if given.shape != box.shape:
            raise LabelError(f"labels of shape {given.shape} do not fit field {i}, which is {box.shape} (z, y, x)")
        if given.dtype.kind not in "bui":
            raise LabelError(f"labels of field {i} are whole numbers, not {given.dtype}")
        strange = set(np.unique(given).tolist()) - {0, *(info.value for info in self.classes)}
        if strange:
            listed = ", ".join(f"{info.value} {info.name}" for info in self.classes)
            raise LabelError(f"values {sorted(strange)[:5]} are no classes of this prediction; there are {listed}")
        self._judge(i, given)

    def fractions(self, level: float = 0.9) -> dict[str, tuple[float, float, float]]:
        """Share of the volume that each class truly takes: (value, low, high)."""
        level = interval_level(level)
        joints, answered = self._joints(self._answers)
        return fractions(self._design, joints, answered, self.classes, level) if answered.sum() > 1 else {}

    def objects(self, name: str | int, level: float = 0.9) -> tuple[float, float, float]:
        """How many objects of a class there truly are: (value, low, high).

        Of a single picture its objects; of a stack the profiles that they make in all its planes together. What touches
        the left or the upper edge of a field belongs to its neighbour (after Gundersen 1977), so none counts twice.
        Raises PredictionError where fewer than two fields were judged.
        """
        level = interval_level(level)
        if len(self.answered) < 2:
            raise PredictionError("check two fields at least; one does not show how much fields differ")
        value = self.classes[self._position(name)].value
        counts = np.zeros(self.count)
        answered = np.zeros(self.count, bool)
        for i in self.answered:
            counts[i] = _profiles(self._truth(i) == value, self._inner_edges(i))
            answered[i] = True
        return totals(self._design, counts, answered, level)

    def _truth(self, i: int) -> np.ndarray:
        return unpack(self._answers[i]["labels"], self._box(i).shape)

    def _inner_edges(self, i: int) -> tuple[bool, bool]:
        """Whether the upper and the left edge of a field have a neighbour."""
        start, first = self._box(i).start, self._population.box.start
        return start[1] > first[1], start[2] > first[2]

    def _score(self, answers: Mapping[int, dict[str, Any]], level: float) -> Score:
        joints, answered = self._joints(answers)
        return score_fields(self._design, joints, answered, self.classes, level)

    def _joints(self, answers: Mapping[int, dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Voxels (n, true class, predicted class) of each field, and which were judged."""
        joints = np.array([answers.get(i, {}).get("table", self._nothing) for i in range(self.count)], float)
        answered = np.isin(np.arange(self.count), _judged(answers))
        return joints, answered

    @property
    def _nothing(self) -> list[list[int]]:
        return [[0] * len(self.classes) for _ in self.classes]

    def _judge(self, i: int, truth: np.ndarray) -> None:
        values = [info.value for info in self.classes]
        predicted = self.predicted(i)
        table = [[int(((truth == a) & (predicted == b)).sum()) for b in values] for a in values]
        self._put(i, labels=pack(truth), table=table)

    def _values(self, positions: np.ndarray) -> np.ndarray:
        values = np.array([*(info.value for info in self.classes), 0])
        return np.asarray(values[positions])

    def _box(self, i: int) -> Box:
        return self._design.boxes[self._place(i)]


def _judged(answers: Mapping[int, dict[str, Any]]) -> list[int]:
    """Places that were not skipped."""
    return sorted(i for i, answer in answers.items() if not answer.get("skip"))


def open_audit(folder: Path, prediction: Prediction, how: str, n: int | None, seed: int) -> PointAudit | FieldAudit:
    """An audit of a prediction: begun, or gone on with where it was begun before with the same numbers.

    Parameters
    ----------
    folder
        Where audits lie.
    how
        ``"points"`` or ``"fields"``.
    n
        How many are drawn; 100 points or 12 fields where None.

    Raises
    ------
    PredictionError
        ``how`` or ``n`` is no such thing, or nothing is predicted.
    """
    if not isinstance(how, str) or how not in USUAL:
        raise PredictionError(unknown("kind of audit", how, USUAL))
    count = USUAL[how] if n is None else whole("n", n, error=PredictionError)
    seed = whole("seed", seed, 0, error=PredictionError)
    if count < _FEWEST[how]:
        raise PredictionError(f"n={count} {how} say too little; draw {_FEWEST[how]} at least, {USUAL[how]} is usual")
    if count > MOST:
        raise PredictionError(f"n={count} {how} are more than anybody judges; draw {MOST} at most")
    log = AuditLog(folder / f"{prediction.name}.{how}-{count}-{seed}.{mark_of(prediction)}.jsonl")
    if not log.exists:
        population = Population(prediction)
        draw = draw_points if how == "points" else draw_fields
        design = draw(population, count, seed)
        log.begin(kind="audit", how=how, n=count, seed=seed, prediction=prediction.name, design=design.to_json())
    return _opened(prediction, log)


def audits_of(folder: Path, prediction: Prediction) -> list[PointAudit | FieldAudit]:
    """The audits of a prediction that were begun; those of one that it replaced are not among them."""
    found = sorted(folder.glob(f"{prediction.name}.*.{mark_of(prediction)}.jsonl"))
    return [_opened(prediction, AuditLog(path)) for path in found]


def _opened(prediction: Prediction, log: AuditLog) -> PointAudit | FieldAudit:
    header = log.header()
    try:
        if header["how"] == "points":
            points = Points.from_json(header["design"])
            points.check(prediction.box, len(prediction.classes))
            return PointAudit(prediction, log, points)
        fields = Fields.from_json(header["design"])
        fields.check(prediction.box, len(prediction.classes))
        return FieldAudit(prediction, log, fields)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, PredictionError):
            raise
        raise PredictionError(
            f"the audit in {log.path} is damaged ({' '.join(repr(error).split())[:80]}); move it away to begin again"
        ) from error


def mark_of(prediction: Prediction) -> str:
    """What tells a prediction from another of its name: when it was made, with what."""
    lineage = prediction.lineage
    made = f"{lineage.get('created')} {lineage.get('model_hash')}"
    return hashlib.sha256(made.encode()).hexdigest()[:8]


def _profiles(mask: np.ndarray, edges: tuple[bool, bool]) -> int:
    """Connected pieces of planes that do not touch the upper and the left edge, as far as ``edges`` says they count."""
    from scipy.ndimage import label

    structure = np.zeros((3, 3, 3), bool)
    structure[1] = True
    pieces, count = label(mask, structure)
    upper, left = edges
    touching = np.concatenate([pieces[:, 0].ravel() if upper else [0], pieces[:, :, 0].ravel() if left else [0]])
    return int(count - np.count_nonzero(np.unique(touching)))
