"""A look over an image and what was predicted of it: many small pieces of planes, each in a few numbers.

Streams over blocks, at most so many; keeps numbers, no voxels. Knows no order of usefulness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import AXES, Box, Shape, Spacing
from voxloop.review.reading import Readable
from voxloop.review.texture import comparable, describe_pieces

if TYPE_CHECKING:
    from voxloop.review.opinions import Opinions

#: pixels a side of what is looked at together
SIDE = 64
#: what is read of an image at most, and pieces of planes that are described at most
MOST_VOXELS, MOST_PIECES = 32_000_000, 6_000
#: voxels count as nearly cubic, so that planes across every axis can be read, up to this ratio of z to the finer side
NEARLY_CUBIC = 2.0
#: planes of a block that are described, at most; the others are like one of these
_PLANES = 16
#: voxels a side of the cells of which the worst is where to look
CELL = 8
_CHANNELS = 4


@dataclass(frozen=True, eq=False)
class Survey:
    """Pieces of planes of one image.

    Attributes
    ----------
    boxes : where they lie, each one plane thick.
    axes : the axis that each piece's plane lies across.
    looks : (n, features) what they look like, comparable within the image.
    wrong : (n, classes) voxels expected to be wrong about each class; one column where classes are unknown.
    mass : (classes,) voxels expected of each class, in all pieces together.
    said : (n, classes) share of each predicted class.
    unsure : (n,) share of voxels that are a guess.
    together : (n,) how probable errors are where they are expected, in cells of 8 pixels: high in a piece that is
        unsure as a whole, low along borders, of which nobody is sure.
    worst : (n, 3) the middle of the cell most of which is expected to be wrong.
    labelled : (n,) share of voxels that carry a label.
    predicted : (n,) share of voxels that were predicted.
    sureness : (n,) mean probability of the class said, of what is not background.
    steps : (n,) planes from one that is described to the next.
    """

    boxes: list[Box]
    axes: list[str]
    looks: np.ndarray
    wrong: np.ndarray
    mass: np.ndarray
    said: np.ndarray
    unsure: np.ndarray
    together: np.ndarray
    worst: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray
    sureness: np.ndarray
    steps: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def at_places(self, places: Sequence[Box]) -> np.ndarray:
        """Mask (n,) of pieces that are these, one plane thick each, or lie beside them on the next plane looked at."""
        out = np.zeros(len(self), bool)
        if not places or not len(self):
            return out
        starts, stops = (np.array([getattr(box, end) for box in self.boxes]) for end in ("start", "stop"))
        across = np.array([AXES.index(axis) for axis in self.axes])
        reach = np.eye(3, dtype=int)[across] * (self.steps[:, None] - 1)
        sizes = np.prod(stops - starts, axis=1)
        for place in places:
            low, high = np.maximum(starts - reach, place.start), np.minimum(stops + reach, place.stop)
            shared = np.prod(np.maximum(high - low, 0), axis=1)
            out |= (across == int(np.argmin(place.shape))) & (2 * shared >= sizes)
        return out


def look_over(
    read_image: Any,
    inside: Box,
    spacing_um: Spacing,
    *,
    frames: bool = False,
    opinions: Opinions | None = None,
    labels: Readable | None = None,
    seed: int = 0,
    share: float = 1.0,
) -> Survey:
    """Describe pieces of planes everywhere in ``inside``, or in blocks drawn by chance where that is too much to read.

    Parameters
    ----------
    read_image
        ``read_image(box)`` gives (c, z, y, x).
    frames
        Planes are pictures of their own: only planes across z.
    opinions
        What predictions say; None before any.
    labels
        Voxels labelled here are known.
    share
        Of the budget of :data:`MOST_VOXELS` and :data:`MOST_PIECES` that this image may use.
    """
    rng = np.random.default_rng(seed)
    axes = readable_axes(inside.shape, spacing_um, frames=frames)
    blocks = list(_blocks(inside, spacing_um, axes))
    most = max(1, int(share * MOST_VOXELS / max(box.size for box in blocks)))
    most = min(most, max(1, int(share * MOST_PIECES / _pieces_of(blocks[0], spacing_um, axes))))
    if len(blocks) > most:
        picks = np.sort(rng.choice(len(blocks), most, replace=False))
        blocks = [blocks[pick] for pick in picks]
    parts = [_describe_block(block, read_image, spacing_um, axes, opinions, labels, rng) for block in blocks]
    rows = [row for part in parts for row in part]
    return _gathered([row for row in rows if row is not None])


def readable_axes(shape: Shape, spacing_um: Spacing, *, frames: bool = False) -> tuple[str, ...]:
    """The axes across which a person can read planes: z alone, or all where voxels are nearly cubic and z is deep."""
    z, *plane = spacing_um
    cubic = 1 / NEARLY_CUBIC <= z / min(plane) <= NEARLY_CUBIC
    if frames or not cubic or shape[0] < SIDE // 2:
        return ("z",)
    return AXES


def _blocks(inside: Box, spacing_um: Spacing, axes: Sequence[str]) -> Iterator[Box]:
    """Cells that tile ``inside`` evenly: squares in the plane, as deep as wide where planes are cut across y and x."""
    deep = _PLANES
    if len(axes) > 1:
        deep = max(1, round(SIDE * min(spacing_um[1:]) / spacing_um[0]))
    sizes = (deep, SIDE, SIDE)
    edges = []
    for first, last, size in zip(inside.start, inside.stop, sizes, strict=True):
        count = ceil((last - first) / size)
        marks = np.linspace(first, last, count + 1).round().astype(int)
        edges.append(list(zip(marks[:-1].tolist(), marks[1:].tolist(), strict=True)))
    for z in edges[0]:
        for y in edges[1]:
            for x in edges[2]:
                yield Box.from_json((z, y, x))


def _step(axis: str, block: Box, spacing_um: Spacing, axes: Sequence[str]) -> int:
    """Planes from one that is described to the next: where all axes are looked along, a sixteenth of a piece's side."""
    if len(axes) == 1:
        return 1
    at = AXES.index(axis)
    apart = SIDE / _PLANES * min(spacing_um) / spacing_um[at]
    return max(1, min(round(apart), block.shape[at]))


def _pieces_of(block: Box, spacing_um: Spacing, axes: Sequence[str]) -> int:
    return sum(ceil(block.shape[AXES.index(axis)] / _step(axis, block, spacing_um, axes)) for axis in axes)


@dataclass(frozen=True, eq=False, slots=True)
class _Rows:
    """What :class:`Survey` holds, of the planes across one axis of one block; ``looks`` not comparable yet."""

    boxes: list[Box]
    axes: list[str]
    looks: np.ndarray
    numbers: dict[str, np.ndarray]


def _describe_block(
    block: Box,
    read_image: Any,
    spacing_um: Spacing,
    axes: Sequence[str],
    opinions: Opinions | None,
    labels: Readable | None,
    rng: np.random.Generator,
) -> list[_Rows | None]:
    image = np.asarray(read_image(block))[:_CHANNELS]
    known = None if labels is None else labels.read(block) != 0
    opinion = None if opinions is None else opinions.read(block)
    out: list[_Rows | None] = []
    for axis in axes:
        at = AXES.index(axis)
        step = _step(axis, block, spacing_um, axes)
        indices = np.arange(int(rng.integers(step)), block.shape[at], step)
        boxes = [block.cut(axis, block.start[at] + int(i), block.start[at] + int(i) + 1) for i in indices]
        planes = np.moveaxis(image, at + 1, 0)[indices]
        numbers = {"labelled": np.zeros(len(boxes)), "steps": np.full(len(boxes), step)}
        free = np.ones((len(boxes), *planes.shape[2:]), bool)
        if known is not None:
            free = ~np.moveaxis(known, at, 0)[indices]
            numbers["labelled"] = 1 - free.mean(axis=(1, 2))
        if opinion is not None:
            numbers |= opinion.across(at, indices, free)
        numbers["worst"] = _worst(boxes, at, numbers.pop("error", None))
        out.append(_Rows(boxes, [axis] * len(boxes), describe_pieces(planes), numbers))
    return out


def _worst(boxes: Sequence[Box], at: int, error: np.ndarray | None) -> np.ndarray:
    """The middle (n, 3) of the cell of each plane (n, rows, columns) with most error; of the piece where none is."""
    middles = np.array([np.add(box.start, box.stop) - 1 for box in boxes]) / 2
    if error is None:
        return middles
    cells = pool(error)
    rows, columns = (axis for axis in range(3) if axis != at)
    best = cells.reshape(len(cells), -1).argmax(axis=1)
    y, x = np.unravel_index(best, cells.shape[1:])
    for number, box in enumerate(boxes):
        if cells[number, y[number], x[number]] <= 0:
            continue
        for axis, cell in ((rows, y[number]), (columns, x[number])):
            size = min(CELL, box.shape[axis] - int(cell) * CELL)
            middles[number, axis] = box.start[axis] + int(cell) * CELL + (size - 1) / 2
    return middles


def pool(planes: np.ndarray) -> np.ndarray:
    """Means (n, cells, cells) of cells of planes (n, rows, columns); the last of a row may be narrower."""
    out = planes
    for axis in (1, 2):
        size = out.shape[axis]
        starts = np.arange(0, size, CELL)
        widths = np.minimum(CELL, size - starts)
        sums = np.add.reduceat(out, starts, axis=axis)
        out = sums / widths.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.asarray(out)


def _gathered(rows: Sequence[_Rows]) -> Survey:
    boxes = [box for row in rows for box in row.boxes]
    axes = [axis for row in rows for axis in row.axes]
    # a plane across y or x of a block that is cut at a face may be narrower: it is described all the same
    looks = comparable(np.concatenate([row.looks for row in rows]))
    count = len(boxes)

    def column(name: str, otherwise: np.ndarray) -> np.ndarray:
        if name not in rows[0].numbers:
            return otherwise
        return np.concatenate([row.numbers[name] for row in rows])

    mass = column("mass", np.zeros((count, 1))).sum(axis=0)
    return Survey(
        boxes=boxes,
        axes=axes,
        looks=looks,
        wrong=column("wrong", np.zeros((count, 1))),
        mass=mass,
        said=column("said", np.zeros((count, 1))),
        unsure=column("unsure", np.zeros(count)),
        together=column("together", np.zeros(count)),
        worst=column("worst", np.zeros((count, 3))),
        labelled=column("labelled", np.zeros(count)),
        predicted=column("predicted", np.zeros(count)),
        sureness=column("sureness", np.ones(count)),
        steps=column("steps", np.ones(count, int)),
    )
