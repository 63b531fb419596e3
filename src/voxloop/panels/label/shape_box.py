"""Whole shapes at a click: refine those of the class in hand, label a range of intensities. Paints nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w

from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, classed, labelled, row
from voxloop.panels.label.tool_box import number_typed
from voxloop.panels.label.tools import Call, ToolState
from voxloop.store.refining import OPERATIONS

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace

#: what is changed, in words; a threshold of every slice by itself is one of the volume
_SCOPES = {"this slice": "slice", "all slices, each": "slices", "volume": "volume"}


class ShapeOwner(Protocol):
    """The panel whose labels are changed."""

    ws: Workspace
    labels: Labels
    view: PlaneView
    state: ToolState

    def edit(self, call: Call) -> None: ...


class ShapeBox:
    """A fold with one row that refines shapes and one that labels by intensity."""

    def __init__(self, owner: Panel) -> None:
        self._owner: Any = owner
        self._panel = owner
        self.fold = Fold("Shapes", self._build, lambda fold: self._offer())
        self.widget = self.fold.widget

    def refine(self) -> None:
        """Change the shapes of the class in hand."""
        owner: ShapeOwner = self._owner
        scope = _SCOPES[self._scope.value]
        arguments: dict[str, Any] = {"operation": self._operation.value, "scope": scope, "value": owner.state.value}
        radius = number_typed("Radius", self._radius.value)
        if radius is not None:
            arguments["radius_um"] = radius
        if scope != "volume":
            arguments["axis"] = owner.view.axis
        if scope == "slice":
            arguments["index"] = owner.view.index
        owner.edit(Call("refine", arguments))

    def threshold(self) -> None:
        """Label what lies in the range and has no label yet."""
        owner: ShapeOwner = self._owner
        limits = {"low": number_typed("From", self._low.value), "high": number_typed("To", self._high.value)}
        arguments: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
        arguments["value"] = owner.state.value
        if self._channel.value not in (0, None):
            arguments["channel"] = self._channel.value
        if self._where.value == "this slice":
            at = {"zyx".index(owner.view.axis): slice(owner.view.index, owner.view.index + 1)}
            arguments["region"] = tuple(at.get(axis, slice(None)) for axis in range(3))
        owner.edit(Call("threshold", arguments))

    def _offer(self) -> None:
        """Channels as there are now."""
        owner: ShapeOwner = self._owner
        own = owner.ws.images.open(owner.labels.image).attrs.get("channel_names") or ["image"]
        options: list[tuple[str, int | str]] = [(str(name or number), number) for number, name in enumerate(own)]
        options += [(name, name) for name in owner.ws.channels.names]
        chosen = self._channel.value
        self._channel.options = options
        self._channel.value = chosen if chosen in [value for _, value in options] else 0

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self._operation = w.Dropdown(options=OPERATIONS, **labelled("Refine", "What becomes of the class in hand"))
        self._scope = w.Dropdown(options=list(_SCOPES), **labelled("On", "Which shapes"))
        self._radius = _field("Radius", "Micrometres; empty: a voxel, and three for small parts")
        self._channel = w.Dropdown(options=[("image", 0)], **labelled("Intensity", "Of the image, or of a channel"))
        self._low = _field("From", "The smallest intensity that is labelled")
        self._high = _field("To", "The largest one")
        self._where = w.Dropdown(options=["this slice", "volume"], **labelled("On", "Where to label"))
        apply = button("Apply", handler(self.refine), tooltip="Change the shapes of the class in hand")
        fill = button("Label", handler(self.threshold), tooltip="Label what is in the range and has no label yet")
        return [
            self._operation,
            self._scope,
            row(self._radius, apply),
            self._channel,
            row(self._low, self._high),
            row(self._where, fill),
        ]


def _field(name: str, words: str) -> w.Text:
    return classed(w.Text("", **labelled(name, words)), "vx-grow")
