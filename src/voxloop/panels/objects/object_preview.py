"""What the settings make of the plane on show, as a layer over it. The helper computes it; starts no run."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.helper import AnswerPart, Helper
from voxloop.panels.base.panel import Panel, labelled, row, text
from voxloop.panels.base.work import Debounce
from voxloop.panels.view.layers import LayerPatch, PatchLayer
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: the preview is asked for this long after the last change
REST_S = 0.3


class ObjectPreview:
    """A layer with the objects of the plane on show, a switch, and a line with how many there are.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose predictions are looked at.
    view
        The picture that it lies over.
    settings
        What objects are made of and how, as the helper is asked: ``prediction``, ``of``, ``settings``; None where there
        is no prediction.
    """

    def __init__(
        self, panel: Panel, ws: Workspace, view: PlaneView, settings: Callable[[], dict[str, Any] | None]
    ) -> None:
        self._panel, self._ws, self._view, self._settings = panel, ws, view, settings
        self._helper: Helper | None = None
        self._asked: dict[str, Any] | None = None
        self._rest = Debounce(panel, self._ask, seconds=REST_S)
        self.layer = PatchLayer("preview", "preview")
        self.layer.kind = self.layer.state["kind"] = "instances"
        self.switch = w.Checkbox(
            value=True,
            indent=False,
            **labelled("Preview on this plane", "What the settings make of this plane; the whole may join more"),
        )
        self.switch.observe(panel.handler(self._switched), "value")
        self.words = text("", "vx-dim")
        self.widget = row(self.switch, self.words)
        panel.on_close(self._close)

    @property
    def on(self) -> bool:
        """Whether it is shown."""
        return bool(self.switch.value)

    @on.setter
    def on(self, on: bool) -> None:
        self.switch.value = on

    def ask(self) -> None:
        """Something that it depends on changed: ask once the hand rests."""
        self._rest.ask()

    def _switched(self) -> None:
        self._view.change_layer("preview", visible=self.on)
        if not self.on:
            self.words.value = ""
        self._asked = None
        self.ask()

    def _ask(self) -> None:
        settings, window = self._settings(), self._view.window
        if not self.on or settings is None or window is None:
            return
        axis, index, (top, left, bottom, right) = window
        step = max(1, int(self._view.pixel_um / min(self._view.planes.spacing_um)))
        box = [[top, bottom], [left, right]]
        question = {**settings, "view": {"axis": axis, "index": index, "box": box, "step": step}}
        if question == self._asked:
            return
        self._asked = question
        self.words.value = "looking …"
        if self._helper is None:
            self._helper = Helper(self._ws.path)
        began = time.monotonic()
        edges = (float(top), float(left), _edge(top, bottom, step), _edge(left, right, step))

        def take(part: AnswerPart) -> None:
            self._panel.post(self._show, question, LayerPatch(part.values, edges, 0))

        answer = self._helper.request("objects", on_part=take, **question)
        answer.future.add_done_callback(lambda future: self._panel.post(self._answered, question, future, began))

    def _show(self, question: dict[str, Any], patch: LayerPatch) -> None:
        self.layer.show(question["view"]["axis"], question["view"]["index"], patch)
        self._view.refresh("preview")

    def _answered(self, question: dict[str, Any], future: Future[dict[str, Any]], began: float) -> None:
        if question is not self._asked:
            return
        error = future.exception()
        if error is not None:
            self._asked = None
            self.words.value = html.escape(f"no preview: {error}")
        elif future.result().get("state") != "dropped":
            self.words.value = f"{future.result()['objects']} objects on screen, {time.monotonic() - began:.1f} s"

    def _close(self) -> None:
        if self._helper is not None:
            self._helper.close()


def _edge(start: int, stop: int, step: int) -> float:
    """Where the last of the pixels ends that cover ``start`` to ``stop`` in steps."""
    return start + step * float(-(-(stop - start) // step))
