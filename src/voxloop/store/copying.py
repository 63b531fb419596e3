"""The verbs that take labels from one place to others: to further slices, to another image. Each is one edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.given import flag
from voxloop.store import shapes
from voxloop.store.drawing import rounded
from voxloop.store.edit import Edit
from voxloop.store.planes import Plane
from voxloop.store.shaping import Shaping
from voxloop.store.values import as_list, whole

#: voxels to either side of a click in which an outline is looked for
_REACH = 1024


class Copying(Shaping):
    """Copies labels of planes."""

    def copy(
        self,
        *,
        axis: str = "z",
        source: int,
        to: int | Sequence[int],
        points: object = None,
        values: Sequence[int | str] | None = None,
        image: str | None = None,
        overwrite: bool = False,
    ) -> Edit:
        """Copy the labels of a slice, or of a part of it, to other slices, also of another image.

        Parameters
        ----------
        axis, source
            The plane whose labels are copied.
        to
            Index, or indices, of the planes that get them.
        points
            Corners (row, column) of the part to copy, or several lists of corners; None: all of the slice.
        values
            Classes by value or name, or instance numbers; None: every label.
        image
            Name of the image that gets them, on the same level; None: this one. It has planes of the same size.
        overwrite
            Also onto voxels that are labelled already.

        Returns
        -------
        Edit
            Of the labels that were changed: those of the other image have an undo of their own.

        Raises
        ------
        LabelError
            A plane outside, no such class or image, planes of different sizes, fewer than three corners.

        Examples
        --------
        >>> ws.labels().copy(source=3, to=[2, 4], values=["cell"])
        Edit(sequence=4, tool='copy', box=Box(start=(2, 0, 0), stop=(5, 64, 64)), voxels=272, outside={})
        """
        origin = self._plane(axis, source)
        target: Copying = self if image is None else self._setting.beside(image)
        indices = [to] if isinstance(to, int | np.integer) else as_list("to", to)
        planes = [Plane(axis, whole("to", index), target.shape, target.spacing_um) for index in indices]
        overwrite = flag("overwrite", overwrite, error=LabelError)
        wanted = None if values is None else [self.paintable(value) for value in as_list("values", values)]
        outlines = None if points is None else shapes.outlines_of(points)
        found = None if outlines is None else shapes.enclosed(outlines, origin.size)
        if planes and planes[0].size != origin.size:
            rows, columns = planes[0].size
            raise LabelError(
                f"planes of image {image!r} have {rows} x {columns} voxels, these {origin.size[0]} x {origin.size[1]}; "
                "labels are copied between planes of one size"
            )
        own = target is self
        unique = {plane.index: plane for plane in planes if not (own and plane.index == origin.index)}
        arguments: dict[str, Any] = {"axis": axis, "source": origin.index, "to": sorted(unique), "values": wanted}
        arguments |= {"overwrite": overwrite, **({} if own else {"from": self._setting.image})}
        if outlines is not None:
            listed = [rounded(one) for one in outlines]
            arguments["points"] = listed[0] if len(listed) == 1 else listed
        if not unique or (outlines is not None and found is None):
            return Edit(target.sequence, "copy", Box.whole((0, 0, 0)), 0)
        if found is None:
            place, mask = origin.box(), None
            boxes = [plane.box() for plane in unique.values()]
        else:
            place, mask = origin.place(found)
            boxes = [plane.place(found)[0] for plane in unique.values()]

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            there = part.cut(axis, origin.index, origin.index + 1)
            theirs = self.read(there)
            take = theirs > 0 if wanted is None else np.isin(theirs, wanted)
            if mask is not None:
                take = take & mask[there.within(place).slices]
            return np.where(take if overwrite else take & (current == 0), theirs, current)

        return target.edit("copy", boxes, proposal, arguments)

    def outline_at(self, *, axis: str = "z", index: int = 0, point: Sequence[float]) -> list[np.ndarray]:
        """The outlines of the labelled object at a point of a plane: corners (row, column), the outer one first.

        Raises LabelError where nothing is labelled there.

        Examples
        --------
        >>> outline = ws.labels().outline_at(index=3, point=(14, 14))
        >>> len(outline), len(outline[0])
        (1, 45)
        """
        plane = self._plane(axis, index)
        seed = plane.voxel(point)
        around = [0 if at == plane.at else _REACH for at in range(3)]
        box = Box.at(seed, (1, 1, 1)).grow(around).clip(self.shape)
        values = self.read(box).squeeze(plane.at)
        rows, columns = (part for at, part in enumerate(box.slices) if at != plane.at)
        row, column = (n for at, n in enumerate(seed) if at != plane.at)
        start = row - rows.start, column - columns.start
        if not values[start]:
            raise LabelError("nothing is labelled at this place")
        parts = shapes.parts_of(shapes.flood(values, start))
        return [corners + np.array([rows.start, columns.start]) for _, corners in parts[0]]
