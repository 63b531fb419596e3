"""What a sample is: a volume to try things on, with its truth. Knows no maker and no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.model import ClassInfo

if TYPE_CHECKING:
    from xarray import DataArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A volume to try things on.

    ``truth`` is a volume of the same shape: class values as in ``classes``, or one id per object where the sample is of
    instances (``kind``); None where nobody knows. ``about`` says what it is, where it comes from and its licence.
    """

    name: str
    volume: DataArray
    truth: DataArray | None
    about: str
    classes: tuple[ClassInfo, ...]
    kind: str = "semantic"
