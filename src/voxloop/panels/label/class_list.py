"""The classes of a level as a list to choose from and to edit. Knows classes, no store: it asks its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any

import anywidget
import traitlets as t


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


class ClassListWidget(anywidget.AnyWidget):
    """What is shared with the page."""

    _esm = _asset("class_list.js")
    _css = _asset("class_list.css") + _asset("label_panel.css")

    classes: t.List = t.List().tag(sync=True)
    value = t.Int(0).tag(sync=True)
    editable = t.Bool(True).tag(sync=True)


class ClassList:
    """One line a class: colour, name, voxels, key, visible, locked.

    ``on_ask(action, message)`` hears what the hand asks for: ``choose``, ``change``, ``remove`` (with ``value``),
    ``add`` (with ``name``). Nothing changes here until :meth:`show` is called with what came of it.
    """

    def __init__(self, on_ask: Callable[[str, Mapping[str, Any]], object]) -> None:
        self._on_ask = on_ask
        self.widget = ClassListWidget()
        self.widget.on_msg(lambda _, message, buffers: self._on_ask(str(message.get("action")), message))

    def show(self, classes: Iterable[Any], counts: Mapping[int, int], *, editable: bool = True) -> None:
        """Show these classes and how many voxels each has; one message at most."""
        fields = ("value", "name", "color", "shortcut", "visible", "locked")
        listed = [{**{f: getattr(item, f) for f in fields}, "count": counts.get(item.value, 0)} for item in classes]
        with self.widget.hold_sync():
            self.widget.classes = listed
            self.widget.editable = editable

    def choose(self, value: int) -> None:
        """Set off the class that is in the hand."""
        self.widget.value = value
