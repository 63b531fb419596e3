"""Boxes of one level on one image, as users hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.store.classes import Level
from voxloop.store.points.placed_labels import PlacedLabels

CORNERS = {"start": 0, "stop": 1}


class BoxLabels(PlacedLabels):
    """Boxes with a class and a track.

    A box is its two corners, ``((y0, x0), (y1, x1))`` in frames and ``((z0, y0, x0), (z1, y1, x1))`` in a volume:
    voxels, centres at integers, so the box around rows 3 to 5 goes from 2.5 to 5.5.

    Examples
    --------
    >>> boxes = ws.boxes("boxes")
    >>> number = boxes.add(None, ((2, 8, 8), (4, 24, 24)), label="cell")
    >>> boxes.counts()
    {'cell': 1}
    """

    _verb = "boxes"

    def add(
        self,
        frame: int | None,
        box: object,
        label: object = None,
        track: object = None,
        *,
        predicted: bool = False,
        score: float | None = None,
    ) -> int:
        """Add one box; its number. See :meth:`PointLabels.add` for frame, track, label, predicted and score.

        Examples
        --------
        >>> ws.boxes("boxes").add(None, ((2, 8, 8), (4, 24, 24)), label="cell")
        1
        """
        told = {"frame": frame, "points": self.corners(box), "track": track, "label": label, "score": score}
        return self.add_many([told], predicted=predicted)[0]

    def move(self, number: int, box: object) -> None:
        """Put a box elsewhere, or give it another size. A prediction becomes one's own.

        Examples
        --------
        >>> boxes = ws.boxes("boxes")
        >>> number = boxes.add(None, ((2, 8, 8), (4, 24, 24)))
        >>> boxes.move(number, ((2, 8, 8), (4, 26, 26)))
        >>> boxes.instance(number).box
        ((2.0, 8.0, 8.0), (4.0, 26.0, 26.0))
        """
        with self._state.lock:
            row = self._row(number)
            self._check_unlocked(row)
            self._commit("move", {}, [self._step(row, self._moved(row, self.corners(box)))])

    def corners(self, given: object) -> dict[str, Any]:
        """The corners of a box in order, from two places or one list (y0, x0, y1, x1). Raises LabelError."""
        dims = 2 if self.framed else 3
        if isinstance(given, Mapping):
            given = [given.get(name) for name in CORNERS]
        try:
            ends = np.asarray(given, float).reshape(2, dims)
        except (TypeError, ValueError):
            ends = np.empty((0, dims))
        if len(ends) != 2:
            form = "((y0, x0), (y1, x1))" if dims == 2 else "((z0, y0, x0), (z1, y1, x1))"
            raise LabelError(f"a box is its two corners {form} in voxels, not {shown(given)}")
        start, stop = ends.min(axis=0), ends.max(axis=0)
        if (start == stop).any():
            raise LabelError(f"the box {shown(given)} has no inside: its corners must differ along every axis")
        return {"start": tuple(start.tolist()), "stop": tuple(stop.tolist())}

    def _entry(self, frame: int | None = None, points: Any = None, **told: Any) -> dict[str, Any]:
        return super()._entry(frame, self.corners(points), **told)

    def _node(self, name: object) -> str:
        if name not in CORNERS:
            raise LabelError(unknown("corner", name, CORNERS))
        return str(name)

    def _keys(self, level: Level) -> dict[str, int]:
        return CORNERS
