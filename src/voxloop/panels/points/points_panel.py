"""Points, boxes and classes of pictures over an image: the picture left, tools right, all frames below."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.film.instance_shapes import InstancePainter
from voxloop.panels.base.access import read_only_words
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, labelled, mark, row, section, show, text
from voxloop.panels.base.split import as_high_as_the_window, split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.points.frame_bar import FrameBar
from voxloop.panels.points.frame_search import FrameSearch
from voxloop.panels.points.grip import Spot
from voxloop.panels.points.instance_list import InstanceList
from voxloop.panels.points.learn_box import LearnBox
from voxloop.panels.points.look_box import LookBox
from voxloop.panels.points.mark_files import MarkFiles
from voxloop.panels.points.mark_hand import MarkHand
from voxloop.panels.points.mark_steps import MarkSteps
from voxloop.panels.points.mark_tools import TOOLS, bindings, for_page
from voxloop.panels.points.new_level import NewLevel
from voxloop.panels.points.overlay_shapes import OverlayShapes
from voxloop.panels.points.placement import MODES, Mode
from voxloop.panels.points.skeleton_editor import SkeletonEditor
from voxloop.panels.view.item_bar import ItemBar
from voxloop.panels.view.plane_view import PlaneView
from voxloop.store import PictureLabels

if TYPE_CHECKING:
    from voxloop.store import Instance
    from voxloop.workspace.workspace import Workspace


class PointsPanel(Panel):
    """Label points, boxes or classes of pictures.

    Parameters
    ----------
    ws
        The workspace. Where another process writes it, the panel shows everything and changes nothing.
    level, image
        What to label; the first of its kind where not given. Without any such level, a form makes one.
    height
        Of the picture, CSS pixels; the panel is as high as the window where not given.

    Examples
    --------
    >>> panel = vl.PointsPanel(film)
    >>> panel.level, panel.frame
    ('flies', 0)
    """

    @on_ui
    def __init__(
        self,
        ws: Workspace,
        level: str | None = None,
        image: str | None = None,
        *,
        height: int | None = None,
        embedded: bool = False,
    ) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        if not ws.images.names:
            raise LabelError("this workspace has no image yet; add one with ws.images.add(name, path)")
        levels = ws.levels.of_kind("points", "boxes", "pictures")
        if level is not None and level not in levels:
            raise LabelError(f"level {level!r} is none of points, boxes or pictures; there are {', '.join(levels)}")
        self._level = level or next(iter(levels), "")
        self._image = image or ws.images.names[0]
        self.marks: Any = None
        self.selected: int | None = None
        self.node: str | None = None
        self.mode: Mode = "best"
        self.label: str | None = None
        self._disconnect: Callable[[], object] | None = None
        first = 0 if ws.images.info(self._image).framed else None
        picture = as_high_as_the_window(self.widget, height)
        self.view = PlaneView(ws.images.scales(self._image), index=first, height=picture)
        self.hand = MarkHand(self)
        self.painter = InstancePainter()
        self.overlay = OverlayShapes(self)
        self.looks = LookBox(self)
        self.bar = FrameBar(self, self.view)
        self.items = ItemBar(self, self.view, lambda: self.image, lambda image: self.show(image=image), self._show_code)
        self.search = FrameSearch(self)
        self.list = InstanceList(self)
        self.steps = MarkSteps(self)
        self.learn = LearnBox(self)
        self.files = MarkFiles(self)
        self.code = CopyCode()
        self.skeleton = SkeletonEditor(self, ws, self._level_changed, self._show_code)
        self.new_level = NewLevel(self, ws, lambda name: self.show(level=name), self._show_code)
        self._build()
        self._listen()
        self._open()
        self.every(0.4, self._tick)

    # ------------------------------------------------------------------------------------------------------ building

    def _build(self) -> None:
        handler = self.handler
        self.images = classed(w.Dropdown(options=self.ws.images.names, value=self._image, tooltip="Image"), "vx-grow")
        self.levels = classed(w.Dropdown(tooltip="Level of points, boxes or pictures"), "vx-grow")
        self._tools = {
            tool.name: button(
                tool.label,
                handler(lambda name=tool.name: self.take_tool(name)),
                icon=tool.icon,
                tooltip=f"{tool.help} ({tool.key.upper()})",
            )
            for tool in TOOLS
        }
        about = "Where the nodes of a new instance begin: the nearest prediction, the frame before, an average body"
        self._mode = classed(w.Dropdown(options=list(MODES), **labelled("Placed as", about)), "vx-grow")
        self._class = classed(w.Dropdown(**labelled("Class", "Of new instances, and of the chosen one")), "vx-grow")
        self.next_after = w.Checkbox(value=True, description="assign and next", indent=False)
        self._banner = text("", "vx-banner")
        self._classes = classed(w.HBox(), "vx-row", "vx-wrap")
        tools = classed(w.HBox(list(self._tools.values())), "vx-row", "vx-wrap")
        self._placing = section("Tools", tools, self._mode, self._class)
        self._assigning = section("Class of this frame", self._classes, self.next_after)
        self.side = w.VBox(
            [
                row(self.images, self.levels),
                self.items.widget,
                self._placing,
                self._assigning,
                self.list.widget,
                self.search.widget,
                self.steps.widget,
                self.learn.widget,
                self.looks.widget,
                self.skeleton.widget,
                self.files.widget,
                self.new_level.widget,
                self.code,
            ]
        )
        self.side.add_class("vx-panel")
        main = column(self.view.widget, self.bar.widget, self.message.widget)
        self.body(self._banner, split(main, self.side), message=False)

    def _listen(self) -> None:
        handler = self.handler
        self.view.on("click", handler(self.hand.click))
        self.view.on("action", handler(lambda name, point: self.act(name)))
        self.view.on("tool", lambda tool: self._show_tool())
        self.view.on("plane", self._plane_changed)
        self.images.observe(handler(lambda change: self._chosen(image=change["new"])), "value")
        self.levels.observe(handler(lambda change: self._chosen(level=change["new"])), "value")
        self._mode.observe(lambda change: setattr(self, "mode", change["new"]), "value")
        self._class.observe(handler(lambda change: self._class_chosen(change["new"])), "value")
        self.bar.graph.observe(handler(lambda _: self.bar.show(self.marks)), "value")
        self.on_close(self.view.close)
        self.on_close(self._leave)

    # ---------------------------------------------------------------------------------------------- image and level

    @property
    def image(self) -> str:
        return self._image

    @property
    def level(self) -> str:
        """Name of the level; empty where there is none yet."""
        return self._level

    @property
    def frame(self) -> int | None:
        """The frame on show; None in a volume."""
        return self.view.index if self.marks.framed else None

    @property
    def plane(self) -> tuple[str, int]:
        """Axis and index of the plane on show."""
        return self.view.axis, self.view.index

    @property
    def pixel(self) -> float:
        """Voxels of the finer in-plane axis that a pixel of the screen covers."""
        return self.view.pixel_um / min(self.view.planes.spacing_um[1:])

    @property
    def shown(self) -> list[Instance]:
        """The instances on this plane."""
        return self.overlay.instances

    @on_ui
    def show(self, level: str | None = None, image: str | None = None) -> None:
        """Label another level or image."""
        self._leave()
        self.marks = None  # nothing of it lies over the other image
        if image is not None and image != self._image:
            self._image = image
            self.view.show(self.ws.images.scales(image))
            if self.ws.images.info(image).framed:
                self.view.go_to_plane(0)
        self._level = level or self._level
        self._open()

    def _chosen(self, image: str | None = None, level: str | None = None) -> None:
        if image not in (None, self._image) or level not in (None, self._level):
            self.show(level=level, image=image)

    def show_suggestions(self, frames: list[int]) -> None:
        """Mark frames that are worth labelling next, and have ``N`` go through them."""
        self.bar.suggested = sorted(frames)
        self._stale = True
        self._tick()

    def _leave(self) -> None:
        self.bar.stop()
        self.hand.let_go()
        self.selected = None
        if self._disconnect is not None:
            self._disconnect()
            self._disconnect = None

    def _open(self) -> None:
        """Show the level on the image."""
        names = self.ws.levels.of_kind("points", "boxes", "pictures")
        self.levels.options = names
        if not self._level:
            boxes = (self.list, self.search, self.looks, self.bar, self.skeleton, self.files)
            for part in (self._placing, self._assigning, *(box.widget for box in boxes)):
                show(part, False)
            self.new_level.fold.open()
            self.say("This workspace has no level of points, boxes or pictures yet: make one at the right.")
            return
        self.levels.value, self.images.value = self._level, self._image
        self.marks = self.ws.store.marks(None, self._level, self._image)
        self._disconnect = self.marks.on_edit(lambda edit: self.post(self._edited))
        level = self.marks.level
        for part, kinds in (
            (self._placing, ("points", "boxes")),
            (self._assigning, ("pictures",)),
            (self.list.widget, ("points", "boxes")),
            (self.looks.widget, ("points", "boxes")),
            (self.skeleton.widget, ("points",)),
            (self.files.widget, ("points", "boxes")),
            (self._mode, ("points",)),
        ):
            show(part, level.kind in kinds)
        for part in (self.bar.widget, self.search.widget):
            show(part, self.marks.framed)
        show(self._tools["turn"], level.kind == "points")
        self._level_changed()
        if not self.view.tool.get("draws") and level.kind != "pictures":
            self.take_tool("add" if not self.marks.read_only else "look")
        self._show_access()
        self._plane_changed()
        self._stale = True
        self._tick()

    def _level_changed(self) -> None:
        """Classes or skeleton of the level are others."""
        level = self.marks.level
        self.painter.nodes = level.skeleton.nodes if level.skeleton else ()
        self.painter.edges = level.skeleton.edges if level.skeleton else ()
        self.painter.box = level.kind == "boxes"
        self.painter.classes = {item.name: item.color for item in level.classes}
        self._class.options = [("none", ""), *((item.name, item.name) for item in level.classes)]
        show(self._class, bool(level.classes))
        if self.label not in self.painter.classes:
            self.label = next(iter(self.painter.classes), None) if level.kind == "boxes" else None
            self._class.value = self.label or ""
        for old in self._classes.children:
            old.close()
        self._classes.children = [
            button(
                f"{item.shortcut} {item.name}".strip(),
                self.handler(lambda value=item.value: self.act(f"class {value}")),
                tooltip=f"This frame is {item.name} ({item.shortcut})",
            )
            for item in level.classes
        ]
        own = bindings(level.kind, level.classes, framed=self.marks.framed)
        self.view.widget.bindings = own + self.items.bindings
        self.skeleton.show(self._level if level.kind == "points" else "")
        self.draw()

    def _show_access(self) -> None:
        reason = read_only_words(self.ws) if self.marks.read_only else ""
        self._banner.value = html.escape(reason)
        show(self._banner, bool(reason))
        for control in list(self._tools.values())[1:]:
            control.disabled = bool(reason)

    # --------------------------------------------------------------------------------------------------------- tools

    def take_tool(self, name: str) -> None:
        """Take a tool into the hand: ``look``, ``add``, ``node``, ``whole`` or ``turn``."""
        self.hand.let_go()
        self.view.set_tool(**for_page(name))
        self._show_tool()

    def _show_tool(self) -> None:
        for name, control in self._tools.items():
            mark(control, "vx-on", name == self.view.tool.get("name"))

    def _class_chosen(self, name: str | None) -> None:
        name = self.label = name or None
        chosen = next((one for one in self.shown if one.id == self.selected), None)
        if chosen is not None and chosen.label != name:
            self.marks.change(chosen.id, label=name)
            self.note(f"change({chosen.id}, label={name!r})")

    def act(self, name: str) -> object:
        """Do what a key asks for."""
        if self.marks is None:
            return self.items.actions[name]() if name in self.items.actions else None
        if name.startswith("class "):
            self._take_class(int(name.removeprefix("class ")))
            return None
        if name == "delete" and isinstance(self.marks, PictureLabels):
            self.marks.clear(self.frame)
            self.note(f"clear({self.frame!r})")
            return None
        actions: dict[str, Callable[[], object]] = {
            "undo": self.steps.undo,
            "redo": self.steps.redo,
            "play": self.bar.play,
            "next": self.search.next_to_label,
            "next labelled": lambda: self.search.labelled(1),
            "labelled before": lambda: self.search.labelled(-1),
            **self.list.actions,
            **self.items.actions,
        }
        return actions[name]() if name in actions else None

    def _take_class(self, value: int) -> None:
        item = self.marks.level.class_of(value)
        if isinstance(self.marks, PictureLabels):
            self.marks.assign(self.frame, item.name)
            self.note(f"assign({self.frame!r}, {item.name!r})")
            if self.next_after.value and self.marks.framed:
                self.bar.step(1)
        else:
            self._class.value = item.name

    # ------------------------------------------------------------------------------------------------------- drawing

    def choose(self, number: int | None, node: str | None = None) -> None:
        """Set off an instance."""
        self.selected, self.node = number, node
        self.list.show()
        if number is not None:
            self._class.value = self.marks.instance(number).label or ""
        self.draw()

    def draw(self, moved: dict[str, Spot] | None = None) -> None:
        """Draw what is on this plane; ``moved`` nodes of the chosen instance lie elsewhere while they are dragged."""
        if self.marks is not None:
            self.overlay.draw(moved)

    def _plane_changed(self) -> None:
        if self.marks is None:
            return
        self.hand.let_go()
        self.selected = None
        self.overlay.read()
        self.bar.show_place()
        self.list.show()
        self.draw()

    def _edited(self) -> None:
        self._stale = True
        self.overlay.read()
        if self.selected is not None and self.selected not in [one.id for one in self.shown]:
            self.selected = None
        self.list.show()
        self.draw()

    def note(self, code: str) -> None:
        self._show_code(f"ws.{self.marks.level.kind}({self._level!r}, {self._image!r}).{code}")

    def _show_code(self, code: str) -> None:
        self.code.code = code

    def _tick(self) -> None:
        if self.marks is None:
            return
        if self.marks.read_only:
            self.marks.refresh()
        if not self._stale:
            return
        self._stale = False
        if self.marks.framed:
            self.bar.show(self.marks)
        self.steps.show()
