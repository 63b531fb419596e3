"""What those who read, measure and write labels as files ask of them. Knows no file, no state and no journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from voxloop.geometry import Box, Shape, Spacing
from voxloop.store.classes import Level
from voxloop.store.edit import Edit
from voxloop.store.writer import Proposal

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is and how it was opened; defaults where it cannot be opened any more."""

    frames: bool = False
    source: str | tuple[str, ...] | None = None
    timepoint: int | None = None
    anatomy: str = ""
    spacing_from: str = "metadata"
    spacing_from_zyx: str = "metadata metadata metadata"


class OpenLabels(Protocol):
    """The labels of one level on one image, as :class:`voxloop.store.Labels` are."""

    @property
    def level(self) -> Level: ...

    @property
    def image(self) -> str: ...

    @property
    def shape(self) -> Shape: ...

    @property
    def chunks(self) -> Shape: ...

    @property
    def spacing_um(self) -> Spacing: ...

    @property
    def dtype(self) -> np.dtype: ...

    def facts(self) -> ImageFacts: ...

    def read(self, region: object = None) -> np.ndarray: ...

    def plane(self, axis: str, index: int) -> np.ndarray: ...

    def touched(self) -> Sequence[Any]: ...

    def as_volume(self) -> xr.DataArray: ...

    def paintable(self, given: int | str, /) -> int: ...

    def next_id(self) -> int: ...

    def edit(
        self, tool: str, boxes: Box | Sequence[Box], proposal: Proposal, arguments: dict[str, Any] | None = None
    ) -> Edit: ...
