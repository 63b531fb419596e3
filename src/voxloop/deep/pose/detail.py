"""What a report says of held-out pictures: intervals by picture, curves, distances of nodes, counts. Pure numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from voxloop.deep.pose.finding import Found
from voxloop.deep.pose.judging import as_told, candidates, count_points, detected
from voxloop.deep.pose.pictures import AlbumPicture
from voxloop.deep.pose.plan import PlacePlan
from voxloop.deep.pose.scores import f_score, match, summary

#: times that pictures are drawn again; of measures that are sorted anew each time fewer
_DRAWS = 200
#: shares of the size of an animal at which PCK is told
_SHARES = np.round(np.arange(0.02, 0.51, 0.02), 2)
_PERCENTILES = (50, 75, 90, 95, 99)
#: counts of so many pictures are kept one by one
_MOST = 500


def in_detail(
    found: Sequence[Found], plan: PlacePlan, pictures: Sequence[AlbumPicture], tolerance: float, seed: int
) -> dict[str, Any]:
    """Of what was found in held-out pictures; JSON, empty without pictures.

    Returns
    -------
    dict
        ``intervals`` (name to low and high, 90 %, by drawing pictures again; none below two pictures), ``counts`` (a
        row a picture: name, true, found), and of animals ``pck`` (``shares`` of the size, ``within``) and ``nodes``
        (name to how many were true, the share that was missed, and percentiles of distances in pixels), of points and
        boxes ``thresholds`` (``at``, ``precision``, ``recall``).
    """
    if not pictures:
        return {}
    counts = [
        [picture.name, len(picture.places), len(as_told(one, plan))]
        for one, picture in zip(found, pictures, strict=True)
    ][:_MOST]
    if plan.pipeline == "detect":
        counted = count_points(found, pictures, tolerance)
        total = np.asarray(sum(one.counts for one in counted))
        return {
            "intervals": _intervals(counted, lambda drawn: detected(drawn, plan.threshold), seed),
            "counts": counts,
            "thresholds": {
                "at": candidates().tolist(),
                "precision": (total[:, 0] / np.maximum(1, total[:, 0] + total[:, 1])).tolist(),
                "recall": (total[:, 0] / np.maximum(1, total[:, 0] + total[:, 2])).tolist(),
                "f1": [_or_none(f_score(*row)) for row in total.tolist()],
            },
        }
    frames = [match(picture.places.at, one.at, one.scores) for one, picture in zip(found, pictures, strict=True)]
    shares = [frame.distances / frame.sizes[frame.pairs[:, 0], None] for frame in frames if len(frame.pairs)]
    placed = np.concatenate([~np.isnan(picture.places.at).any(2) for picture in pictures])
    relative = np.concatenate(shares) if shares else np.full((0, len(plan.names)), np.nan)
    away = np.concatenate([frame.distances for frame in frames]) if frames else relative
    return {
        "intervals": _intervals(frames, lambda drawn: summary(drawn, plan.names), seed),
        "counts": counts,
        "pck": {
            "shares": _SHARES.tolist(),
            "within": [float((relative <= share).sum() / max(1, placed.sum())) for share in _SHARES],
        },
        "nodes": {name: _node(away[:, n], int(placed[:, n].sum())) for n, name in enumerate(plan.names)},
    }


def _node(away: np.ndarray, true: int) -> dict[str, Any]:
    known = away[~np.isnan(away)]
    told: dict[str, Any] = {"true": true, "missed": 1 - len(known) / true if true else None}
    for share in _PERCENTILES:
        told[f"p{share}"] = float(np.percentile(known, share)) if len(known) else None
    return told


def _intervals(
    each: Sequence[Any], measure: Callable[[list[Any]], dict[str, float]], seed: int
) -> dict[str, list[float]]:
    """Of each measure, 90 %, by drawing pictures again and again; none below two of them."""
    if len(each) < 2:
        return {}
    rng = np.random.default_rng((seed, 13))
    drawn = [measure([each[n] for n in rng.integers(len(each), size=len(each))]) for _ in range(_DRAWS)]
    out = {}
    for name in drawn[0]:
        values = np.array([one.get(name, np.nan) for one in drawn], float)
        values = values[np.isfinite(values)]
        if len(values) > _DRAWS // 2:
            out[name] = [float(value) for value in np.percentile(values, [5, 95])]
    return out


def _or_none(value: float) -> float | None:
    return value if value == value else None
