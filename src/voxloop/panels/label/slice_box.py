"""From slice to slice: copy, interpolate, undo and redo, and a fold that copies further. Changes no label itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import button, classed, labelled, row, section, spacer
from voxloop.panels.label.slices import slices_around
from voxloop.panels.label.tools import Call

if TYPE_CHECKING:
    from voxloop.panels.label.hinted import HintedTools
    from voxloop.panels.label.object_hand import ObjectHand
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace

#: how far a copy goes, in words
_TO = ("next slices", "slices before", "all slices", "this slice")


class SliceOwner(Protocol):
    """The panel whose labels are copied."""

    ws: Workspace
    labels: Labels
    view: PlaneView
    hinted: HintedTools
    objects: ObjectHand

    def edit(self, call: Call) -> None: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...


class SliceBox:
    """Buttons for what goes from slice to slice."""

    def __init__(self, owner: Any, saved: w.Widget) -> None:
        self._owner: SliceOwner = owner
        handler = owner.handler
        self.undo = button("", handler(owner.undo), icon="undo", tooltip="Undo (Ctrl Z)")
        self.redo = button("", handler(owner.redo), icon="repeat", tooltip="Redo (Ctrl Shift Z)")
        copy = button("Copy slice", handler(self.copy_here), tooltip="Copy the labels of the slice before (C)")
        between = button("Interpolate", handler(self.interpolate), tooltip="Fill the slices between painted ones (M)")
        self._handler = handler
        self._fold = Fold("Copy further", self._build, lambda fold: self._offer())
        buttons = row(copy, between, spacer(), self.undo, self.redo)
        solid = row(self._owner.objects.solid.button, classed(saved, "vx-grow"))
        self.widget = section("Slices", buttons, solid, self._fold.widget)

    @property
    def actions(self) -> dict[str, Callable[[], object]]:
        """What keys of the page do."""
        return {"copy": self.copy_here, "copy on": self.copy_on, "interpolate": self.interpolate}

    def copy_here(self) -> None:
        """Copy the labels of the slice before onto unlabelled voxels of this one."""
        view = self._owner.view
        if view.index == 0:
            raise LabelError("there is no slice before the first one; go on one slice")
        call = {"axis": view.axis, "source": view.index - 1, "target": view.index}
        self._owner.edit(Call("copy_slice", call))

    def copy_on(self) -> None:
        """Copy the selection, or all of this slice, onto unlabelled voxels of the next one, and go there."""
        view = self._owner.view
        if view.index + 1 >= self._depth:
            raise LabelError("this is the last slice: there is none after it")
        self._owner.edit(self._call([view.index + 1]))
        view.go_to_plane(view.index + 1)

    def copy_further(self) -> None:
        """Copy to where the fold says."""
        view, count = self._owner.view, int(self._count.value)
        image = self._image.value or None
        here = view.index
        chosen = {
            "next slices": range(here + 1, min(self._depth, here + 1 + count)),
            "slices before": range(max(0, here - count), here),
            "all slices": range(self._depth),
            "this slice": range(here, here + 1),
        }[self._to.value]
        if image is None and self._to.value == "this slice":
            raise LabelError("choose other slices, or another image to copy this slice to")
        targets = list(chosen)
        if not targets:
            raise LabelError("there is no such slice: this is the first or the last one")
        self._owner.edit(self._call(targets, image=image, overwrite=self._overwrite.value))

    def interpolate(self) -> None:
        """Fill the slices between the painted ones that lie around this one."""
        view = self._owner.view
        first, last = slices_around(self._owner.labels, view.axis, view.index)
        self._owner.edit(Call("interpolate", {"axis": view.axis, "first": first, "last": last}))

    @property
    def _depth(self) -> int:
        return int(self._owner.labels.shape["zyx".index(self._owner.view.axis)])

    def _call(self, to: list[int], *, image: str | None = None, overwrite: bool = False) -> Call:
        view = self._owner.view
        arguments: dict[str, Any] = {"axis": view.axis, "source": view.index, "to": to[0] if len(to) == 1 else to}
        selecting = self._owner.hinted.selecting
        if selecting.points is not None and selecting.plane is not None and selecting.plane[0] == view.axis:
            selecting.check_in_sight()
            arguments["points"] = selecting.points
        if image is not None:
            arguments["image"] = image
        if overwrite:
            arguments["overwrite"] = True
        return Call("copy", arguments)

    def _offer(self) -> None:
        """Images as there are now."""
        others = [name for name in self._owner.ws.images.names if name != self._owner.labels.image]
        chosen = self._image.value
        self._image.options = [("this image", ""), *((name, name) for name in others)]
        self._image.value = chosen if chosen in others else ""

    def _build(self) -> list[w.Widget]:
        self._to = w.Dropdown(options=_TO, **labelled("To", "The selection where there is one, else all of this slice"))
        self._count = w.BoundedIntText(1, min=1, max=9999, **labelled("How many", "Slices that it is copied to"))
        self._image = w.Dropdown(options=[("this image", "")], **labelled("Of", "Undo it there, on that image"))
        self._overwrite = w.Checkbox(indent=False, **labelled("Over labels", "Else only where nothing is labelled"))
        copy = button("Copy", self._handler(self.copy_further), tooltip="Copy it (Shift C: to the next slice)")
        return [self._to, self._count, self._image, row(self._overwrite, spacer(), copy)]
