"""A field of an audit while a person corrects it: a copy to paint on, with undo. In memory; knows no audit."""

from __future__ import annotations

import numpy as np

from voxloop.geometry import Box
from voxloop.store import shapes, strokes
from voxloop.store.strokes import PlaneMask


class FieldDraft:
    """Class values of one plane of a field; 0 where nobody can tell.

    Places are voxels (row, column) of the whole plane, as a picture gives them; what lies beside the field is left out.

    Parameters
    ----------
    box
        Where the field lies; one plane across z.
    values
        (rows, columns) what it begins with.
    spacing_um
        Micrometres of a row and of a column.
    """

    def __init__(self, box: Box, values: np.ndarray, spacing_um: tuple[float, ...]) -> None:
        self.box = box
        self.values = values.copy()
        self._first = values.copy()
        self._spacing_um = (float(spacing_um[0]), float(spacing_um[1]))
        self._before: list[np.ndarray] = []
        self._after: list[np.ndarray] = []
        self._is_begun = False  # whether the stroke under way has reached the field

    @property
    def is_changed(self) -> bool:
        """Whether it differs from what it began with."""
        return not np.array_equal(self.values, self._first)

    def paint(self, points: np.ndarray, radius: float, value: int, *, joined: bool = False) -> None:
        """Paint a stroke of ``radius`` voxels of the finer axis; ``joined``: it goes on with the one before."""
        radius_um = radius * min(self._spacing_um)
        mask = strokes.stroke(self._inside(points), radius_um, self._spacing_um, self._size)
        self._set(mask, value, joined=joined and self._is_begun)
        self._is_begun = mask is not None or (joined and self._is_begun)

    def paint_area(self, corners: np.ndarray, value: int) -> None:
        """Paint the inside of an outline."""
        self._set(shapes.polygon(self._inside(corners), self._size), value)

    def fill(self, place: tuple[int, int], value: int) -> None:
        """Give the connected voxels that have the same class as the one at ``place`` another one."""
        from scipy.ndimage import label

        row, column = place[0] - self.box.start[1], place[1] - self.box.start[2]
        if not (0 <= row < self._size[0] and 0 <= column < self._size[1]):
            return
        pieces, _ = label(self.values == self.values[row, column])
        self._set(PlaneMask((0, 0), pieces == pieces[row, column]), value)

    def undo(self) -> bool:
        """Take the last change back; whether there was one."""
        return self._go(self._before, self._after)

    def redo(self) -> bool:
        """Make the change that was taken back again; whether there was one."""
        return self._go(self._after, self._before)

    @property
    def _size(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(points, np.float64) - np.array(self.box.start[1:], np.float64)

    def _set(self, painted: PlaneMask | None, value: int, *, joined: bool = False) -> None:
        if painted is None:
            return
        changed = self.values.copy()
        top, left = painted.origin
        rows, columns = painted.mask.shape
        changed[top : top + rows, left : left + columns][painted.mask] = value
        if not joined:
            self._before.append(self.values)
        self._after.clear()
        self.values = changed

    def _go(self, source: list[np.ndarray], target: list[np.ndarray]) -> bool:
        if not source:
            return False
        target.append(self.values)
        self.values = source.pop()
        return True
