"""Putting right who is who: swap, join, split, delete from this frame on, and from one likely mistake to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import button, classed, labelled, row, section

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel


class TrackBox:
    """A field for the other track, and buttons; of the track of the chosen instance, from the frame on show on."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self._seen: set[tuple[int, int, str]] = set()
        handler = owner.handler
        about = "The track to swap with, or to join to this one; empty: of the only other instance of the frame"
        self.other = classed(w.Text(**labelled("Other", about)), "vx-grow")
        buttons = [
            button("Swap", handler(self.swap), tooltip="From this frame on, each is the other (S)"),
            button("Join", handler(self.join), tooltip="All of the other track becomes this one (U)"),
            button("Split", handler(self.split), tooltip="From this frame on, it is a new track (B)"),
            button("Delete on", handler(self.remove), tooltip="Take the track out from this frame on (Shift X)"),
            button("Next mistake", handler(self.next), tooltip="The next likely mistake: spawn, gap, jump, score (Q)"),
        ]
        self.widget = section("Tracks", row(self.other), classed(w.HBox(buttons), "vx-row", "vx-wrap"))

    @property
    def actions(self) -> dict[str, Callable[[], object]]:
        """What keys ask for, by name."""
        return {
            "swap": self.swap,
            "join": self.join,
            "split": self.split,
            "delete on": self.remove,
            "mistake": self.next,
        }

    def swap(self) -> None:
        """From the frame on show on, the chosen track is the other, and the other way round."""
        track, other = self._track(), self._other()
        self._owner.marks.swap_tracks(track, other, self._owner.frame)
        self._owner.note(f"swap_tracks({track!r}, {other!r}, {self._owner.frame})")

    def join(self) -> None:
        """All of the other track becomes the chosen one."""
        track, other = self._track(), self.other.value.strip()
        if not other:
            raise LabelError("write the other track into the field Other, then join it to this one")
        self._owner.marks.join_tracks(track, other)
        self._owner.note(f"join_tracks({track!r}, {other!r})")

    def split(self) -> None:
        """From the frame on show on, the chosen track is a new one."""
        track, frame = self._track(), self._owner.frame
        new = self._owner.marks.split_track(track, frame)
        self._owner.note(f"split_track({track!r}, {frame}, {new!r})")
        self._owner.say(f"From frame {frame} on it is track {new!r}.", "good")

    def remove(self) -> None:
        """Take the chosen track out from the frame on show on."""
        track, frame = self._track(), self._owner.frame
        count = self._owner.marks.remove_track(track, frame)
        self._owner.note(f"remove_track({track!r}, {frame})")
        self._owner.say(f"{count} instances of track {track!r} taken out.", "good")

    def next(self) -> None:
        """Show the next likely mistake; those that were shown come last."""
        owner = self._owner
        mistakes = owner.marks.likely_mistakes()
        if not mistakes:
            owner.say("No track begins late, is gone for a while, jumps or is unsure.", "good")
            return
        fresh = [one for one in mistakes if (one.frame, one.number, one.kind) not in self._seen]
        if not fresh:
            self._seen.clear()
            fresh = mistakes
        one = fresh[0]
        self._seen.add((one.frame, one.number, one.kind))
        owner.view.go_to_plane(one.frame)
        owner.overlay.read()
        owner.choose(one.number)
        owner.say(f"{one.kind}: {one.words} ({len(fresh) - 1} more).")

    def _track(self) -> str:
        """The track of the chosen instance. Raises LabelError."""
        chosen = next((one for one in self._owner.shown if one.id == self._owner.selected), None)
        if chosen is None:
            raise LabelError("choose an instance first: click it with the tool Move, or press G")
        if chosen.track is None:
            raise LabelError(f"instance {chosen.id} has no track; write one into the field Track")
        return chosen.track

    def _other(self) -> str:
        """The other track: written, or that of the only other instance of the frame. Raises LabelError."""
        if written := self.other.value.strip():
            return str(written)
        others = {one.track for one in self._owner.shown if one.track} - {self._track()}
        if len(others) != 1:
            raise LabelError(
                f"write the other track into the field Other: there are {', '.join(sorted(others)) or 'none'}"
            )
        return str(others.pop())
