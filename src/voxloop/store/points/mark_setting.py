"""What points, boxes and classes of pictures have to know of the workspace around them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voxloop.geometry import Shape, Spacing
from voxloop.store.classes import Level
from voxloop.store.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class MarkSetting:
    """The level, the image, and who may write."""

    image: str
    shape: Shape  # (z, y, x)
    framed: bool  # z counts frames (or there is one picture): nothing reaches from one to the next
    spacing_um: Callable[[], Spacing]
    level: Callable[[], Level]
    refusal: Callable[[], str | None]  # why nothing may be written, None where it may
    source: Callable[[], str]  # where the image lies; "" where that is no one file
    plane: Callable[[int], np.ndarray]  # a frame (y, x) or (y, x, 3) as 8-bit grays or colours
    reshape: Callable[[Skeleton], object]  # give the level another skeleton
