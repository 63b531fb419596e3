"""Labelled supervoxels of a volume: what they are like, and the class that strokes give them. Knows no files."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod

import numpy as np
from threadpoolctl import threadpool_limits

from voxloop.geometry import Box, Shape
from voxloop.shallow.gathering import SLAB_2D, BlockSource, groups, multiple
from voxloop.shallow.neighbours import Contacts
from voxloop.shallow.samples import LabelledVoxels
from voxloop.shallow.supervoxels import Described, Supervoxels

#: planes and sides of what is looked at in one go, and the most voxels of it with its surroundings
_DEEP, _SIDES, _MOST = 32, (512, 256, 128), 1 << 26


@dataclass(frozen=True, eq=False)
class Look:
    """All supervoxels of a part of a volume, and which of them chosen voxels lie in.

    Attributes
    ----------
    rows : (cells, unit.count) float32.
    contacts : None where neither neighbours nor refinement need them.
    members : (n,) which of the chosen voxels lie in this part.
    cells : (n,) the supervoxel of each.
    """

    rows: np.ndarray
    contacts: Contacts | None
    members: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True)
class LabelledSupervoxels:
    """Labelled supervoxels.

    Attributes
    ----------
    rows : descriptors (m, unit.count) float32.
    seats : the middles of their cells, with their classes.
    pairs : pairs of neighbours, and the sums of squared differences between them: of intensity across their common
        face, of each number of the descriptors; zeros where contacts were not looked at.
    looks : what was looked at to find them.
    """

    rows: np.ndarray
    seats: LabelledVoxels
    pairs: np.ndarray
    looks: tuple[Look, ...]


def gather_supervoxels(
    source: BlockSource,
    unit: Supervoxels,
    chosen: np.ndarray,
    labelled: LabelledVoxels,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LabelledSupervoxels:
    """Supervoxels that hold some of the voxels ``chosen`` (n, 3), and the class of most of their ``labelled`` voxels.

    One in which two classes have most voxels is left out. ``progress(done, total)`` counts chosen voxels.
    """
    seats, classes, rows, pairs = [], [], [], []
    looks: list[Look] = []
    done = 0
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        for _, members in groups(chosen, source.shape, slab_of(unit, source.shape)):
            inner = _around(chosen[members])
            outer = inner.grow(unit.halo).clip(source.shape).aligned(unit.stride)
            part = unit.describe(_block(source, outer), inner.within(outer), pool.map)
            outer_start = np.array(outer.start)
            part_start = outer_start + np.array(part.box.start)
            at_in_part = chosen[members] - part_start
            cells, majorities = _majorities(part, at_in_part, labelled, part_start)
            looks.append(Look(part.rows, part.contacts, members, part.labels[tuple(at_in_part.T)]))
            rows.append(part.rows[cells])
            classes.append(majorities)
            seats.append(unit.place(cells, part.box) + outer_start)
            if part.contacts:
                pairs.append(_pairs(part.contacts, part.rows, cells))
            done += len(members)
            progress(done, len(chosen))
    at, once = np.unique(np.concatenate(seats), axis=0, return_index=True)  # two slabs may have met in one
    total = np.sum(pairs, axis=0) if pairs else np.zeros(2 + unit.count)
    return LabelledSupervoxels(
        np.concatenate(rows)[once], LabelledVoxels(at, np.concatenate(classes)[once]), total, tuple(looks)
    )


def _pairs(contacts: Contacts, rows: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """How many neighbours ``cells`` have, and the sums of squared differences from them: of intensity, of each row."""
    total = np.zeros(2 + rows.shape[1])
    for number, touching, theirs in contacts.neighbours(rows):
        own = cells[touching[cells]]
        unlike = (rows[own] - theirs[own]).astype(np.float64) ** 2
        total += [own.size, contacts.steps[number, own].sum(), *unlike.sum(axis=0)]
    return total


def _majorities(
    part: Described, chosen: np.ndarray, labelled: LabelledVoxels, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of the supervoxels that ``chosen`` voxels of ``part.labels`` lie in, and the class of most of each.

    ``labelled`` counts from the volume's first voxel; ``origin`` is where ``part.labels`` begin.
    """
    cells = np.unique(part.labels[tuple(chosen.T)])
    at = labelled.at - origin
    inside = ((at >= 0) & (at < part.labels.shape)).all(axis=1)
    owners = part.labels[tuple(at[inside].T)]
    classes, which = np.unique(labelled.values[inside], return_inverse=True)
    place = np.minimum(np.searchsorted(cells, owners), len(cells) - 1)
    votes_here = cells[place] == owners
    ballots = place[votes_here] * len(classes) + which[votes_here]
    votes = np.bincount(ballots, minlength=len(cells) * len(classes)).reshape(len(cells), -1)
    clear = np.ones(len(cells), dtype=bool)
    if len(classes) > 1:
        ranked = np.sort(votes, axis=1)
        clear = ranked[:, -1] > ranked[:, -2]
    return cells[clear], classes[votes.argmax(axis=1)][clear]


def slab_of(unit: Supervoxels, shape: Shape) -> Shape:
    """How much of a volume is looked at in one go: the more, the less is looked at twice for its surroundings."""
    slabs = [multiple(SLAB_2D, (_DEEP, side, side), unit.bank, unit.stride) for side in _SIDES]
    seen = [prod(min(n, own + 2 * h) for n, own, h in zip(shape, s, unit.halo, strict=True)) for s in slabs]
    return next((slab for slab, voxels in zip(slabs, seen, strict=True) if voxels <= _MOST), slabs[-1])


def _around(at: np.ndarray) -> Box:
    """The smallest box that holds voxels."""
    return Box.from_json(np.stack([at.min(axis=0), at.max(axis=0) + 1], axis=1).tolist())


def _block(source: BlockSource, outer: Box) -> np.ndarray:
    """What lies at ``outer``, mirrored where it reaches past the far faces of the volume."""
    inside = outer.clip(source.shape)
    block = source.read(inside)
    over = [(0, last - end) for last, end in zip(outer.stop, inside.stop, strict=True)]
    return np.pad(block, [(0, 0), *over], mode="reflect") if any(map(any, over)) else block
