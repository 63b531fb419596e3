"""A list of rows to choose from, with actions at the end of each. Knows nothing of what the rows stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import anywidget
import traitlets as t


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do with a row; ``confirm`` is asked in the button itself before it is done."""

    name: str
    label: str
    title: str = ""
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: cells are markup, ``title`` its tooltip, ``rank`` what the list can be sorted by; None comes last."""

    key: str
    cells: tuple[str, ...]
    actions: tuple[Action, ...] = ()
    title: str = ""
    rank: float | None = None


class RowsWidget(anywidget.AnyWidget):
    """What is shared with the page."""

    _esm = files(__package__).joinpath("rows.js").read_text(encoding="utf-8")

    head: t.List = t.List().tag(sync=True)
    rows: t.List = t.List().tag(sync=True)
    right: t.List = t.List().tag(sync=True)
    selected = t.Unicode("").tag(sync=True)
    empty = t.Unicode("").tag(sync=True)
    height = t.Int(0).tag(sync=True)
    ranked = t.Int(-1).tag(sync=True)
    by_rank = t.Bool(False).tag(sync=True)


class RowList:
    """Rows in a table; a click, or Enter, opens one.

    Parameters
    ----------
    on_action
        Called with the name of the action (``"open"`` for the row itself) and the key of the row.
    head, right
        Headings, and the columns of numbers.
    empty
        What stands there where there is no row.
    height
        Pixels after which the list scrolls; 0: it grows.
    ranked
        The column by whose heading the rows are sorted by rank, the highest first; None: by none.
    """

    def __init__(
        self,
        on_action: Callable[[str, str], object],
        *,
        head: Sequence[str] = (),
        right: Sequence[int] = (),
        empty: str = "",
        height: int = 0,
        ranked: int | None = None,
    ) -> None:
        self._on_action = on_action
        self._shown: tuple[Row, ...] = ()
        column = -1 if ranked is None else ranked
        self.widget = RowsWidget(head=list(head), right=list(right), empty=empty, height=height, ranked=column)
        self.widget.on_msg(self._receive)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows in the order in which they stand there."""
        if not self.widget.by_rank:
            return self._shown
        return tuple(sorted(self._shown, key=lambda row: -math.inf if row.rank is None else row.rank, reverse=True))

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows; nothing is sent where nothing changed."""
        self._shown = tuple(rows)
        self._send()

    def sort(self) -> None:
        """Sort by rank, or take that back: what a click on the heading does."""
        if self.widget.ranked >= 0:
            self.widget.by_rank = not self.widget.by_rank
            self._send()

    def _send(self) -> None:
        plain = [_plain(row) for row in self.rows]
        if plain != self.widget.rows:
            self.widget.rows = plain

    @property
    def selected(self) -> str:
        """Key of the row set off from the others; empty for none."""
        return str(self.widget.selected)

    @selected.setter
    def selected(self, key: str) -> None:
        self.widget.selected = key

    def do(self, action: str, key: str) -> None:
        """What a click in the page does."""
        row = next((row for row in self._shown if row.key == key), None)
        if row is not None and (action == "open" or any(known.name == action for known in row.actions)):
            self._on_action(action, key)

    def _receive(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        if message.get("action") == "sort":
            self.sort()
            return
        self.do(str(message.get("action")), str(message.get("key")))


def _plain(row: Row) -> dict[str, Any]:
    actions = [{"name": a.name, "label": a.label, "title": a.title, "confirm": a.confirm} for a in row.actions]
    return {"key": row.key, "cells": list(row.cells), "actions": actions, "title": row.title}
