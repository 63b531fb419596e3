"""The verbs that change areas: boxes, ellipses, polygons, thresholds, and shapes refined. Each is one edit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box, cover
from voxloop.given import flag
from voxloop.store import refining, shapes, strokes
from voxloop.store.drawing import Drawing, Inside, rounded
from voxloop.store.edit import Edit
from voxloop.store.planes import Plane
from voxloop.store.region_mask import mask_of
from voxloop.store.units import Unit
from voxloop.store.values import number, whole

if TYPE_CHECKING:
    from voxloop.store.guard import Guard
    from voxloop.store.label_setting import LabelSetting

#: what a shape does to the class: fill it, take it away inside, keep it only inside, take every label away inside
Mode = Literal["add", "subtract", "intersect", "cut"]
MODES: tuple[Mode, ...] = get_args(Mode)
Scope = Literal["slice", "slices", "volume"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: voxels that are refined at once
_MOST = 2**29


class Shaping(Drawing):
    """Changes areas through :meth:`edit`."""

    _setting: LabelSetting

    @abstractmethod
    def touched(self) -> Sequence[Any]: ...
    @abstractmethod
    def _box(self, region: object) -> Box: ...
    @abstractmethod
    def _guard(self, confined: bool) -> Guard: ...

    # -------------------------------------------------------------------------------------------------------- shapes

    def polygon(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        value: int | str = 1,
        mode: Mode = "add",
        depth: int | None = None,
        unit: Unit = "voxels",
        supervoxels: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Fill the polygon with these corners, border included, or take labels away.

        Parameters
        ----------
        axis, index
            The plane.
        points
            Corners (row, column) in voxels, in the plane's axes; or several lists of corners, of which those that lie
            inside of others are holes.
        value
            A class by value or name, or an instance number.
        mode
            ``"add"`` fills the shape; ``"subtract"`` takes ``value`` away inside of it, ``"intersect"`` outside of it,
            ``"cut"`` takes every label away inside.
        depth
            Slices to either side that are changed alike; None: this one.
        unit, supervoxels
            As of :meth:`paint`: the shape is made of whole supervoxels, all that it touches.

        Raises
        ------
        LabelError
            No such class, a locked class, a plane outside, fewer than three corners.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.polygon(index=1, points=[(10, 10), (10, 30), (30, 20)], value="cell").voxels
        231
        >>> labels.polygon(index=1, points=[(10, 10), (10, 30), (14, 20)], value="cell", mode="subtract").voxels
        61
        """
        return self._shape("polygon", self._plane(axis, index), points, value, mode, depth, (unit, supervoxels))

    def box(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        value: int | str = 1,
        mode: Mode = "add",
        depth: int | None = None,
        unit: Unit = "voxels",
        supervoxels: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Fill the rectangle between two opposite corners; as :meth:`polygon`.

        Examples
        --------
        >>> ws.labels().box(index=1, points=[(4, 4), (13, 23)], value="background").voxels
        200
        """
        return self._shape("box", self._plane(axis, index), points, value, mode, depth, (unit, supervoxels))

    def ellipse(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        value: int | str = 1,
        mode: Mode = "add",
        depth: int | None = None,
        unit: Unit = "voxels",
        supervoxels: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Fill the ellipse in the rectangle between two opposite corners; as :meth:`polygon`.

        Examples
        --------
        >>> ws.labels().ellipse(index=1, points=[(10, 10), (30, 50)], value="cell", depth=2).voxels
        2702
        """
        return self._shape("ellipse", self._plane(axis, index), points, value, mode, depth, (unit, supervoxels))

    def _shape(
        self,
        tool: str,
        plane: Plane,
        points: object,
        value: int | str,
        mode: Mode,
        depth: int | None,
        made_of: tuple[Unit, Mapping[str, Any] | None],
    ) -> Edit:
        checked_mode(mode)
        label = self.paintable(value)
        reach = 0 if depth is None else whole("depth", depth, 0)
        drawn = shapes.outlines_of(points) if tool == "polygon" else [strokes.as_points(points)]
        found = shapes.enclosed([shapes.outline(tool, one) for one in drawn], plane.size)
        listed = [rounded(one) for one in drawn]
        arguments: dict[str, Any] = {"axis": plane.axis, "index": plane.index}
        arguments["points"] = listed[0] if len(listed) == 1 else listed
        arguments |= {
            "value": label,
            **({} if mode == "add" else {"mode": mode}),
            **({"depth": reach} if reach else {}),
        }
        slices = range(max(0, plane.index - reach), min(plane.count, plane.index + reach + 1))
        drawn_masks = [] if found is None else [plane.place(found, at) for at in slices]
        masks, of = self._in_units(drawn_masks, *made_of)
        return self._by_mode(tool, arguments | of, masks, label, mode, plane.box(None, (slices.start, slices.stop)))

    def _by_mode(
        self,
        tool: str,
        arguments: dict[str, Any],
        masks: list[tuple[Box, np.ndarray]],
        label: int,
        mode: Mode,
        everywhere: Box,
    ) -> Edit:
        """What a shape does: ``masks`` are the shape, ``everywhere`` is what lies outside of it too."""
        if mode == "add":
            return self._fill_masks(tool, arguments, masks, label)
        if mode != "intersect":
            return self._fill_masks(tool, arguments, masks, 0, inside=_any_label if mode == "cut" else _only(label))
        inside = np.zeros(everywhere.shape, bool)
        for box, mask in masks:
            both = box.meet(everywhere)  # supervoxels reach beyond it
            if both is not None:
                inside[both.within(everywhere).slices] = mask[both.within(box).slices]
        outside = [(everywhere, ~inside)]
        return self._fill_masks(tool, arguments, outside, 0, inside=_only(label))

    # ---------------------------------------------------------------------------------------------------- thresholds

    def threshold(
        self,
        low: float = -np.inf,
        high: float = np.inf,
        *,
        channel: int | str | None = None,
        region: object = None,
        value: int | str = 1,
        overwrite: bool | None = None,
        points: object = None,
        axis: str = "z",
        index: int = 0,
        radius: float | None = None,
        depth: int | bool | None = None,
        radius_um: float | None = None,
        joined: bool = False,
    ) -> Edit:
        """Label those voxels whose intensity lies in ``low <= intensity <= high``, in a region or under a brush.

        Parameters
        ----------
        channel
            Of the image by number, or a channel of the workspace by name; None: the first of the image.
        region
            Slices (z, y, x), the name of a region, None for all; block by block, so memory does not grow with it.
        overwrite
            Also voxels that are labelled already; None: under a brush, as painting does, and not in a region.
        points, axis, index, radius, depth, radius_um, joined
            A stroke as of :meth:`paint`; then only what lies under it, and no ``region``.

        Raises
        ------
        LabelError
            ``low`` lies above ``high``, no such class or channel, a region and a stroke.

        Examples
        --------
        >>> ws.labels().threshold(low=120, region=(slice(2, 4),), value="cell").voxels
        1744
        """
        low, high = (number("intensity", edge, endless=True) for edge in (low, high))
        if not low <= high:
            raise LabelError(f"low={low} lies above high={high}")
        label = self.paintable(value)
        limits = {name: float(edge) for name, edge in (("low", low), ("high", high)) if np.isfinite(edge)}
        arguments = {"value": label, "channel": 0 if channel is None else channel, **limits}
        overwrite = points is not None if overwrite is None else flag("overwrite", overwrite, error=LabelError)

        picture = self.picture(0 if channel is None else channel)

        def inside(part: Box, current: np.ndarray) -> np.ndarray:
            intensities = picture(part)
            mask = (intensities >= low) & (intensities <= high)
            return np.asarray(mask if overwrite else mask & (current == 0))

        if points is not None:
            if region is not None:
                raise LabelError("give points of a stroke, or a region, not both")
            brush = self._brush(axis, index, points, radius, radius_um, depth)
            return self._fill_masks("threshold", brush.arguments() | arguments, brush.masks(), label, joined, inside)
        if not limits:
            raise LabelError("give low or high: without a limit everything would be labelled")
        box, within = self._box(region), self._outlined(region)

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            mask = inside(part, current) if within is None else inside(part, current) & within(part)
            return np.where(mask, np.asarray(label, self.dtype), current)

        return self.edit("threshold", box, proposal, arguments | {"region": box.to_json()}, joined=joined)

    def in_range(
        self, low: float = -np.inf, high: float = np.inf, *, box: Box, channel: int | str | None = None
    ) -> tuple[np.ndarray, tuple[float, float]]:
        """What :meth:`threshold` would label of a box (bool zyx), and the smallest and largest intensity in it."""
        intensities = self.picture(0 if channel is None else channel)(box)
        mask, now = (intensities >= low) & (intensities <= high), self.read(box)
        guarded = self._guard(True).over(lambda part, current: np.where(mask & (current == 0), 1, current))
        would = guarded(box, now)
        found = np.zeros(now.shape, bool) if would is None else would != now
        return found, (float(np.nanmin(intensities)), float(np.nanmax(intensities)))

    # ------------------------------------------------------------------------------------------------------- refined

    def refine(
        self,
        operation: refining.Operation,
        *,
        radius_um: float | None = None,
        scope: Scope = "slice",
        value: int | str = 1,
        axis: str = "z",
        index: int = 0,
        region: object = None,
        overwrite: bool = False,
    ) -> Edit:
        """Make the shapes of one label larger, smaller, smoother or fewer.

        Parameters
        ----------
        operation
            ``"dilate"``, ``"erode"``, ``"open"`` (erode, then dilate: specks and bridges go), ``"close"`` (the other
            way round: gaps and dents go), ``"fill holes"``, ``"smooth"``, ``"remove small"``, ``"keep largest"``.
        radius_um
            How far shapes grow or shrink, round in micrometres; the width of the smoothing; parts smaller than a disc
            or ball of this radius are small. None: a voxel of the finest axis, and three where parts are small.
        scope
            ``"slice"``: one; ``"slices"``: every slice across ``axis`` by itself; ``"volume"``: in three dimensions.
        value
            A class by value or name, or an instance number.
        region
            Only inside of it: slices (z, y, x), or the name of a region.
        overwrite
            Shapes may grow over other labels, not only over unlabelled voxels.

        Raises
        ------
        LabelError
            No such operation, scope or class, or more than half a billion voxels at once: name a region.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.refine("dilate", radius_um=0.02, index=3, value="cell").voxels
        128
        >>> labels.refine("remove small", radius_um=0.01, scope="volume", value="cell").voxels
        0
        """
        for what, given, allowed in (("operation", operation, refining.OPERATIONS), ("scope", scope, SCOPES)):
            if not isinstance(given, str) or given not in allowed:
                raise LabelError(unknown(what, given, allowed))
        label, overwrite = self.paintable(value), flag("overwrite", overwrite, error=LabelError)
        if label == 0:
            raise LabelError("value=0 stands for unlabelled voxels; name a class")
        plane = self._plane(axis, index)
        least = 3.0 if operation == "remove small" else 1.0
        usual = least * min(self.spacing_um if scope == "volume" else plane.spacing)
        radius = usual if radius_um is None else number("radius_um", radius_um, least=0)
        arguments: dict[str, Any] = {"operation": operation, "radius_um": radius, "scope": scope, "value": label}
        box = self._where(label, plane, scope, self._box(region), radius if operation in refining.GROWING else 0.0)
        if box is None:
            return Edit(self.sequence, "refine", Box.whole((0, 0, 0)), 0)
        if box.size > _MOST:
            raise LabelError(
                f"{box.size / 1e9:.1f} billion voxels are too many to refine at once; name a region, or refine slices"
            )
        before = self.read(box) == label
        after = np.empty_like(before)
        for part, spacing in self._pieces(plane, scope, box):
            after[part] = refining.refine(before[part], operation, radius, spacing)
        if (within := self._outlined(region)) is not None:
            after = np.where(within(box), after, before)
        return self._take_shape(label, box, before, after, overwrite, arguments)

    def _outlined(self, region: object) -> Callable[[Box], np.ndarray] | None:
        """Where a named region lies in a box; None where its own box says all."""
        named = self._setting.region(region) if isinstance(region, str) else None
        return None if named is None or not named.outline else partial(mask_of, named)

    def _where(self, label: int, plane: Plane, scope: Scope, inside: Box, by: float) -> Box | None:
        """The box that holds the label and what it may grow into; None where there is none."""
        if scope == "slice":
            return inside.meet(plane.box())
        found = [chunk.box for chunk in self.touched() if chunk.counts.get(label)]
        if not found:
            return None
        reach = [int(by / step) + 1 for step in self.spacing_um] if by else [0, 0, 0]
        return cover(found).grow(reach).clip(self.shape).meet(inside)

    def _pieces(self, plane: Plane, scope: Scope, box: Box) -> Iterator[tuple[Any, tuple[float, ...]]]:
        """What is refined together, as an index into the box, with its voxel size."""
        if scope == "volume":
            yield (), self.spacing_um
            return
        for at in range(box.shape[plane.at]):
            yield (slice(None),) * plane.at + (at,), plane.spacing

    def _take_shape(
        self,
        label: int,
        box: Box,
        before: np.ndarray,
        after: np.ndarray,
        overwrite: bool,
        arguments: dict[str, Any],
    ) -> Edit:
        def proposal(part: Box, current: np.ndarray) -> np.ndarray | None:
            was, becomes = (mask[part.within(box).slices] for mask in (before, after))
            if np.array_equal(was, becomes):
                return None
            new = np.where(was & ~becomes, np.asarray(0, self.dtype), current)
            gained = becomes & ~was
            return np.where(gained if overwrite else gained & (current == 0), np.asarray(label, self.dtype), new)

        return self.edit("refine", box, proposal, arguments)


def checked_mode(mode: object) -> Mode:
    """What a shape is to do. Raises LabelError."""
    if not isinstance(mode, str) or mode not in MODES:
        raise LabelError(unknown("mode", mode, MODES))
    return mode


def _any_label(part: Box, current: np.ndarray) -> np.ndarray:
    return np.asarray(current > 0)


def _only(value: int) -> Inside:
    """Where there is that label."""
    return lambda part, current: np.asarray(current == value)
