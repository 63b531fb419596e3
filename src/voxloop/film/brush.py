"""Vector shapes, words and a scale bar drawn into pictures, as the panels draw them. Pure; Pillow draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.film.colors import rgb
from voxloop.film.shapes import VectorShape, corners_of

#: pixels that one is drawn as before it is made smaller, so that slanted lines are smooth
_FINE = 2
_SHADE = (0, 0, 0, 170)
_DASH, _GAP = 6.0, 4.0

Spot = tuple[float, float]


class Brush:
    """Draws over a copy of a picture (rows, columns, 3; uint8).

    Parameters
    ----------
    picture
        What is drawn on.
    step
        Pixels of the picture for a voxel (rows, columns).
    size
        How much thicker lines and words are than in a panel.
    """

    def __init__(self, picture: np.ndarray, step: tuple[float, float] = (1.0, 1.0), size: float = 1.0) -> None:
        from PIL import Image, ImageDraw

        self._step, self._size = step, size
        self.shape = picture.shape[:2]
        rows, columns = self.shape
        fine = (columns * _FINE, rows * _FINE)
        self._layer = Image.fromarray(picture).resize(fine, Image.Resampling.NEAREST)
        self._pen: Any = ImageDraw.Draw(self._layer, "RGBA")  # the mode of the ink: some of it is half transparent

    def draw(self, shapes: Iterable[VectorShape]) -> None:
        """Draw shapes, whose points are voxels with centres at integers."""
        placed = [(shape, [self._place(point) for point in shape.points]) for shape in shapes]
        for shape, points in placed:
            self._draw(shape, points)
        for shape, points in placed:
            if shape.words and points:
                x, y = min(points)
                thick = _FINE * self._size
                self.write(shape.words, (x + 3 * thick, y - 5 * thick), (*rgb(shape.color), 255))

    def _place(self, point: Sequence[float]) -> Spot:
        """A voxel as (x, y) on the fine layer."""
        return (point[1] + 0.5) * self._step[1] * _FINE, (point[0] + 0.5) * self._step[0] * _FINE

    def _draw(self, shape: VectorShape, points: list[Spot]) -> None:
        points = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
        if not points:
            return
        thick, ink = _FINE * self._size, (*rgb(shape.color), 255)
        if shape.kind == "points":
            for x, y in points:
                self._disc(x, y, (shape.radius + 1) * thick, _SHADE)
            for x, y in points:
                self._disc(x, y, shape.radius * thick, ink)
        elif len(points) > 1:
            corners = corners_of(points) if shape.kind == "box" else points
            if shape.kind != "line":
                corners = [*corners, corners[0]]
            for color, width in ((_SHADE, shape.width + 2), (ink, shape.width)):
                self._line(corners, color, round(width * thick), dashed=shape.dashed)

    def _disc(self, x: float, y: float, radius: float, color: tuple[int, int, int, int]) -> None:
        self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def _line(self, points: list[Spot], color: tuple[int, int, int, int], width: int, *, dashed: bool) -> None:
        pieces = _dashes(points, _DASH * _FINE * self._size, _GAP * _FINE * self._size) if dashed else [points]
        for piece in pieces:
            self._pen.line(piece, fill=color, width=max(1, width), joint="curve")

    def write(self, words: str, at: Spot, ink: tuple[int, int, int, int], *, pixels: float = 12.0) -> None:
        """Words whose baseline begins at a place (x, y) of the fine layer, kept inside the picture."""
        font = _font(round(pixels * _FINE * self._size))
        left, top, right, bottom = self._pen.textbbox((0, 0), words, font=font, anchor="ls")
        width, height = self._layer.size
        x = min(max(at[0], -left + 2), max(2, width - right - 2))
        y = min(max(at[1], -top + 2), max(2, height - bottom - 2))
        dark = 0.3 * ink[0] + 0.6 * ink[1] + 0.1 * ink[2] < 110
        edge = (255, 255, 255, 200) if dark else _SHADE
        thick = round(_FINE * self._size)
        self._pen.text((x, y), words, fill=ink, font=font, anchor="ls", stroke_width=thick, stroke_fill=edge)

    def scale_bar(self, pixel_um: float) -> None:
        """A bar of a round length in the lower right corner, at most a quarter of the picture, and its length."""
        rows, columns = self.shape
        length = nice_length(columns * pixel_um / 4)
        wide, high = length / pixel_um * _FINE, max(2.0, 4 * self._size) * _FINE
        edge = 10 * self._size * _FINE
        right, bottom = columns * _FINE - edge, rows * _FINE - edge
        self._pen.rectangle((right - wide - 2, bottom - high - 2, right + 2, bottom + 2), fill=_SHADE)
        self._pen.rectangle((right - wide, bottom - high, right, bottom), fill=(255, 255, 255, 255))
        self.write(in_words(length), (right - wide, bottom - high - 5 * _FINE * self._size), (255, 255, 255, 255))

    def corner(self, words: str, color: str = "#ffffff") -> None:
        """Words in the upper left corner."""
        edge = 8 * self._size * _FINE
        self.write(words, (edge, edge + 12 * self._size * _FINE), (*rgb(color), 255))

    def finish(self) -> np.ndarray:
        """The picture with everything on it; where nothing was drawn, pixels are as they were."""
        return np.asarray(self._layer.reduce(_FINE))


@cache
def _font(pixels: int) -> Any:
    """Letters that know the Greek mu: those that Matplotlib brings along; else Pillow's own."""
    from PIL import ImageFont

    found = find_spec("matplotlib")
    if found is not None and found.origin:
        path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
        with suppress(OSError):
            return ImageFont.truetype(str(path), max(8, pixels))
    return ImageFont.load_default(max(8, pixels))


def _dashes(points: Sequence[Spot], dash: float, gap: float) -> list[list[Spot]]:
    """A line in pieces."""
    out: list[list[Spot]] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        for number in range(math.ceil(length / (dash + gap))):
            begin = number * (dash + gap) / length
            end = min(1.0, begin + dash / length)
            out.append([(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t) for t in (begin, end)])
    return out


def nice_length(most: float) -> float:
    """The largest length of 1, 2 or 5 times a power of ten that is at most ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(n * power for n in (5, 2, 1) if n * power <= most * 1.000001)


def in_words(um: float) -> str:
    """``500 nm``, ``2 µm``, ``1 mm``."""
    factor, unit = (1e-3, "mm") if um >= 1000 else (1.0, "µm") if um >= 1 else (1e3, "nm")
    return f"{float(f'{um * factor:.4g}'):g} {unit}"
