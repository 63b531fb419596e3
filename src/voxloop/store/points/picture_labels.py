"""A class for each frame or image, as users hold them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from voxloop.errors import LabelError
from voxloop.given import flag, shown
from voxloop.store.points.instance import PREDICTED, Entry, Instance, Step, with_key
from voxloop.store.points.mark_labels import MarkLabels
from voxloop.store.points.rules import score_of
from voxloop.store.points.table import NOWHERE
from voxloop.store.records import signature
from voxloop.store.values import whole


class PictureLabels(MarkLabels):
    """One class a frame of a stack, or of the whole image where that is a volume or a single picture.

    ``pics.assign(12, "metaphase")``; of a whole image ``pics.assign(None, "metaphase")``. A frame may have a prediction
    as long as nobody has said what it is.

    Examples
    --------
    >>> level = film.levels.add("kinds", kind="pictures", classes=["apart", "close"])
    >>> kinds = film.pictures("kinds")
    >>> kinds.assign_many({0: "apart", 3: "close"})
    >>> kinds.counts(), kinds.labelled
    ({'apart': 1, 'close': 1}, [0, 3])
    """

    _verb = "pictures"

    @property
    def frames(self) -> list[int]:
        """Frames that have a class, said or predicted, in order; [0] for a whole image that has one."""
        with self._state.lock:
            return [max(frame, 0) for frame in self._state.table.frames]

    @property
    def labelled(self) -> list[int]:
        """Frames of which a person has said the class."""
        with self._state.lock:
            return sorted(max(frame, 0) for frame in self._state.table.count_by_frame(predicted=False))

    @property
    def predicted(self) -> list[int]:
        """Frames of which only a model has said the class."""
        with self._state.lock:
            return sorted(max(frame, 0) for frame in self._state.table.count_by_frame(predicted=True))

    def read(self, frame: int | None = None) -> Instance | None:
        """What is said of a frame (``.label``, ``.predicted``, ``.score``); None where nothing is."""
        with self._state.lock:
            rows = self._state.table.rows(self._frame(frame))
            return self._instance(int(rows[0])) if len(rows) else None

    def assign(
        self, frame: int | None, label: int | str, *, predicted: bool = False, score: float | None = None
    ) -> None:
        """Say of which class a frame is, in the place of what was said before; a prediction overrides no person.

        Examples
        --------
        >>> kinds = ws.pictures("kinds")
        >>> kinds.assign(None, "sharp")
        >>> kinds.read().label
        'sharp'
        """
        frame = None if frame is None else whole("frame", frame)
        self.assign_many({frame: label}, predicted=predicted, scores=None if score is None else {frame: score})

    def assign_many(
        self,
        labels: dict[int | None, int | str] | dict[int, str],
        *,
        predicted: bool = False,
        scores: dict[int | None, float] | None = None,
    ) -> None:
        """Say of many frames of which class they are, as one edit.

        Examples
        --------
        >>> level = film.levels.add("kinds", kind="pictures", classes=["apart", "close"])
        >>> film.pictures("kinds").assign_many({0: "apart", 1: "apart", 3: "close"})
        """
        predicted = flag("predicted", predicted, error=LabelError)
        for what, given in (("labels", labels), ("scores", {} if scores is None else scores)):
            if not isinstance(given, Mapping):
                raise LabelError(f"{what}={shown(given)} is no dict of frames; such as {{12: 'metaphase'}}")
        with self._state.lock:
            table = self._state.table
            steps: list[Step] = []
            fresh = table.highest
            for frame, label in labels.items():
                at = self._frame(frame)
                if label is None:
                    raise LabelError(f"frame {frame} is given no class; clear({frame}) takes one away")
                score = None if scores is None else score_of(scores.get(frame))
                entry: Entry = {"f": at, "c": self._label(label), "a": signature()["author"]}
                entry = with_key(with_key(entry, "s", score), "x", PREDICTED if predicted else None)
                rows = table.rows(at)
                if not len(rows):
                    fresh += 1
                    steps.append((fresh, None, entry))
                    continue
                row = int(rows[0])
                if predicted and not table.flags[row] & PREDICTED:
                    continue
                self._check_unlocked(row)
                steps.append(self._step(row, entry))
            self._commit("assign", {}, steps)

    def classes_of(self, *, predicted: bool | None = None, author: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Frames and the values of their classes, for learners; parameters as in :meth:`PointLabels.arrays`.

        Examples
        --------
        >>> ws.pictures("kinds").assign(None, "blurred")
        >>> ws.pictures("kinds").classes_of()
        (array([0], dtype=int32), array([2], dtype=uint8))
        """
        with self._state.lock:
            table = self._state.table
            rows = table.rows()
            if predicted is not None:
                predicted = flag("predicted", predicted, error=LabelError)
                rows = rows[(table.flags[rows] & PREDICTED != 0) == predicted]
            if author is not None:
                rows = rows[self._said_by(rows, author)]
            rows = rows[np.argsort(table.frame[rows], kind="stable")]
            return np.maximum(table.frame[rows], 0), table.label[rows]

    def _frame(self, given: object) -> int:
        if not self._setting.framed and isinstance(given, int) and given == 0:
            return NOWHERE
        return super()._frame(given)
