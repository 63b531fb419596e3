"""One number a frame to see at a glance: how many, how sure, how far moved. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from voxloop.store import BoxLabels, PointLabels

Graph = Literal["number", "score", "displacement", "none"]
GRAPHS: tuple[Graph, ...] = get_args(Graph)
#: columns of the seek bar that are told apart
MOST = 800


def values(points: PointLabels | BoxLabels, graph: Graph) -> np.ndarray:
    """The number of every frame (frames,); NaN where there is none."""
    frames = points.shape[0]
    columns = points.arrays()
    at = columns["frame"]
    out = np.full(frames, np.nan)
    if graph == "none" or not len(at):
        return out
    if graph == "number":
        return np.bincount(at, minlength=frames).astype(float)
    if graph == "score":
        sure = np.isfinite(columns["score"])
        total = np.bincount(at[sure], columns["score"][sure], minlength=frames)
        number = np.bincount(at[sure], minlength=frames)
        out[number > 0] = total[number > 0] / number[number > 0]
        return out
    return _displacement(at, columns["track"], columns["points"], out)


def _displacement(at: np.ndarray, track: np.ndarray, places: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The farthest that a track went since the frame before."""
    known = (track != "") & np.isfinite(places).any(axis=(1, 2))
    at, track = at[known], track[known]
    centre = np.nanmean(places[known], axis=1)
    order = np.lexsort((at, track))
    at, track, centre = at[order], track[order], centre[order]
    follows = (track[1:] == track[:-1]) & (at[1:] == at[:-1] + 1)
    went = np.linalg.norm(centre[1:] - centre[:-1], axis=1)
    np.fmax.at(out, at[1:][follows], went[follows])
    return out


def columns_of(frames: int) -> int:
    """How many columns a bar of so many frames has."""
    return max(1, min(frames, MOST))


def shortened(numbers: np.ndarray) -> list[float | None]:
    """At most :data:`MOST` columns, 0 to 1, the largest of those that share one; None where there is none."""
    bars = columns_of(len(numbers))
    out = np.full(bars, np.nan)
    np.fmax.at(out, np.arange(len(numbers)) * bars // len(numbers), numbers)
    top = np.nanmax(out) if np.isfinite(out).any() else 0.0
    return [None if np.isnan(value) else round(float(value / top), 3) if top > 0 else 0.0 for value in out]


def marked(frames: list[int], count: int) -> list[int]:
    """The columns in which these frames lie."""
    bars = columns_of(count)
    return sorted({frame * bars // count for frame in frames})
