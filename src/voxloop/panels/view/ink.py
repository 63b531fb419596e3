"""Strokes as they arrive from a page, in parts, perhaps twice: each piece is handed on once. Pure: no widgets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: strokes remembered so that one sent again is acknowledged, not painted again
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class StrokePiece:
    """New points of a stroke.

    ``points`` are (n, 2) voxel coordinates (row, column) on plane ``index`` across ``axis``, beginning with the last
    point of the piece before; ``joined`` says that there was one, ``last`` that the stroke is whole. With this piece
    ``count`` points of the stroke are painted; ``place`` names the labels it was drawn on ("": those on show).
    """

    id: str
    tool: str
    axis: str
    index: int
    radius: float
    value: int
    layer: str
    options: dict[str, Any]
    points: np.ndarray
    joined: bool
    last: bool
    count: int = 0
    place: str = ""


class StrokeParts:
    """Tell what is new in a part of a stroke, and remember what was answered to whole ones."""

    def __init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._apart: set[str] = set()

    def answer_to(self, id: str) -> dict[str, Any] | None:
        """What was answered to a stroke that is done, None where it is new or under way."""
        return self._answers.get(id)

    def recall(self, id: str, points: np.ndarray, *, joined: bool) -> None:
        """These points of a stroke were handed on by an earlier process; ``joined``: what comes is one with them."""
        self._known[id] = points
        if not joined:
            self._apart.add(id)

    def is_known(self, id: str) -> bool:
        """Whether pieces of a stroke were handed on."""
        return id in self._known

    def take(self, message: Mapping[str, Any], points: np.ndarray) -> StrokePiece | None:
        """What a part (n, 2) adds; None where it adds nothing and is not the last.

        ``message["first"]`` counts the points sent before this part. One that repeats known points (sent again after a
        lost answer) adds only the rest; one that follows a lost part is left aside, for the page sends all of it again.
        """
        id = str(message["id"])
        first = int(message["first"])
        earlier = self._known.get(id, np.zeros((0, 2), np.float32))
        if id in self._answers or first > len(earlier):
            return None
        new = points[len(earlier) - first :]
        last = bool(message["last"])
        if not len(new) and not last:
            return None
        self._known[id] = np.concatenate([earlier, new])
        joined = bool(len(earlier)) and id not in self._apart
        self._apart.discard(id)
        if last:
            del self._known[id]
        return StrokePiece(
            id=id,
            tool=str(message["tool"]),
            axis=str(message["axis"]),
            index=int(message["index"]),
            radius=float(message.get("radius") or 0.0),
            value=int(message.get("value") or 0),
            layer=str(message.get("layer") or ""),
            options=dict(message.get("options") or {}),
            points=np.concatenate([earlier[-1:], new]),
            joined=joined,
            last=last,
            count=len(earlier) + len(new),
            place=str(message.get("place") or ""),
        )

    def drop(self, id: str) -> bool:
        """Forget a stroke that the hand took back; whether pieces of it had been handed on."""
        return self._known.pop(id, None) is not None

    def done(self, id: str, answer: dict[str, Any]) -> None:
        """Remember what the stroke was answered."""
        self._answers[id] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
