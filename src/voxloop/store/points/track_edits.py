"""What is done to whole tracks: set, swap, join, split, delete, from a frame on. Each verb is one edit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.store.points.instance import LOCKED, Step, with_key
from voxloop.store.points.mark_labels import MarkLabels
from voxloop.store.points.mistakes import TrackMistake, likely_mistakes
from voxloop.store.points.rules import track_of
from voxloop.store.values import whole


class TrackEdits(MarkLabels):
    """Tracks of instances: ``pts.swap_tracks("1", "2", 80)`` puts right who is who from frame 80 on."""

    @abstractmethod
    def arrays(self, *, predicted: bool | None = None) -> dict[str, np.ndarray]: ...

    def has(self, number: int) -> bool:
        """Whether there is an instance of this number."""
        with self._state.lock:
            return self._state.table.row(number) is not None

    def set_tracks(self, tracks: Mapping[int, object]) -> int:
        """Give instances, by number, their tracks (None: none), as one edit; how many changed. Locked ones stay.

        Raises LabelError where two instances of one frame would be of one track, or one is not there.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.set_tracks({1: "cid"})
        1
        >>> flies.tracks
        ['ann', 'bob', 'cid']
        """
        if not isinstance(tracks, Mapping):
            raise LabelError(f"tracks={shown(tracks)} are no tracks by number; give a dict such as {{3: 'a'}}")
        steps: list[Step] = []
        with self._state.lock:
            for number, name in tracks.items():
                row = self._row(number)
                if not self._state.table.flags[row] & LOCKED:
                    steps.append(self._renamed(row, track_of(name)))
            steps = [step for step in steps if step[1] != step[2]]
            self._commit("track", {}, steps)
            return len(steps)

    def swap_tracks(self, track: object, other: object, frame: int = 0) -> None:
        """From a frame on, each is the other. Raises LabelError where there is no such track or one is locked.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.swap_tracks("ann", "bob", 2)
        >>> [fly.track for fly in flies.read(2)]
        ['bob', 'ann']
        """
        with self._state.lock:
            ours, theirs = self._of(track, frame), self._of(other, frame)
            one, two = track_of(track), track_of(other)
            if one == two:
                raise LabelError(f"track {one!r} is itself; name another one to swap it with")
            if not len(ours) and not len(theirs):
                raise LabelError(f"tracks {one!r} and {two!r} have nothing from frame {frame} on")
            steps = [self._renamed(row, two) for row in self._free(ours)]
            self._commit("swap", {"frame": frame}, [*steps, *(self._renamed(row, one) for row in self._free(theirs))])

    def join_tracks(self, track: object, other: object) -> None:
        """All of ``other`` becomes ``track``. Raises LabelError where both are in one frame.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> new = flies.split_track("ann", 2)
        >>> flies.join_tracks("ann", new)
        >>> flies.tracks
        ['ann', 'bob']
        """
        with self._state.lock:
            ours, theirs = self._of(track), self._of(other)
            frames = self._state.table.frame
            both = np.intersect1d(frames[ours], frames[theirs])
            if track_of(track) == track_of(other):
                raise LabelError(f"track {track_of(track)!r} is itself; name another one to join to it")
            if len(both):
                raise LabelError(
                    f"tracks {track_of(track)!r} and {track_of(other)!r} are both in frame {int(both[0])}, so they "
                    "are two; split one of them there first, or delete the wrong instance"
                )
            self._commit("join", {}, [self._renamed(row, track_of(track)) for row in self._free(theirs)])

    def split_track(self, track: object, frame: int, new: object = None) -> str:
        """From a frame on, a track is another one: ``new``, or the next free number; its name.

        Examples
        --------
        >>> film.points("flies").split_track("ann", 2)
        '1'
        """
        with self._state.lock:
            rows = self._of(track, frame)
            name = track_of(new) or self.free_track()
            if name in self.tracks:
                raise LabelError(f"there is a track {name!r} already; choose another name, or leave new out")
            if len(rows) in (0, len(self._of(track))):
                raise LabelError(f"track {track_of(track)!r} lies on one side of frame {frame}; split it in between")
            self._commit("split", {"frame": frame}, [self._renamed(row, name) for row in self._free(rows)])
            return name

    def remove_track(self, track: object, frame: int = 0) -> int:
        """Take the instances of a track out, from a frame on; how many. Raises LabelError where one is locked.

        Examples
        --------
        >>> film.points("flies").remove_track("bob", 2)
        2
        """
        with self._state.lock:
            rows = self._of(track, frame)
            self._commit("remove", {"frame": frame}, [self._step(row, None) for row in self._free(rows)])
            return len(rows)

    def likely_mistakes(self, n: int | None = None) -> list[TrackMistake]:
        """Where tracks are likely wrong, the most suspicious first: spawns, gaps, jumps, low scores; at most ``n``.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.move(5, {"head": (40, 40), "tail": (40, 46)})
        >>> [mistake.words for mistake in flies.likely_mistakes(2)]
        ["track 'ann' went 44 pixels, 9 times as far as usual", "track 'ann' went 38 pixels, 8 times as far as usual"]
        """
        if not self.framed:
            raise LabelError(f"image {self.image!r} is a volume, which has no frames; tracks go through frames")
        return likely_mistakes(self.arrays())[: None if n is None else whole("n", n, 1)]

    def free_track(self) -> str:
        """The lowest number that is beyond all tracks that are numbers."""
        return str(1 + max((int(name) for name in self.tracks if name.isdecimal()), default=0))

    # ------------------------------------------------------------------------------------------------------- helpers

    def _of(self, track: object, frame: int = 0) -> np.ndarray:
        """Rows of a track from a frame on. Raises LabelError where there is no such track, or there are no frames."""
        if not self.framed:
            raise LabelError(f"image {self.image!r} is a volume, which has no frames; tracks go through frames")
        name, table, first = track_of(track), self._state.table, self._frame(frame)
        if name not in self.tracks:
            raise LabelError(unknown("track", shown(track) if name is None else name, self.tracks))
        rows = table.rows()
        rows = rows[(table.track[rows] == table.tracks.index(name)) & (table.frame[rows] >= first)]
        return np.asarray(rows)

    def _free(self, rows: np.ndarray) -> list[int]:
        """The rows, none of which is locked. Raises LabelError."""
        for row in rows.tolist():
            self._check_unlocked(row)
        return list(rows.tolist())

    def _renamed(self, row: int, name: str | None) -> Step:
        return self._step(row, with_key(self._state.table.entry(row), "t", name))
