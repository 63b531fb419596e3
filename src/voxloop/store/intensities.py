"""What tools that look at the picture read of it: a channel of the image, or one of the workspace. Knows no labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.model import resolve
from voxloop.store.values import whole

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.store.document import ChannelEntry

#: filters are a room above this one, so they are found by name
_READER = "voxloop.channels.evaluation:reader_of"


def picture_of(
    volume: xr.DataArray, entries: Sequence[ChannelEntry], channel: int | str
) -> Callable[[Box], np.ndarray]:
    """Reads boxes (z, y, x) of a channel of the image by number, or of the workspace by name. Raises LabelError."""
    from voxloop.volumes import channels_of, read_block

    if isinstance(channel, str):
        found: Callable[[Box], np.ndarray] = resolve(_READER)(volume, entries, channel)
        return found
    number = whole("channel", channel)
    count = channels_of(volume)
    if not 0 <= number < count:
        raise LabelError(f"channel {number} is not one of the {count} channels of image {volume.name!r}")
    return lambda box: np.asarray(read_block(volume, box)[number])
