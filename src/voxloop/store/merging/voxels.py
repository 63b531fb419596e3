"""What two copies of a label array did since they parted, brought together block by block. Knows no files.

Of a voxel that one of them changed, what that one says holds; of one that both changed to something else, somebody has
to decide. Neither the volume nor the edits are ever in memory as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box, Shape, cover
from voxloop.store.changes import standing
from voxloop.store.chunks import Chunk
from voxloop.store.edit import Edit
from voxloop.store.labels import Labels
from voxloop.store.merging.base import TOOL, find_base, note_of
from voxloop.store.merging.conflicts import MINE, MOST, THEIRS, UNLABELLED, Conflict, Decisions
from voxloop.store.merging.numbering import number_anew
from voxloop.store.records import Record
from voxloop.store.signing import author, signed_as
from voxloop.store.state import LabelState

#: chunks of a block that is looked at at once
_TOGETHER = (4, 2, 2)
#: of a class that the other one does not have
_NO_CLASS = -1
#: the merging one themselves, among the authors of voxels
_ME = 255


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A connected part of a block of which both say something else."""

    box: Box
    mask: np.ndarray
    mine: int
    theirs: int
    key: str


class VoxelMerge:
    """The labels of one level on one image, here and in a copy.

    Parameters
    ----------
    labels
        Those that are to take the others in.
    others
        Those of the copy, opened for reading.
    classes
        Values of theirs and what they are here; None: objects, which keep their numbers where these are free.
    source
        The path of the copy, for the journal.
    """

    def __init__(self, labels: Labels, others: Labels, classes: Mapping[int, int] | None, source: str) -> None:
        self.labels, self.source = labels, source
        self._classes = classes
        self._others = others
        self._theirs = others.after(others.sequence)
        self.conflicts: list[Conflict] = []
        self.unlisted = 0  # conflicts beyond those
        self.taken = 0  # voxels that only the copy changed
        self.look()

    # -------------------------------------------------------------------------------------------------------- look

    def look(self) -> None:
        """Compare with the labels as they are now."""
        self.sequence = self.labels.sequence
        self._own = self.labels.after(self.sequence)
        own, theirs = self._own.journal, self._theirs.journal
        self.base = find_base(own.path, theirs.path, own.records[: self.sequence], self._their_records)
        self._ancestor = (self._others if self.base.side == "theirs" else self.labels).after(self.base.sequence)
        self.numbers: dict[int, int] = dict(self.base.numbers) if self._classes is None else {}
        self._stands = tuple(standing(state.journal.records[: state.sequence]) for state in (self._own, self._theirs))
        self._names = tuple(
            sorted({r.author for r in records})[: _ME - 1] or [r.author for r in journal.records[-1:]]
            for records, journal in zip(self._stands, (own, theirs), strict=True)
        )
        self.blocks = self._changed_blocks()
        if self._classes is None:
            self.numbers |= number_anew(self._own, self._theirs, self._ancestor, self.base, self.blocks)
        self.conflicts, self.unlisted, self.taken = [], 0, 0
        self._signers: dict[Box, set[int]] = {}
        self._last: tuple[Any, Any] = (None, None)
        for block in self.blocks:
            self._look_at(block)
        self.conflicts.sort(key=lambda one: -one.voxels)
        self.unlisted = max(0, len(self.conflicts) - MOST)
        del self.conflicts[MOST:]

    @property
    def is_new(self) -> bool:
        """Whether the copy has edits that were not taken in so far."""
        first = self.base.copied if self.base.side == "mine" else self.base.sequence
        return self._theirs.sequence > first

    @property
    def region(self) -> Box | None:
        """Around all that the copy changed; None where it changed nothing."""
        return cover(list(self.blocks)) if self.blocks else None

    def since(self, side: str) -> SinceParting:
        """What one side (``"mine"``, ``"theirs"``) says where it changed something since they parted, 0 elsewhere."""
        return SinceParting(self, side)

    def read(self, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Voxels here, in the copy, and where both come from; in the numbers of these labels."""
        mine = self._own.read(box).astype(np.int64)
        theirs = self._here(self._theirs.read(box))
        before = self._ancestor.read(box)
        return mine, theirs, self._here(before) if self.base.side == "theirs" else before.astype(np.int64)

    def _here(self, block: np.ndarray) -> np.ndarray:
        """Values of the copy as they are called here."""
        values, place = np.unique(block, return_inverse=True)
        if self._classes is None:
            named = [self.numbers.get(value, value) for value in values.tolist()]
        else:
            named = [self._classes.get(value, _NO_CLASS) if value else 0 for value in values.tolist()]
        return np.array(named, np.int64)[place].reshape(block.shape)

    def _changed_blocks(self) -> dict[Box, list[Box]]:
        """Blocks in which the copy may have changed anything, with the chunks of each."""
        first = self.base.copied if self.base.side == "mine" else self.base.sequence
        journal = self._theirs.journal
        chunks: set[Chunk] = {c for r in journal.records[first : self._theirs.sequence] for c in journal.chunks(r)}
        if self.base.side == "mine":
            own = self._own.journal
            chunks |= {c for r in own.records[self.base.copied : self.base.sequence] for c in own.chunks(r)}
        size = self.labels.chunks
        grid = [n * many for n, many in zip(size, _TOGETHER, strict=True)]
        blocks: dict[Box, list[Box]] = {}
        for chunk in sorted(chunks):
            box = self._own.array.box(chunk)
            block = Box.at([n * step for n, step in zip(box.cell(grid), grid, strict=True)], grid)
            blocks.setdefault(block.clip(self.labels.shape), []).append(box)
        return blocks

    def _look_at(self, block: Box) -> None:
        mine, theirs, before = self.read(block)
        take, clash = _compared(mine, theirs, before)
        self._signers[block] = set()
        if not (take.any() or clash.any()):
            return
        self.taken += int(take.sum())
        owners = self._owners(1, block)
        self._signers[block] = set(np.unique(owners[take | clash]).tolist())
        if not clash.any():
            return
        own = self._owners(0, block)
        for piece in self._pieces(block, mine, theirs, clash):
            inside = piece.box.within(block).slices
            places = np.argwhere(piece.mask)
            at = places[len(places) // 2] + np.array(piece.box.start)
            who = [
                names[int(np.bincount(codes[inside][piece.mask]).argmax())] if names else ""
                for codes, names in zip((own, owners), self._names, strict=True)
            ]
            self.conflicts.append(
                Conflict(
                    self.labels.level.name,
                    self.labels.image,
                    piece.box,
                    (int(at[0]), int(at[1]), int(at[2])),
                    self._word(piece.mine),
                    self._word(piece.theirs),
                    (who[0], who[1]),
                    int(piece.mask.sum()),
                    piece.key,
                )
            )

    def _pieces(self, block: Box, mine: np.ndarray, theirs: np.ndarray, clash: np.ndarray) -> Iterator[_Piece]:
        from scipy import ndimage

        pairs = np.unique(np.stack([mine[clash], theirs[clash]]), axis=1).T.tolist()
        for ours, other in pairs:
            parts, _ = ndimage.label(clash & (mine == ours) & (theirs == other))
            for number, at in enumerate(ndimage.find_objects(parts), start=1):
                mask = parts[at] == number
                start = [first + part.start for first, part in zip(block.start, at, strict=True)]
                box = Box.at(start, mask.shape)
                crc = zlib.crc32(np.packbits(mask).tobytes())
                where = f"{self.labels.level.folder}|{self.labels.image}|{box.to_json()}"
                yield _Piece(box, mask, ours, other, f"{where}|{ours}|{other}|{crc:08x}")

    def _owners(self, side: int, block: Box) -> np.ndarray:
        """Whose edit said last what stands in a block (0: mine, 1: theirs), as places in the names; uint8."""
        state: LabelState = (self._own, self._theirs)[side]
        names = {name: code for code, name in enumerate(self._names[side])}
        out = np.zeros(block.shape, np.uint8)
        if len(names) < 2:
            return out
        records: Sequence[Record] = self._stands[side]
        for record in records:
            if record.box.meet(block) is None:
                continue
            for part in block.blocks(state.chunks):
                for patch in state.journal.patches(record, part.cell(state.chunks)):
                    inside = patch.box.within(block).slices
                    out[inside][patch.changed] = names.get(record.author, 0)
        return out

    def _word(self, value: int) -> str:
        if not value:
            return UNLABELLED
        level = self.labels.level
        return next((one.name for one in level.classes if one.value == value), f"object {value}")

    # ------------------------------------------------------------------------------------------------------- apply

    def apply(self, decisions: Decisions) -> list[Edit]:
        """Take the copy in: one undo, an edit for each of its authors, signed by them.

        Raises LabelError where a conflict is not decided; then nothing has changed.
        """
        if self.labels.sequence != self.sequence:
            self.look()
        said = [decisions.of(one.key) for one in self.conflicts]  # before anything is made
        if self.unlisted:
            said.append(decisions.of(""))
        if not self.is_new:
            return []
        told = {"from": self.source, "merged": note_of(self._theirs.journal.path, self._their_records, self.numbers)}
        told["authors"] = [name for name in self._names[1] if name]
        made: list[Edit] = []
        try:
            signers = sorted({code for codes in self._signers.values() for code in codes})
            for code in [*signers, *([_ME] if any(one not in (MINE, THEIRS) for one in said) else [])]:
                edit = self._edit(code, decisions, told, joined=bool(made))
                made += [edit] if edit.voxels else []
            if not made:
                made.append(self.labels.note(TOOL, told))
        except BaseException:
            if made:
                self.labels.undo()
            raise
        return made

    @property
    def _their_records(self) -> Sequence[Record]:
        return self._theirs.journal.records[: self._theirs.sequence]

    def _edit(self, code: int, decisions: Decisions, told: dict[str, Any], *, joined: bool) -> Edit:
        """What one author is to sign."""
        boxes = [
            box
            for block, chunks in self.blocks.items()
            if code in self._signers[block] or (code == _ME and self._signers[block])
            for box in chunks
        ]
        if not boxes:
            return Edit(self.labels.sequence, TOOL, Box.whole((0, 0, 0)), 0)
        block_of = {box: block for block, chunks in self.blocks.items() for box in chunks}

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            chunk = self._own.array.box(part.cell(self.labels.chunks))
            block = block_of[chunk]
            final, signer = self._settled(block, decisions)
            at = part.within(block).slices
            return np.where(signer[at] == code + 1, final[at], current).astype(self.labels.dtype)

        name = author() if code == _ME else self._names[1][code]
        with signed_as(name or "unknown"):
            return self.labels.edit(TOOL, boxes, proposal, told, joined=joined, confined=False)

    def _settled(self, block: Box, decisions: Decisions) -> tuple[np.ndarray, np.ndarray]:
        """A block as it is to be, and who signs each voxel (place in the names + 1; 0: it stays)."""
        if self._last[0] == (block, id(decisions)):
            found: tuple[np.ndarray, np.ndarray] = self._last[1]
            return found
        mine, theirs, before = self.read(block)
        take, clash = _compared(mine, theirs, before)
        owners = self._owners(1, block).astype(np.int16) + 1
        final, signer = mine, np.where(take, owners, 0)
        final[take] = theirs[take]
        ours = mine.copy() if clash.any() else mine
        for piece in self._pieces(block, ours, theirs, clash) if clash.any() else ():
            inside = piece.box.within(block).slices
            said = decisions.of(piece.key)
            if said == MINE:
                continue
            final[inside][piece.mask] = piece.theirs if said == THEIRS else 0 if said == UNLABELLED else int(said)
            signer[inside][piece.mask] = owners[inside][piece.mask] if said == THEIRS else _ME + 1
        self._last = (block, id(decisions)), (final, signer)
        return final, signer


class SinceParting:
    """What one side says where it changed something since the copies parted; read and compared as labels are."""

    def __init__(self, merge: VoxelMerge, side: str) -> None:
        self._merge, self._mine = merge, side == MINE
        labels = merge.labels
        self.level, self.image, self.spacing_um = labels.level, labels.image, labels.spacing_um
        self.shape: Shape = labels.shape
        self.name = side

    def read(self, region: object = None) -> np.ndarray:
        """Voxels of a region; 0 where this side changed nothing."""
        mine, theirs, before = self._merge.read(Box.of(region, self.shape))
        said = mine if self._mine else theirs
        return np.maximum(np.where(said != before, said, 0), 0).astype(np.uint32)


def _compared(mine: np.ndarray, theirs: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the copy alone changed something, and where both did, to something else."""
    differ = (theirs != before) & (theirs != mine)
    if (theirs[differ] == _NO_CLASS).any():
        raise LabelError("the copy labels with a class that is not known here")
    take = differ & (mine == before)
    return take, differ & ~take
