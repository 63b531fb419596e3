"""What an edit did, as every verb of labels gives it back. Knows the record that it came from; makes none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from voxloop.geometry import Box

if TYPE_CHECKING:
    from voxloop.store.records import Record


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did: its number in the journal, the tool, the box it touched, voxels changed.

    An edit that changed nothing has ``voxels == 0`` and the number of the edit before it. ``outside`` says how many
    voxels of which child level lie outside of their parent there since; ``ws.levels.crop(child)`` takes them away.

    Examples
    --------
    >>> edit = ws.labels().paint(index=2, points=[(20, 20)], radius=2, value="cell")
    >>> edit.tool, edit.voxels, edit.region
    ('paint', 13, (slice(2, 3, None), slice(18, 23, None), slice(18, 23, None)))
    """

    sequence: int
    tool: str
    box: Box
    voxels: int
    outside: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record) -> Self:
        """What the journal has on record."""
        return cls(record.sequence, record.tool, record.box, record.voxels)

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box as slices (z, y, x), for indexing."""
        return self.box.slices
