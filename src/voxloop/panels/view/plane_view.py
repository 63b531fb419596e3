"""The picture: one plane of a volume in the page, its layers, ink and keys. Knows no workspace and no tools.

Everything that must feel immediate (camera, ink, colours, keys) happens in the page; the kernel answers requests for
frames and hands strokes, clicks and actions to whoever listens. A display of the view is complete in itself: it asks
for its own frame, so re-runs, second displays and reloads need nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import anywidget
import ipywidgets
import numpy as np
import traitlets as t

from voxloop.geometry import AXES, Box, plane_axes
from voxloop.panels.base.page import KEYBOARD
from voxloop.panels.base.ui import UiLoop, on_ui
from voxloop.panels.view import frames
from voxloop.panels.view.frames import FrameRequest
from voxloop.panels.view.ink import Strokes
from voxloop.panels.view.layers import Layer
from voxloop.panels.view.planes import PlaneBox, Planes
from voxloop.panels.view.scene import Scene
from voxloop.panels.view.shapes import Shape, ShapeCanvas

if TYPE_CHECKING:
    from xarray import DataArray

log = logging.getLogger("voxloop.panels")

#: joined into one module, in this order
_SCRIPTS = (
    "plane_camera.js", "plane_frames.js", "plane_layers.js", "plane_ink.js", "plane_keys.js", "plane_controls.js",
    "plane_view.js",
)  # fmt: skip
#: the hand without a tool
LOOK: dict[str, Any] = {"name": "look", "draws": ""}


def _asset(*names: str) -> str:
    folder = files(__package__)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


class PlaneWidget(anywidget.AnyWidget):
    """What is shared with the page. Values that the page changes come as messages, and are not sent back to it."""

    _esm = f"{KEYBOARD}\n{_asset(*_SCRIPTS)}"
    _css = _asset("plane_view.css")

    geometry = t.Dict().tag(sync=True)
    axis = t.Enum(AXES, "z").tag(sync=True)
    index = t.Int(0).tag(sync=True)
    picture = t.Dict({"visible": True, "opacity": 1.0, "smooth": False, "channels": [0]}).tag(sync=True)
    contrast: t.List = t.List().tag(sync=True)
    layers: t.List = t.List().tag(sync=True)
    tool = t.Dict(LOOK).tag(sync=True)
    bindings: t.List = t.List().tag(sync=True)
    cursor: t.List = t.List(default_value=None, allow_none=True).tag(sync=True)
    camera = t.Dict(default_value=None, allow_none=True).tag(sync=True)
    height = t.Int(600).tag(sync=True)
    compact = t.Bool(False).tag(sync=True)
    linked = t.Enum(["", "off", "on"], "").tag(sync=True)
    overlay = t.Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    overlay_box = t.Dict(default_value=None, allow_none=True).tag(sync=True)

    _from_page: frozenset[str] = frozenset()

    def take(self, **values: Any) -> None:
        """Set traits to what the page has already."""
        self._from_page = frozenset(values)
        try:
            for name, value in values.items():
                setattr(self, name, value)
        finally:
            self._from_page = frozenset()

    def _should_send_property(self, key: str, value: Any) -> bool:
        return key not in self._from_page and bool(super()._should_send_property(key, value))


class PlaneView:
    """One plane of a volume, with layers over it.

    Parameters
    ----------
    volume
        A volume (its scales are made lazily), or the list of scales, finest first; or another view, to show
        the same scene. Nothing is read until it is shown.
    axis, index
        Which plane: across ``"z"``, ``"y"`` or ``"x"``; the middle one where ``index`` is not given.
    height
        Of the picture, CSS pixels; the width is what the page gives.
    compact
        Leave out what a small view beside others has no room for.
    """

    @on_ui
    def __init__(
        self,
        volume: DataArray | Sequence[DataArray] | PlaneView,
        *,
        axis: str = "z",
        index: int | None = None,
        height: int = 600,
        compact: bool = False,
    ) -> None:
        self.ui = UiLoop.get()
        self._listeners: dict[str, list[Callable[..., object]]] = {}
        self._strokes = Strokes()
        self._window: dict[str, Any] | None = None
        self._shapes: tuple[Shape, ...] = ()
        self._canvas: ShapeCanvas | None = None
        self.widget = PlaneWidget(axis=axis, height=height, compact=compact)
        self.widget.on_msg(self._receive)
        self.widget.observe(lambda change: self._plane_changed(), ["axis", "index"])
        self.closed = False
        self.linked_views: tuple[PlaneView, ...] = ()
        self._guest = isinstance(volume, PlaneView)
        self.scene: Scene
        if isinstance(volume, PlaneView):
            self._visit(volume, index)
        else:
            self._open(cast("DataArray", volume), index)

    # ------------------------------------------------------------------------------------------------- what is shown

    @on_ui
    def show(self, volume: DataArray | Sequence[DataArray]) -> None:
        """Show another volume in the same view; layers are dropped, since they belonged to the old one."""
        self.planes.close()
        self.widget.layers = []
        self.set_shapes([])
        self.widget.set_trait("camera", None)
        self._window = None
        self._open(volume, None)
        self.refresh(picture=True)

    def _open(self, volume: DataArray | Sequence[DataArray], index: int | None) -> None:
        from voxloop.volumes import scales

        every = list(volume) if isinstance(volume, list | tuple) else scales(cast("DataArray", volume))
        self.scene = Scene(Planes(every))
        shape, spacing = self.planes.shape, self.planes.spacing_um
        names = list(every[0].attrs.get("channel_names") or [""])
        depth = shape[AXES.index(self.widget.axis)]
        first = [0, 1, 2] if len(names) == 3 else list(range(min(len(names), len(frames.TINTS))))
        unknown = _contrast(frames.Statistics(0.0, 1.0, (0.0, 1.0), (0,) * frames.HISTOGRAM_BINS, (0.0, 1.0)))
        with self.widget.hold_sync():
            self.widget.geometry = {
                "shape": list(shape),
                "spacing": list(spacing),
                "channels": names,
                "frames": every[0].attrs.get("z_kind") == "frame",
            }
            self.widget.picture = {**self.widget.picture, "channels": first}
            self.widget.contrast = [unknown] * self.planes.channels
            self.widget.index = min(depth - 1, max(0, depth // 2 if index is None else index))

    def _visit(self, host: PlaneView, index: int | None) -> None:
        """Show what another view shows."""
        self.scene = host.scene
        with self.widget.hold_sync():
            for name in ("geometry", "picture", "contrast", "layers", "tool", "bindings", "cursor"):
                setattr(self.widget, name, getattr(host.widget, name))
            self.widget.index = self.planes.shape[AXES.index(self.axis)] // 2 if index is None else index

    @property
    def planes(self) -> Planes:
        """The planes of the volume on show."""
        return self.scene.planes

    @property
    def axis(self) -> str:
        return str(self.widget.axis)

    @property
    def index(self) -> int:
        return int(self.widget.index)

    @index.setter
    def index(self, index: int) -> None:
        self.go_to_plane(index)

    @on_ui
    def go_to_plane(self, index: int, axis: str | None = None) -> None:
        """Show plane ``index`` across ``axis`` (None: as it is); clipped to the volume."""
        axis = self.widget.axis if axis is None else axis
        depth = self.planes.shape[AXES.index(axis)]
        with self.widget.hold_sync():
            self.widget.axis = axis
            self.widget.index = min(depth - 1, max(0, int(index)))

    @on_ui
    def go_to(self, point: Sequence[float], *, zoom_in: bool = False) -> None:
        """Bring a voxel (z, y, x) into the middle of every display, and point at it for a moment."""
        self.go_to_plane(round(point[AXES.index(self.widget.axis)]))
        self.widget.send({"kind": "goto", "point": [float(value) for value in point], "zoom_in": zoom_in})

    @property
    def window(self) -> tuple[str, int, PlaneBox] | None:
        """Axis, plane and box (voxels) of what the last moved display shows; None before the first display."""
        if self._window is None or self._window["axis"] != self.widget.axis:
            return None
        return self.axis, self.index, self._window["box"]

    def visible_box(self) -> Box:
        """The voxels on screen, of one plane; the whole plane before the first display."""
        plane = Box.whole(self.planes.shape).cut(self.axis, self.index, self.index + 1)
        window = self.window
        if window is None:
            return plane
        top, left, bottom, right = window[2]
        rows, columns = plane_axes(self.axis)
        return plane.cut(rows, top, bottom).cut(columns, left, right)

    @property
    def pixel_um(self) -> float:
        """Micrometres of a screen pixel in the last moved display."""
        return float(self._window["pixel_um"]) if self._window else min(self.planes.spacing_um)

    # -------------------------------------------------------------------------------------------- layers, tools, keys

    @on_ui
    def set_layers(self, layers: Iterable[Layer]) -> None:
        """Show these layers, the first lowest; what a known one looks like (opacity, visibility) stays."""
        layers = list(layers)
        known = {state["id"]: state for state in self.widget.layers}
        kept = ("opacity", "visible", "outline")
        other = [layer.id for layer in layers if self.scene.layers.get(layer.id) is not layer]
        self.scene.layers.clear()
        self.scene.layers.update({layer.id: layer for layer in layers})
        self.widget.layers = [
            {**layer.state, **{key: known[layer.id][key] for key in kept if layer.id in known}} for layer in layers
        ]
        if other:  # under a known name, too, there is something else now
            self.refresh(*other)

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(self.scene.layers.values())

    def look_of(self, layer: str) -> dict[str, Any]:
        """How a layer looks now."""
        return next(dict(state) for state in self.widget.layers if state["id"] == layer)

    @on_ui
    def change_layer(self, layer: str, **look: Any) -> None:
        """Change how a layer looks: ``opacity``, ``visible``, ``outline``, ``classes``."""
        self.widget.layers = [{**state, **look} if state["id"] == layer else state for state in self.widget.layers]

    @on_ui
    def set_shapes(self, shapes: Sequence[Shape]) -> None:
        """Draw these vector shapes over the picture instead of the ones before; each shows on its own plane."""
        if not shapes and not self._shapes:
            return
        self._shapes = tuple(shapes)
        if self._canvas is None and self._shapes:
            self._canvas = ShapeCanvas()
            self.widget.overlay = self._canvas.widget
        self._draw_shapes()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The vector shapes over the picture, on this plane and others."""
        return self._shapes

    def _draw_shapes(self) -> None:
        """Draw what is on this plane, for the window of the display that moved last; others scale it with theirs."""
        if self._canvas is None:
            return
        here = [shape for shape in self._shapes if shape.is_on(self.axis, self.index)]
        if not here:
            self.widget.set_trait("overlay_box", None)
            return
        rows, columns = (self.planes.spacing_um[i] for i, name in enumerate(AXES) if name != self.axis)
        window = self.window
        box = window[2] if window else (0, 0, *self.planes.geometry(self.axis).shape)
        self._canvas.draw(here, box, (rows / self.pixel_um, columns / self.pixel_um))
        self.widget.overlay_box = {"axis": self.axis, "index": self.index, "box": list(box)}

    def _plane_changed(self) -> None:
        self._draw_shapes()
        self.emit("plane")

    @on_ui
    def refresh(self, *layers: str, picture: bool = False, box: Box | None = None, sequence: int | None = None) -> None:
        """Say that layers (all where none is named) have new content; every display asks for what it shows of them.

        ``box`` holds the voxels outside of which nothing changed; ``sequence`` the edit that made
        the change, so that a frame which shows that edit already is not asked for again.
        """
        message = {
            "kind": "stale",
            "layers": list(layers or self.scene.layers),
            "picture": picture,
            "sequence": sequence,
            "region": box and box.to_json(),
        }
        for view in (self, *self.linked_views):
            view.widget.send(message)

    @on_ui
    def say(self, words: str) -> None:
        """Show a word over the picture for a moment."""
        self.widget.send({"kind": "say", "text": words})

    @on_ui
    def set_tool(self, **tool: Any) -> None:
        """What the pointer does: ``name``, ``draws`` ("line", "area", "place" or ""), ``color``, ``erase``, and
        ``radius``, ``value``, ``layer``, ``options``, which come back with every stroke and click. Nothing: look
        around. One that draws a "place" clicks on while it is dragged; ``last`` is true where it is let go."""
        self.widget.tool = tool or LOOK

    @property
    def tool(self) -> dict[str, Any]:
        return dict(self.widget.tool)

    def on(self, event: str, callback: Callable[..., object]) -> Callable[[], None]:
        """Listen; returns the way to stop. Events and what the callback gets, always on the UI thread:

        ``stroke`` (Piece) -> sequence number of the edit, None where there was none; ``drop`` (id of a stroke taken
        back after pieces of it were handed on); ``click`` (dict: tool, axis, index, row, column, ...);
        ``action`` (name, point zyx under the pointer); ``tool`` (the tool); ``plane`` ();
        ``camera`` (); ``layer`` (id, changes); ``cursor`` (point zyx).
        """
        self._listeners.setdefault(event, []).append(callback)
        return lambda: self._listeners[event].remove(callback)

    def emit(self, event: str, *args: Any) -> Any:
        """Call whoever listens; the last one's answer."""
        answer = None
        for callback in tuple(self._listeners.get(event, ())):
            answer = callback(*args)
        return answer

    # ------------------------------------------------------------------------------------------------------- messages

    def _receive(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        self.ui.post(self._handle, message, buffers)

    def _handle(self, message: dict[str, Any], buffers: list[Any]) -> None:
        if self.closed:
            return
        handler = getattr(self, f"_on_{message.get('kind')}", None)
        if handler is None:
            log.warning("the page sent an unknown message %r", message.get("kind"))
        elif message["kind"] == "stroke":
            handler(message, np.frombuffer(buffers[0], np.float32).reshape(-1, 2))
        else:
            handler(message)

    def _on_camera(self, message: dict[str, Any]) -> None:
        camera = message["camera"]
        self.widget.take(camera=camera)
        plane = self.planes.geometry(camera["axis"])
        top, left, bottom, right = message["box"]
        pixel = 1 / max(1e-9, float(camera["zoom"]))
        self._window = {"axis": camera["axis"], "box": plane.cover((top, left, bottom, right)), "pixel_um": pixel}
        self._draw_shapes()
        self.emit("camera")

    def _on_contrast(self, message: dict[str, Any]) -> None:
        pairs = zip(self.widget.contrast, message["limits"], strict=True)
        self.widget.take(contrast=[{**one, "limits": [float(v) for v in limits]} for one, limits in pairs])

    def _on_auto_contrast(self, message: dict[str, Any]) -> None:
        self.auto_contrast()

    def _on_layer(self, message: dict[str, Any]) -> None:
        id, patch = message["id"], message["patch"]
        if id == "":
            self.widget.take(picture={**self.widget.picture, **patch})
        else:
            self.widget.take(layers=[{**s, **patch} if s["id"] == id else s for s in self.widget.layers])
        self.emit("layer", id, patch)

    def _on_tool(self, message: dict[str, Any]) -> None:
        self.widget.take(tool={**self.widget.tool, **message["patch"]})
        self.emit("tool", self.tool)

    def _on_cursor(self, message: dict[str, Any]) -> None:
        self.widget.take(cursor=message["point"])
        self.emit("cursor", message["point"])

    def _on_action(self, message: dict[str, Any]) -> None:
        self.emit("action", message["name"], message["point"])

    def _on_click(self, message: dict[str, Any]) -> None:
        self.emit("click", message)

    def _on_stroke(self, message: dict[str, Any], points: np.ndarray) -> None:
        known = self._strokes.answer_to(message["id"])
        if known is not None:  # sent again, because the answer was lost
            self.widget.send(known)
            return
        piece = self._strokes.take(message, points)
        if piece is None:
            return
        try:
            sequence = self.emit("stroke", piece)
        except Exception:
            self._answer(piece.id, None)
            raise
        if piece.last or sequence is None:
            self._answer(piece.id, sequence)

    def _answer(self, stroke: str, sequence: int | None) -> None:
        """Tell the page the edit that holds its stroke, None where there is none and the ink must go."""
        answer = {"kind": "ack", "id": stroke, "sequence": sequence}
        self._strokes.drop(stroke)
        self._strokes.done(stroke, answer)
        self.widget.send(answer)

    def _on_drop(self, message: dict[str, Any]) -> None:
        if self._strokes.drop(message["id"]):
            self.emit("drop", message["id"])

    # --------------------------------------------------------------------------------------------------------- frames

    def _on_plane(self, message: dict[str, Any]) -> None:
        """The page turned to a plane that it had fetched ahead."""
        self._turned(str(message["axis"]), int(message["index"]))

    def _turned(self, axis: str, index: int) -> None:
        if (axis, index) != (self.axis, self.index):
            self.widget.take(axis=axis, index=index)

    def _on_frame(self, message: dict[str, Any]) -> None:
        request = FrameRequest.from_message(message)
        if not message.get("ahead"):
            self._turned(request.axis, request.index)
        scene, channels = self.scene, self._channels()
        limits = self._limits()

        def make() -> tuple[dict[str, Any], list[bytes]]:
            if request.picture and scene.statistics is None:
                with suppress(Exception):  # what cannot be read is said by the frame
                    limits[:] = [one.auto for one in scene.look(request.axis, request.index)]
                    self.ui.post(self._show_statistics)
            return scene.frame(request, limits, channels)

        self.ui.run_in_thread(make, lambda answer: self._send(*answer))

    def _limits(self) -> list[frames.Limits]:
        return [(float(one["limits"][0]), float(one["limits"][1])) for one in self.widget.contrast]

    def _channels(self) -> list[int]:
        shown: Any = self.widget.picture["channels"]
        return [int(channel) for channel in shown]

    def _send(self, answer: dict[str, Any], buffers: list[bytes]) -> None:
        if not self.closed:
            self.widget.send(answer, buffers)

    # ------------------------------------------------------------------------------------------------ contrast, values

    @on_ui
    def auto_contrast(self) -> None:
        """Black and white from percentiles of the plane on screen."""
        axis, index = self.axis, self.index
        self.ui.run_in_thread(lambda: self.scene.look(axis, index), lambda found: self._show_statistics())

    @on_ui
    def set_contrast(self, low: float, high: float, channel: int | None = None) -> None:
        """Show ``low`` as black and ``high`` as white, in one channel or in all."""
        self.widget.contrast = [
            {**one, "limits": [float(low), float(high)]} if channel in (None, c) else one
            for c, one in enumerate(self.widget.contrast)
        ]

    def _show_statistics(self) -> None:
        if self.scene.statistics is not None and not self.closed:
            self.widget.contrast = [_contrast(one) for one in self.scene.statistics]

    def _on_probe(self, message: dict[str, Any]) -> None:
        visible = [state["id"] for state in self.widget.layers if state["visible"]]
        self.ui.run_in_thread(lambda: self.scene.probe(message, visible), lambda answer: self._send(*answer))

    # ------------------------------------------------------------------------------------------------------------ end

    @on_ui
    def close(self) -> None:
        """Close the widget; no comm and no thread is left."""
        if self.closed:
            return
        self.closed = True
        if not self._guest:
            self.planes.close()
        # a canvas holds ipycanvas' one manager for all canvases: whoever closes what the widget holds must not find it
        self.widget.set_trait("overlay", None)
        self.widget.close()
        self.widget.layout.close()
        if self._canvas is not None:
            self._canvas.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)


def _contrast(channel: frames.Statistics) -> dict[str, Any]:
    """What the browser's contrast control is told of a channel."""
    return {
        "range": [channel.low, channel.high],
        "fine": list(channel.fine),
        "limits": list(channel.auto),
        "histogram": list(channel.histogram),
    }
