"""The picture: one plane of a volume in the page, its layers, ink and keys. Knows no workspace and no tools.

Everything that must feel immediate (camera, ink, colours, keys) happens in the page; the kernel answers requests for
frames and hands strokes, clicks and actions to whoever listens. A display of the view is complete in itself: it asks
for its own frame, so re-runs, second displays and reloads need nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from voxloop.geometry import AXES, Box, plane_axes
from voxloop.panels.base.ui import UiLoop, on_ui
from voxloop.panels.view import frames
from voxloop.panels.view.layers import Layer, in_order
from voxloop.panels.view.page_messages import PageMessages
from voxloop.panels.view.plane_widget import LOOK, PlaneWidget
from voxloop.panels.view.planes import EdgeBox, PlaneBox, VolumePlanes
from voxloop.panels.view.scene import PlaneScene
from voxloop.panels.view.shape_overlay import ShapeOverlay
from voxloop.panels.view.shapes import VectorShape

if TYPE_CHECKING:
    from xarray import DataArray


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
        Of the picture, CSS pixels, 0: all that what is around it leaves; the width is what the page gives.
    compact
        Leave out what a small view beside others has no room for.

    Examples
    --------
    >>> view = vl.PlaneView(volume)
    >>> view.go_to((3, 16, 16))
    >>> view.axis, view.index
    ('z', 3)
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
        self._window: dict[str, Any] | None = None
        self._order: list[str] = []  # of the layers, by hand
        self.widget = PlaneWidget(axis=axis, height=height, compact=compact)
        self.shape_overlay = ShapeOverlay(self)
        self._messages = PageMessages(self)
        self.widget.on_msg(self._receive)
        self.widget.observe(lambda change: self._plane_changed(), ["axis", "index"])
        self.closed = False
        self.linked_views: tuple[PlaneView, ...] = ()
        self._guest = isinstance(volume, PlaneView)
        self.scene: PlaneScene
        if isinstance(volume, PlaneView):
            self._visit(volume, index)
        else:
            self._open(cast("DataArray", volume), index)

    # ------------------------------------------------------------------------------------------------- what is shown

    @on_ui
    def show(self, volume: DataArray | Sequence[DataArray], *, keep: bool = False) -> None:
        """Show another volume in the same view; layers are dropped, since they belonged to the old one.

        ``keep`` leaves plane, zoom and contrast as they are, for the same place at another time.
        """
        before = {name: getattr(self.widget, name) for name in ("index", "camera", "contrast", "picture")}
        channels = self.planes.channels
        self.planes.close()
        self.widget.layers = []
        self.set_shapes([])
        self.widget.set_trait("camera", None)
        self._window = None
        self._open(volume, before["index"] if keep else None)
        if keep:
            with self.widget.hold_sync():
                alike = ("contrast", "picture") if self.planes.channels == channels else ()
                for name in ("camera", *alike):
                    setattr(self.widget, name, before[name])
        self.refresh(picture=True)

    def _open(self, volume: DataArray | Sequence[DataArray], index: int | None) -> None:
        from voxloop.volumes import scales

        every = list(volume) if isinstance(volume, list | tuple) else scales(cast("DataArray", volume))
        self.scene = PlaneScene(VolumePlanes(every))
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
            if index is None:
                index = depth // 2
            self.widget.index = min(depth - 1, max(0, index))

    def _visit(self, host: PlaneView, index: int | None) -> None:
        """Show what another view shows."""
        self.scene = host.scene
        with self.widget.hold_sync():
            for name in ("geometry", "picture", "contrast", "layers", "tool", "bindings", "cursor", "place"):
                setattr(self.widget, name, getattr(host.widget, name))
            self.widget.index = self.planes.shape[AXES.index(self.axis)] // 2 if index is None else index

    @property
    def planes(self) -> VolumePlanes:
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

    @on_ui
    def look_around(self, point: Sequence[float], voxels: float | None = None) -> None:
        """Have a voxel (z, y, x) in the middle of every display with nothing over it.

        So many ``voxels`` of the finer in-plane axis are then to be seen along the shorter side; None: zoom as it is.
        """
        self.go_to_plane(round(point[AXES.index(self.widget.axis)]))
        place = [float(value) for value in point]
        if self.linked_views:
            self.widget.cursor = place
            self.emit("cursor", place)
        self.widget.send({"kind": "around", "point": place, "voxels": voxels})

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
        looks = {state["id"]: state for state in self.widget.layers}
        own_look = ("opacity", "visible", "outline")
        other = [layer.id for layer in layers if self.scene.layers.get(layer.id) is not layer]
        self.scene.layers.clear()
        self.scene.layers.update({layer.id: layer for layer in layers})
        states = [
            {**layer.state, **{key: looks[layer.id][key] for key in own_look if layer.id in looks}} for layer in layers
        ]
        self.widget.layers = in_order(states, self._order)
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
    def order_layers(self, ids: Sequence[str]) -> None:
        """Draw these layers in this order, the first lowest; it stays while layers come and go."""
        self._order = list(ids)
        self.widget.layers = in_order(self.widget.layers, ids)

    @on_ui
    def set_shapes(self, shapes: Sequence[VectorShape]) -> None:
        """Draw these vector shapes over the picture instead of the ones before; each shows on its own plane."""
        self.shape_overlay.show(shapes)

    @property
    def shapes(self) -> tuple[VectorShape, ...]:
        """The vector shapes over the picture, on this plane and others."""
        return self.shape_overlay.shapes

    def _plane_changed(self) -> None:
        self.shape_overlay.draw()
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
    def take_keys(self) -> None:
        """Have the next keys: what had the focus may be gone from the page."""
        self.widget.send({"kind": "keys"})

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

        ``stroke`` (StrokePiece) -> sequence number of the edit, None where there was none; ``recall`` (id of a stroke
        handed over, its place) -> what of it is on record, None where nothing is; ``drop`` (id of a stroke taken
        back after pieces of it were handed on); ``click`` (dict: tool, axis, index, row, column, ...);
        ``action`` (name, point zyx under the pointer); ``tool`` (the tool); ``plane`` ();
        ``camera`` (); ``layer`` (id, changes); ``cursor`` (point zyx); ``beside`` (): a plane beside this one moved.
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
        self.ui.post(self._messages.take, message, buffers)

    def look_at(self, axis: str, box: EdgeBox, pixel_um: float) -> None:
        """A display shows this box (voxel edges) of its plane across ``axis``, a pixel of it being so large."""
        self._window = {"axis": axis, "box": self.planes.geometry(axis).cover(box), "pixel_um": pixel_um}
        self.shape_overlay.draw()
        self.emit("camera")

    def follow_turn(self, axis: str, index: int) -> None:
        """A display turned to another plane, which needs not be told."""
        if (axis, index) != (self.axis, self.index):
            self.widget.take(axis=axis, index=index)

    # ------------------------------------------------------------------------------------------------ contrast, values

    @on_ui
    def auto_contrast(self) -> None:
        """Black and white from percentiles of the plane on screen."""
        axis, index = self.axis, self.index
        self.ui.run_in_thread(lambda: self.scene.look(axis, index), lambda _: self.show_statistics())

    @on_ui
    def set_contrast(self, low: float, high: float, channel: int | None = None) -> None:
        """Show ``low`` as black and ``high`` as white, in one channel or in all."""
        self.widget.contrast = [
            {**one, "limits": [float(low), float(high)]} if channel in (None, c) else one
            for c, one in enumerate(self.widget.contrast)
        ]

    def show_statistics(self) -> None:
        """Show the automatic contrast of the plane that was looked at last."""
        if self.scene.statistics is not None and not self.closed:
            self.widget.contrast = [_contrast(channel) for channel in self.scene.statistics]

    # ------------------------------------------------------------------------------------------------------------ end

    @on_ui
    def close(self) -> None:
        """Close the widget; no comm and no thread is left."""
        if self.closed:
            return
        self.closed = True
        if not self._guest:
            self.planes.close()
        self.shape_overlay.detach()
        self.widget.close()
        self.widget.layout.close()
        self.shape_overlay.close()

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
