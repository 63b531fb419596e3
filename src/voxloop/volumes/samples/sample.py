"""What a sample is: a volume to try things on, with its truth. Knows no maker and no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxloop.model import ClassInfo

if TYPE_CHECKING:
    from xarray import DataArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A volume to try things on.

    ``truth`` is a volume of the same shape: class values as in ``classes``, or one id per object where the sample is of
    instances (``kind``); None where nobody knows. ``about`` says what it is, where it comes from and its licence.

    Attributes
    ----------
    points
        Where bodies or spots are, as ``ws.points(...).add_many`` takes it: dicts of ``frame`` (None in a volume),
        ``points`` ({node: (y, x)} or (z, y, x), voxels) and, where there are any, ``track`` and ``hidden``. None where
        the sample is of something else.
    skeleton
        Nodes, edges and symmetric pairs of ``points``, as ``ws.levels.add(..., skeleton=)`` takes it.
    assigned
        Name of the class of each frame, where every frame is a picture of something.
    lineage
        Of each track in ``truth``: ``{id: (first frame, last frame, parent id or 0)}``.
    """

    name: str
    volume: DataArray
    truth: DataArray | None
    about: str
    classes: tuple[ClassInfo, ...]
    kind: str = "semantic"
    points: tuple[dict[str, Any], ...] | None = None
    skeleton: dict[str, Any] | None = None
    assigned: tuple[str, ...] | None = None
    lineage: dict[int, tuple[int, int, int]] | None = None
