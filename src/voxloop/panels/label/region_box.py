"""Regions of interest: drawn on the planes, listed, renamed, removed, and one of them active. Paints no labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import ipywidgets as w
import numpy as np

from voxloop.errors import WorkspaceError
from voxloop.geometry import AXES, Box, plane_axes
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.limit_line import LimitLine
from voxloop.panels.base.panel import Panel, button, classed, labelled, row, show
from voxloop.panels.label.region_layers import RegionLayer, region_layers
from voxloop.panels.label.tools import ToolState, hand
from voxloop.panels.view.ink import StrokePiece
from voxloop.store.document import NamedRegion

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace

_EVERYWHERE = "everywhere"
_TOOL = "region "
#: of what is drawn
COLOR = "#56b4e9"
Kind = Literal["box", "polygon"]


class RegionOwner(Protocol):
    """The panel that shows the picture."""

    ws: Workspace
    view: PlaneView
    state: ToolState
    labels: Labels

    @property
    def image(self) -> str: ...
    def choose(self, image: str | None = None, level: str | None = None) -> None: ...
    def show_hand(self) -> None: ...
    def show_code(self, line: str) -> None: ...


class RegionBox:
    """A fold with the regions of the image on show, and a line above all that says which one is active."""

    def __init__(self, owner: Panel) -> None:
        self._owner: Any = owner
        self._panel = owner
        self._shown: tuple[Any, ...] = ()
        self._redraws = ""
        self._filling = False
        self.fold = Fold("Regions", self._build, lambda fold: self._offer())
        self.widget = self.fold.widget
        self.limit = LimitLine(owner, cast("Any", owner).ws, lambda: self._owner.image, self._lifted)
        owner.every(1.0, self.follow)

    # ------------------------------------------------------------------------------------------------------ the picture

    def layers(self) -> list[RegionLayer]:
        """What lies over everything else in the picture."""
        owner: RegionOwner = self._owner
        regions, active = owner.ws.regions.of(owner.image), owner.ws.regions.active_on(owner.image)
        self._shown = (owner.image, tuple(regions), active)
        self.limit.show()
        self.fold.note(f"{len(regions)}" if regions else "")
        if self.fold.is_open:
            self._offer()
        return region_layers(regions, active)

    def follow(self) -> None:
        """Show what was changed elsewhere."""
        owner: RegionOwner = self._owner
        regions, active = owner.ws.regions.of(owner.image), owner.ws.regions.active_on(owner.image)
        if self._shown and self._shown != (owner.image, tuple(regions), active):
            owner.choose()

    def takes(self, piece: StrokePiece) -> bool:
        """Whether a stroke is meant for a region."""
        return piece.tool.startswith(_TOOL)

    def draw(self, piece: StrokePiece) -> int:
        """Make a region of what was drawn, or give the chosen one this place; the number of the edit before it.

        Raises what the store raises.
        """
        owner: RegionOwner = self._owner
        self._draw(piece)
        return owner.labels.sequence

    def _draw(self, piece: StrokePiece) -> None:
        owner: RegionOwner = self._owner
        owner.show_hand()
        self._panel.say("", "quiet")  # what was said of how to draw
        corners = [(float(row), float(column)) for row, column in np.round(piece.points, 1).tolist()]
        old = next((one for one in owner.ws.regions.of(owner.image) if one.name == self._redraws), None)
        kind: Kind = "box" if piece.tool == f"{_TOOL}box" else "polygon"
        name = old.name if old is not None else self._free_name()
        if kind == "polygon":
            box = None
            if old is not None:  # along the axis that is drawn across, it stays as far as it reached
                box = Box.whole(owner.view.planes.shape)
                along = old.box.along(piece.axis)
                box = box.cut(piece.axis, along.start, along.stop)
            self._put(name, box, corners, piece.axis)
            return
        box = _spanned(piece, Box.whole(owner.view.planes.shape) if old is None else old.box, owner.view.planes.shape)
        self._put(name, box)

    # ---------------------------------------------------------------------------------------------------------- actions

    def begin(self, kind: Kind, *, anew: bool = True) -> None:
        """Take a region into the hand: what is drawn next is a new one, or the chosen one drawn again."""
        owner: RegionOwner = self._owner
        self._redraws = "" if anew else self._chosen().name
        tool = hand(owner.state, COLOR, name=kind)
        owner.view.set_tool(**{**tool, "name": f"{_TOOL}{kind}", "paints": False, "options": {}})
        how = "Drag from corner to corner" if kind == "box" else "Click its corners, or draw around it; Enter ends it"
        self._panel.say(f"{how}, on any of the planes.")

    def redraw(self) -> None:
        """Draw the chosen region again: a box changes along the two axes of the plane that it is drawn on."""
        self.begin("polygon" if self._chosen().outline else "box", anew=False)

    def rename(self) -> None:
        """Give the chosen region the name in the field."""
        owner: RegionOwner = self._owner
        old, new = self._chosen().name, str(self._name.value).strip()
        owner.ws.regions.rename(old, new)
        self._done(f"ws.regions.rename({old!r}, {new!r})", new)

    def remove(self) -> None:
        """Forget the chosen region."""
        owner: RegionOwner = self._owner
        name = self._chosen().name
        owner.ws.regions.remove(name)
        self._done(f"ws.regions.remove({name!r})", None)
        self._panel.say(f"Region '{name}' is gone; Undo in Regions brings it back, labels stayed as they are.", "good")

    def undo(self) -> None:
        """Take back the last change of regions."""
        owner: RegionOwner = self._owner
        if owner.ws.regions.undo():
            self._done("ws.regions.undo()", None)
        else:
            self._panel.say("No region was changed here.", "quiet")

    def limit_to(self, name: str | None) -> None:
        """Make a region the active one; None: none."""
        owner: RegionOwner = self._owner
        if name is None:
            owner.ws.regions.deactivate(owner.image)
            self._done(f"ws.regions.deactivate({owner.image!r})", None)
        else:
            owner.ws.regions.activate(name)
            self._done(f"ws.regions.activate({name!r})", name)

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _lifted(self) -> None:
        self._done(f"ws.regions.deactivate({self._owner.image!r})", None)

    def _put(self, name: str, box: Box | None, outline: Any = None, axis: str = "z") -> None:
        owner: RegionOwner = self._owner
        owner.ws.regions.add(name, box, owner.image, outline=outline, axis=axis)
        parts = [repr(name), *([box.code()] if box is not None else []), f"image={owner.image!r}"]
        parts += [f"outline={list(outline)!r}", f"axis={axis!r}"] if outline is not None else []
        self._done(f"ws.regions.add({', '.join(parts)})", name)

    def _done(self, line: str, chosen: str | None) -> None:
        """Show regions as they are now, and the line of Python that made them so."""
        owner: RegionOwner = self._owner
        if self.fold.is_open and chosen is not None:
            self._filling = True
            self._list.options = owner.ws.regions.names
            self._list.value = chosen
            self._filling = False
        owner.choose()
        owner.show_code(line)

    def _chosen(self) -> NamedRegion:
        owner: RegionOwner = self._owner
        name = self._list.value
        if name is None or name not in owner.ws.regions:
            raise WorkspaceError("this image has no region yet; draw one first")
        return owner.ws.regions[name]

    def _free_name(self) -> str:
        owner: RegionOwner = self._owner
        given = str(self._name.value).strip() if self.fold.is_open else ""
        if given and given not in owner.ws.regions:
            return given
        return next(name for n in range(1, 10_000) if (name := f"region {n}") not in owner.ws.regions)

    def _offer(self) -> None:
        """Regions as they are now."""
        owner: RegionOwner = self._owner
        names = [one.name for one in owner.ws.regions.of(owner.image)]
        active = owner.ws.regions.active_on(owner.image)
        self._filling = True
        try:
            chosen = self._list.value
            self._list.options = names
            self._list.value = chosen if chosen in names else next(reversed(names), None)
            self._inside.options = [(_EVERYWHERE, ""), *((f"only inside {name}", name) for name in names)]
            self._inside.value = "" if active is None else active.name
            self._show_chosen()
        finally:
            self._filling = False
        for control in self._edits:
            control.disabled = not names or owner.ws.read_only
        for control in (*self._draws, self._inside):
            control.disabled = owner.ws.read_only

    def _show_chosen(self) -> None:
        owner: RegionOwner = self._owner
        name = self._list.value
        for part in (self._list, *self._ranges):
            show(part, name is not None)
        if name is None:
            return
        region = owner.ws.regions[name]
        self._name.value = name
        for field, axis, size in zip(self._ranges, AXES, owner.view.planes.shape, strict=True):
            along = region.box.along(axis)
            field.min, field.max = 0, size
            field.value = (along.start, along.stop)
            field.disabled = owner.ws.read_only or bool(region.outline and axis != region.axis)

    def _list_chosen(self) -> None:
        if not self._filling:
            self._filling = True
            self._show_chosen()
            self._filling = False

    def _inside_chosen(self) -> None:
        if not self._filling:
            self.limit_to(self._inside.value or None)

    def _range_moved(self) -> None:
        if self._filling:
            return
        region = self._chosen()
        bounds = [list(field.value) for field in self._ranges]
        empty = next((axis for axis, (start, stop) in zip(AXES, bounds, strict=True) if start >= stop), None)
        if empty is not None:
            self._offer()
            raise WorkspaceError(f"a region holds a voxel at least, also along {empty}")
        self._put(region.name, Box.from_json(bounds), region.outline or None, region.axis)

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self._inside: Any = w.Dropdown(
            options=[(_EVERYWHERE, "")],
            **labelled("Work", "Painting, overlay, suggestions, trainings, predictions and objects stay inside of it"),
        )
        self._inside.observe(handler(self._inside_chosen), "value")
        self._list: Any = w.Dropdown(options=[], **labelled("Region", "The one that is changed below"))
        self._list.observe(handler(self._list_chosen), "value")
        self._name = classed(w.Text(placeholder="name of the next region"), "vx-grow")
        self._ranges = [_range(axis, handler(self._range_moved)) for axis in AXES]
        box = button("New box", handler(partial(self.begin, "box")), tooltip="Draw a box, from corner to corner")
        polygon = button("New polygon", handler(partial(self.begin, "polygon")), tooltip="Draw around it on a plane")
        again = button("Draw again", handler(self.redraw), tooltip="Draw the chosen one again, on any of the planes")
        rename = button("Rename", handler(self.rename), tooltip="Give the chosen region this name")
        remove = button("Remove", handler(self.remove), tooltip="Forget the chosen region; labels stay")
        undo = button("", handler(self.undo), icon="undo", tooltip="Undo the last change of regions")
        self._draws, self._edits = [box, polygon, undo], [again, rename, remove]
        names = row(self._name, rename, classes=("vx-choosers",))
        return [self._inside, row(box, polygon), self._list, names, *self._ranges, row(again, remove, undo)]


def _range(axis: str, moved: Any) -> Any:
    made = w.IntRangeSlider(
        value=(0, 1), min=0, max=1, continuous_update=False, **labelled(axis, f"First voxel along {axis}, and the end")
    )
    made.observe(moved, "value")
    return made


def _spanned(piece: StrokePiece, box: Box, shape: tuple[int, int, int]) -> Box:
    """A box with the two axes of a plane as they were drawn there. Raises WorkspaceError where that is outside."""
    for name, along in zip(plane_axes(piece.axis), piece.points.T, strict=True):
        size = shape[AXES.index(name)]
        start, stop = max(0, round(float(along.min()))), min(size, round(float(along.max())) + 1)
        if start >= stop:
            raise WorkspaceError(f"this box lies outside of the image along {name}; draw it on the picture")
        box = box.cut(name, start, stop)
    return box
