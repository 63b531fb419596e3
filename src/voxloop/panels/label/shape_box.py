"""Whole shapes at a click: refine those of the class in hand, label a range of intensities. Paints nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w

from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, classed, labelled, row
from voxloop.panels.label.overlay_choice import LOOK_S
from voxloop.panels.label.range_box import RangeBox
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
    """A fold with one row that refines shapes, and the rows of a range of intensities."""

    def __init__(self, owner: Panel) -> None:
        self._owner: Any = owner
        self._panel = owner
        self._offered: tuple[Any, ...] = ()
        self.fold = Fold("Shapes", self._build, lambda fold: self._offer())
        self.widget = self.fold.widget
        owner.every(LOOK_S, self.follow)

    def refine(self) -> None:
        """Change the shapes of the class in hand; of a named region in three dimensions, inside of it."""
        owner: ShapeOwner = self._owner
        scope = _SCOPES.get(self._scope.value, "volume")
        arguments: dict[str, Any] = {"operation": self._operation.value, "scope": scope, "value": owner.state.value}
        radius = number_typed("Radius", self._radius.value)
        if radius is not None:
            arguments["radius_um"] = radius
        if self._scope.value not in _SCOPES:
            arguments["region"] = self._scope.value
        if scope != "volume":
            arguments["axis"] = owner.view.axis
        if scope == "slice":
            arguments["index"] = owner.view.index
        owner.edit(Call("refine", arguments))

    def follow(self) -> None:
        """Offer, while the fold is open, what was changed elsewhere: the channel on show, channels, regions."""
        if self.fold.is_open and self._offered != self._there:
            self._offer()

    @property
    def _there(self) -> tuple[Any, ...]:
        owner: ShapeOwner = self._owner
        return owner.labels.image, owner.state.channel, owner.ws.channels.names, owner.ws.regions.names

    def _offer(self) -> None:
        """Regions and channels as there are now."""
        owner: ShapeOwner = self._owner
        self._offered = self._there
        regions = [name for name in owner.ws.regions.names if owner.ws.regions[name].image == owner.labels.image]
        chosen = self._scope.value
        self._scope.options = [*_SCOPES, *regions]
        self._scope.value = chosen if chosen in self._scope.options else "this slice"
        self._range.offer(regions)

    def _build(self) -> list[w.Widget]:
        self._operation = w.Dropdown(options=OPERATIONS, **labelled("Refine", "What becomes of the class in hand"))
        self._scope = w.Dropdown(options=list(_SCOPES), **labelled("On", "Which shapes"))
        self._radius = classed(
            w.Text("", **labelled("Radius", "Micrometres; empty: a voxel, and three for small parts")), "vx-grow"
        )
        apply = button("Apply", self._panel.handler(self.refine), tooltip="Change the shapes of the class in hand")
        self._range = RangeBox(self._panel)
        return [self._operation, self._scope, row(self._radius, apply), *self._range.widgets]
