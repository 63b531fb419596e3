"""Painting: the picture with its labels on the left, tools on the right. Knows the workspace's labels, no learner."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.access import read_only_words
from voxloop.panels.base.panel import Panel, classed, column, section, show, text
from voxloop.panels.base.saved import Saved
from voxloop.panels.base.split import as_high_as_the_window, split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.label import page_strokes
from voxloop.panels.label.class_editor import ClassEditor
from voxloop.panels.label.code_line import CodeLine
from voxloop.panels.label.compare_box import CompareBox
from voxloop.panels.label.edits import Edits
from voxloop.panels.label.first_places import FirstPlaces
from voxloop.panels.label.hinted import HintedTools
from voxloop.panels.label.level_chooser import LevelChooser
from voxloop.panels.label.level_layers import LevelLayers
from voxloop.panels.label.live_box import LiveBox
from voxloop.panels.label.live_overlay import OverlaySource
from voxloop.panels.label.live_place import LivePlace
from voxloop.panels.label.mask_files import MaskFiles
from voxloop.panels.label.object_hand import ObjectHand
from voxloop.panels.label.picture_choice import PictureChoice
from voxloop.panels.label.preview import MaskPreview
from voxloop.panels.label.region_box import RegionBox
from voxloop.panels.label.shape_box import ShapeBox
from voxloop.panels.label.slice_box import SliceBox
from voxloop.panels.label.steps import Steps
from voxloop.panels.label.strays import Strays
from voxloop.panels.label.tool_box import ToolBox
from voxloop.panels.label.tools import BY_NAME, OBJECT_COLOR, Call, bindings, fill_call, hand, stroke_call, voxel_of
from voxloop.panels.label.unit_box import UnitBox
from voxloop.panels.people.people_box import PeopleBox
from voxloop.panels.view.ink import StrokePiece
from voxloop.panels.view.item_bar import ItemBar
from voxloop.panels.view.layers import LabelLayer, Layer, LayerKind, class_dicts
from voxloop.panels.view.linked_planes import LinkedPlanes
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels
    from voxloop.workspace.workspace import Workspace


class LabelPanel(Panel):
    """Paint labels on the planes of an image.

    Parameters
    ----------
    ws
        The workspace. Where another process writes it, the panel shows everything and changes nothing.
    image, level
        What to paint on; the first where not given.
    height
        Of the picture, CSS pixels; the panel is as high as the window where not given.
    overlay_source
        Makes who answers for the live overlay; a helper process of the workspace where not given.

    Examples
    --------
    >>> panel = vl.LabelPanel(ws, "stack", "labels")
    """

    @on_ui
    def __init__(
        self,
        ws: Workspace,
        image: str | None = None,
        level: str | None = None,
        *,
        height: int | None = None,
        overlay_source: Callable[[], OverlaySource] | None = None,
        embedded: bool = False,
    ) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        if not ws.images.names:
            raise LabelError("this workspace has no image yet; add one with ws.images.add(name, path)")
        self._image = image or ws.images.names[0]
        self._level = level or next(iter(ws.levels.painted), "")
        self.labels: Labels
        self._disconnect: list[Callable[[], object]] = []
        self._stale = True
        self.view = PlaneView(ws.images.scales(self._image), height=as_high_as_the_window(self.widget, height))
        self.planes, self.tools = LinkedPlanes(self.view), ToolBox(self.handler)
        self.state = self.tools.state
        self.code_line = CodeLine()
        self.code, self.show_code = self.code_line.widget, self.code_line.show
        self.levels, self.strays = LevelLayers(self, ws, self.view), Strays(self, ws, self.show_code)
        self.items = ItemBar(self, self.view, lambda: self.image, lambda image: self.choose(image), self.show_code)
        self.regions, self.compare, self.people = RegionBox(self), CompareBox(self), PeopleBox(self)
        self.classes = ClassEditor(self, ws, self.state, changed=self._classes_changed, tell_code=self.show_code)
        self.saved = Saved()
        self.live_box = LiveBox(
            self, ws, self.view, overlay_source, lambda: self._level, lambda: self.next_place(), lambda: self.accept()
        )
        self.live = self.live_box.overlay
        self.picture, self.units, self.shapes = PictureChoice(self), UnitBox(self), ShapeBox(self)
        self.preview, self.steps = MaskPreview(self.view), Steps(self, self.code_line.note)
        self.hinted, self._edits = HintedTools(self), Edits(self)
        self.masks, self.objects = MaskFiles(self), ObjectHand(self)
        self.live_place = LivePlace(self, self.view, self.live)
        self.first = FirstPlaces(
            self, ws, self.view, show_image=lambda image: self.choose(image=image), tell_code=self.show_code
        )
        self._build()
        self._listen()
        self._open_labels()
        self.every(0.4, self._tick)

    # ------------------------------------------------------------------------------------------------------ building

    def _build(self) -> None:
        self.chooser = LevelChooser(self, self.ws, self._image, self._level, self.choose, self.show_code)
        self.slices = SliceBox(self, self.saved.widget)
        self._banner = text("", "vx-banner")
        self.masks_box = section("Masks and films", self.masks.widget)
        self.side = w.VBox(
            [
                self.items.widget,
                self.chooser.widget,
                column(self.regions.limit.widget, self.strays.widget),
                self.picture.widget,
                self.tools.widget,
                self.classes.widget,
                self.objects.widget,
                self.first.widget,
                self.live_box.widget,
                self.slices.widget,
                self.shapes.widget,
                self.regions.widget,
                self.compare.widget,
                self.people.widget,
                self.masks_box,
                self.code,
            ]
        )
        self.side.add_class("vx-panel")
        pictures = classed(w.HBox([self.planes.widget, self.objects.solid.widget]), "vx-pair", "vx-fills")
        self.body(self._banner, split(column(pictures, self.message.widget), self.side), message=False)

    def _listen(self) -> None:
        view = self.view
        view.on("stroke", self._on_stroke)
        view.on("recall", lambda stroke, place: page_strokes.recall(self.ws, stroke, place, self.labels))
        view.on("drop", lambda stroke: page_strokes.take_back(self.labels, stroke, self.undo))
        view.on("click", self.handler(self._on_click))
        view.on("action", self.handler(self._on_action))
        view.on("tool", self._on_tool)
        self.state.observe(lambda change: self.show_hand(), type="change")
        self.state.observe(lambda change: self.hinted.leave(change["new"]), "tool")
        view.widget.observe(lambda change: self.tools.suggest_range(*change["new"][0]["limits"]), "contrast")
        for event in ("camera", "plane", "beside"):
            view.on(event, self.live.follow_view)
        for release in (self.planes.close, self.saved.close, self._leave_labels, self.live.close):
            self.on_close(release)

    # ----------------------------------------------------------------------------------------------- image and level

    @property
    def image(self) -> str:
        return self._image

    @property
    def level(self) -> str:
        return self._level

    @on_ui
    def choose(self, image: str | None = None, level: str | None = None) -> None:
        """Paint on another image or level."""
        if image is not None and image != self._image:
            there = self._image in self.ws.images.names  # or it was removed meanwhile
            keep, self._image = there and image in self.ws.images.times(self._image), image
            self.picture.show(keep=keep)
        if level is not None and level != self._level:
            self._level = level
            self.live_box.choice.list.value = ""
        self.chooser.show(self._image, self._level)
        self._leave_labels()
        self._open_labels()

    def _leave_labels(self) -> None:
        self.hinted.drop()
        for disconnect in self._disconnect:
            disconnect()
        self._disconnect = []
        self.levels.leave()

    def _open_labels(self) -> None:
        """Show the labels of the chosen level on the chosen image."""
        self.labels = self.ws.labels(self._level, self._image)
        self._disconnect = [self.labels.on_edit(lambda edit: self.post(self._on_edit, edit))]
        self.live.follow(self.labels)
        self.strays.follow(self.labels)
        level = self.labels.level
        kind: LayerKind = "instances" if level.kind == "instances" else "labels"
        own = LabelLayer(self.labels, level.name, level.classes, kind)
        below: list[Layer] = [*self.picture.layers, self.live.layer, *self.levels.below(self.labels)]
        over: list[Layer] = [*self.compare.layers(), *self.people.layers(), *self.regions.layers(), self.preview.layer]
        self.view.set_layers([*below, own, *self.units.opened(), *over, *self.items.layers()])
        values = [item.value for item in level.classes]
        if kind == "instances":
            self.state.value = self.labels.next_id()
        elif values and self.state.value not in values:
            self.state.value = values[0]
        self.objects.follow(self.labels)
        self.saved.follow(self.labels)
        self.people.show()
        self.view.widget.place = page_strokes.place_of(self.ws, self.labels)
        self._show_classes()
        self.show_hand()
        self._show_access()

    def _show_access(self) -> None:
        """Say who writes, where it is not this process."""
        reason = read_only_words(self.ws) if self.labels.read_only else ""
        self._banner.value = html.escape(reason)
        show(self._banner, bool(reason))
        self.first.show_access()
        for control in (self.slices.undo, self.slices.redo, *self.tools.paint_buttons, *self.chooser.edit_buttons):
            control.disabled = bool(reason)
        if reason:
            self.state.tool = "look"

    # ----------------------------------------------------------------------------------------------- hand and classes

    @property
    def color(self) -> str:
        """Of what is painted now."""
        return OBJECT_COLOR if self.classes.chosen is None else self.classes.chosen.color

    def show_hand(self) -> None:
        """Tell page and buttons what is in the hand."""
        tool = hand(self.state, self.color)
        if tool != self.view.tool:
            self.view.set_tool(**tool)
        self.classes.list.choose(self.state.value)

    def _on_tool(self, tool: Mapping[str, Any]) -> None:
        """The page changed the tool: by a key."""
        self.state.set_trait("tool", tool["name"] if tool["name"] in BY_NAME else self.state.tool)
        self.state.set_trait("radius", float(tool["radius"]))
        self.state.set_trait("value", int(tool["value"]))

    def _classes_changed(self) -> None:
        self._show_classes()
        self.show_hand()

    def _show_classes(self) -> None:
        self.classes.show(self.labels)
        listed = class_dicts(self.labels.level.classes)
        if self.view.look_of("labels")["classes"] != listed:
            self.view.change_layer("labels", classes=listed)
            self.live.show_classes()
            self.view.change_layer(self.live.layer.id, classes=self.live.layer.state["classes"])
        keys = self._keys()
        if self.view.widget.bindings != keys:
            self.view.widget.bindings = keys

    def _keys(self) -> list[dict[str, Any]]:
        """The keys that mean something here, for the picture and its list of keys."""
        objects = self.labels.level.kind == "instances"
        return bindings(self.state, self.labels.level.classes, objects=objects) + self.items.bindings

    # ------------------------------------------------------------------------------------------------------- editing

    def edit(self, call: Call) -> None:
        """Make an edit off the UI thread; what it did is said, what hinders it too."""
        if self._edits.make(call, self.labels):
            self.code_line.note(call)

    @property
    def beside(self) -> str:
        """Name of the prediction that lies over the picture; empty where none does."""
        return ""

    def _on_stroke(self, piece: StrokePiece) -> int | None:
        """Paint a piece of a stroke; its edit's number, None where it could not be painted."""
        self.labels.beside = self.beside
        if piece.tool == "cut":
            return self.objects.cut(piece)
        try:
            if self.regions.takes(piece):
                return self.regions.draw(piece)
            if BY_NAME[piece.tool].hints:
                return self.hinted.take(piece)
            edit = page_strokes.paint(page_strokes.labels_at(self.ws, piece.place, self.labels), piece)
        except Exception as error:
            self.show_error(error)
            return None
        self.code_line.note(stroke_call(piece), joined=piece.joined)
        self.clear_error()
        return edit

    def _on_click(self, message: dict[str, Any]) -> None:
        if message["tool"] == "pick":
            self.pick(voxel_of(message))
        elif message["tool"] == "fill":
            self.edit(fill_call(message))
        else:
            self.hinted.click(message)

    def pick(self, point: tuple[int, int, int]) -> None:
        """Take the class at a voxel (z, y, x) into the hand."""
        z, y, x = point
        if any(not 0 <= at < size for at, size in zip(point, self.labels.shape, strict=True)):
            return
        value = int(self.labels.read((slice(z, z + 1), slice(y, y + 1), slice(x, x + 1)))[0, 0, 0])
        if value:
            self.state.value = value
            if not self.view.tool["paints"]:
                self.state.tool = "brush"

    def _on_action(self, name: str, point: list[float]) -> None:
        actions: dict[str, Callable[[], object]] = {
            "undo": self.undo,
            "redo": self.redo,
            **self.slices.actions,
            **self.hinted.actions(),
            **self.items.actions,
            "overlay": self.live_box.switch,
            "next": self.next_place,
            "accept": self.accept,
            **dict.fromkeys(("place", "skip"), lambda: self.first.act(name)),
            "ball": lambda: self.state.set_trait("ball", not self.state.ball),
            "pen": self.tools.offer_pressure,
            "new": self.classes.new_object,
            "levels": self.levels.switch,
            **self.people.actions(self.compare.step),
        }
        if name in actions:
            actions[name]()

    def undo(self) -> None:
        """Take the last edit back, and show the plane that it was on."""
        self.steps.back()

    def redo(self) -> None:
        """Make the edit that was taken back again."""
        self.steps.forth()

    def load(self, source: str | Path, values: dict[int, str] | None) -> None:
        """Bring in a mask; ``values`` says what each of its values means."""
        self.edit(Call("load", {"source": str(source), **({"values": values} if values else {})}))

    def save(self, path: str | Path) -> None:
        """Write the labels to a file of another program."""
        if self.masks.write(path):
            self.code_line.note(Call("save", {"path": str(path)}))

    # -------------------------------------------------------------------------------------------------- live overlay

    def next_place(self) -> None:
        """Show the place on this plane where one more stroke helps most."""
        self.live_place.show_next()

    def accept(self) -> None:
        """Make labels of what the overlay says around the place."""
        self.live_place.accept(self.labels)

    # ----------------------------------------------------------------------------------------------------- following

    def _on_edit(self, edit: Edit) -> None:
        """Labels changed, by this panel or anybody else in this process."""
        if edit.voxels:
            self.view.refresh("labels", box=edit.box, sequence=edit.sequence)
            self.first.note_edit(edit, self._image)
            self._forget_place()
            self.live.follow_edit()
            self.strays.note(edit)
        self._stale = True

    def _forget_place(self) -> None:
        """The place that was pointed at was looked at."""
        if self.first.in_use:
            self.first.places.show()
        else:
            self.view.set_shapes([])

    def _tick(self) -> None:
        """What need not happen with every stroke: counts, the saved line, the code, what another writer did."""
        if self.labels.read_only:
            self.labels.refresh()
        self.code_line.write(f"ws.labels({self._level!r}, {self._image!r})")
        if not self._stale:
            return
        self._stale = False
        self._show_classes()
        self.saved.show()
        self.slices.undo.disabled, self.slices.redo.disabled = not self.labels.can_undo, not self.labels.can_redo
