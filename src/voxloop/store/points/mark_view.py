"""Instances of one level on one image as users read them: facts, counts, tables. Changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.store.classes import Level
from voxloop.store.points.instance import EMPTY, LOCKED, PREDICTED, Instance
from voxloop.store.points.mark_setting import MarkSetting
from voxloop.store.points.state import MarkState
from voxloop.store.points.table import NOWHERE
from voxloop.store.values import whole

if TYPE_CHECKING:
    import pandas as pd


class MarkView:
    """Instances of one level on one image. Get them from ``ws.points``, ``ws.boxes`` or ``ws.pictures``.

    Where the image is a stack of frames (a video, a folder of pictures) or a single picture, everything belongs to a
    *frame*, counted from 0, and coordinates are (y, x). In a volume there are no frames: ``frame`` is None, and
    coordinates are (z, y, x). Voxels, centres at integers.
    """

    _verb = "points"

    def __init__(self, state: MarkState, setting: MarkSetting) -> None:
        self._state = state
        self._setting = setting
        self._tracks: tuple[int, list[str]] | None = None  # as they were after which edit

    def shows(self, state: MarkState) -> bool:
        """Whether this is a view of that very state."""
        return self._state is state

    # ------------------------------------------------------------------------------------------------------- facts

    @property
    def level(self) -> Level:
        """The level as it is now."""
        return self._setting.level()

    @property
    def image(self) -> str:
        """Name of the image."""
        return self._setting.image

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of the image (z, y, x); z counts frames where :attr:`framed`."""
        return self._setting.shape

    @property
    def framed(self) -> bool:
        """Everything belongs to a frame; else to the volume."""
        return self._setting.framed

    @property
    def spacing_um(self) -> tuple[float, float, float]:
        return self._setting.spacing_um()

    @property
    def path(self) -> Path:
        """The journal."""
        return self._state.place.journal

    @property
    def source(self) -> str:
        """The file of the image; "" where it is none, or several."""
        return self._setting.source()

    def picture(self, frame: int) -> np.ndarray:
        """A frame as other programs show it: 8-bit (y, x), of three channels (y, x, 3). Raises LabelError.

        Examples
        --------
        >>> film.points("flies").picture(0).shape
        (48, 48)
        """
        return self._setting.plane(max(0, self._frame(frame)))

    @property
    def sequence(self) -> int:
        """Number of the last edit; 0 before the first."""
        return self._state.sequence

    @property
    def read_only(self) -> bool:
        return not self._state.writable or self._setting.refusal() is not None

    @property
    def remarks(self) -> list[str]:
        """What was found damaged when these were read."""
        return list(self._state.remarks)

    @property
    def tracks(self) -> list[str]:
        """Names of the tracks that something belongs to, in the order in which they came."""
        with self._state.lock:
            if self._tracks is None or self._tracks[0] != self.sequence:
                table = self._state.table
                used = np.unique(table.track[table.rows()])
                self._tracks = self.sequence, [table.tracks[code] for code in used.tolist() if code >= 0]
            return list(self._tracks[1])

    @property
    def authors(self) -> list[str]:
        """Who put there what is there now, in alphabetical order."""
        with self._state.lock:
            table = self._state.table
            codes = np.unique(table.author[table.rows()]).tolist()
            return sorted(table.authors[code] for code in codes if code >= 0)

    def __len__(self) -> int:
        return len(self._state.table)

    # -------------------------------------------------------------------------------------------------------- read

    def instance(self, number: int) -> Instance:
        """One instance by its number. Raises LabelError."""
        with self._state.lock:
            return self._instance(self._row(number))

    def count(self, frame: int | None = None) -> int:
        """How many there are in a frame; None: in all. Frames said to be empty count nothing.

        Examples
        --------
        >>> film.points("flies").count(), film.points("flies").count(0)
        (8, 2)
        """
        with self._state.lock:
            table = self._state.table
            rows = table.rows(frame if frame is None else self._frame(frame))
            return int((table.flags[rows] & EMPTY == 0).sum())

    def counts(self) -> dict[str, int]:
        """How many there are of each class, of all frames; ``""``: without a class."""
        with self._state.lock:
            table = self._state.table
            rows = table.rows()
            values = table.label[rows][table.flags[rows] & EMPTY == 0]
        names = {item.value: item.name for item in self.level.classes}
        return {names.get(value, ""): int(n) for value, n in zip(*np.unique(values, return_counts=True), strict=True)}

    def history(self, sequence: int) -> dict[str, Any]:
        """What the journal says of an edit: tool, arguments, author, time, steps."""
        sequence = whole("edit", sequence)
        if not 1 <= sequence <= self.sequence:
            raise LabelError(f"there is no edit {sequence}; the journal holds edits 1 to {self.sequence}")
        return self._state.journal.entry(sequence)

    def after(self, edit: int) -> MarkState:
        """The state after an edit, whatever is done since; for voxloop itself."""
        return MarkState(self._state.place, self._state.table.dims, at=edit)

    @property
    def node_keys(self) -> dict[str, int]:
        """Nodes of the level and the number under which each is kept."""
        return self._keys(self.level)

    def table(self) -> pd.DataFrame:
        """All instances as a table, a row each: id, frame, track, class, predicted, score, locked, author.

        Examples
        --------
        >>> film.points("flies").table()[["frame", "track"]].head(2)
           frame track
        0      0   ann
        1      0   bob
        """
        import pandas as pd

        with self._state.lock:
            table, level = self._state.table, self.level
            rows = table.rows()
            rows = rows[table.flags[rows] & EMPTY == 0]
            classes = {item.value: item.name for item in level.classes}
            data: dict[str, Any] = {"id": table.id[rows]}
            if self._setting.framed:
                data["frame"] = table.frame[rows]
            data["track"] = [table.tracks[code] if code >= 0 else None for code in table.track[rows].tolist()]
            data["class"] = [classes.get(value) for value in table.label[rows].tolist()]
            data |= self._place_columns(rows)
            flags = table.flags[rows]
            data |= {"predicted": flags & PREDICTED != 0, "score": table.score[rows], "locked": flags & LOCKED != 0}
            data["author"] = [table.authors[code] if code >= 0 else "" for code in table.author[rows].tolist()]
        frame = pd.DataFrame(data)
        return frame.sort_values(["frame", "id"] if "frame" in data else "id", ignore_index=True)

    def close(self) -> None:
        """Let go of the files; what a workspace writes does when that closes."""
        if not self._state.writable:
            self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " read-only" if self.read_only else ""
        return (
            f"<{type(self).__name__} {self.level.name!r} on {self.image!r}{state}: {self.count()} in "
            f"{len(self._state.table.counts)} frames, edit {self.sequence}>"
        )

    # ------------------------------------------------------------------------------------------------------- helpers

    def _frame(self, given: object) -> int:
        """A frame as the table counts it. Raises LabelError where there is none."""
        depth = self._setting.shape[0]
        if not self._setting.framed:
            if given is None:
                return NOWHERE
            raise LabelError(
                f"image {self.image!r} is a volume, which has no frames: frame=None, and coordinates are (z, y, x)"
            )
        if given is None and depth == 1:
            return 0
        if given is None:
            raise LabelError(f"image {self.image!r} has {depth} frames; say which: frame=0 ... {depth - 1}")
        frame = whole("frame", given)
        if not 0 <= frame < depth:
            raise LabelError(f"there is no frame {frame}; image {self.image!r} has frames 0 to {depth - 1}")
        return frame

    def _said_by(self, rows: np.ndarray, author: object) -> np.ndarray:
        """Which of these rows an author put there. Raises LabelError where nobody of that name put anything."""
        if not isinstance(author, str) or author not in self.authors:
            raise LabelError(unknown("author", author if isinstance(author, str) else shown(author), self.authors))
        return np.asarray(self._state.table.author[rows] == self._state.table.authors.index(author))

    def _row(self, number: object) -> int:
        row = self._state.table.row(whole("id", number))
        if row is None or self._state.table.flags[row] & EMPTY:
            raise LabelError(f"there is no instance {number}; it was removed, or never added")
        return row

    def _label(self, given: object) -> int | None:
        """The value of a class; None where nothing was said. Raises LabelError."""
        if given is None:
            return None
        classes = self.level.classes
        if not classes:
            raise LabelError(f"level {self.level.name!r} has no classes; ws.levels.add_class adds one")
        if not isinstance(given, str | int | np.integer):
            raise LabelError(unknown("class", shown(given), [item.name for item in classes]))
        return self.level.value_of(given if isinstance(given, str) else int(given))

    def _instance(self, row: int) -> Instance:
        table, level = self._state.table, self.level
        names = {key: name for name, key in self._keys(level).items()}
        placed = [key for key in np.flatnonzero(table.seen[row]).tolist() if key in names]
        scores = table.node_score[row]
        flags, value, score = int(table.flags[row]), int(table.label[row]), float(table.score[row])
        return Instance(
            id=int(table.id[row]),
            frame=int(table.frame[row]) if self._setting.framed else None,
            points={names[key]: tuple(table.place[row, key].tolist()) for key in placed},
            hidden=frozenset(names[key] for key in placed if table.seen[row, key] == 2),
            track=table.tracks[table.track[row]] if table.track[row] >= 0 else None,
            label=next((item.name for item in level.classes if item.value == value), None),
            predicted=bool(flags & PREDICTED),
            score=None if np.isnan(score) else round(score, 6),
            scores={names[key]: round(float(scores[key]), 6) for key in placed if scores[key] == scores[key]},
            locked=bool(flags & LOCKED),
            author=table.authors[table.author[row]] if table.author[row] >= 0 else "",
        )

    def _keys(self, level: Level) -> dict[str, int]:
        """Nodes that the level has, with the number under which the table keeps each."""
        return {}

    def _place_columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of coordinates."""
        return {}
