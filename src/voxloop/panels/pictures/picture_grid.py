"""The grid of small pictures as the page knows it: order, marks, what is chosen. Knows numbers of items only."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import numpy as np
import traitlets as t

from voxloop.panels.base.ui import UiLoop

#: orders before the one on show in which positions are still understood
_EARLIER = 4


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


class GridWidget(anywidget.AnyWidget):
    """What is shared with the page. ``marks`` and ``tints`` are by item, ``selected`` and ``cursor`` by position."""

    _esm = f"const CSS = {json.dumps(_asset('picture_grid.css'))};\n{_asset('picture_grid.js')}"
    _css = ".vx .vx-grid-frame { position: relative; min-height: 200px; } .vx-grid { position: absolute; inset: 0; }"

    order = t.Bytes(b"").tag(sync=True)  # uint32: the items in the order in which they stand there
    version = t.Int(0).tag(sync=True)  # of the order; sent together with it
    marks = t.Bytes(b"").tag(sync=True)  # uint16
    tints = t.Bytes(b"").tag(sync=True)  # uint8: 0, or the place of a class in the palette, from 1
    palette: t.List = t.List().tag(sync=True)
    selected: t.List = t.List().tag(sync=True)  # [first, stop) each
    cursor = t.Int(-1).tag(sync=True)
    side = t.Int(104).tag(sync=True)
    hotkeys: t.List = t.List().tag(sync=True)
    empty = t.Unicode("").tag(sync=True)


class PictureGrid:
    """Only what is in sight is in the page.

    Parameters
    ----------
    on_look
        Called with the items in sight whose pictures are not there, the nearest to the middle first.
    on_choose
        Called when the hand chose other items.
    on_key
        Called with the name of a key, ``"open"``, ``"undo"`` or ``"redo"``.
    """

    def __init__(
        self,
        on_look: Callable[[list[int]], object],
        on_choose: Callable[[], object],
        on_key: Callable[[str], object],
    ) -> None:
        self._on_look, self._on_choose, self._on_key = on_look, on_choose, on_key
        self.order = np.zeros(0, np.uint32)
        self._earlier: dict[int, np.ndarray] = {}  # orders that the page may still go by
        self._telling = False
        self.widget = GridWidget()
        self.widget.on_msg(self._receive)
        self.widget.observe(self._chosen, ["selected", "cursor"])

    def _receive(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        kind = message.get("kind")
        if kind == "look":
            most = len(self.widget.marks) // 2
            items = [int(item) for item in message.get("items", ()) if 0 <= int(item) < most]
            UiLoop.get().post(self._on_look, items)
        elif kind in ("key", "open", "choose"):
            UiLoop.get().post(self._told, dict(message))

    def _told(self, message: dict[str, Any]) -> None:
        """Take up what is chosen on the page, then do what the key asks for."""
        version = int(message.get("version", self.widget.version))
        if version == self.widget.version:
            self._take_choice(message)
        elif not self._told_before(version, message) and message.get("key") not in ("undo", "redo"):
            return
        if message["kind"] != "choose":
            self._on_key("open" if message["kind"] == "open" else str(message.get("key")))

    def _told_before(self, version: int, message: dict[str, Any]) -> bool:
        """Choose what the hand chose in an order that is gone by now; whether any of it is still there."""
        order = self._earlier.get(version, np.zeros(0, np.uint32))
        parts = [order[max(0, int(first)) : max(0, int(stop))] for first, stop in message.get("selected", ())]
        there = set(self.order.tolist())
        items = [int(item) for part in parts for item in part if int(item) in there]
        at = int(message.get("cursor", -1))
        if items:
            self.choose(items, int(order[at]) if 0 <= at < len(order) else None)
        return bool(items)

    def _take_choice(self, message: dict[str, Any]) -> None:
        count = len(self.order)
        ranges = [[int(first), int(stop)] for first, stop in message.get("selected", ())]
        ranges = [[max(0, first), min(stop, count)] for first, stop in ranges if first < min(stop, count)]
        cursor = min(int(message.get("cursor", -1)), count - 1)
        if (ranges, cursor) != (self.widget.selected, self.widget.cursor):
            self._telling = True
            self.widget.set_state({"selected": ranges, "cursor": cursor})  # the page knows
            self._telling = False
            self._on_choose()

    def _chosen(self, _: Any) -> None:
        if not self._telling:
            self._on_choose()

    # ------------------------------------------------------------------------------------------------ what is chosen

    @property
    def chosen(self) -> list[int]:
        """The items that are chosen, in the order in which they stand there."""
        parts = [self.order[int(first) : int(stop)] for first, stop in self.widget.selected]
        return [int(item) for item in np.concatenate([np.zeros(0, np.uint32), *parts])]

    @property
    def current(self) -> int | None:
        """The item under the keyboard's cursor."""
        at = int(self.widget.cursor)
        return int(self.order[at]) if 0 <= at < len(self.order) else None

    def choose(self, items: Sequence[int], current: int | None = None) -> None:
        """Choose these items, those that are there, and bring the current one into sight."""
        place = np.full(int(self.order.max(initial=0)) + 1, -1, np.int64)
        place[self.order] = np.arange(len(self.order))
        known = np.array([item for item in items if item < len(place)], int)
        at = np.sort(place[known][place[known] >= 0])
        there = current is not None and current < len(place) and place[current] >= 0
        cursor = int(place[current]) if there and current is not None else (int(at[0]) if at.size else -1)
        self._set(_ranges(at), cursor)
        if cursor >= 0:
            self.widget.send({"kind": "show", "at": cursor})

    def step(self, by: int) -> bool:
        """Go on by so many items; whether there was one."""
        at = int(self.widget.cursor) + by
        if not 0 <= at < len(self.order):
            return False
        self.choose([int(self.order[at])])
        return True

    def _set(self, ranges: list[list[int]], cursor: int) -> None:
        self._telling = True
        with self.widget.hold_sync():
            self.widget.selected, self.widget.cursor = ranges, cursor
        self._telling = False
        self._on_choose()

    # ------------------------------------------------------------------------------------------------ what is shown

    def clear(self) -> None:
        """Show nothing; what the hand chose until now means nothing in what comes next."""
        self.order, self._earlier = np.zeros(0, np.uint32), {}
        with self.widget.hold_sync():
            self.widget.version += 1
            self.widget.order = b""
        self._set([], -1)
        self.forget()

    def show(self, order: np.ndarray, marks: np.ndarray, tints: np.ndarray, palette: list[dict[str, str]]) -> None:
        """Show these items; what was chosen stays chosen where it is still there, else what came into its place is."""
        chosen, current, cursor = self.chosen, self.current, int(self.widget.cursor)
        other = not np.array_equal(order, self.order)
        if other:
            self._earlier[self.widget.version] = self.order
            self._earlier.pop(self.widget.version - _EARLIER, None)
        self.order = order.astype(np.uint32)
        self._telling = True
        with self.widget.hold_sync():
            self.widget.marks = marks.astype("<u2").tobytes()
            self.widget.tints = tints.astype(np.uint8).tobytes()
            self.widget.palette = palette
            if other:
                left = set(self.order.tolist())
                kept = [item for item in chosen if item in left]
                if chosen and not kept and len(self.order):
                    kept = [int(self.order[min(max(cursor, 0), len(self.order) - 1)])]
                here = current if current in left else (kept[0] if kept else None)
                places = {item: at for at, item in enumerate(self.order.tolist())}
                self.widget.selected = _ranges(np.sort(np.array([places[item] for item in kept], int)))
                self.widget.cursor = -1 if here is None else places[here]
                self.widget.version += 1
                self.widget.order = self.order.astype("<u4").tobytes()
        self._telling = False
        if other:
            self._on_choose()

    def put(self, items: list[int], pictures: list[bytes], names: list[str], faults: list[str]) -> None:
        """Give the page pictures (JPEG; empty where there is none, and why)."""
        self.widget.send({"kind": "pictures", "items": items, "names": names, "faults": faults}, pictures)

    def forget(self, items: list[int] | None = None) -> None:
        """Have pictures asked for anew, since they look otherwise now; None: all."""
        self.widget.send({"kind": "forget", "items": items})

    def take_keys(self) -> None:
        """Have the next keys."""
        self.widget.send({"kind": "focus"})


def _ranges(at: np.ndarray) -> list[list[int]]:
    """Sorted positions as [first, stop) each."""
    if not at.size:
        return []
    cuts = np.flatnonzero(np.diff(at) > 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(at, cuts)]
