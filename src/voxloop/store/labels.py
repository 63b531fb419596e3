"""One label array as users hold it: read, change, undo, follow. Every verb is one edit, written down first.

Knows its level (classes, locks, parent); drawing is in :mod:`drawing`, files are the state's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from voxloop.errors import LabelError, ReadOnlyError, WorkspaceError
from voxloop.geometry import Box, cover
from voxloop.given import flag, shown
from voxloop.store import family
from voxloop.store.author_labels import Authored
from voxloop.store.drawn import with_mark
from voxloop.store.edit import Edit
from voxloop.store.guard import Guard
from voxloop.store.guided import Guided
from voxloop.store.instances import ObjectEdits
from voxloop.store.label_setting import LabelSetting
from voxloop.store.label_view import LabelView
from voxloop.store.planes import Rectangle
from voxloop.store.reader import ReaderState
from voxloop.store.state import LabelState
from voxloop.store.values import as_labels, paintable, whole
from voxloop.store.writer import Proposal, WriterState

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.store.document import NamedRegion
    from voxloop.store.family import Children
    from voxloop.store.mask_values import Values
    from voxloop.store.records import Record

log = logging.getLogger(__name__)


class Labels(LabelView, Guided, ObjectEdits, Authored):
    """The labels of one level on one image: 0 is unlabelled, classes (or instances) count from 1.

    Coordinates are level-0 voxels, zyx, centres at integers. Get one from ``ws.labels(level, image)``; a read-only one
    in any process from :func:`voxloop.store.open_labels`.

    Examples
    --------
    >>> labels = ws.labels()
    >>> labels.paint(index=2, points=[(20, 10), (20, 30)], radius=2, value="cell")
    Edit(sequence=4, tool='paint', box=Box(start=(2, 18, 8), stop=(3, 23, 33)), voxels=113, outside={})
    >>> labels.counts(), labels.sequence
    ({1: 249, 2: 293}, 4)
    >>> labels.undo().tool, labels.redo().tool
    ('undo', 'redo')
    """

    def __init__(self, state: LabelState, setting: LabelSetting) -> None:
        self._state = state
        self._setting = setting
        #: name of the prediction that is on show beside these labels; the journal notes it with every edit
        self.beside = ""

    def plane(self, axis: str, index: int, box: Rectangle | None = None, step: int = 1) -> np.ndarray:
        """One plane across ``axis``, or the ``box`` of it (two slices or pairs, zyx order), every ``step``-th voxel.

        Examples
        --------
        >>> ws.labels().plane("z", 3).shape
        (64, 64)
        >>> ws.labels().plane("y", 14, step=2).shape
        (3, 32)
        """
        plane, step = self._plane(axis, index), max(1, whole("step", step))
        return self._state.read(plane.box(box)).squeeze(plane.at)[::step, ::step]

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

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.write((slice(0, 1),), np.ones((1, 64, 64)), overwrite=False).voxels
        4096
        >>> labels.write(None, np.where(truth > 0, 1, 2), mask=volume.values > 120).voxels
        3335
        >>> labels.write(None, np.zeros((2, 2)))
        Traceback (most recent call last):
        ...
        voxloop.errors.LabelError: the array has shape (2, 2), the region (6, 64, 64) (z, y, x)
        """
        box, overwrite = self._box(region), flag("overwrite", overwrite, error=LabelError)
        if not isinstance(arguments, dict | None):
            raise LabelError(f"arguments={shown(arguments)} is not what the journal can note: a dict")
        for what, given in (("array", array), ("mask", mask)):
            if given is not None and np.ndim(given) and np.shape(given) != box.shape:
                raise LabelError(f"the {what} has shape {np.shape(given)}, the region {box.shape} (z, y, x)")

        def proposal(part: Box, current: np.ndarray) -> np.ndarray:
            inside = part.within(box)
            new = as_labels(_block(array, inside), self.level, self.dtype)
            keep = np.zeros(current.shape, bool) if mask is None else ~_block(mask, inside).astype(bool)
            if not overwrite:
                keep |= current != 0
            return np.where(keep, current, new)

        return self.edit(tool, box, proposal, arguments or {})

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
    ) -> Edit:
        """Make one undoable edit of any size from a function; what every other verb comes down to.

        ``proposal(block, current)`` gives the new voxels of a block (or None to leave it); it sees the block's current
        ones, read-only. ``boxes`` is one, or several that do not overlap. Locked classes stay as they are, and what
        lies outside the parent or the active region, unless not ``confined``.
        """
        boxes = [boxes] if isinstance(boxes, Box) else boxes
        state, joined = self._writer(), flag("joined", joined, error=LabelError)
        arguments = {**(arguments or {}), "beside": self.beside} if self.beside else arguments
        guarded = self._guard(confined).over(proposal)
        record = state.edit(tool, with_mark(arguments), boxes, guarded, joined=joined)
        if record is None:
            return Edit(self.sequence, tool, cover(boxes), 0)
        edit = family.settle(self, self._setting.children(), Edit.of(record), children)
        return self._announce([edit])[0]

    def note(self, tool: str, arguments: dict[str, Any]) -> Edit:
        """Write down something that changes no voxel; it is undone as edits are."""
        return self._announce([Edit.of(self._writer().note(tool, arguments, Box.whole((0, 0, 0))))])[0]

    def as_volume(self) -> xr.DataArray:
        """The labels as a lazy volume (z, y, x) in micrometres; slices are read when they are computed.

        Examples
        --------
        >>> labelled = ws.labels().as_volume()
        >>> labelled.dims, labelled.sel(z=0.12, method="nearest").shape
        (('z', 'y', 'x'), (64, 64))
        """
        from voxloop.store.label_volume import as_volume

        return as_volume(self)

    def load(self, source: Any, zero: str | None = None, values: Values | None = None, **how: Any) -> Edit:
        """Bring in a mask that was made elsewhere; see :func:`voxloop.store.exchange.load`.

        Examples
        --------
        >>> ws.labels().load((truth > 0).astype("uint8"), zero="unlabelled").voxels
        3436
        >>> ws.labels().load((truth > 0).astype("uint8"))
        Traceback (most recent call last):
        ...
        voxloop.errors.LabelError: the mask holds zeros: say what they mean, zero='background' (all of it was ...
        """
        from voxloop.store.exchange import load

        return load(self, source, zero, values, **how)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the labels to a file of another program; see :func:`voxloop.store.exchange.save`.

        Examples
        --------
        >>> ws.labels().save("labels.ome.tif")
        PosixPath('labels.ome.tif')
        """
        from voxloop.store.exchange import save

        return save(self, path, overwrite=overwrite)

    # -------------------------------------------------------------------------------------------------- undo, follow

    def undo(self) -> Edit | None:
        """Take the last edit back, whenever and wherever it was made; None where there is none.

        Examples
        --------
        >>> ws.labels().undo()
        Edit(sequence=4, tool='undo', box=Box(start=(3, 29, 2), stop=(4, 34, 63)), voxels=293, outside={})
        """
        record = self._writer().undo()
        return None if record is None else self._went(record, back=True)

    def redo(self) -> Edit | None:
        """Make the last edit that was taken back again; None where there is none.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.undo().tool, labels.redo().tool
        ('undo', 'redo')
        """
        record = self._writer().redo()
        return None if record is None else self._went(record, back=False)

    def _went(self, record: Record, *, back: bool) -> Edit:
        """Announce an undo or redo, with what it does to children that were cropped along with an edit."""
        edit = family.follow(self, self._setting.children(), Edit.of(record), record.of, back=back)
        return self._announce([edit])[0]

    def next_step(self, *, back: bool) -> dict[str, Any]:
        """What the journal says of the edit that undo (``back``) or redo would come to; empty where there is none."""
        return self._writer().next_step(back=back)

    @property
    def can_undo(self) -> bool:
        return isinstance(self._state, WriterState) and self._state.can_undo

    @property
    def can_redo(self) -> bool:
        return isinstance(self._state, WriterState) and self._state.can_redo

    def on_edit(self, callback: Callable[[Edit], None]) -> Callable[[], None]:
        """Call back after every edit, in the thread that made it. The result ends that.

        Examples
        --------
        >>> stop = ws.labels().on_edit(lambda edit: print(edit.tool, edit.voxels))
        >>> edit = ws.labels().paint(index=1, points=[(30, 30)], radius=2, value="background")
        paint 13
        >>> stop()
        """
        if not callable(callback):
            raise LabelError(f"callback={shown(callback)} cannot be called")
        key = object()
        self._state.listeners[key] = callback
        return lambda: self._state.listeners.pop(key, None) and None

    def refresh(self) -> list[Edit]:
        """Take up what the writer in another process did since; nothing for the writer itself."""
        records = self._state.refresh() if isinstance(self._state, ReaderState) else []
        return self._announce([Edit.of(record) for record in records])

    def flush(self) -> None:
        """Bring the array on disk up to the last edit, now instead of within a second. Raises WorkspaceError.

        Examples
        --------
        >>> ws.labels().flush()
        """
        if not isinstance(self._state, WriterState):
            return
        try:
            self._state.flush()
        except ReadOnlyError:
            raise
        except OSError as error:
            raise WorkspaceError(
                f"the label array of {self.level.name!r} could not be written ({error.strerror}); the journal has all "
                "edits"
            ) from error

    def write_header(self) -> None:
        """Write names and colours of the classes into the array's metadata again."""
        if isinstance(self._state, WriterState):
            self._state.write_header()

    def close(self) -> None:
        """Flush; what was opened for reading lets go of its files, what a workspace writes does when that closes."""
        if isinstance(self._state, WriterState):
            with suppress(OSError):  # the journal has everything
                self._state.flush()
        else:
            self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " read-only" if self.read_only else ""
        return f"<Labels {self.level.name!r} on {self.image!r}{state}: {self.shape}, edit {self.sequence}>"

    # ------------------------------------------------------------------------------------------------------- helpers

    def _writer(self) -> WriterState:
        refusal = self._setting.refusal()
        if refusal is not None or not isinstance(self._state, WriterState):
            raise ReadOnlyError(refusal or "these labels were opened read-only; change them through ws.labels(...)")
        return self._state

    def _announce(self, edits: list[Edit]) -> list[Edit]:
        for edit in edits:
            for callback in list(self._state.listeners.values()):
                try:
                    callback(edit)
                except Exception:  # the edit is made; whoever listens must not undo that
                    log.exception("a listener of edit %d failed", edit.sequence)
        return edits

    def _guard(self, confined: bool) -> Guard:
        """What an edit leaves as it is."""
        level = self.level
        locked = level.locked if level.kind == "semantic" else tuple(self._state.locked())
        return Guard(locked, self.parent, self.active) if confined else Guard(locked)

    @property
    def active(self) -> NamedRegion | None:
        """The region of the image that is active: nothing outside of it is changed."""
        return self._setting.active()

    @property
    def parent(self) -> tuple[Labels, int] | None:
        """The labels that these lie inside of, and the value they have there (0: any but 0); None where none do."""
        pair = self.level.parent
        above = None if pair is None else self._setting.parent()
        if pair is None or above is None:
            return None
        return above, 0 if pair[1] is None else above.level.value_of(pair[1])

    def paintable(self, given: int | str) -> int:
        """A value that may be painted. Raises LabelError."""
        return paintable(self.level, given, self.dtype)


def _block(array: Any, box: Box) -> np.ndarray:
    return np.asarray(array[box.slices] if np.ndim(array) else array)
