"""Which image and which label level: choosing, adding, renaming. Knows the lists of a workspace, no label array."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, show
from voxloop.panels.label.time_stepper import TimeStepper

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

_NO_PARENT = ("anywhere", None)
_FIRST_CLASSES = ("object", "background")


class LevelChooser:
    """Two lists, and a small form for a new level or a new name.

    ``choose(image=..., level=...)`` is called with what the hand chose.
    """

    def __init__(self, owner: Panel, ws: Workspace, image: str, level: str, choose: Callable[..., object]) -> None:
        handler = owner.handler
        self._ws, self._choose = ws, choose
        self._showing = False
        self.images = classed(w.Dropdown(options=ws.images.names, value=image, tooltip="Image"), "vx-grow")
        self.levels = classed(w.Dropdown(options=ws.levels.names, value=level, tooltip="Label level"), "vx-grow")
        self.images.observe(handler(lambda change: self._chosen(image=change["new"])), "value")
        self.levels.observe(handler(lambda change: self._chosen(level=change["new"])), "value")
        self.name = w.Text(placeholder="name")
        self.kind = w.Dropdown(
            options=[("classes", "semantic"), ("single objects", "instances")],
            **labelled("Holds", "A class for each voxel, or a number of its own for each object"),
        )
        self.parent = w.Dropdown(
            options=[_NO_PARENT], **labelled("Inside", "The class of another level within which this one is labelled")
        )
        self._new = column(self.kind, self.parent)
        self._renames = False
        add = button("", handler(lambda: self._open_form(renames=False)), icon="plus", tooltip="Add a label level")
        rename = button("", handler(lambda: self._open_form(renames=True)), icon="pencil", tooltip="Rename this level")
        self.edit_buttons = (add, rename)
        done = button("OK", handler(self.finish), kind="primary")
        cancel = button("Cancel", handler(self._close_form))
        self._form = column(row(classed(self.name, "vx-grow"), done, cancel, classes=("vx-choosers",)), self._new)
        self._form.add_class("vx-card")
        show(self._form, False)
        show(self.images, len(ws.images.names) > 1)
        self.times = TimeStepper(owner, ws, lambda name: self._chosen(image=name))
        self.times.show(image)
        lists = row(self.images, self.levels, add, rename, classes=("vx-choosers",))
        self.widget = column(lists, self.times.widget, self._form)

    def show(self, image: str, level: str) -> None:
        """Set the lists to what is painted on, which calls nobody."""
        self._showing = True
        try:
            self.images.options, self.levels.options = self._ws.images.names, self._ws.levels.names
            self.images.value, self.levels.value = image, level
            self.times.show(image)
        finally:
            self._showing = False

    def _chosen(self, **what: Any) -> None:
        if not self._showing and None not in what.values():
            self._choose(**what)

    def _open_form(self, *, renames: bool) -> None:
        self._renames = renames
        self.name.value = self.levels.value if renames else ""
        levels = [self._ws.levels[name] for name in self._ws.levels.names]
        inside = [
            (f"{level.name}: {item.name}", (level.name, item.name))
            for level in levels
            if level.kind == "semantic"
            for item in level.classes
        ]
        self.parent.options = [_NO_PARENT, *inside]
        self.parent.value = None
        show(self._new, not renames)
        show(self._form, True)

    def _close_form(self) -> None:
        show(self._form, False)

    def finish(self) -> None:
        """Add the level, or give it its new name."""
        name = str(self.name.value).strip()
        if not name:
            raise LabelError("a level needs a name, for example organelles")
        if self._renames:
            self._ws.levels.rename(self.levels.value, name)
        else:
            classes = _FIRST_CLASSES if self.kind.value == "semantic" else ()
            self._ws.levels.add(name, classes=list(classes), parent=self.parent.value, kind=self.kind.value)
        self._close_form()
        self._choose(level=name)
