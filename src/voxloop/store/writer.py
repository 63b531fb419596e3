"""The state of a label array that its one writer changes: edits, undo, and what other programs changed.

An edit is proposed block by block, written into the journal, and only then made in memory; the array on disk follows.
Knows no brushes, classes or levels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from voxloop.errors import ReadOnlyError, VoxloopError, WorkspaceError
from voxloop.geometry import Box, Shape, cover
from voxloop.store.following import FollowingState
from voxloop.store.journal import DamagedEditError
from voxloop.store.layout import LabelPlace
from voxloop.store.patches import Patch
from voxloop.store.records import Record

log = logging.getLogger(__name__)

#: voxels of an edit from which its values go to a blob instead of the run-length file
BLOB_VOXELS = 1 << 23

#: (a block, its current values) -> new values of the same shape, or None to leave it
Proposal = Callable[[Box, np.ndarray], np.ndarray | None]


class WriterState(FollowingState):
    """The state that its one writer changes."""

    def __init__(
        self,
        place: LabelPlace,
        shape: Shape,
        dtype: np.dtype,
        header: Callable[[], dict[str, Any]],
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(place, shape, dtype, header, permit)
        self._adopt_foreign()
        if self._dirty:
            self._follow()

    # ------------------------------------------------------------------------------------------------------ edits

    def edit(
        self,
        tool: str,
        arguments: dict[str, Any],
        boxes: Sequence[Box],
        proposal: Proposal,
        *,
        joined: bool = False,
    ) -> Record | None:
        """Make one edit of whatever size: propose block by block, write down, then change memory.

        ``boxes`` do not overlap. None where no voxel changes.
        Raises WorkspaceError where it cannot be saved; then nothing has changed.
        """
        large = sum(box.size for box in boxes) > BLOB_VOXELS
        with self._changing(large):
            record, patches = self._write_down(tool, arguments, boxes, proposal, joined, large)
            if record is not None:
                self._take(record, patches, large)
        self._hold_back()
        return record

    def note(self, tool: str, arguments: dict[str, Any], box: Box) -> Record:
        """Write down an edit that changes no voxel, only what is known of those in a box."""
        with self._changing(large=False):
            self._permit()
            record = self.journal.append(tool, arguments, box, 0)
            self._take(record, (), large=False)
        return record

    def _write_down(
        self,
        tool: str,
        arguments: dict[str, Any],
        boxes: Sequence[Box],
        proposal: Proposal,
        joined: bool,
        large: bool,
    ) -> tuple[Record | None, Iterable[Patch]]:
        """The journal's record of an edit, with its patches; nothing in memory has changed yet."""
        patches: list[Patch] = []
        touched: list[Box] = []
        voxels = 0
        blob = None
        try:
            blob = self.journal.blob(self.sequence + 1) if large else None
            for patch, changed in self._proposed(boxes, proposal):
                touched.append(patch.box)
                voxels += changed
                if blob is None:
                    patches.append(patch)
                else:
                    blob.write(patch)
            if touched:
                if blob is not None:
                    blob.sync()
                name = None if blob is None else blob.path.name
                self._permit()
                record = self.journal.append(
                    tool, arguments, cover(touched), voxels, patches=patches, blob=name, joined=joined
                )
                return record, patches if blob is None else self.journal.patches(record)
        except BaseException as error:
            if blob is not None:
                blob.remove()
            if isinstance(error, OSError) and not isinstance(error, VoxloopError):
                raise WorkspaceError(
                    f"the edit could not be saved ({error.strerror}); it was not made, all earlier edits are safe"
                ) from error
            raise
        if blob is not None:
            blob.remove()
        return None, ()

    def _proposed(self, boxes: Sequence[Box], proposal: Proposal) -> Iterator[tuple[Patch, int]]:
        for part in (part for box in boxes for part in box.blocks(self.chunks)):
            current = self._view(part)
            before = np.zeros(part.shape, self.dtype) if current is None else current.copy()
            before.setflags(write=False)
            after = proposal(part, before)
            if after is None:
                continue
            changed = int(np.count_nonzero(before != after))
            if changed:
                yield Patch(part.start, before, np.asarray(after, dtype=self.dtype)), changed

    @contextmanager
    def _changing(self, large: bool) -> Iterator[None]:
        """Hold what an edit needs. A large one flushes on its way, so it takes the flusher's turn first."""
        with ExitStack() as held:
            if large:
                held.enter_context(self._flushing)
            held.enter_context(self.lock)
            if self._closed:
                raise ReadOnlyError("this workspace was closed; open it again to change labels")
            yield

    def undo(self) -> Record | None:
        """Take back the last edit, and what it was joined to, with one record; None where there is none."""
        return self._again(self._stacks.next_undo, "undo", reverse=True)

    def redo(self) -> Record | None:
        """Make the last edit taken back again."""
        return self._again(self._stacks.next_redo, "redo", reverse=False)

    def _again(self, next_stroke: Callable[[], list[Record]], tool: str, *, reverse: bool) -> Record | None:
        large = any(piece.blob is not None for piece in next_stroke())
        with self._changing(large):
            try:
                for piece in next_stroke():
                    self.journal.check(piece)  # before anything is written down
            except DamagedEditError as error:
                self._mend({error.sequence})
            pieces = next_stroke()
            if not pieces:
                return None
            box, voxels = cover([piece.box for piece in pieces]), sum(piece.voxels for piece in pieces)
            self._permit()
            record = self.journal.append(tool, {}, box, voxels, same=pieces, reverse=reverse)
            self._take(record, self.journal.patches(record), large)
            return record

    def next_step(self, *, back: bool) -> dict[str, Any]:
        """The journal's line of the edit that is taken back (``back``) or made again next; empty of none."""
        pieces = self._stacks.next_undo() if back else self._stacks.next_redo()
        return self.journal.arguments(pieces[0].sequence) if pieces else {}

    @property
    def can_undo(self) -> bool:
        return bool(self._stacks.undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._stacks.redo)

    def _take(self, record: Record, patches: Iterable[Patch], large: bool) -> None:
        """Bring an edit that is on disk into memory."""
        self._stacks.remember(record, self.journal.records)
        for patch in patches:
            self._put(patch, record.sequence)
            if large and self._overfull:
                self.flush()
        self.sequence = record.sequence
        self._follow()

    def _put(self, patch: Patch, sequence: int) -> None:
        chunk = patch.box.cell(self.chunks)
        values = self._chunk(chunk)
        if values is None:
            values = np.zeros(self.chunks, self.dtype)
        view = values[self._local(patch.box)]
        changed = patch.changed
        after = patch.after[changed]
        self.index.change(chunk, view[changed], after)
        view[changed] = after
        self._cache[chunk] = values  # a full cache may have dropped it again
        self._dirty[chunk] = sequence

    def _hold_back(self) -> None:
        """Let the disk catch up where edits come faster than it takes them; the journal has them already.

        Room for the edit of one large object is left: it need not wait for its chunks, which follow by themselves.
        """
        if self._far_behind:
            with suppress(OSError):
                self.flush()

    # ------------------------------------------------------------------------------------- from disk and to disk

    def _adopt_foreign(self) -> None:
        """Write down what another program changed in the array, as an edit that can be undone."""
        looked_at = []
        for chunk, stat in self.array.stored():
            noted = self.index.files.get(chunk)
            if chunk in self._replayed_chunks or (
                noted and (noted.size, noted.modified_ns) == (stat.st_size, stat.st_mtime_ns)
            ):
                continue
            facts = self.array.facts(chunk)
            self.index.remember(chunk, facts)
            looked_at.append(chunk)
            if noted is None or noted.crc != facts.crc:
                self._foreign.add(chunk)
        if looked_at:
            self.index.append(looked_at, self.index.applied)
        if self._foreign:
            boxes = [self.array.box(chunk) for chunk in sorted(self._foreign)]
            self.edit("foreign", {}, boxes, self._theirs)
            self._foreign.clear()

    def _theirs(self, part: Box, current: np.ndarray) -> np.ndarray | None:
        chunk = part.cell(self.chunks)
        found = self._from_disk(chunk)
        if found is None:  # not theirs but damaged: write ours again
            ours = self._chunk(chunk)
            self._cache[chunk] = np.zeros(self.chunks, self.dtype) if ours is None else ours
            self._dirty[chunk] = self.sequence
            return None
        return found[self._local(part)]
