"""A made-up film of one mouse in an open field from above, as people film and label it: 640 x 480, frames far apart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

NODES = ("nose", "left ear", "right ear", "centre", "tail base", "tail tip")
EDGES = (
    ("nose", "left ear"),
    ("nose", "right ear"),
    ("nose", "centre"),
    ("centre", "tail base"),
    ("tail base", "tail tip"),
)
SYMMETRIC = (("left ear", "right ear"),)
#: height and width of a frame
SIZE = (480, 640)
#: half the width of a mouse from nose to base of the tail, as a share of its length
_WIDTHS = (0.02, 0.055, 0.09, 0.105, 0.095, 0.12, 0.155, 0.18, 0.185, 0.17, 0.12, 0.04)
#: where along that the ears and the centre are
_EARS, _CENTRE = 0.27, 0.62
#: how far a person's clicks stray, pixels an axis
_BY_HAND = 1.5
#: pixels around a mouse that are drawn
_ROUND = 190


def film(count: int, seed: int) -> tuple[np.ndarray, list[dict[str, tuple[float, float]]]]:
    """Frames (n, y, x) uint8 and, of each, the nodes (y, x) as a person would have placed them.

    One look a seed: a dark mouse on a light ground, a light one on a dark ground, or one of little contrast; ground
    with gradients, vignetting, the border of the box, bedding; its body bends, it moves while the shutter is open;
    clicks stray. Nodes beyond the edge are not placed.
    """
    rng = np.random.default_rng(seed)
    look = _Look(rng, seed % 3)
    frames, places = np.zeros((count, *SIZE), np.uint8), []
    for number in range(count):
        frames[number], nodes = look.frame()
        placed = nodes + rng.normal(0, _BY_HAND, nodes.shape)
        inside = np.asarray(((nodes >= 0) & (nodes < SIZE)).all(1))
        named = zip(NODES, placed.tolist(), inside.tolist(), strict=True)
        places.append({name: (at[0], at[1]) for name, at, seen in named if seen})
    return frames, places


class _Look:
    """What stays the same over a film."""

    def __init__(self, rng: np.random.Generator, kind: int) -> None:
        self._rng = rng
        ground, coat = [(rng.uniform(150, 200), rng.uniform(35, 60)), (rng.uniform(55, 80), rng.uniform(150, 200)),
                        (rng.uniform(105, 125), rng.uniform(50, 65))][kind]  # fmt: skip
        self._coat, self._length = coat, rng.uniform(70, 95)
        self._ear = coat + (ground - coat) * rng.uniform(0.05, 0.25)
        self._tail = coat + (ground - coat) * rng.uniform(0.4, 0.7)
        self._noise, self._quality = rng.uniform(3, 5), int(rng.integers(55, 85))
        self._ground = _ground(rng, ground)

    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        rng, length = self._rng, self._length * self._rng.uniform(0.7, 1.15)
        heading, bend = rng.uniform(0, 2 * np.pi), float(np.clip(rng.normal(0, 0.8), -2, 2))
        room = 75.0
        middle = np.array([rng.uniform(room, side - room) for side in SIZE])
        spine, across = _spine(length, heading, bend)
        spine += middle - spine[len(spine) // 2]
        widths = np.interp(np.linspace(0, 1, len(spine)), np.linspace(0, 1, len(_WIDTHS)), _WIDTHS) * length
        ear, centre = round(_EARS * (len(spine) - 1)), round(_CENTRE * (len(spine) - 1))
        ears = [spine[ear] + side * across[ear] * 0.095 * length for side in (1, -1)]
        tail = _tail_of(rng, spine, length)
        picture = self._ground.copy()
        low = np.clip(middle.astype(int) - _ROUND, 0, SIZE)
        high = np.clip(middle.astype(int) + _ROUND, 0, SIZE)
        part = picture[low[0] : high[0], low[1] : high[1]]
        grid = np.asarray(np.mgrid[low[0] : high[0], low[1] : high[1]], dtype=float)
        _shade(part, grid, spine, widths)
        _line(part, grid, tail, np.linspace(0.022, 0.01, len(tail)) * length, self._tail)
        _body(part, grid, spine, widths, self._coat)
        for at in ears:
            _line(part, grid, at[None], np.array([0.05 * length]), self._ear)
        _blur(part, spine[0] - spine[-1], rng)
        grained = ndimage.gaussian_filter(picture, 0.6) + rng.normal(0, self._noise, SIZE) + rng.normal(0, 2)
        stream = io.BytesIO()
        Image.fromarray(np.clip(grained, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=self._quality)
        nodes = np.stack([spine[0], *ears, spine[centre], spine[-1], tail[-1]])
        return np.asarray(Image.open(stream)), nodes


def _ground(rng: np.random.Generator, level: float) -> np.ndarray:
    """Floor with walls around it, unevenly lit, with some bedding and droppings."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    out = np.full(SIZE, level)
    slope = rng.uniform(-0.15, 0.15, 2) * level
    out += slope[0] * (y / SIZE[0] - 0.5) + slope[1] * (x / SIZE[1] - 0.5)
    out += ndimage.gaussian_filter(rng.normal(0, 1, SIZE), 40) * rng.uniform(150, 350) * level / 150
    out += ndimage.gaussian_filter(rng.normal(0, 1, SIZE), 2) * rng.uniform(8, 20)
    for _ in range(int(rng.integers(10, 40))):
        at, size = rng.uniform(0, SIZE), rng.uniform(1.5, 6)
        away = ((y - at[0]) / size) ** 2 + ((x - at[1]) / (size * rng.uniform(0.5, 2))) ** 2
        out += rng.uniform(-0.3, 0.2) * level * np.exp(-away)
    border = rng.uniform(15, 40, 4)
    edge = np.minimum.reduce([y - border[0], SIZE[0] - border[1] - y, x - border[2], SIZE[1] - border[3] - x])
    out *= 1 + rng.uniform(-0.45, 0.2) / (1 + np.exp(edge / 1.5))
    out *= 1 - 0.35 * np.exp(-((edge / 3.0) ** 2)) * rng.uniform(0.3, 1)
    far = ((y / SIZE[0] - 0.5) ** 2 + (x / SIZE[1] - 0.5) ** 2) / 0.5
    return np.asarray(out * (1 - rng.uniform(0.1, 0.4) * far))


def _spine(length: float, heading: float, bend: float, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """From nose to base of the tail (n, yx), and what lies to the left of each of these places."""
    turns = heading + bend * np.linspace(1, -0.4, count)
    steps = -np.stack([np.sin(turns), np.cos(turns)], 1) * length / (count - 1)
    spine = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    return spine, np.stack([-np.cos(turns), np.sin(turns)], 1)


def _tail_of(rng: np.random.Generator, spine: np.ndarray, length: float, count: int = 40) -> np.ndarray:
    back = spine[-1] - spine[-4]
    turn = np.arctan2(back[0], back[1]) + rng.normal(0, 0.5) + np.cumsum(np.full(count, rng.normal(0, 1.2) / count))
    step = rng.uniform(0.6, 0.95) * length / count
    return np.asarray(spine[-1] + np.cumsum(np.stack([np.sin(turn), np.cos(turn)], 1) * step, axis=0))


def _inside(grid: np.ndarray, line: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much each pixel lies within discs along a line, 0 to 1, and how deep, as a share of their width."""
    deep = np.full(grid.shape[1:], -np.inf)
    share = np.zeros(grid.shape[1:])
    for at, width in zip(line, widths, strict=True):
        own = width - np.hypot(grid[0] - at[0], grid[1] - at[1])
        share = np.where(own > deep, own / width, share)
        deep = np.maximum(deep, own)
    return 1 / (1 + np.exp(-2.5 * deep.clip(-20, 20))), share.clip(0, 1)


def _body(part: np.ndarray, grid: np.ndarray, spine: np.ndarray, widths: np.ndarray, coat: float) -> None:
    inside, deep = _inside(grid, spine, widths)
    part[:] = part * (1 - inside) + inside * coat * (0.88 + 0.24 * deep)


def _line(part: np.ndarray, grid: np.ndarray, line: np.ndarray, widths: np.ndarray, gray: float) -> None:
    inside, _ = _inside(grid, line, widths)
    part[:] = part * (1 - inside) + inside * gray


def _shade(part: np.ndarray, grid: np.ndarray, spine: np.ndarray, widths: np.ndarray) -> None:
    inside, _ = _inside(grid, spine[::4] + 4, widths[::4] * 1.1)
    part *= 1 - 0.15 * ndimage.gaussian_filter(inside, 5)


def _blur(part: np.ndarray, along: Sequence[float] | Any, rng: np.random.Generator) -> None:
    """The animal moves forward while the shutter is open."""
    far = rng.exponential(1.5)
    unit = np.asarray(along) / np.linalg.norm(along)
    moved = [ndimage.shift(part, unit * share * far, order=1, mode="nearest") for share in (-0.5, 0, 0.5)]
    part[:] = np.mean(moved, axis=0)
