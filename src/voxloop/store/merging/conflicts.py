"""A place where two copies say something else since they parted, and what may be decided of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxloop.errors import LabelError
from voxloop.geometry import Box

MINE, THEIRS, UNLABELLED = "mine", "theirs", "unlabelled"
#: of points and boxes alone
BOTH = "both"
#: conflicts that are listed one by one, the largest of each label array; the others are decided together
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """A connected piece of voxels, or an instance, of which two copies say something else since they parted.

    Attributes
    ----------
    level, image, box, point : where; ``point`` is a voxel (z, y, x) in it.
    mine, theirs : what each says, in words.
    authors : who said it last, here and there.
    voxels : how many; of points, boxes and pictures 1.
    key : what tells it from any other conflict; changes when what it is of does.
    unit : what is counted: ``"voxel"``, ``"point"``, ``"box"``, ``"picture"``.
    decision : ``"mine"``, ``"theirs"``, ``"unlabelled"`` (neither), ``"both"``, the value of a class; None: not yet.
    """

    level: str
    image: str
    box: Box
    point: tuple[int, int, int]
    mine: str
    theirs: str
    authors: tuple[str, str]
    voxels: int
    key: str
    decision: str | int | None = None
    unit: str = "voxel"

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box as slices (z, y, x)."""
        return self.box.slices

    @property
    def words(self) -> str:
        """A sentence."""
        says = self.mine, self.theirs
        mine, theirs = (f"{words} ({who})" if who else words for words, who in zip(says, self.authors, strict=True))
        return f"{self.level} on {self.image} at {self.point}, {self.size}: here {mine}, there {theirs}"

    @property
    def size(self) -> str:
        """``1 voxel``, ``1,200 voxels``, ``1 point``."""
        return f"{self.voxels:,} {self.unit}{'' if self.voxels == 1 else 's'}"

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "level": self.level,
            "image": self.image,
            "box": self.box.to_json(),
            "point": list(self.point),
            "mine": self.mine,
            "theirs": self.theirs,
            "authors": list(self.authors),
            "voxels": self.voxels,
            "decision": self.decision,
        }


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of which conflict, and of all others (``rest``; None: nothing)."""

    by_key: Mapping[str, str | int]
    rest: str | int | None = None

    def of(self, key: str) -> str | int:
        """Raises LabelError where nothing was decided."""
        found = self.by_key.get(key, self.rest)
        if found is None:
            raise LabelError(
                "there are conflicts of which nothing was decided; decide(i, 'mine') and so on, or apply(rest='mine')"
            )
        return found
