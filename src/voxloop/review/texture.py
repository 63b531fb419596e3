"""What pieces of planes look like, in a few cheap numbers: brightness, and structure at several sizes. Pure."""

from __future__ import annotations

import numpy as np

#: halvings of the resolution at which structure is measured
OCTAVES = 4


def describe_pieces(pieces: np.ndarray) -> np.ndarray:
    """Numbers (n, features) that describe pieces of planes (n, c, rows, columns) of any real dtype.

    For each channel: the mean, how far the darkest and the brightest tenth lie from it, and the deviation of means of
    squares of 1, 2, 4 and 8 pixels. In units of the intensities; :func:`comparable` takes those out.
    """
    values = np.asarray(pieces, np.float32)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    flat = values.reshape(*values.shape[:2], -1)
    mean = flat.mean(axis=2)
    dark, bright = np.percentile(flat[..., :: max(1, flat.shape[2] // 1024)], (10, 90), axis=2)
    columns = [mean, np.maximum(mean - dark, 0), np.maximum(bright - mean, 0)]
    for _ in range(OCTAVES):
        columns.append(values.std(axis=(2, 3)))
        values = _halve(values)
    return np.stack(columns, axis=2).reshape(len(pieces), -1).astype(np.float32)


def _halve(values: np.ndarray) -> np.ndarray:
    """Means of squares of two; a last odd row or column is dropped, a single one stays."""
    for axis in (2, 3):
        size = values.shape[axis]
        if size > 1:
            even = values.take(range(0, size - 1, 2), axis=axis)
            odd = values.take(range(1, size, 2), axis=axis)
            values = (even + odd) / 2
    return values


def structure(looks: np.ndarray) -> np.ndarray:
    """How much stands out in each piece (n,), of what :func:`comparable` gave: the deviation of its coarsest means."""
    return np.asarray(looks.reshape(len(looks), -1, 3 + OCTAVES)[..., -1].mean(axis=1))


def comparable(described: np.ndarray) -> np.ndarray:
    """The same (n, features) with mean 0 and deviation 1, whatever the exposure; of one image at a time.

    Deviations become logarithms: twice the contrast is as far from once as once is from half.
    """
    per_channel = described.reshape(len(described), -1, 3 + OCTAVES).astype(np.float64)
    scale = np.maximum(per_channel[..., 3].mean(axis=0), 1e-12)
    out = per_channel.copy()
    out[..., :1] = (per_channel[..., :1] - per_channel[..., :1].mean(axis=0)) / scale[:, None]
    out[..., 1:] = np.log(per_channel[..., 1:] / scale[:, None] + 0.05)
    flat = out.reshape(len(out), -1)
    return np.asarray((flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-6), np.float32)
