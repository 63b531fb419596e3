"""The colours of what is counted, classes, tracks, objects: the same on every screen and in every film. Pure."""

from __future__ import annotations

import numpy as np

#: Okabe & Ito's palette, told apart by colour-blind readers; black left out, since it vanishes in a dark theme.
PALETTE: tuple[str, ...] = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def color(index: int) -> str:
    """The palette's colour for the ``index``-th thing (0-based); repeats after seven."""
    return PALETTE[index % len(PALETTE)]


def rgb(hexed: str) -> tuple[int, int, int]:
    """``"#rrggbb"`` as three numbers to 255."""
    return int(hexed[1:3], 16), int(hexed[3:5], 16), int(hexed[5:7], 16)


def hue(index: int) -> tuple[int, int, int]:
    """The colour of an instance: hues a golden angle apart, so that neighbours differ (as ``plane_layers.js`` does)."""
    turn = (index * 137.508) % 360
    parts = []
    for shift in (0, 8, 4):
        k = (shift + turn / 30) % 12
        parts.append(round(255 * (0.58 - 0.34 * max(-1.0, min(k - 3, 9 - k, 1.0)))))
    return parts[0], parts[1], parts[2]


def hues() -> np.ndarray:
    """(256, 3) uint8: the colours of instances by palette index, 0 is black."""
    table = np.array([hue(index) for index in range(256)], np.uint8)
    table[0] = 0
    return table
