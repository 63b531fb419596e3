"""The classes of the level in the hand: choosing, adding, changing, removing them. Paints nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, row, section, show
from voxloop.panels.label.class_list import ClassList
from voxloop.panels.label.tools import OF_OBJECTS, ToolState

if TYPE_CHECKING:
    from voxloop.store import LabelClass, Labels
    from voxloop.workspace.workspace import Workspace

#: tools that a class chosen from the list is not painted with
_NOT_PAINTING = ("look", "erase", *OF_OBJECTS)


class ClassEditor:
    """The list of classes, or on a level of instances a button for the next object.

    Parameters
    ----------
    state
        Whose class changes with the one chosen.
    changed
        Called whenever the classes may have changed.
    tell_code
        Called with the line of Python for a change.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        state: ToolState,
        *,
        changed: Callable[[], object],
        tell_code: Callable[[str], object],
    ) -> None:
        self._panel, self._ws, self._state = panel, ws, state
        self._changed, self._tell_code = changed, tell_code
        self._labels: Labels | None = None
        self.list = ClassList(self._ask)
        new_object = button("New object", panel.handler(self.new_object), tooltip="Paint an object of its own (X)")
        self._objects: w.HBox = row(new_object)
        self.widget = section("Classes", self.list.widget, self._objects)

    def show(self, labels: Labels) -> None:
        """Show the classes of these labels and how much each has."""
        self._labels = labels
        level = labels.level
        self.list.show(level.classes, labels.counts(), editable=not labels.read_only)
        show(self.list.widget, level.kind != "instances")
        show(self._objects, level.kind == "instances")

    @property
    def chosen(self) -> LabelClass | None:
        """The class in the hand; None for an object of a level of instances."""
        if self._labels is None:
            return None
        return next((item for item in self._labels.level.classes if item.value == self._state.value), None)

    def new_object(self) -> None:
        """On a level of instances: paint with a number that was never used."""
        if self._labels is not None:
            self._state.value = self._labels.next_id()

    def _ask(self, action: str, message: Mapping[str, Any]) -> None:
        self._panel.handler(lambda: self._change(action, message))()

    def _change(self, action: str, message: Mapping[str, Any]) -> None:
        labels = self._labels
        if labels is None:
            return
        if action == "choose":
            self._state.value = int(message["value"])
            if self._state.tool in _NOT_PAINTING and not labels.read_only:
                self._state.tool = "brush"
            return
        try:
            line = self._edit(labels.level.name, action, message)
        finally:
            self._changed()
        self._tell_code(line)

    def _edit(self, level: str, action: str, message: Mapping[str, Any]) -> str:
        """Do what the list asked for; the line of Python that does the same."""
        levels = self._ws.levels
        if action == "add":
            name = str(message["name"])
            self._state.value = levels.add_class(level, name).value
            return f"ws.levels.add_class({level!r}, {name!r})"
        value = int(message["value"])
        if action == "remove":
            levels.remove_class(level, value)
            return f"ws.levels.remove_class({level!r}, {value})"
        changes = dict(message["changes"])
        levels.change_class(level, value, **changes)
        arguments = ", ".join(f"{name}={new!r}" for name, new in changes.items())
        return f"ws.levels.change_class({level!r}, {value}, {arguments})"
