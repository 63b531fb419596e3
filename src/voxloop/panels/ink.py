"""Strokes as they arrive from a page, in parts, perhaps twice: each is handed on once and whole. Pure: no widgets."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: strokes remembered so that one sent again is acknowledged, not painted again
REMEMBERED = 1024
#: a stroke whose page has been silent for so long is taken as it is: nothing that was drawn is lost
ABANDONED_S = 20.0


@dataclass(slots=True)
class Stroke:
    """A whole stroke: ``points`` are (n, 2) voxel coordinates (row, column) on plane ``index`` across ``axis``."""

    id: str
    tool: str
    axis: str
    index: int
    radius: float
    value: int
    erase: bool
    depth: float | None
    layer: str
    options: dict[str, Any]
    points: np.ndarray


@dataclass(slots=True)
class _Coming:
    message: Mapping[str, Any]
    points: np.ndarray
    heard: float = field(default_factory=time.monotonic)


class Strokes:
    """Put parts together; tell apart a new stroke, one under way, and one that was done before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._coming: dict[str, _Coming] = {}
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def answer_to(self, id: str) -> dict[str, Any] | None:
        """What was answered to a stroke that is done, None where it is new or under way."""
        return self._answers.get(id)

    def take(self, message: Mapping[str, Any], points: np.ndarray) -> Stroke | None:
        """Add a part (n, 2); the stroke once it is whole, else None.

        ``message["first"]`` is the number of points sent before this part: a part sent again replaces what it repeats,
        and one that follows a lost part is left aside until the page sends the stroke again.
        """
        id = str(message["id"])
        if id in self._answers:
            return None
        known = self._coming.get(id)
        before = known.points if known is not None else np.zeros((0, 2), np.float32)
        first = int(message["first"])
        if first > len(before):
            return None
        self._coming[id] = _Coming(message, np.concatenate([before[:first], points]), self._clock())
        return self._whole(id) if message["last"] else None

    def drop(self, id: str) -> None:
        """Forget a stroke that the hand took back."""
        self._coming.pop(id, None)

    def done(self, id: str, answer: dict[str, Any]) -> None:
        """Remember what the stroke was answered."""
        self._answers[id] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def abandoned(self) -> list[Stroke]:
        """Strokes whose page fell silent halfway; they count as whole from now on."""
        limit = self._clock() - ABANDONED_S
        late = [id for id, coming in self._coming.items() if coming.heard < limit and len(coming.points)]
        return [self._whole(id) for id in late]

    def _whole(self, id: str) -> Stroke:
        coming = self._coming.pop(id)
        told = coming.message
        depth = told.get("depth")
        return Stroke(
            id=id,
            tool=str(told["tool"]),
            axis=str(told["axis"]),
            index=int(told["index"]),
            radius=float(told.get("radius") or 0.0),
            value=int(told.get("value") or 0),
            erase=bool(told.get("erase")),
            depth=None if depth is None else float(depth),
            layer=str(told.get("layer") or ""),
            options=dict(told.get("options") or {}),
            points=coming.points,
        )
