"""The verbs that draw on planes: brushes, areas, slice to slice. Each comes down to one :meth:`Drawing.edit`.

Knows planes and classes; knows nothing of files, and leaves geometry to :mod:`strokes` and :mod:`shapes`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Box, Shape, Spacing, cover
from voxloop.given import flag
from voxloop.store import shapes, strokes
from voxloop.store.edit import Edit
from voxloop.store.family import Children, as_children
from voxloop.store.planes import Plane
from voxloop.store.units import Unit, Units
from voxloop.store.values import as_list, number, whole
from voxloop.store.writer import Proposal

#: a block and its labels as they are, to where in it something is done
Inside = Callable[[Box, np.ndarray], np.ndarray]
#: voxels of the widest brush; it covers more than any volume
_WIDEST = 1e6


@dataclass(frozen=True, slots=True)
class _Brush:
    """A stroke as it was asked for."""

    plane: Plane
    points: np.ndarray
    radius: float | None
    radius_um: float | None
    depth: int | bool | None

    @property
    def size_um(self) -> float:
        if self.radius is not None and self.radius_um is not None:
            raise LabelError("give radius (voxels) or radius_um (micrometres), not both")
        if self.radius_um is not None:
            size = number("radius_um", self.radius_um, least=0)
        else:
            size = min(self.plane.spacing) * (3.0 if self.radius is None else number("radius", self.radius, least=0))
        return min(size, _WIDEST * max(self.plane.spacing_um))

    @property
    def reach(self) -> int:
        """Slices to either side."""
        if self.depth is None or self.depth is False:
            return 0
        if self.depth is True:
            return int(self.size_um / self.plane.across + 1e-6)
        depth = whole("depth", self.depth)
        if depth < 0:
            raise LabelError(f"depth={self.depth} is negative; use the number of slices to either side, True or None")
        return depth

    def masks(self) -> list[tuple[Box, np.ndarray]]:
        """The stroke as (box, 3-D mask), one entry a slice."""
        plane, masks = self.plane, []
        for index, radius in strokes.ball(self.size_um, plane.across, self.reach, plane.index, plane.count):
            thin = index == plane.index
            found = strokes.stroke(self.points, radius, plane.spacing, plane.size, thin=thin)
            if found is not None:
                masks.append(plane.place(found, index))
        return masks

    def arguments(self) -> dict[str, Any]:
        """What the journal says of it."""
        given = {
            "axis": self.plane.axis,
            "index": self.plane.index,
            "points": rounded(self.points),
            "radius": self.radius,
            "radius_um": self.radius_um,
            "depth": self.depth,
        }
        return {key: value for key, value in given.items() if value is not None}


class Drawing(Units, ABC):
    """Draws on planes through :meth:`edit`."""

    @property
    @abstractmethod
    def shape(self) -> Shape: ...
    @property
    @abstractmethod
    def spacing_um(self) -> Spacing: ...
    @property
    @abstractmethod
    def dtype(self) -> np.dtype: ...
    @property
    @abstractmethod
    def sequence(self) -> int: ...
    @abstractmethod
    def read(self, region: object = None) -> np.ndarray: ...
    @abstractmethod
    def paintable(self, value: int | str) -> int:
        """The number to paint for a class name or value. Raises LabelError."""

    @abstractmethod
    def picture(self, channel: int | str) -> Callable[[Box], np.ndarray]:
        """Reads boxes (z, y, x) of a channel of the image, or of the workspace by name."""

    @abstractmethod
    def edit(
        self,
        tool: str,
        boxes: Box | Sequence[Box],
        proposal: Proposal,
        arguments: dict[str, Any] | None = None,
        *,
        joined: bool = False,
        confined: bool = True,
        children: Children | None = None,
    ) -> Edit: ...

    # ------------------------------------------------------------------------------------------------------- brushes

    def paint(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        radius: float | None = None,
        value: int | str = 1,
        depth: int | bool | None = None,
        radius_um: float | None = None,
        joined: bool = False,
        unit: Unit = "voxels",
        supervoxels: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Paint a stroke.

        Parameters
        ----------
        axis, index
            The plane.
        points
            Polyline of (row, column) voxel coordinates in the plane's axes, zyx order; float, centres at integers.
        radius, radius_um
            In voxels of the finest in-plane axis, or in micrometres; round in physical space. Default 3 voxels.
        value
            A class by value or name, or an instance number; 0 erases.
        depth
            Slices to either side that a ball brush may reach; True for as many as its radius does. None: this slice.
        joined
            Part of the stroke before it: undo takes both back.
        unit, supervoxels
            ``"supervoxels"``: all of every supervoxel under the stroke, through the stack; made as
            :class:`SupervoxelConfig` says, such as ``{"size": 12, "channel": "smooth"}``, or ``"dimensions": "2d"``.

        Raises
        ------
        LabelError
            No such class, a locked class, a plane outside, no points, supervoxels that cannot be made of this image.
        ReadOnlyError
            Another process writes this workspace.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.paint(axis="z", index=2, points=[(20, 10), (20, 30)], radius=3, value="cell").voxels
        169
        >>> labels.paint(index=2, points=[(20, 20)], radius_um=0.05, depth=True, value="cell").voxels
        61
        """
        brush = self._brush(axis, index, points, radius, radius_um, depth)
        label = self.paintable(value)
        masks, of = self._in_units(brush.masks(), unit, supervoxels)
        return self._fill_masks("paint", brush.arguments() | {"value": label} | of, masks, label, joined)

    def erase(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        radius: float | None = None,
        depth: int | bool | None = None,
        radius_um: float | None = None,
        joined: bool = False,
        children: Children | None = None,
        unit: Unit = "voxels",
        supervoxels: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Make voxels unlabelled again; as :meth:`paint`.

        ``children="crop"`` takes the labels of levels inside of this one away with it, and undo brings both back; else
        they stay, and ``edit.outside`` says how many.

        Examples
        --------
        >>> ws.labels().erase(index=3, points=[(14, 14)], radius=3).voxels
        29
        """
        brush = self._brush(axis, index, points, radius, radius_um, depth)
        children = as_children(children)
        masks, of = self._in_units(brush.masks(), unit, supervoxels)
        return self._fill_masks("erase", brush.arguments() | of, masks, 0, joined, children=children)

    # --------------------------------------------------------------------------------------------------------- areas

    def fill(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        point: Sequence[float],
        value: int | str = 1,
        by: Literal["labels", "image"] = "labels",
        tolerance: float | None = None,
        volume: bool = False,
        reach: int = 256,
        channel: int | str = 0,
    ) -> Edit:
        """Flood from a voxel to all that are connected to it and alike.

        Parameters
        ----------
        point
            (row, column) of the voxel to start from.
        by, tolerance
            Alike means: the same label (``"labels"``: fills an outline), or an intensity no further than ``tolerance``
            from that of the first voxel (``"image"``); None: from what is usual around it, and as far as the noise
            there goes; :meth:`history` tells how far that was.
        volume, reach
            In the plane or in three dimensions; never further than ``reach`` voxels from the first voxel on any axis.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.fill(index=2, point=(18, 46), value="cell", by="image", tolerance=60).voxels
        249
        """
        plane = self._plane(axis, index)
        label = self.paintable(value)
        seed = plane.voxel(point)
        reach = int(number("reach", reach, least=0))
        tolerance = None if tolerance is None else number("tolerance", tolerance, least=0)
        volume = flag("volume", volume, error=LabelError)
        around = [reach if volume or name != axis else 0 for name in AXES]
        box = Box.at(seed, (1, 1, 1)).grow(around).clip(self.shape)
        start = Box.at(seed, (1, 1, 1)).within(box).start
        if not isinstance(by, str) or by not in ("labels", "image"):
            raise LabelError(f"by={by!r} is neither 'labels' nor 'image'")
        values = self.read(box) if by == "labels" else self.picture(channel)(box)
        centre = None
        if by == "labels":
            tolerance = 0.0
        elif tolerance is None:
            across = AXES.index(axis)
            row, column = (at for name, at in zip(AXES, start, strict=True) if name != axis)
            centre, tolerance = shapes.usual_around(values.take(start[across], axis=across), (row, column))
        mask = shapes.flood(values, start, tolerance, centre)
        arguments = {"axis": axis, "index": plane.index, "point": rounded(np.array(point)), "value": label}
        arguments |= {"by": by, "tolerance": tolerance, "volume": volume, "reach": reach, "channel": channel}
        return self._fill_masks("fill", arguments, [(box, mask)], label)

    # ------------------------------------------------------------------------------------------------ slice to slice

    def copy_slice(
        self,
        *,
        axis: str = "z",
        source: int,
        target: int,
        values: Sequence[int | str] | None = None,
        overwrite: bool = False,
    ) -> Edit:
        """Copy the labels of one slice to another; onto unlabelled voxels only, unless ``overwrite``.

        Examples
        --------
        >>> ws.labels().copy_slice(source=3, target=4, values=["cell"]).voxels
        136
        """
        plane, origin = self._plane(axis, target), self._plane(axis, source)
        overwrite = flag("overwrite", overwrite, error=LabelError)
        wanted = None if values is None else [self.paintable(value) for value in as_list("values", values)]

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            theirs = self.read(part.cut(axis, origin.index, origin.index + 1))
            take = theirs > 0 if wanted is None else np.isin(theirs, wanted)
            return np.where(take if overwrite else take & (current == 0), theirs, current)

        arguments = {"axis": axis, "source": source, "target": target, "values": wanted, "overwrite": overwrite}
        return self.edit("copy_slice", plane.box(), proposal, arguments)

    def interpolate(
        self,
        *,
        axis: str = "z",
        first: int,
        last: int,
        values: Sequence[int | str] | None = None,
        overwrite: bool = False,
    ) -> Edit:
        """Fill the slices between two painted ones: shapes change gradually from one to the other.

        The signed distances to the outlines are mixed, in micrometres; a voxel goes to the class that it lies deepest
        in. Classes must be painted in both slices; None takes all of these. Onto unlabelled voxels only, unless
        ``overwrite``.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.copy_slice(source=3, target=5, values=["cell"]).voxels
        136
        >>> labels.interpolate(first=3, last=5, values=["cell"]).voxels
        136
        """
        overwrite = flag("overwrite", overwrite, error=LabelError)
        first, last = sorted((whole("first", first), whole("last", last)))
        plane, other = self._plane(axis, first), self._plane(axis, last)
        distance = other.index - plane.index
        if distance < 2:
            raise LabelError(f"slices {first} and {last} have none between them")
        ends = [self.read(one.box()).squeeze(plane.at) for one in (plane, other)]
        common = [int(value) for value in np.intersect1d(ends[0], ends[1]) if value]
        wanted = common if values is None else [self.paintable(value) for value in as_list("values", values)]
        missing = [value for value in wanted if value not in common]
        if missing or not wanted:
            names = ", ".join(map(str, missing)) or "any class"
            raise LabelError(f"slices {first} and {last} do not both hold {names}; paint it in both of them first")
        part_of_plane, between = shapes.interpolate(ends[0], ends[1], wanted, distance, plane.spacing)
        box = plane.box(part_of_plane, (plane.index + 1, other.index))
        solid = np.moveaxis(between, 0, plane.at)

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            new = solid[part.within(box).slices]
            return np.where((new > 0) if overwrite else (new > 0) & (current == 0), new, current)

        arguments = {"axis": axis, "first": plane.index, "last": other.index, "values": wanted, "overwrite": overwrite}
        return self.edit("interpolate", box, proposal, arguments)

    # ------------------------------------------------------------------------------------------------------- helpers

    def _plane(self, axis: str, index: int) -> Plane:
        return Plane(axis, whole("index", index), self.shape, self.spacing_um)

    def _brush(
        self,
        axis: str,
        index: int,
        points: object,
        radius: float | None,
        radius_um: float | None,
        depth: int | bool | None,
    ) -> _Brush:
        return _Brush(self._plane(axis, index), strokes.as_points(points), radius, radius_um, depth)

    def _fill_masks(
        self,
        tool: str,
        arguments: dict[str, Any],
        masks: list[tuple[Box, np.ndarray]],
        value: int,
        joined: bool = False,
        inside: Inside | None = None,
        children: Children | None = None,
    ) -> Edit:
        """One edit that gives ``value`` to the voxels of the masks, which must not overlap."""
        if not masks:
            return Edit(self.sequence, tool, Box.whole((0, 0, 0)), 0)

        def proposal(part: Box, current: np.ndarray) -> np.ndarray | None:
            mask = np.zeros(current.shape, bool)
            for box, one in masks:
                both = box.meet(part)
                if both is not None:
                    mask[both.within(part).slices] = one[both.within(box).slices]
            if inside is not None and mask.any():
                mask &= inside(part, current)
            return np.where(mask, np.asarray(value, self.dtype), current) if mask.any() else None

        return self.edit(tool, cover([box for box, _ in masks]), proposal, arguments, joined=joined, children=children)


def rounded(points: np.ndarray) -> list[Any]:
    """Coordinates as the journal notes them."""
    out: list[Any] = np.round(points, 2).tolist()
    return out
