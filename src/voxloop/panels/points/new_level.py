"""A small form for a new level of points, boxes or classes of pictures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, classed, labelled, row, text

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

_KINDS = [("points", "points"), ("boxes", "boxes"), ("a class for each frame", "pictures")]


class NewLevel:
    """``made(name)`` is called with the new level, ``tell_code`` with the line of Python."""

    def __init__(
        self, owner: Panel, ws: Workspace, made: Callable[[str], object], tell_code: Callable[[str], object]
    ) -> None:
        self._owner, self._ws, self._made, self._tell = owner, ws, made, tell_code
        self.fold = Fold("New level", self._build, lambda fold: None)
        self.widget = self.fold.widget

    def create(self) -> None:
        """Make the level that was typed in."""
        name, kind = self.name.value.strip(), self.kind.value
        if not name:
            raise LabelError("type a name for the level first")
        told: dict[str, Any] = {"kind": kind}
        nodes, classes = _listed(self.nodes.value), _listed(self.classes.value)
        if kind == "points" and nodes:
            edges = list(pairwise(nodes))
            told["skeleton"] = {"nodes": nodes, "edges": edges}
        if classes:
            told["classes"] = classes
        self._ws.levels.add(name, **told)
        self.name.value = ""
        self._tell(f"ws.levels.add({name!r}, {', '.join(f'{key}={value!r}' for key, value in told.items())})")
        self._made(name)

    def _build(self) -> list[w.Widget]:
        self.name = classed(w.Text(placeholder="animals", **labelled("Name", "Name of the level")), "vx-grow")
        self.kind = classed(w.Dropdown(options=_KINDS, **labelled("Of", "What is said of the picture")), "vx-grow")
        nodes = "Parts of one body, with commas; each is joined to the one before. Empty: plain points to count"
        self.nodes = classed(w.Text(placeholder="nose, neck, tail", **labelled("Nodes", nodes)), "vx-grow")
        classes = "With commas; boxes and frames need some, points may have some"
        self.classes = classed(w.Text(placeholder="male, female", **labelled("Classes", classes)), "vx-grow")
        make = button("Create", self._owner.handler(self.create), kind="primary", tooltip="Make the level")
        hint = text("The skeleton can be changed later; what was labelled stays.", "vx-dim", "vx-small")
        return [self.name, self.kind, self.nodes, self.classes, row(make), hint]


def _listed(words: str) -> list[str]:
    return [part.strip() for part in words.split(",") if part.strip()]
