"""What is on screen, turned into bytes: gray and colour pictures as JPEG, label planes lossless. Pure: no widgets.

A picture is contrast-stretched to 8 bit here, so that a 16-bit or float volume costs no more to send than an 8-bit
one; labels travel as palette indices and get their colours in the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np

from voxloop.film.contrast import AUTO_PERCENTILES as AUTO_PERCENTILES
from voxloop.film.contrast import AUTO_SIGNAL as AUTO_SIGNAL
from voxloop.film.contrast import COARSE_END as COARSE_END
from voxloop.film.contrast import FAR_ABOVE as FAR_ABOVE
from voxloop.film.contrast import HISTOGRAM_BINS as HISTOGRAM_BINS
from voxloop.film.contrast import TINTS as TINTS
from voxloop.film.contrast import Limits as Limits
from voxloop.film.contrast import Statistics as Statistics
from voxloop.film.contrast import compose as compose
from voxloop.film.contrast import palette_indices as palette_indices
from voxloop.film.contrast import pool as pool
from voxloop.film.contrast import statistics as statistics
from voxloop.film.contrast import stretch as stretch

#: of pictures: while planes are turned, every byte costs time; at rest, every gray value counts
JPEG_QUALITY, FINE_QUALITY = 80, 95


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """One view asking for the planes under its window.

    ``box`` is (top, left, bottom, right) in voxel edges of the finest scale and may reach past the plane;
    ``pixel_um`` is the size of a screen pixel; ``picture`` and ``layers`` say what is wanted, ``fine`` for a close
    look.
    """

    view: str
    number: int
    axis: str
    index: int
    box: tuple[float, float, float, float]
    pixel_um: float
    picture: bool
    layers: tuple[str, ...]
    fine: bool = True

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> FrameRequest:
        """Read a request as the browser sends it; raises KeyError, TypeError or ValueError where it is malformed."""
        top, left, bottom, right = (float(value) for value in message["box"])
        return cls(
            view=str(message["view"]),
            number=int(message["number"]),
            axis=str(message["axis"]),
            index=int(message["index"]),
            box=(top, left, bottom, right),
            pixel_um=max(1e-9, float(message["pixel_um"])),
            picture=bool(message["picture"]),
            layers=tuple(str(layer) for layer in message["layers"]),
            fine=bool(message.get("fine", True)),
        )


def encode_picture(picture: np.ndarray, quality: int = FINE_QUALITY) -> bytes:
    """JPEG bytes of a uint8 picture, gray (rows, columns) or colour (rows, columns, 3), by libjpeg-turbo."""
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(picture), level=quality))


def encode_indices(indices: np.ndarray) -> bytes:
    """A uint8 plane as a zlib stream, lossless; the browser's ``DecompressionStream('deflate')`` reads it."""
    return bytes(imagecodecs.zlibng_encode(indices.tobytes(), level=1))
