"""The instances of the frame as a list to choose from, and what can be done to the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import button, classed, labelled, row, section
from voxloop.panels.points.track_box import TrackBox

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel


class InstanceList:
    """A list box, a field for the track, and buttons."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self._showing = False
        handler = owner.handler
        self.choice = classed(w.Select(options=[], rows=4, tooltip="Instances of this frame"), "vx-grow")
        self.track = classed(w.Text(**labelled("Track", "Who the chosen one is over time; Enter sets it")), "vx-grow")
        self.track.continuous_update = False
        self.choice.observe(handler(lambda change: self._chosen(change["new"])), "value")
        self.track.observe(handler(lambda change: self._track_typed(change["new"])), "value")
        accept = button("Accept", handler(self.accept), tooltip="Make the chosen prediction your own (Y, double click)")
        every = button("All", handler(self.accept_all), tooltip="Accept all predictions of the frame (Shift Y)")
        delete = button("Delete", handler(self.delete), tooltip="Delete the chosen instance (X)")
        hide = button("Hide node", handler(self.hide), tooltip="The node taken last is covered, or to be seen (O)")
        lock = button("Lock", handler(self.lock), tooltip="Leave the chosen one alone, or no longer")
        copy = button("Copy before", handler(self.copy), tooltip="Copy all instances of the frame before (C)")
        empty = button("Empty", handler(self.empty), tooltip="There is nothing in this frame (E)")
        first = classed(w.HBox([accept, every, delete, lock]), "vx-row", "vx-wrap")
        second = classed(w.HBox([hide, copy, empty]), "vx-row", "vx-wrap")
        self.tracks = TrackBox(owner)
        self.widget = section("Instances", self.choice, row(self.track), first, second, self.tracks.widget)

    @property
    def actions(self) -> dict[str, Callable[[], object]]:
        """What keys ask for, by name."""
        return {
            "delete": self.delete,
            "accept": self.accept,
            "accept all": self.accept_all,
            "choose": self.next,
            "hide": self.hide,
            "copy": self.copy,
            "empty": self.empty,
            **self.tracks.actions,
        }

    def show(self) -> None:
        """The instances of the frame on show, and which is chosen."""
        owner = self._owner
        self._showing = True
        try:
            options = [(_words(one), one.id) for one in owner.shown]
            if tuple(options) != tuple(self.choice.options):
                self.choice.options = options
            ids = [number for _, number in options]
            self.choice.value = owner.selected if owner.selected in ids else None
            one = next((one for one in owner.shown if one.id == owner.selected), None)
            self.track.value = one.track or "" if one is not None else ""
            self.track.disabled = one is None
        finally:
            self._showing = False

    def next(self) -> None:
        """Choose the instance after the chosen one."""
        ids = [one.id for one in self._owner.shown]
        if not ids:
            raise LabelError("there is nothing in this frame to choose")
        at = ids.index(self._owner.selected) + 1 if self._owner.selected in ids else 0
        self._owner.choose(ids[at % len(ids)])

    def accept(self) -> None:
        """Make the chosen prediction one's own."""
        number = self._number()
        self._owner.marks.accept(number)
        self._owner.note(f"accept({number})")

    def accept_all(self) -> None:
        """Make all predictions of the frame one's own."""
        ids = [one.id for one in self._owner.shown if one.predicted]
        if not ids:
            raise LabelError("there is no prediction in this frame")
        self._owner.marks.accept(ids)
        self._owner.note(f"accept({ids})")

    def delete(self) -> None:
        """Delete the chosen instance."""
        number = self._number()
        self._owner.marks.remove(number)
        self._owner.note(f"remove({number})")

    def hide(self) -> None:
        """Say that something lies over the node that was taken last, or that it is to be seen."""
        number, node = self._number(), self._owner.node
        if node is None or self._owner.marks.level.kind != "points":
            raise LabelError("take a node with the tool Move first, then hide it")
        hidden = node not in self._owner.marks.instance(number).hidden
        self._owner.marks.hide(number, node, hidden)
        self._owner.note(f"hide({number}, {node!r}, {hidden})")

    def lock(self) -> None:
        """Leave the chosen one alone, or no longer."""
        number = self._number()
        locked = not self._owner.marks.instance(number).locked
        self._owner.marks.change(number, locked=locked)
        self._owner.note(f"change({number}, locked={locked})")

    def copy(self) -> None:
        """Bring the instances of the last frame before that has any to this one, those whose track is not here yet."""
        owner, marks = self._owner, self._owner.marks
        frame = owner.frame
        earlier = [one for one in marks.labelled if frame is not None and one < frame]
        if not earlier:
            raise LabelError("no frame before this one is labelled, so there is nothing to copy")
        here = {one.track for one in marks.read(frame)} - {None}
        told: list[dict[str, Any]] = [
            {"frame": frame, "points": one.points, "track": one.track, "label": one.label, "hidden": one.hidden}
            for one in marks.read(earlier[-1])
            if not one.predicted and one.track not in here
        ]
        marks.add_many(told)
        owner.note(f"add_many({told!r})")
        owner.say(f"{len(told)} copied from frame {earlier[-1]}.", "good")

    def empty(self) -> None:
        """Say that there is nothing in the frame, or take that back."""
        frame = self._owner.frame
        empty = not self._owner.marks.is_empty(frame)
        self._owner.marks.set_empty(frame, empty)
        self._owner.note(f"set_empty({frame!r}, {empty})")
        self._owner.say("This frame is said to be empty." if empty else "No longer said to be empty.", "good")

    def _number(self) -> int:
        number = self._owner.selected
        if number is None:
            raise LabelError("choose an instance first: click it with the tool Move, or press G")
        return number

    def _chosen(self, number: int | None) -> None:
        if not self._showing and number is not None:
            self._owner.choose(number)

    def _track_typed(self, name: str) -> None:
        if self._showing or self._owner.selected is None:
            return
        number, track = self._number(), name.strip() or None
        self._owner.marks.change(number, track=track)
        self._owner.note(f"change({number}, track={track!r})")


def _words(one: Any) -> str:
    parts = [
        f"{one.id}",
        one.label,
        one.track and f"track {one.track}",
        f"{len(one.points)} nodes" if len(one.points) > 2 else "",
    ]
    if one.predicted:
        parts.append("predicted" if one.score is None else f"predicted {one.score:.2f}")
    if one.locked:
        parts.append("locked")
    return " · ".join(part for part in parts if part)
