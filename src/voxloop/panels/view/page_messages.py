"""What the pages of a plane view send: frames asked for, strokes, clicks, changes. Draws nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from voxloop.panels.base.ui import UiLoop
from voxloop.panels.view.frames import FrameRequest, Limits
from voxloop.panels.view.ink import StrokeParts
from voxloop.panels.view.plane_widget import PlaneWidget
from voxloop.panels.view.planes import EdgeBox
from voxloop.panels.view.scene import PlaneScene

log = logging.getLogger("voxloop.panels")


class MessagedView(Protocol):
    """What the messages of a page need of the view that they change."""

    ui: UiLoop
    widget: PlaneWidget
    scene: PlaneScene
    closed: bool

    @property
    def tool(self) -> dict[str, Any]: ...
    def emit(self, event: str, *args: Any) -> Any: ...
    def auto_contrast(self) -> None: ...
    def show_statistics(self) -> None: ...
    def follow_turn(self, axis: str, index: int) -> None: ...
    def order_layers(self, ids: Sequence[str]) -> None: ...
    def look_at(self, axis: str, box: EdgeBox, pixel_um: float) -> None: ...


class PageMessages:
    """Takes the messages of one view on the UI thread, changes the view, and tells its listeners."""

    def __init__(self, view: MessagedView) -> None:
        self._view = view
        self._strokes = StrokeParts()
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "action": lambda message: view.emit("action", message["name"], message["point"]),
            "auto_contrast": lambda message: view.auto_contrast(),
            "camera": self._camera,
            "click": lambda message: view.emit("click", message),
            "contrast": self._contrast,
            "cursor": self._cursor,
            "drop": self._drop,
            "frame": self._frame,
            "layer": self._layer,
            "order": lambda message: view.order_layers([str(id) for id in message["ids"]]),
            "plane": lambda message: view.follow_turn(str(message["axis"]), int(message["index"])),
            "probe": self._probe,
            "tool": self._tool,
        }

    def take(self, message: dict[str, Any], buffers: list[Any]) -> None:
        """Do what a message asks for; one of an unknown kind is only noted."""
        kind = str(message.get("kind"))
        if self._view.closed:
            return
        if kind == "stroke":
            self._stroke(message, np.frombuffer(buffers[0], np.float32).reshape(-1, 2))
        elif kind in self._kinds:
            self._kinds[kind](message)
        else:
            log.warning("the page sent an unknown message %r", kind)

    def _camera(self, message: dict[str, Any]) -> None:
        camera = message["camera"]
        self._view.widget.take(camera=camera)
        top, left, bottom, right = message["box"]
        self._view.look_at(camera["axis"], (top, left, bottom, right), 1 / max(1e-9, float(camera["zoom"])))

    def _contrast(self, message: dict[str, Any]) -> None:
        channels = zip(self._view.widget.contrast, message["limits"], strict=True)
        self._view.widget.take(contrast=[{**one, "limits": [float(v) for v in limits]} for one, limits in channels])

    def _layer(self, message: dict[str, Any]) -> None:
        widget, id, patch = self._view.widget, message["id"], message["patch"]
        if id == "":
            widget.take(picture={**widget.picture, **patch})
        else:
            layers = [{**state, **patch} if state["id"] == id else state for state in widget.layers]
            widget.take(layers=layers)
        self._view.emit("layer", id, patch)

    def _tool(self, message: dict[str, Any]) -> None:
        self._view.widget.take(tool={**self._view.widget.tool, **message["patch"]})
        self._view.emit("tool", self._view.tool)

    def _cursor(self, message: dict[str, Any]) -> None:
        self._view.widget.take(cursor=message["point"])
        self._view.emit("cursor", message["point"])

    # -------------------------------------------------------------------------------------------------------- strokes

    def _stroke(self, message: dict[str, Any], points: np.ndarray) -> None:
        answer = self._strokes.answer_to(message["id"])
        if answer is not None:  # sent again, because the answer was lost
            self._view.widget.send(answer)
            return
        if message.get("again") and not self._strokes.is_known(message["id"]) and self._is_on_record(message, points):
            return
        piece = self._strokes.take(message, points)
        if piece is None:
            return
        try:
            sequence = self._view.emit("stroke", piece)
        except Exception:
            self._answer(piece.id, None)
            raise
        if piece.last or sequence is None:
            self._answer(piece.id, sequence)

    def _is_on_record(self, message: dict[str, Any], points: np.ndarray) -> bool:
        """Whether an earlier process painted all of a stroke; what it painted is not painted again."""
        drawn = self._view.emit("recall", str(message["id"]), str(message.get("place") or ""))
        if drawn is None:
            return False
        if drawn.points >= len(points):
            self._answer(message["id"], drawn.sequence)
            return True
        self._strokes.recall(message["id"], points[: drawn.points], joined=drawn.newest)
        return False

    def _answer(self, stroke: str, sequence: int | None) -> None:
        """Tell the page the edit that holds its stroke, None where there is none and the ink must go."""
        answer = {"kind": "ack", "id": stroke, "sequence": sequence}
        self._strokes.drop(stroke)
        self._strokes.done(stroke, answer)
        self._view.widget.send(answer)

    def _drop(self, message: dict[str, Any]) -> None:
        if self._strokes.drop(message["id"]):
            self._view.emit("drop", message["id"])

    # --------------------------------------------------------------------------------------------------------- frames

    def _frame(self, message: dict[str, Any]) -> None:
        view, scene = self._view, self._view.scene
        request = FrameRequest.from_message(message)
        if not message.get("ahead"):
            view.follow_turn(request.axis, request.index)
        shown: Any = view.widget.picture["channels"]
        channels = [int(channel) for channel in shown]
        limits: list[Limits] = [(float(one["limits"][0]), float(one["limits"][1])) for one in view.widget.contrast]

        def make() -> tuple[dict[str, Any], list[bytes]]:
            if request.picture and scene.statistics is None:
                with suppress(Exception):  # what cannot be read is said by the frame
                    limits[:] = [one.auto for one in scene.look(request.axis, request.index)]
                    view.ui.post(view.show_statistics)
            answer, buffers = scene.frame(request, limits, channels)
            return {**answer, "work_ms": 1000 * (time.perf_counter() - began)}, buffers

        began = time.perf_counter()
        view.ui.run_in_thread(make, lambda answer: self._send(*answer))

    def _probe(self, message: dict[str, Any]) -> None:
        scene = self._view.scene
        visible = [state["id"] for state in self._view.widget.layers if state["visible"]]
        self._view.ui.run_in_thread(lambda: scene.probe(message, visible), lambda answer: self._send(*answer))

    def _send(self, answer: dict[str, Any], buffers: list[bytes]) -> None:
        if not self._view.closed:
            self._view.widget.send(answer, buffers)
