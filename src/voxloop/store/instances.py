"""The verbs that take single objects in hand: split, merge, remove, number anew, mark as right. Each is one edit.

They read and change the chunks that hold the object, which the index of touched chunks names; never the whole array.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box, cover
from voxloop.given import shown
from voxloop.store import splitting, strokes
from voxloop.store.drawing import rounded
from voxloop.store.drawn import with_mark
from voxloop.store.edit import Edit
from voxloop.store.locks import LOCK, UNLOCK
from voxloop.store.planes import Plane
from voxloop.store.shaping import Shaping
from voxloop.store.values import as_list, whole

if TYPE_CHECKING:
    from voxloop.store.classes import Level
    from voxloop.store.state import LabelState
    from voxloop.store.writer import WriterState

#: voxels of the box around an object that is split
_MOST = 2**29
#: orders in which objects are gone through
Order = Literal["size", "smallest", "number"]
ORDERS: tuple[Order, ...] = ("size", "smallest", "number")


class ObjectEdits(Shaping):
    """Changes single objects, by their numbers, through :meth:`edit`."""

    _state: LabelState

    @property
    @abstractmethod
    def level(self) -> Level: ...
    @abstractmethod
    def next_id(self) -> int: ...
    @abstractmethod
    def _writer(self) -> WriterState: ...
    @abstractmethod
    def _announce(self, edits: list[Edit]) -> list[Edit]: ...

    # ------------------------------------------------------------------------------------------------------- looking

    def object_at(self, point: Sequence[int]) -> int:
        """The object at a voxel (z, y, x); 0 where there is none.

        Examples
        --------
        >>> nuclei.object_at((3, 16, 16))
        1
        """
        place = [whole("point", at) for at in as_list("point", point)]
        if len(place) != 3 or not Box.whole(self.shape).holds(place):
            raise LabelError(f"point={shown(point)} is no voxel (z, y, x) of {self.shape}")
        return int(self.read(Box.at(place, (1, 1, 1)))[0, 0, 0])

    def object_box(self, object_id: int) -> Box:
        """The smallest box around an object; reads the chunks that hold it. Raises LabelError where it is gone.

        Examples
        --------
        >>> nuclei.object_box(1)
        Box(start=(1, 8, 8), stop=(6, 25, 25))
        """
        number = self._objects([object_id])[0]
        boxes = []
        for box in self._state.holding([number]):
            found = np.argwhere(self.read(box) == number)
            boxes.append(Box.around(found).shift(box.start))
        return cover(boxes)

    def object_middle(self, object_id: int) -> tuple[int, int, int]:
        """A voxel (z, y, x) of an object near its middle."""
        number = self._objects([object_id])[0]
        boxes = self._state.holding([number])
        box = boxes[len(boxes) // 2]
        found = np.argwhere(self.read(box) == number)
        nearest = found[np.argmin(((found - found.mean(axis=0)) ** 2).sum(axis=1))]
        z, y, x = (int(at) + first for at, first in zip(nearest, box.start, strict=True))
        return z, y, x

    @property
    def locked_objects(self) -> list[int]:
        """Numbers of the objects that were marked as right."""
        return sorted(self._state.locked())

    def next_object(self, after: int | None = None, by: Order = "size") -> int | None:
        """The object that comes after another one, of those that are not locked; None where all are gone through.

        Parameters
        ----------
        after
            An object; None: the first of all.
        by
            ``"size"``: the largest first; ``"smallest"``; ``"number"``.

        Examples
        --------
        >>> nuclei.next_object(), nuclei.next_object(after=3, by="number")
        (1, 4)
        """
        if not isinstance(by, str) or by not in ORDERS:
            raise LabelError(unknown("order", by, ORDERS))
        self._of_objects()
        totals = self._state.totals()
        last = None if after is None else whole("after", after, 0)
        sign = {"size": -1, "smallest": 1, "number": 0}[by]
        numbers = np.fromiter(totals, np.int64, len(totals))
        keys = sign * np.fromiter(totals.values(), np.int64, len(totals))
        ahead = ~np.isin(numbers, list(self._state.locked()))
        if last in totals:
            here = sign * totals[last]
            ahead &= (keys > here) | ((keys == here) & (numbers > last))
        if not ahead.any():
            return None
        numbers, keys = numbers[ahead], keys[ahead]
        return int(numbers[keys == keys.min()].min())

    # ------------------------------------------------------------------------------------------------------- changes

    def split(
        self,
        object_id: int,
        *,
        line: object = None,
        seeds: Sequence[Sequence[float]] | None = None,
        axis: str = "z",
        index: int = 0,
        depth: int | None = None,
    ) -> Edit:
        """Cut an object: along a line, between seeds, or, with neither, into the pieces that do not touch.

        The largest part (of seeds, that of the first one) keeps the number, others get numbers that were never used.

        Parameters
        ----------
        line
            Polyline of (row, column) voxels on the plane ``index`` across ``axis``; the object is cut along it through
            all of its slices. Drawn out to the edge of the object where it does not reach that.
        seeds
            Two or more voxels (z, y, x) of the object; it is cut where it is thinnest between them.
        depth
            Of a line: so many slices to either side are cut; None: all.

        Raises
        ------
        LabelError
            There is no such object, it is locked, a seed lies beside it, or nothing would be separated.

        Examples
        --------
        >>> edit = nuclei.split(1, line=[(0, 16), (40, 16)], index=3)
        >>> nuclei.counts()
        {1: 483, 2: 893, 3: 893, 4: 893, 5: 410}
        """
        number = self._objects([object_id], free=True)[0]
        if line is not None and seeds is not None:
            raise LabelError("give a line or seeds, not both")
        box, mask = self._mask(number)
        arguments: dict[str, Any] = {"object": number}
        if line is not None:
            plane = self._plane(axis, index)
            points = strokes.as_points(line)
            around = self._slices(plane, box, depth)
            inner = around.within(box)
            across = [first for name, first in zip("zyx", box.start, strict=True) if name != plane.axis]
            parts = splitting.along(mask[inner.slices], plane.axis, points - np.array(across))
            if inner.shape != box.shape:
                parts = _rest_joined(parts, mask, inner)
            arguments |= {"axis": plane.axis, "index": plane.index, "line": rounded(points), "depth": depth}
        elif seeds is not None:
            places = self._seeds(seeds, number, box, mask)
            parts = splitting.between(mask, places, self.spacing_um)
            arguments |= {"seeds": [[at + o for at, o in zip(p, box.start, strict=True)] for p in places]}
        else:
            parts = splitting.pieces(mask)
        count = int(parts.max(initial=0))
        if count < 2:
            raise LabelError(f"object {number} is one connected piece; draw a line or give two seeds to cut it")
        first = self.next_id()
        new = np.array([0, number, *range(first, first + count - 1)], self.dtype)
        arguments["made"] = [number, *range(first, first + min(count - 1, 100))]

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            mine = parts[part.within(box).slices]
            return np.where(mine > 1, new[mine], current)

        moved = parts > 1
        changed = [one for chunk in box.blocks(self._state.chunks) if (one := _within(chunk, box, moved))]
        return self.edit("split", changed, proposal, arguments)

    def merge(self, ids: Sequence[int]) -> Edit:
        """Make one object of several; the largest keeps its number. Raises LabelError where one is gone or locked.

        Examples
        --------
        >>> edit = nuclei.merge([1, 2])
        >>> nuclei.counts()
        {1: 1786, 3: 893, 4: 893}
        """
        numbers = self._objects(ids, free=True)
        if len(numbers) < 2:
            raise LabelError("merge takes two objects or more; select another one as well")
        totals = self._state.totals()
        into = max(numbers, key=lambda number: totals[number])
        others = [number for number in numbers if number != into]
        return self._change("merge", dict.fromkeys(others, into), {"ids": numbers, "into": into})

    def remove(self, ids: Sequence[int]) -> Edit:
        """Make the voxels of objects unlabelled again. Raises LabelError where one is gone or locked."""
        numbers = self._objects(ids, free=True)
        return self._change("remove", dict.fromkeys(numbers, 0), {"ids": numbers})

    def relabel(self, numbers: Mapping[int, int]) -> Edit:
        """Give objects other numbers, old -> new. Raises LabelError where one is gone, locked or the new one taken."""
        if not isinstance(numbers, Mapping) or not numbers:
            raise LabelError(f"numbers={shown(numbers)} is no dict of old and new numbers, such as {{7: 1}}")
        old = self._objects(list(numbers), free=True)
        new = [self.paintable(whole("number", given, 1)) for given in numbers.values()]
        left = self._state.totals().keys() - set(old)
        taken = sorted((set(new) & left) | {number for number in new if new.count(number) > 1})
        if taken:
            raise LabelError(f"number {taken[0]} is taken by another object; merge joins objects")
        table = dict(zip(old, new, strict=True))
        return self._change("relabel", table, {"numbers": [[a, b] for a, b in table.items()]})

    def renumber(self) -> Edit:
        """Number objects from 1, in the order of their first voxels along x, then y, then z; locked ones stay."""
        self._of_objects()
        state = self._state
        locked = state.locked()
        first: dict[int, int] = {}
        for box in state.holding(None):
            values = self.read(box)
            found, at = np.unique(values, return_index=True)
            places = np.stack(np.unravel_index(at, values.shape)) + np.array(box.start)[:, None]
            where = np.ravel_multi_index(tuple(places), self.shape)
            for number, place in zip(found.tolist(), where.tolist(), strict=True):
                if number and number not in locked:
                    first[number] = min(place, first.get(number, place))
        free = (number for number in range(1, 2**32) if number not in locked)
        table = {number: next(free) for number in sorted(first, key=lambda one: first[one])}
        table = {old: new for old, new in table.items() if old != new}
        if not table:
            return Edit(self.sequence, "renumber", Box.whole((0, 0, 0)), 0)
        return self._change("renumber", table, {"count": len(table)})

    def lock(self, ids: Sequence[int]) -> Edit:
        """Mark objects as right: nothing overwrites, extends or moves them until :meth:`unlock`. One edit.

        Examples
        --------
        >>> edit = nuclei.lock([1])
        >>> nuclei.remove([1])
        Traceback (most recent call last):
        ...
        voxloop.errors.LabelError: object 1 is locked; unlock it first: lab.unlock([1])
        """
        numbers = self._objects(ids)
        new = [number for number in numbers if number not in self._state.locked()]
        return self._locked(LOCK, new)

    def unlock(self, ids: Sequence[int]) -> Edit:
        """Let objects be changed again. Raises LabelError where one is not locked."""
        locked = self._state.locked()
        numbers = [whole("object", number, 1) for number in _listed(ids)]
        strange = [number for number in numbers if number not in locked]
        if strange:
            raise LabelError(f"object {strange[0]} is not locked")
        return self._locked(UNLOCK, numbers)

    # ------------------------------------------------------------------------------------------------------- helpers

    def _locked(self, tool: str, ids: list[int]) -> Edit:
        if not ids:
            return Edit(self.sequence, tool, Box.whole((0, 0, 0)), 0)
        boxes = self._state.holding(ids)
        box = cover(boxes) if boxes else Box.whole((0, 0, 0))
        record = self._writer().note(tool, with_mark({"ids": ids}), box)
        return self._announce([Edit(record.sequence, tool, record.box, 0)])[0]

    def _change(self, tool: str, table: Mapping[int, int], arguments: dict[str, Any]) -> Edit:
        """One edit that gives objects other numbers, old -> new."""
        old = np.array(sorted(table), self.dtype)
        new = np.array([table[int(number)] for number in old], self.dtype)

        def proposal(part: Box, current: np.ndarray) -> np.ndarray | None:
            if len(old) == 1:
                return np.where(current == old[0], new[0], current)
            at = np.searchsorted(old, current)
            np.minimum(at, len(old) - 1, out=at)
            return np.where(old[at] == current, new[at], current)

        changed = []
        for chunk in self._state.holding(list(table)):
            values = self.read(chunk)
            there = values == old[0] if len(old) == 1 else np.isin(values, old)
            changed.append(_within(chunk, chunk, there) or chunk)
        return self.edit(tool, changed, proposal, arguments)

    def _of_objects(self) -> None:
        if self.level.kind != "instances":
            name = self.level.name
            raise LabelError(
                f"level {name!r} holds classes, not single objects; ws.objects({name!r}) makes objects of a class, and "
                "ws.label_objects puts them on a level of instances"
            )

    def _objects(self, ids: object, *, free: bool = False) -> list[int]:
        """Numbers of objects that are there, each once, and not locked where ``free``. Raises LabelError."""
        self._of_objects()
        numbers = list(dict.fromkeys(whole("object", number, 1) for number in _listed(ids)))
        if not numbers:
            raise LabelError("no object is named; select one first")
        state = self._state
        there = state.totals() if len(numbers) > 16 else {number for number in numbers if state.holds(number)}
        locked = state.locked() if free else ()
        for number in numbers:
            if number not in there:
                raise LabelError(f"there is no object {number} any more on level {self.level.name!r}")
            if number in locked:
                raise LabelError(f"object {number} is locked; unlock it first: lab.unlock([{number}])")
        return numbers

    def _mask(self, number: int) -> tuple[Box, np.ndarray]:
        """The box around an object, and where in it the object is."""
        boxes = self._state.holding([number])
        wide = cover(boxes)
        if wide.size > _MOST:
            raise LabelError(
                f"the box around object {number} holds {wide.size / 1e9:.1f} billion voxels, too many to split at once"
            )
        mask = np.zeros(wide.shape, bool)
        for box in boxes:
            mask[box.within(wide).slices] = self.read(box) == number
        tight = _within(wide, wide, mask) or wide
        return tight, mask[tight.within(wide).slices]

    def _slices(self, plane: Plane, box: Box, depth: int | None) -> Box:
        """The part of the box around an object that a line on a plane cuts."""
        if depth is None:
            return box
        reach = whole("depth", depth, 0)
        wanted = plane.box(None, (max(0, plane.index - reach), min(plane.count, plane.index + reach + 1)))
        both = box.meet(wanted)
        if both is None:
            raise LabelError(f"the object does not lie on slice {plane.index} across {plane.axis}")
        return both

    def _seeds(
        self, seeds: Sequence[Sequence[float]], number: int, box: Box, mask: np.ndarray
    ) -> list[tuple[int, int, int]]:
        """Seeds as voxels of the box around an object. Raises LabelError where one lies beside it."""
        listed = as_list("seeds", seeds)
        if len(listed) < 2:
            raise LabelError("give two seeds or more, one on each part of the object")
        places = []
        for seed in listed:
            place = [whole("seed", np.rint(number)) if np.isscalar(number) else -1 for number in as_list("seed", seed)]
            if len(place) != 3 or not box.holds(place) or not mask[tuple(np.subtract(place, box.start))]:
                raise LabelError(f"seed {shown(seed)} does not lie on object {number}; give voxels (z, y, x) of it")
            z, y, x = (at - first for at, first in zip(place, box.start, strict=True))
            places.append((z, y, x))
        if len(set(places)) < len(places):
            raise LabelError("two seeds lie on the same voxel, so they separate nothing; put them further apart")
        return places


def _listed(ids: object) -> Sequence[Any]:
    return [ids] if np.isscalar(ids) and not isinstance(ids, str | bytes) else as_list("ids", ids)


def _within(part: Box, whole_box: Box, mask: np.ndarray) -> Box | None:
    """The smallest box inside of a part of ``mask``, which covers ``whole_box``, that holds all of it there."""
    there = mask[part.within(whole_box).slices]
    bounds = []
    for axis in range(3):
        found = np.flatnonzero(there.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(found):
            return None
        bounds.append((int(found[0]), int(found[-1]) + 1))
    return Box.from_json(bounds).shift(part.start)


def _rest_joined(parts: np.ndarray, mask: np.ndarray, inner: Box) -> np.ndarray:
    """What a line of few slices left alone goes on being the largest part."""
    out = mask.astype(parts.dtype)
    out[inner.slices] = parts
    return out
