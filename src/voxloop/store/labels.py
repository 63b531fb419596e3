"""One label array and the verbs that change it. Every verb is one edit: written down first, undoable for ever.

Knows levels and brushes; leaves files to the state and geometry to :mod:`strokes` and :mod:`shapes`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from voxloop.errors import LabelError, ReadOnlyError
from voxloop.geometry import AXES, Region, Shape, Spacing, as_region, intersect, plane_axes, region_shape
from voxloop.store import shapes, strokes
from voxloop.store.classes import Level
from voxloop.store.patches import cover
from voxloop.store.state import LabelState, Proposal, ReaderState, WriterState

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.store.journal import Record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did: its number in the journal, the tool, the box it touched (slices zyx), voxels changed.

    An edit that changed nothing has ``voxels == 0`` and the number of the edit before it.
    """

    sequence: int
    tool: str
    region: Region
    voxels: int


@dataclass(frozen=True, slots=True)
class Touched:
    """A chunk that holds labels: its voxels (slices zyx) and how many hold each value (0 left out)."""

    region: Region
    counts: dict[int, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a label array has to know of the workspace around it."""

    image: str
    spacing_um: Spacing
    level: Callable[[], Level]
    parent: Callable[[], Labels | None]
    volume: Callable[[], xr.DataArray]
    region: Callable[[str], Region]
    refusal: Callable[[], str | None]  # why nothing may be written, None where it may


class Labels:
    """The labels of one level on one image: 0 is unlabelled, classes (or instances) count from 1.

    Coordinates are level-0 voxels, zyx, centres at integers. Get one from ``ws.labels(level, image)``; a read-only one
    in any process from :func:`voxloop.store.open_labels`.
    """

    def __init__(self, state: LabelState, setting: Setting) -> None:
        self._state = state
        self._setting = setting
        self._callbacks: dict[object, Callable[[Edit], None]] = {}
        self._highest = 0

    # ------------------------------------------------------------------------------------------------------- facts

    @property
    def level(self) -> Level:
        """The level as it is now (name, kind, classes, parent)."""
        return self._setting.level()

    @property
    def image(self) -> str:
        """Name of the image."""
        return self._setting.image

    @property
    def shape(self) -> Shape:
        return self._state.shape

    @property
    def chunks(self) -> Shape:
        return self._state.chunks

    @property
    def spacing_um(self) -> Spacing:
        return self._setting.spacing_um

    @property
    def dtype(self) -> np.dtype:
        return self._state.dtype

    @property
    def path(self) -> Path:
        """The OME-Zarr folder of the array."""
        return self._state.place.array

    @property
    def sequence(self) -> int:
        """Number of the last edit that this view holds; 0 before the first."""
        return self._state.sequence

    @property
    def read_only(self) -> bool:
        return not isinstance(self._state, WriterState) or self._setting.refusal() is not None

    @property
    def lag(self) -> OSError | None:
        """What keeps the array from following the journal (a full disk), None where all is well."""
        return self._state.failure if isinstance(self._state, WriterState) else None

    # -------------------------------------------------------------------------------------------------------- read

    def read(self, region: object = None) -> np.ndarray:
        """Voxels of a region: slices (z, y, x), the name of a region, or None for all (which must fit into memory)."""
        return self._state.read(self._region(region))

    def plane(
        self, axis: str, index: int, box: Sequence[slice] | Sequence[Sequence[int]] | None = None, step: int = 1
    ) -> np.ndarray:
        """One plane across ``axis``, or the ``box`` of it (two slices or pairs, zyx order), every ``step``-th voxel."""
        rows, columns = self._box(axis, box)
        region = _across(axis, index, rows, columns, self.shape)
        return self._state.read(region).squeeze(AXES.index(axis))[::step, ::step]

    def counts(self) -> dict[int, int]:
        """Labelled voxels of every value (0 left out)."""
        return self._state.totals()

    def touched(self) -> list[Touched]:
        """The chunks that hold labels; costs what they cost, never what the grid would."""
        return [Touched(self._state.array.region(chunk), counts) for chunk, counts in self._state.touched().items()]

    def next_id(self) -> int:
        """An instance number that was never used."""
        self._highest = max(self._highest, max(self.counts(), default=0))
        return self._highest + 1

    def history(self, sequence: int) -> dict[str, Any]:
        """What the journal says of an edit: tool, arguments, author, time, box, voxels."""
        if not 1 <= sequence <= len(self._state.journal):
            raise LabelError(f"there is no edit {sequence}; the journal holds edits 1 to {len(self._state.journal)}")
        return self._state.journal.arguments(sequence)

    # ------------------------------------------------------------------------------------------------------- brush

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

        Raises
        ------
        LabelError
            No such class, a locked class, a plane outside, no points.
        ReadOnlyError
            Another process writes this workspace.
        """
        return self._brush("paint", axis, index, points, radius, radius_um, value, depth, joined)

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
    ) -> Edit:
        """Make voxels unlabelled again; as :meth:`paint`."""
        return self._brush("erase", axis, index, points, radius, radius_um, 0, depth, joined)

    def threshold(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        radius: float | None = None,
        value: int | str = 1,
        low: float = -np.inf,
        high: float = np.inf,
        channel: int = 0,
        depth: int | bool | None = None,
        radius_um: float | None = None,
        joined: bool = False,
    ) -> Edit:
        """Paint those voxels under the brush whose intensity lies in ``low <= intensity <= high``; as :meth:`paint`."""
        if not low <= high:
            raise LabelError(f"low={low} lies above high={high}")
        number = self._value(value)
        masks = self._masks(axis, index, points, radius, radius_um, depth)
        arguments = self._arguments(axis, index, points, radius, radius_um, depth)
        arguments |= {"value": number, "low": _finite(low), "high": _finite(high), "channel": channel}

        def inside(part: Region, mask: np.ndarray) -> np.ndarray:
            picture = self._intensities(part, channel)
            return mask & (picture >= low) & (picture <= high)

        return self._paint_masks("threshold", arguments, masks, number, joined, inside)

    def polygon(self, *, axis: str = "z", index: int = 0, points: object, value: int | str = 1) -> Edit:
        """Fill the polygon with these corners (row, column), border included."""
        self._check_plane(axis, index)
        number = self._value(value)
        corners = strokes.as_points(points)
        rows, columns = self._box(axis, None)
        found = shapes.polygon(corners, (rows.stop, columns.stop))
        arguments = {"axis": axis, "index": index, "points": _rounded(corners), "value": number}
        masks = [] if found is None else [(_placed(axis, index, found), _lifted(axis, found.mask))]
        return self._paint_masks("polygon", arguments, masks, number)

    def fill(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        point: Sequence[float],
        value: int | str = 1,
        by: Literal["labels", "image"] = "labels",
        tolerance: float = 0.0,
        volume: bool = False,
        reach: int = 256,
        channel: int = 0,
    ) -> Edit:
        """Flood from a voxel to all that are connected to it and alike.

        Parameters
        ----------
        point
            (row, column) of the voxel to start from.
        by, tolerance
            Alike means: the same label (``"labels"``: fills an outline), or an intensity no further than ``tolerance``
            from that of the first voxel (``"image"``).
        volume, reach
            In the plane or in three dimensions; never further than ``reach`` voxels from the first voxel on any axis.
        """
        self._check_plane(axis, index)
        number = self._value(value)
        seed = self._voxel(axis, index, point)
        region = self._around(axis, seed, reach, volume)
        start = tuple(s - part.start for s, part in zip(seed, region, strict=True))
        if by == "labels":
            mask = shapes.flood(self._state.read(region), start)
        elif by == "image":
            mask = shapes.flood(self._intensities(region, channel), start, tolerance)
        else:
            raise LabelError(f"by={by!r} is neither 'labels' nor 'image'")
        arguments = {"axis": axis, "index": index, "point": [float(p) for p in point], "value": number, "by": by,
                     "tolerance": tolerance, "volume": volume, "reach": reach, "channel": channel}  # fmt: skip
        return self._paint_masks("fill", arguments, [(region, mask)], number)

    # ------------------------------------------------------------------------------------------------- slice to slice

    def copy_slice(
        self, *, axis: str = "z", source: int, target: int, values: Sequence[int | str] | None = None,
        overwrite: bool = False,
    ) -> Edit:  # fmt: skip
        """Copy the labels of one slice to another; onto unlabelled voxels only, unless ``overwrite``."""
        self._check_plane(axis, source)
        self._check_plane(axis, target)
        wanted = None if values is None else [self._value(value) for value in values]
        at = AXES.index(axis)

        def proposal(part: Region, current: np.ndarray) -> np.ndarray:
            moved = list(part)
            moved[at] = slice(source, source + 1)
            theirs = self._state.read((moved[0], moved[1], moved[2]))
            take = theirs > 0 if wanted is None else np.isin(theirs, wanted)
            return np.where(take if overwrite else take & (current == 0), theirs, current)

        arguments = {"axis": axis, "source": source, "target": target, "values": wanted, "overwrite": overwrite}
        return self.edit("copy_slice", self._whole_plane(axis, target), proposal, arguments)

    def interpolate(
        self, *, axis: str = "z", first: int, last: int, values: Sequence[int | str] | None = None,
        overwrite: bool = False,
    ) -> Edit:  # fmt: skip
        """Fill the slices between two painted ones: shapes change gradually from one to the other.

        Between the slices the signed distances to the outlines are mixed, in micrometres; a voxel goes to the class that
        it lies deepest in. Classes must be painted in both slices; None takes all of these.
        """
        self._check_plane(axis, first)
        self._check_plane(axis, last)
        first, last = min(first, last), max(first, last)
        if last - first < 2:
            raise LabelError(f"slices {first} and {last} have none between them")
        ends = [self.plane(axis, index) for index in (first, last)]
        common = sorted(set(np.unique(ends[0])) & set(np.unique(ends[1])) - {0})
        wanted = common if values is None else [self._value(value) for value in values]
        missing = [value for value in wanted if value not in common]
        if missing or not wanted:
            names = ", ".join(map(str, missing)) or "any class"
            raise LabelError(f"slices {first} and {last} do not both hold {names}; paint it in both of them first")
        spacing = [self.spacing_um[AXES.index(name)] for name in plane_axes(axis)]
        box, between = shapes.interpolated(ends[0], ends[1], [int(value) for value in wanted], last - first, spacing)
        region = _across(axis, first + 1, *box, self.shape)
        at = AXES.index(axis)
        parts = list(region)
        parts[at] = slice(first + 1, last)
        region = (parts[0], parts[1], parts[2])
        solid = np.moveaxis(between, 0, at).astype(self.dtype)

        def proposal(part: Region, current: np.ndarray) -> np.ndarray:
            new = solid[_relative(part, region)]
            return np.where((new > 0) if overwrite else (new > 0) & (current == 0), new, current)

        arguments = {"axis": axis, "first": first, "last": last, "values": [int(v) for v in wanted],
                     "overwrite": overwrite}  # fmt: skip
        return self.edit("interpolate", region, proposal, arguments)

    # ------------------------------------------------------------------------------------------------- whole regions

    def write(
        self,
        region: object,
        array: Any,
        mask: Any = None,
        *,
        tool: str = "write",
        overwrite: bool = True,
        arguments: dict[str, Any] | None = None,
    ) -> Edit:
        """Set the voxels of a region, 0 included.

        Parameters
        ----------
        region
            Slices (z, y, x), the name of a region, or None for all.
        array
            A number, or an array of the region's shape: numpy, zarr, dask or a DataArray; read block by block.
        mask
            Set only voxels where it is true; an array as above.
        overwrite
            False: set only voxels that are unlabelled so far.
        tool, arguments
            What the journal says of the edit (JSON).
        """
        box = self._region(region)
        for what, given in (("array", array), ("mask", mask)):
            if given is not None and np.ndim(given) and np.shape(given) != region_shape(box):
                raise LabelError(f"the {what} has shape {np.shape(given)}, the region {region_shape(box)} (z, y, x)")

        def proposal(part: Region, current: np.ndarray) -> np.ndarray:
            inside = _relative(part, box)
            new = self._values(_block(array, inside))
            keep = np.zeros(current.shape, bool) if mask is None else ~_block(mask, inside).astype(bool)
            if not overwrite:
                keep |= current != 0
            return np.where(keep, current, new)

        return self.edit(tool, box, proposal, arguments or {})

    def edit(
        self,
        tool: str,
        region: Region | Sequence[Region],
        proposal: Proposal,
        arguments: dict[str, Any] | None = None,
        *,
        joined: bool = False,
    ) -> Edit:
        """Make one undoable edit of any size from a function; what every other verb comes down to.

        ``proposal(block, current)`` gives the new voxels of a block (or None to leave it); it sees the block's current
        ones, read-only. ``region`` is a box, or a list of boxes that each lie in one chunk. Locked classes and what lies
        outside the parent stay as they are.
        """
        state = self._writer()
        parent, parent_value = self._parent()
        locked = self.level.locked if self.level.kind == "semantic" else ()

        def guarded(part: Region, current: np.ndarray) -> np.ndarray | None:
            new = proposal(part, current)
            if new is None:
                return None
            if locked:
                new = np.where(np.isin(current, locked), current, new)
            if parent is not None:
                there = parent.read(part)
                new = np.where(there == parent_value if parent_value else there > 0, new, current)
            return new

        record = state.edit(tool, arguments or {}, region, guarded, joined=joined)
        if record is None:
            box = region if isinstance(region[0], slice) else cover(region or [_nowhere()])  # type: ignore[arg-type]
            return Edit(self.sequence, tool, box, 0)  # type: ignore[arg-type]
        return self._announce([record])[0]

    def load(
        self, source: Any, zero: str | None = None, values: dict[int, int | str] | None = None, **how: Any
    ) -> Edit:
        """Bring in a mask that was made elsewhere; see :func:`voxloop.store.exchange.load`."""
        from voxloop.store.exchange import load

        return load(self, source, zero, values, **how)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the labels to a file of another program; see :func:`voxloop.store.exchange.save`."""
        from voxloop.store.exchange import save

        return save(self, Path(path), overwrite=overwrite)

    # -------------------------------------------------------------------------------------------------- undo, follow

    def undo(self) -> Edit | None:
        """Take the last edit back, whenever and wherever it was made; None where there is none."""
        return self._united(self._writer().undo())

    def redo(self) -> Edit | None:
        """Make the last edit that was taken back again; None where there is none."""
        return self._united(self._writer().redo())

    @property
    def can_undo(self) -> bool:
        return isinstance(self._state, WriterState) and self._state.can_undo

    @property
    def can_redo(self) -> bool:
        return isinstance(self._state, WriterState) and self._state.can_redo

    def on_edit(self, callback: Callable[[Edit], None]) -> Callable[[], None]:
        """Call back after every edit, in the thread that made it. The result ends that."""
        key = object()
        self._callbacks[key] = callback
        return lambda: self._callbacks.pop(key, None) and None

    def refresh(self) -> list[Edit]:
        """Take up what the writer in another process did since; nothing for the writer itself."""
        return self._announce(self._state.refresh()) if isinstance(self._state, ReaderState) else []

    def flush(self) -> None:
        """Bring the array on disk up to the last edit, now instead of within a second."""
        if isinstance(self._state, WriterState):
            self._state.flush()

    def write_header(self) -> None:
        """Write names and colours of the classes into the array's metadata again."""
        if isinstance(self._state, WriterState):
            self._state.write_header()

    def close(self) -> None:
        """Flush and let go of the files; safe to call twice."""
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " read-only" if self.read_only else ""
        return f"<Labels {self.level.name!r} on {self.image!r}{state}: {self.shape}, edit {self.sequence}>"

    # ------------------------------------------------------------------------------------------------------- helpers

    def _brush(
        self, tool: str, axis: str, index: int, points: object, radius: float | None, radius_um: float | None,
        value: int | str, depth: int | bool | None, joined: bool,
    ) -> Edit:  # fmt: skip
        number = self._value(value)
        masks = self._masks(axis, index, points, radius, radius_um, depth)
        arguments = self._arguments(axis, index, points, radius, radius_um, depth)
        if tool != "erase":
            arguments["value"] = number
        return self._paint_masks(tool, arguments, masks, number, joined)

    def _arguments(
        self, axis: str, index: int, points: object, radius: float | None, radius_um: float | None,
        depth: int | bool | None,
    ) -> dict[str, Any]:  # fmt: skip
        given = {"axis": axis, "index": index, "points": _rounded(strokes.as_points(points)), "radius": radius,
                 "radius_um": radius_um, "depth": depth}  # fmt: skip
        return {key: value for key, value in given.items() if value is not None}

    def _masks(
        self, axis: str, index: int, points: object, radius: float | None, radius_um: float | None,
        depth: int | bool | None,
    ) -> list[tuple[Region, np.ndarray]]:  # fmt: skip
        """The stroke as (region, 3-D mask), one entry a slice."""
        self._check_plane(axis, index)
        line = strokes.as_points(points)
        rows, columns = self._box(axis, None)
        at = AXES.index(axis)
        across = self.spacing_um[at]
        plane = tuple(self.spacing_um[AXES.index(name)] for name in plane_axes(axis))
        size = self._radius_um(radius, radius_um, min(plane))
        reach = 0 if depth is None or depth is False else int(size / across + 1e-6) if depth is True else int(depth)
        if reach < 0:
            raise LabelError(f"depth={depth} is negative; use the number of slices to either side, True or None")
        masks = []
        cuts = strokes.ball(line, size, (across, *plane), reach, index, self.shape[at])  # type: ignore[arg-type]
        for slice_index, cut in cuts:
            found = strokes.stroke(
                line, cut, (plane[0], plane[1]), (rows.stop, columns.stop), thin=slice_index == index
            )
            if found is not None:
                masks.append((_placed(axis, slice_index, found), _lifted(axis, found.mask)))
        return masks

    def _paint_masks(
        self,
        tool: str,
        arguments: dict[str, Any],
        masks: list[tuple[Region, np.ndarray]],
        value: int,
        joined: bool = False,
        inside: Callable[[Region, np.ndarray], np.ndarray] | None = None,
    ) -> Edit:
        """One edit that gives ``value`` to the voxels of the masks, which must not overlap."""
        if not masks:
            return Edit(self.sequence, tool, _nowhere(), 0)
        region = cover([box for box, _ in masks])

        def proposal(part: Region, current: np.ndarray) -> np.ndarray | None:
            mask = np.zeros(current.shape, bool)
            for box, one in masks:
                both = intersect(box, part)
                if both is not None:
                    mask[_relative(both, part)] = one[_relative(both, box)]
            if inside is not None and mask.any():
                mask = inside(part, mask)
            if not mask.any():
                return None
            new = current.copy()
            new[mask] = value
            return new

        return self.edit(tool, region, proposal, arguments, joined=joined)

    def _writer(self) -> WriterState:
        refusal = self._setting.refusal()
        if refusal is not None or not isinstance(self._state, WriterState):
            raise ReadOnlyError(refusal or "these labels were opened read-only; change them through ws.labels(...)")
        return self._state

    def _announce(self, records: list[Record]) -> list[Edit]:
        edits = [Edit(record.sequence, record.tool, record.region, record.voxels) for record in records]
        for edit in edits:
            for callback in list(self._callbacks.values()):
                try:
                    callback(edit)
                except Exception:  # the edit is made; whoever listens must not undo that
                    log.exception("a listener of edit %d failed", edit.sequence)
        return edits

    def _united(self, records: list[Record]) -> Edit | None:
        edits = self._announce(records)
        if not edits:
            return None
        return Edit(edits[-1].sequence, edits[-1].tool, cover([e.region for e in edits]), sum(e.voxels for e in edits))

    def _parent(self) -> tuple[Labels | None, int]:
        level = self.level
        if level.parent is None:
            return None, 0
        parent = self._setting.parent()
        if parent is None:
            return None, 0
        name = level.parent[1]
        return parent, 0 if name is None else parent.level.value_of(name)

    def _value(self, given: int | str) -> int:
        """A value that may be painted. Raises LabelError."""
        if given == 0 and not isinstance(given, str):
            return 0
        level = self.level
        if level.kind == "instances":
            number = int(given)
            if not 0 <= number <= np.iinfo(self.dtype).max:
                raise LabelError(f"instance number {given} is out of range; next_id() gives a free one")
            return number
        item = level.class_of(given)
        if item.locked:
            raise LabelError(f"class {item.name!r} is locked; unlock it or choose another")
        return item.value

    def _values(self, block: np.ndarray) -> np.ndarray:
        """A block from outside, checked. Raises LabelError."""
        if self.level.kind == "semantic":
            allowed = {0, *(item.value for item in self.level.classes)}
            found = {int(value) for value in np.unique(block)}
            if not found <= allowed:
                strange = ", ".join(map(str, sorted(found - allowed)[:5]))
                raise LabelError(
                    f"values {strange} are no classes of level {self.level.name!r}: {_classes(self.level)}"
                )
        elif block.size and (block.min() < 0 or int(block.max()) > np.iinfo(self.dtype).max):
            raise LabelError(f"instance numbers must lie in 0..{np.iinfo(self.dtype).max}")
        return block.astype(self.dtype, copy=False)

    def _intensities(self, region: Region, channel: int) -> np.ndarray:
        from voxloop.volumes import read_block

        block = read_block(self._setting.volume(), region)
        if not 0 <= channel < len(block):
            raise LabelError(f"channel {channel} is not one of the {len(block)} channels of image {self.image!r}")
        plane: np.ndarray = block[channel]
        return plane

    def _region(self, region: object) -> Region:
        return self._setting.region(region) if isinstance(region, str) else as_region(region, self.shape)

    def _check_plane(self, axis: str, index: int) -> None:
        plane_axes(axis)
        size = self.shape[AXES.index(axis)]
        if not 0 <= int(index) < size:
            raise LabelError(f"index {index} lies outside axis {axis!r}, which has planes 0 to {size - 1}")

    def _box(self, axis: str, box: Sequence[slice] | Sequence[Sequence[int]] | None) -> tuple[slice, slice]:
        sizes = [self.shape[AXES.index(name)] for name in plane_axes(axis)]
        if box is None:
            return slice(0, sizes[0]), slice(0, sizes[1])
        rows, columns = (part if isinstance(part, slice) else slice(int(part[0]), int(part[1])) for part in box)
        _, rows, columns = as_region((slice(0, 1), rows, columns), (1, *sizes))
        return rows, columns

    def _whole_plane(self, axis: str, index: int) -> Region:
        return _across(axis, index, *self._box(axis, None), self.shape)

    def _voxel(self, axis: str, index: int, point: Sequence[float]) -> Shape:
        row, column = (int(np.floor(p + 0.5)) for p in strokes.as_points([point])[0])
        rows, columns = self._box(axis, None)
        if not (0 <= row < rows.stop and 0 <= column < columns.stop):
            raise LabelError(f"point ({row}, {column}) lies outside the plane of {rows.stop} x {columns.stop} voxels")
        voxel = [row, column]
        voxel.insert(AXES.index(axis), int(index))
        return voxel[0], voxel[1], voxel[2]

    def _around(self, axis: str, seed: Shape, reach: int, volume: bool) -> Region:
        z, y, x = (
            slice(max(0, s - reach), min(size, s + reach + 1)) if volume or name != axis else slice(s, s + 1)
            for name, s, size in zip(AXES, seed, self.shape, strict=True)
        )
        return z, y, x

    def _radius_um(self, radius: float | None, radius_um: float | None, finest: float) -> float:
        if radius is not None and radius_um is not None:
            raise LabelError("give radius (voxels) or radius_um (micrometres), not both")
        size = float(radius_um) if radius_um is not None else finest * float(3 if radius is None else radius)
        if not 0 <= size < np.inf:
            raise LabelError(f"radius {radius if radius is not None else radius_um} is not a length")
        return size


def _across(axis: str, index: int, rows: slice, columns: slice, shape: Shape) -> Region:
    parts: list[object] = [rows, columns]
    parts.insert(AXES.index(axis), int(index))
    return as_region(tuple(parts), shape)


def _placed(axis: str, index: int, found: strokes.PlaneMask) -> Region:
    rows, columns = (slice(o, o + n) for o, n in zip(found.origin, found.mask.shape, strict=True))
    parts = [rows, columns]
    parts.insert(AXES.index(axis), slice(index, index + 1))
    return parts[0], parts[1], parts[2]


def _lifted(axis: str, mask: np.ndarray) -> np.ndarray:
    return np.expand_dims(mask, AXES.index(axis))


def _relative(part: Region, region: Region) -> Region:
    z, y, x = (slice(p.start - r.start, p.stop - r.start) for p, r in zip(part, region, strict=True))
    return z, y, x


def _block(array: Any, region: Region) -> np.ndarray:
    return np.asarray(array) if not np.ndim(array) else np.asarray(array[region])


def _nowhere() -> Region:
    return slice(0, 0), slice(0, 0), slice(0, 0)


def _rounded(points: np.ndarray) -> list[list[float]]:
    out: list[list[float]] = np.round(points, 2).tolist()
    return out


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _classes(level: Level) -> str:
    return ", ".join(f"{item.value} {item.name!r}" for item in level.classes) or "it has none yet"
