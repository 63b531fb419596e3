"""The picture: one plane of a volume in the page, its layers, ink and keys. Knows no workspace and no tools.

Everything that must feel immediate (camera, ink, colours, keys) happens in the page; the kernel answers requests for
frames and hands strokes, clicks and actions to whoever listens. A display of the view is complete in itself: it asks
for its own frame, so re-runs, second displays and reloads need nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import anywidget
import ipywidgets
import numpy as np
import traitlets as t

from voxloop.geometry import AXES, Region
from voxloop.panels import frames
from voxloop.panels.frames import FrameRequest, Statistics
from voxloop.panels.ink import Strokes
from voxloop.panels.layers import Layer, Patch
from voxloop.panels.planes import Box, Planes
from voxloop.panels.ui import UiLoop, on_ui

if TYPE_CHECKING:
    from xarray import DataArray

log = logging.getLogger("voxloop.panels")

#: joined into one module, in this order
_SCRIPTS = ("plane_layers.js", "plane_ink.js", "plane_keys.js", "plane_controls.js", "plane_view.js")
#: the hand without a tool
LOOK: dict[str, Any] = {"name": "look", "draws": ""}
#: planes of at most so many voxels are looked at whole for the first contrast, larger ones in the middle
WHOLE_PLANE = 2 * 2**20


def _asset(*names: str) -> str:
    folder = files("voxloop.panels")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


class PlaneWidget(anywidget.AnyWidget):
    """What is shared with the page. Values that the page changes come as messages, and are not sent back to it."""

    _esm = _asset(*_SCRIPTS)
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
        A volume (its scales are made lazily), or the list of scales, finest first. Nothing is read until it is shown.
    axis, index
        Which plane: across ``"z"``, ``"y"`` or ``"x"``; the middle one where ``index`` is not given.
    height
        Of the picture, CSS pixels; the width is what the page gives.
    compact
        Leave out what a small view beside others has no room for.
    """

    @on_ui
    def __init__(
        self, volume: DataArray | Sequence[DataArray], *, axis: str = "z", index: int | None = None, height: int = 600,
        compact: bool = False,
    ) -> None:  # fmt: skip
        self.ui = UiLoop.get()
        self._listeners: dict[str, list[Callable[..., object]]] = {}
        self._layers: dict[str, Layer] = {}
        self._strokes = Strokes()
        self._window: dict[str, Any] | None = None
        self._statistics: list[Statistics] | None = None
        self._travel = 1
        self.widget = PlaneWidget(axis=axis, height=height, compact=compact)
        self.widget.on_msg(self._receive)
        self.widget.observe(lambda change: self._emit("plane"), ["axis", "index"])
        self.closed = False
        self.planes: Planes
        self._open(volume, index)

    # ------------------------------------------------------------------------------------------------- what is shown

    @on_ui
    def show(self, volume: DataArray | Sequence[DataArray]) -> None:
        """Show another volume in the same view; layers are dropped, since they belonged to the old one."""
        self.planes.close()
        self._layers.clear()
        self.widget.layers = []
        self.widget.set_trait("camera", None)
        self._window = None
        self._statistics = None
        self._open(volume, None)

    def _open(self, volume: DataArray | Sequence[DataArray], index: int | None) -> None:
        from voxloop.volumes import scales

        every = list(volume) if isinstance(volume, list | tuple) else scales(cast("DataArray", volume))
        self.planes = Planes(every)
        shape, spacing = self.planes.shape, self.planes.spacing_um
        names = list(every[0].attrs.get("channel_names") or [""])
        depth = shape[AXES.index(self.widget.axis)]
        first = [0, 1, 2] if len(names) == 3 else list(range(min(len(names), len(frames.TINTS))))
        unknown = {"range": [0.0, 1.0], "limits": [0.0, 1.0], "histogram": [0] * frames.HISTOGRAM_BINS}
        with self.widget.hold_sync():
            self.widget.geometry = {
                "shape": list(shape), "spacing": list(spacing), "channels": names,
                "frames": every[0].attrs.get("z_kind") == "frame",
            }  # fmt: skip
            self.widget.picture = {**self.widget.picture, "channels": first}
            self.widget.contrast = [unknown] * self.planes.channels
            self.widget.index = min(depth - 1, max(0, depth // 2 if index is None else index))

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
    def window(self) -> tuple[str, int, Box] | None:
        """Axis, plane and box (voxels) of what the last moved display shows; None before the first display."""
        if self._window is None or self._window["axis"] != self.widget.axis:
            return None
        return self.axis, self.index, self._window["box"]

    def visible_region(self) -> Region:
        """Voxels on screen as a region of one plane; the whole plane before the first display."""
        rows, columns = (i for i, name in enumerate(AXES) if name != self.axis)
        shape = self.planes.shape
        window = self.window
        top, left, bottom, right = window[2] if window else (0, 0, shape[rows], shape[columns])
        parts = {self.axis: slice(self.index, self.index + 1)}
        parts[AXES[rows]], parts[AXES[columns]] = slice(top, bottom), slice(left, right)
        return parts["z"], parts["y"], parts["x"]

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
        self._layers = {layer.id: layer for layer in layers}
        self.widget.layers = [
            {**layer.state, **{key: known[layer.id][key] for key in kept if layer.id in known}} for layer in layers
        ]

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(self._layers.values())

    def look_of(self, layer: str) -> dict[str, Any]:
        """How a layer looks now."""
        return next(dict(state) for state in self.widget.layers if state["id"] == layer)

    @on_ui
    def change_layer(self, layer: str, **look: Any) -> None:
        """Change how a layer looks: ``opacity``, ``visible``, ``outline``, ``classes``."""
        self.widget.layers = [{**state, **look} if state["id"] == layer else state for state in self.widget.layers]

    @on_ui
    def refresh(self, *layers: str, picture: bool = False) -> None:
        """Say that layers (all where none is named) have new content; every display asks for it."""
        self.widget.send({"kind": "stale", "layers": list(layers or self._layers), "picture": picture})

    @on_ui
    def say(self, words: str) -> None:
        """Show a word over the picture for a moment."""
        self.widget.send({"kind": "say", "text": words})

    @on_ui
    def set_tool(self, **tool: Any) -> None:
        """What the pointer does: ``name``, ``draws`` ("line", "area" or ""), ``color``, ``erase``, and ``radius``,
        ``value``, ``layer``, ``options``, which come back with every stroke and click. Nothing: look around."""
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

    def _emit(self, event: str, *args: Any) -> Any:
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
        self._emit("camera")

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
        self._emit("layer", id, patch)

    def _on_tool(self, message: dict[str, Any]) -> None:
        self.widget.take(tool={**self.widget.tool, **message["patch"]})
        self._emit("tool", self.tool)

    def _on_cursor(self, message: dict[str, Any]) -> None:
        self.widget.take(cursor=message["point"])
        self._emit("cursor", message["point"])

    def _on_action(self, message: dict[str, Any]) -> None:
        self._emit("action", message["name"], message["point"])

    def _on_click(self, message: dict[str, Any]) -> None:
        self._emit("click", message)

    def _on_stroke(self, message: dict[str, Any], points: np.ndarray) -> None:
        known = self._strokes.answer_to(message["id"])
        if known is not None:  # sent again, because the answer was lost
            self.widget.send(known)
            return
        piece = self._strokes.take(message, points)
        if piece is None:
            return
        try:
            sequence = self._emit("stroke", piece)
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
            self._emit("drop", message["id"])

    # --------------------------------------------------------------------------------------------------------- frames

    def _on_frame(self, message: dict[str, Any]) -> None:
        request = FrameRequest.from_message(message)
        if (request.axis, request.index) != (self.axis, self.index):
            if request.axis == self.axis:
                self._travel = request.index - self.index
            self.widget.take(axis=request.axis, index=request.index)
        limits = [tuple(one["limits"]) for one in self.widget.contrast]
        channels: list[int] = list(self.widget.picture["channels"])  # type: ignore[call-overload]
        self.ui.run_in_thread(lambda: self._frame(request, limits, channels), lambda frame: self._send(*frame))

    def _frame(
        self, request: FrameRequest, limits: list[Any], channels: list[int]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Message and buffers that answer ``request``; off the UI thread."""
        buffers: list[bytes] = []
        answer: dict[str, Any] = {
            "kind": "frame", "view": request.view, "number": request.number, "axis": request.axis,
            "index": request.index, "picture": None, "layers": [],
        }  # fmt: skip
        try:
            if request.picture:
                if self._statistics is None:
                    self._statistics = self._look(request.axis, request.index)
                    limits = [one.auto for one in self._statistics]
                    self.ui.post(self._show_statistics)
                answer["picture"] = self._picture(request, limits, channels, buffers)
            for name in request.layers:
                layer = self._layers.get(name)
                if layer is not None:
                    answer["layers"].append(self._layer(request, layer, buffers))
        except Exception as error:  # the page shows it, and stays usable: another plane may be readable
            log.error("frame %s %s could not be made", request.axis, request.index, exc_info=error)
            return {**answer, "picture": None, "layers": [], "error": f"This plane cannot be read: {error}"}, []
        return answer, buffers

    def _picture(
        self, request: FrameRequest, limits: Sequence[Any], channels: Sequence[int], buffers: list[bytes]
    ) -> dict[str, Any]:
        scale = self.planes.scale_for(request.axis, request.pixel_um)
        plane = self.planes.geometry(request.axis, scale)
        box, index = plane.cover(request.box), plane.plane_of(request.index)
        voxels = self.planes.read(request.axis, index, box, scale)
        buffers.append(frames.encode_picture(frames.compose(voxels, limits, channels)))
        self.planes.read_ahead(request.axis, index, self._travel, box, scale)
        return {"buffer": len(buffers) - 1, "box": plane.outer(box), "pixel_um": request.pixel_um}

    def _layer(self, request: FrameRequest, layer: Layer, buffers: list[bytes]) -> dict[str, Any]:
        plane = self.planes.geometry(request.axis)
        spacing = [self.planes.spacing_um[i] for i, name in enumerate(AXES) if name != request.axis]
        patch: Patch = layer.read(
            request.axis, request.index, plane.cover(request.box),
            (request.pixel_um / spacing[0], request.pixel_um / spacing[1]),
        )  # fmt: skip
        rows, columns = patch.indices.shape
        buffers.append(frames.encode_indices(patch.indices))
        answer = {
            "id": layer.id, "rows": rows, "columns": columns, "box": patch.box, "sequence": patch.sequence,
            "buffer": len(buffers) - 1, "alpha_buffer": None,
        }  # fmt: skip
        if patch.alpha is not None:
            buffers.append(frames.encode_indices(patch.alpha))
            answer["alpha_buffer"] = len(buffers) - 1
        return answer

    def _send(self, answer: dict[str, Any], buffers: list[bytes]) -> None:
        if not self.closed:
            self.widget.send(answer, buffers)

    # ------------------------------------------------------------------------------------------------ contrast, values

    @on_ui
    def auto_contrast(self) -> None:
        """Black and white from percentiles of the plane on screen."""
        axis, index = self.axis, self.index

        def show(found: list[Statistics]) -> None:
            self._statistics = found
            self._show_statistics()

        self.ui.run_in_thread(lambda: self._look(axis, index), show)

    @on_ui
    def set_contrast(self, low: float, high: float, channel: int | None = None) -> None:
        """Show ``low`` as black and ``high`` as white, in one channel or in all."""
        self.widget.contrast = [
            {**one, "limits": [float(low), float(high)]} if channel in (None, c) else one
            for c, one in enumerate(self.widget.contrast)
        ]

    def _look(self, axis: str, index: int) -> list[Statistics]:
        """Statistics of a plane, or of its middle where it is large: a first look must not read gigabytes."""
        rows, columns = self.planes.geometry(axis).shape
        if rows * columns <= WHOLE_PLANE:
            box = (0, 0, rows, columns)
        else:
            height, width = min(rows, 1024), min(columns, 1024)
            top, left = (rows - height) // 2, (columns - width) // 2
            box = (top, left, top + height, left + width)
        return frames.statistics(self.planes.read(axis, index, box))

    def _show_statistics(self) -> None:
        if self._statistics is not None and not self.closed:
            self.widget.contrast = [
                {"range": [one.low, one.high], "limits": list(one.auto), "histogram": list(one.histogram)}
                for one in self._statistics
            ]

    def _on_probe(self, message: dict[str, Any]) -> None:
        self.ui.run_in_thread(lambda: (self._probe(message), []), lambda answer: self._send(*answer))

    def _probe(self, message: dict[str, Any]) -> dict[str, Any]:
        """Value, labels and place of one voxel."""
        axis, index, row, column = message["axis"], message["index"], message["row"], message["column"]
        place = [row, column]
        place.insert(AXES.index(axis), index)
        point = (place[0], place[1], place[2])
        voxel = self.planes.read(axis, index, (row, column, row + 1, column + 1))[:, 0, 0]
        value = ", ".join(f"{v:g}" if voxel.dtype.kind == "f" else str(v) for v in voxel.tolist())
        visible = [state["id"] for state in self.widget.layers if state["visible"]]
        labels = [found for name in visible if name in self._layers and (found := self._layers[name].describe(point))]
        um = [at * step for at, step in zip(point, self.planes.spacing_um, strict=True)]
        return {
            "kind": "probe", "view": message["view"], "value": value, "labels": labels, "point": list(point),
            "point_um": um,
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------------------------ end

    @on_ui
    def close(self) -> None:
        """Close the widget; no comm and no thread is left."""
        if self.closed:
            return
        self.closed = True
        self.planes.close()
        overlay = self.widget.overlay
        self.widget.close()
        self.widget.layout.close()
        if overlay is not None:
            overlay.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)
