"""Small pictures of pieces of planes, as markup for a cell of a list. Reads the image; knows no labels."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.panels.view.frames import compose, encode_picture

if TYPE_CHECKING:
    from voxloop.geometry import Box

#: CSS pixels a side, and pixels of the picture at most
SIDE, _PIXELS = 44, 64


def thumbnail(volume: Any, box: Box, title: str = "") -> str:
    """An ``<img>`` of a box one plane thick of a volume (DataArray), stretched to its own grays."""
    from voxloop.volumes import read_block

    flat = next((axis for axis, size in enumerate(box.shape) if size == 1), 0)
    return as_markup(small_picture(np.asarray(read_block(volume, box)).take(0, axis=flat + 1)), title)


def small_picture(plane: np.ndarray) -> bytes:
    """A plane (channel, row, column) as a small JPEG, stretched to its own grays."""
    step = max(1, max(plane.shape[1:]) // _PIXELS)
    small = plane[:3, ::step, ::step]
    limits = [_limits(channel) for channel in small]
    return encode_picture(compose(small, limits, list(range(len(small)))))


def as_markup(picture: bytes, title: str = "") -> str:
    """The ``<img>`` of a small JPEG."""
    data = base64.b64encode(picture).decode()
    about = html.escape(title, quote=True)
    return f'<img class="vx-thumb" width="{SIDE}" height="{SIDE}" alt="{about}" src="data:image/jpeg;base64,{data}">'


def _limits(channel: np.ndarray) -> tuple[float, float]:
    """What is shown black and white."""
    finite = channel[np.isfinite(channel)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (1, 99))
    return float(low), float(max(high, low + 1e-6))
