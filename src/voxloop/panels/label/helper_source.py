"""The helper as the one who answers a live overlay. Knows the helper's client and nothing of the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.helper import AnswerPart, Helper
from voxloop.panels.label.live_overlay import OverlayPiece, OverlayRequest

#: pieces that come faster than this are shown together
SHOWN_EVERY_S = 0.1


class HelperSource:
    """Asks one helper process; started by the first request, ended by :meth:`close`."""

    def __init__(self, workspace: Path) -> None:
        self._helper = Helper(workspace)
        self._last: _Canvas | None = None
        self._settings: dict[str, Any] = {}  # of the live learner

    def point(self, **fields: Any) -> dict[str, Any]:
        """What hints point at (:mod:`voxloop.helper.pointing`), by the learner that makes the overlay; waits."""
        return self._helper.request("point", **self._settings, **fields).result()

    def ask(
        self, request: OverlayRequest, answered: Callable[[OverlayPiece], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Ask for what is on screen; pieces are handed on as they come, the newest labels seen in all of them."""
        top, left, bottom, right = request.box
        view: dict[str, Any] = {
            "axis": request.axis,
            "index": request.index,
            "box": [[top, bottom], [left, right]],
            "step": request.step,
        }
        canvas = self._last = _Canvas(request, self._last)

        def take(part: AnswerPart) -> None:
            if canvas.put(part):
                answered(canvas.answer(last=False))

        if request.model is not None:
            asked: dict[str, Any] = {"kind": "overlay", "model": request.model}
        else:
            asked = {"kind": "live", "level": request.level, "sequence": request.sequence}
            if request.channels:
                asked["config"] = {"channels": list(request.channels)}
            if request.region is not None:
                asked["region"] = request.region.model_dump(mode="json")
            self._settings = {name: asked[name] for name in ("config", "region") if name in asked}
        answer = self._helper.request(image=request.image, view=view, on_part=take, **asked)

        def end(future: Future[dict[str, Any]]) -> None:
            error = future.exception()
            if error is not None:
                failed(error)
            elif future.result().get("state") != "dropped" and future.result().get("learnt", True):
                answered(canvas.answer(last=True))

        answer.future.add_done_callback(end)

    @property
    def pid(self) -> int | None:
        """The process; None before the first question and after the end."""
        return self._helper.pid

    def close(self) -> None:
        """End the process."""
        self._helper.close()


class _Canvas:
    """The pieces of one answer, over those of the answer before where that showed the same."""

    def __init__(self, request: OverlayRequest, before: _Canvas | None) -> None:
        self.request = request
        top, left, bottom, right = request.box
        shape = -(-(bottom - top) // request.step), -(-(right - left) // request.step)
        self._guard = threading.Lock()
        self._shown = 0.0
        self.classes, self.confidence = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        if before is not None and before._place == self._place:
            with before._guard:
                self.classes[:], self.confidence[:] = before.classes, before.confidence

    @property
    def _place(self) -> tuple[Any, ...]:
        q = self.request
        return q.image, q.level, q.model, q.channels, q.axis, q.index, q.box, q.step

    def put(self, part: AnswerPart) -> bool:
        """Add a piece; whether it is time to show what there is."""
        with self._guard:
            self.classes[part.rows, part.columns] = part.values
            self.confidence[part.rows, part.columns] = part.confidence
            now = time.monotonic()
            due = now - self._shown > SHOWN_EVERY_S
            self._shown = now if due else self._shown
        return due

    def answer(self, *, last: bool) -> OverlayPiece:
        """What there is so far."""
        q, step = self.request, self.request.step
        with self._guard:
            classes, confidence = self.classes.copy(), self.confidence.copy()
        rows, columns = classes.shape
        top, left = q.box[0], q.box[1]
        box = float(top), float(left), float(top + rows * step), float(left + columns * step)
        return OverlayPiece(q.axis, q.index, box, classes, confidence, last)
