"""Points, boxes or classes of pictures as users hold them: what all three have. Every verb is one edit.

The subclasses say what may be added; the state keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.errors import LabelError, ReadOnlyError
from voxloop.given import flag, shown
from voxloop.store.points.instance import LOCKED, PREDICTED, Entry, Step, with_flag, with_key
from voxloop.store.points.mark_view import MarkView
from voxloop.store.points.rules import check_tracks, score_of, track_of
from voxloop.store.records import signature
from voxloop.store.values import as_list, whole


@dataclass(frozen=True, slots=True)
class MarkEdit:
    """One edit of instances: its number, what made it, and the frames that look different now (None: all)."""

    sequence: int
    tool: str
    frames: tuple[int, ...] | None


class MarkLabels(MarkView):
    """What can be done to instances, of whatever kind."""

    # ------------------------------------------------------------------------------------------------------- change

    def remove(self, ids: int | Iterable[int]) -> None:
        """Take instances out. Raises LabelError where one is not there or is locked.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.remove([1, 2])
        >>> flies.count(0)
        0
        """
        steps: list[Step] = []
        with self._state.lock:
            for row in self._rows(ids):
                self._check_unlocked(row)
                steps.append(self._step(row, None))
            self._commit("remove", {}, steps)

    def change(
        self,
        ids: int | Iterable[int],
        *,
        track: object = ...,
        label: object = ...,
        locked: object = ...,
        score: object = ...,
    ) -> None:
        """Give instances another track, class or score, or lock and unlock them; None takes track, class, score away.

        Raises LabelError where two instances of one frame would be of one track, or the class is unknown.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.change(1, track="cid", locked=True)
        >>> flies.instance(1).track, flies.instance(1).locked
        ('cid', True)
        """
        steps: list[Step] = []
        with self._state.lock:
            for row in self._rows(ids):
                if locked is ...:
                    self._check_unlocked(row)
                entry = self._state.table.entry(row)
                if track is not ...:
                    entry = with_key(entry, "t", track_of(track))
                if label is not ...:
                    entry = with_key(entry, "c", self._label(label))
                if score is not ...:
                    entry = with_key(entry, "s", score_of(score))
                if locked is not ...:
                    entry = with_flag(entry, LOCKED, flag("locked", locked, error=LabelError))
                steps.append(self._step(row, entry))
            self._commit("change", {}, steps)

    def accept(self, ids: int | Iterable[int]) -> None:
        """Make predicted instances one's own, so that they can be learnt from.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> number = flies.add(0, {"head": (20, 20)}, predicted=True, score=0.8)
        >>> flies.accept(number)
        >>> flies.instance(number).predicted
        False
        """
        steps: list[Step] = []
        with self._state.lock:
            for row in self._rows(ids):
                if self._state.table.flags[row] & PREDICTED:
                    steps.append(self._step(row, self._own(self._state.table.entry(row))))
            self._commit("accept", {}, steps)

    def clear(
        self,
        frames: int | Iterable[int] | None = None,
        *,
        predicted: bool | None = None,
        below: float | None = None,
        tracks: Iterable[str] | None = None,
    ) -> int:
        """Take out all that is not locked, as one edit; how many.

        Parameters
        ----------
        frames
            In these frames only; None: in all.
        predicted
            True: only what was predicted; False: only what is one's own.
        below
            Only what has a score below this.
        tracks
            Only these tracks.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.clear([2, 3])
        4
        >>> flies.count()
        4
        """
        with self._state.lock:
            table = self._state.table
            rows = table.rows()
            if frames is not None:
                rows = np.concatenate([rows[:0], *(table.rows(self._frame(one)) for one in _many(frames))])
            flags = table.flags[rows]
            keep = flags & LOCKED == 0
            if predicted is not None:
                keep &= (flags & PREDICTED != 0) == flag("predicted", predicted, error=LabelError)
            if below is not None:
                keep &= table.score[rows] < score_of(below)
            if tracks is not None:
                wanted = {track_of(one) for one in ([tracks] if isinstance(tracks, str) else as_list("tracks", tracks))}
                keep &= np.isin(table.track[rows], [n for n, name in enumerate(table.tracks) if name in wanted])
            steps = [self._step(row, None) for row in rows[keep].tolist()]
            self._commit("clear", {}, steps)
            return len(steps)

    def take_over(self, tool: str, arguments: dict[str, Any], steps: list[Step], *, joined: bool = False) -> None:
        """Write down what was done elsewhere, although it be nothing; for voxloop itself."""
        self._check_writable()
        with self._state.lock:
            check_tracks(self._state.table, steps)
            if steps:
                self._state.apply(tool, arguments, steps, joined=joined)
            else:
                self._state.note(tool, arguments)
            self._told(tool, steps)

    # ------------------------------------------------------------------------------------------------- undo, follow

    def undo(self) -> MarkEdit | None:
        """Take the last edit back, whenever it was made; None where there is none.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.undo().tool, flies.count()
        ('undo', 7)
        """
        self._check_writable()
        return self._told("undo", self._state.undo())

    def redo(self) -> MarkEdit | None:
        """Make the last edit that was taken back again; None where there is none."""
        self._check_writable()
        return self._told("redo", self._state.redo())

    @property
    def can_undo(self) -> bool:
        return self._state.writable and bool(self._state.stacks.undo)

    @property
    def can_redo(self) -> bool:
        return self._state.writable and bool(self._state.stacks.redo)

    def on_edit(self, callback: Callable[[MarkEdit], None]) -> Callable[[], None]:
        """Call back after every edit, in the thread that made it. The result ends that."""
        if not callable(callback):
            raise LabelError(f"callback={shown(callback)} cannot be called")
        key = object()
        self._state.listeners[key] = callback
        return lambda: self._state.listeners.pop(key, None) and None

    def refresh(self) -> MarkEdit | None:
        """Take up what the writer in another process did since; nothing for the writer itself."""
        before = self.sequence
        steps = self._state.refresh()
        return self._told("refresh", steps) if self.sequence > before else None

    # ------------------------------------------------------------------------------------------------------- helpers

    def _check_writable(self) -> None:
        refusal = self._setting.refusal()
        if refusal is not None or not self._state.writable:
            raise ReadOnlyError(refusal or f"these were opened read-only; change them through ws.{self._verb}(...)")

    def _commit(self, tool: str, arguments: dict[str, Any], steps: Sequence[Step]) -> None:
        """Put an edit on disk and tell who listens; steps that change nothing are left out."""
        self._check_writable()
        steps = [step for step in steps if step[1] != step[2]]
        if not steps:
            return
        check_tracks(self._state.table, steps)
        self._state.apply(tool, arguments, steps)
        self._told(tool, steps)

    def _told(self, tool: str, steps: Sequence[Step] | None) -> MarkEdit | None:
        if steps is None:
            return None
        frames = {entry["f"] for step in steps[:1000] for entry in step[1:] if entry is not None}
        edit = MarkEdit(self.sequence, tool, tuple(sorted(frames)) if len(steps) <= 1000 else None)
        for callback in list(self._state.listeners.values()):
            callback(edit)
        return edit

    def _rows(self, ids: int | Iterable[int]) -> list[int]:
        return [self._row(number) for number in dict.fromkeys(_many(ids))]

    def _check_unlocked(self, row: int) -> None:
        if self._state.table.flags[row] & LOCKED:
            number = int(self._state.table.id[row])
            raise LabelError(f"instance {number} is locked; change({number}, locked=False) unlocks it")

    def _step(self, row: int, after: Entry | None) -> Step:
        return int(self._state.table.id[row]), self._state.table.entry(row), after

    def _own(self, entry: Entry) -> Entry:
        """What a person has touched is no prediction any more."""
        if not entry.get("x", 0) & PREDICTED:
            return entry
        entry = {key: value for key, value in entry.items() if key not in ("s", "q")}
        return with_flag({**entry, "a": signature()["author"]}, PREDICTED, False)


def _many(given: int | Iterable[int]) -> list[int]:
    if isinstance(given, np.ndarray):
        given = given.tolist()
    many = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    return [whole("number", one) for one in many]
