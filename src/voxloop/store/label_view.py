"""What labels say of themselves: facts, voxels, planes, counts, history. Changes nothing.

The half of :class:`Labels` that only reads; where the files are is the state's business.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box, Shape, Spacing
from voxloop.store.changes import Change
from voxloop.store.classes import Level
from voxloop.store.drawn import Drawn, find
from voxloop.store.intensities import picture_of
from voxloop.store.label_setting import LabelSetting
from voxloop.store.reader import ReaderState
from voxloop.store.state import LabelState
from voxloop.store.touched import Touched
from voxloop.store.values import whole
from voxloop.store.writer import WriterState

if TYPE_CHECKING:
    from voxloop.store.label_contract import ImageFacts


class LabelView:
    """Reads a label array."""

    _state: LabelState
    _setting: LabelSetting

    def shows(self, state: LabelState) -> bool:
        """Whether this is a view of that very state, which may have been closed and opened anew."""
        return self._state is state

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
        return self._setting.spacing_um()

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
    def remarks(self) -> list[str]:
        """What was found damaged when these labels were read, and what became of it."""
        return list(self._state.remarks)

    @property
    def lag(self) -> OSError | None:
        """What keeps the array from following the journal (a full disk), None where all is well."""
        return self._state.failure if isinstance(self._state, WriterState) else None

    # -------------------------------------------------------------------------------------------------------- read

    def read(self, region: object = None) -> np.ndarray:
        """Voxels of a region: slices (z, y, x), a box, a region's name, or None for all (if it fits into memory).

        Examples
        --------
        >>> ws.labels().read((slice(3, 4), slice(12, 14), slice(14, 18)))
        array([[[1, 1, 1, 0],
                [1, 1, 1, 1]]], dtype=uint8)
        """
        return self._state.read(self._box(region))

    def counts(self) -> dict[int, int]:
        """Labelled voxels of every value (0 left out).

        Examples
        --------
        >>> ws.labels().counts()
        {1: 136, 2: 293}
        """
        return self._state.totals()

    def touched(self) -> list[Touched]:
        """The chunks that hold labels; costs what they cost, never what the grid would."""
        return [Touched(self._state.array.box(chunk), counts) for chunk, counts in self._state.touched().items()]

    def next_id(self) -> int:
        """An instance number that was never used."""
        self._state.highest = max(self._state.highest, max(self.counts(), default=0))
        return self._state.highest + 1

    def history(self, sequence: int) -> dict[str, Any]:
        """What the journal says of an edit: tool, arguments, author, time, box, voxels.

        Examples
        --------
        >>> edit = ws.labels().history(1)
        >>> edit["tool"], edit["voxels"], edit["arguments"]["radius"]
        ('paint', 65, 3)
        """
        sequence = whole("edit", sequence)
        if not 1 <= sequence <= len(self._state.journal):
            raise LabelError(f"there is no edit {sequence}; the journal holds edits 1 to {len(self._state.journal)}")
        return self._state.journal.arguments(sequence)

    def made_by(self, *tools: str, region: object = None, since: int = 0) -> np.ndarray:
        """Where the last change after edit ``since`` was made by one of ``tools`` (or by its redo): bool (z, y, x).

        Examples
        --------
        >>> int(ws.labels().made_by("paint").sum())
        429
        """
        return self._state.made_by(tools, self._box(region), max(0, whole("since", since)))

    def changes(self, since: int = 0, most: int = 4096) -> list[Change]:
        """What each edit after ``since`` set and nobody changed since, oldest first; edits taken back are left out.

        ``most`` voxels of an edit at most, drawn by its number. Edits of which nothing is left do not appear.

        Examples
        --------
        >>> [(change.sequence, len(change.values)) for change in ws.labels().changes(since=1)]
        [(2, 71), (3, 293)]
        """
        return self._state.changes(since, most)

    def after(self, edit: int) -> ReaderState:
        """The state after an edit, whatever is done since; for voxloop itself."""
        return ReaderState(self._state.place, self.shape, self.dtype, edit)

    def facts(self) -> ImageFacts:
        """What is known of the image, whether or not it can be opened."""
        from voxloop.store.label_volume import image_facts

        return image_facts(self._setting.volume)

    def drawn(self, stroke: str) -> Drawn | None:
        """How much of a stroke that a page drew is on record, by the id the page gave it; None where nothing is."""
        return find(self._state.journal, stroke)

    def picture(self, channel: int | str) -> Callable[[Box], np.ndarray]:
        return picture_of(self._setting.volume(), self._setting.channels(), channel)

    def _box(self, region: object) -> Box:
        return Box.of(self._setting.region(region).box if isinstance(region, str) else region, self.shape)
