"""How well a learner of places does on pictures that were held out: loss, distances, OKS, or found and made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.deep.networks.device import lay_out
from voxloop.deep.pose.finding import Finder, Found
from voxloop.deep.pose.lessons import Lesson, MapLoss
from voxloop.deep.pose.pictures import AlbumPicture
from voxloop.deep.pose.plan import PlacePlan
from voxloop.deep.pose.scores import f_score, found_points, match, summary

#: thresholds among which the best is looked for
_CANDIDATES = np.concatenate([[0.02, 0.03, 0.05, 0.07], np.arange(0.1, 0.91, 0.05)])
_DRAWS = 1000
#: thresholds whose F1 is so near the best are as good
_AS_GOOD = 0.01


@dataclass(frozen=True, slots=True)
class PictureCount:
    """Points of one picture at each of the candidate thresholds: (threshold, 3) found, made up, missed."""

    counts: np.ndarray
    true: int


def loss_of(networks: Mapping[str, nn.Module], lessons: Mapping[str, Sequence[Lesson]], criterion: MapLoss) -> float:
    """The mean loss of held-out windows, stages added up."""
    total = 0.0
    for name, own in lessons.items():
        device = next(networks[name].parameters()).device
        losses: list[Tensor] = []
        for lesson in own:
            there = lesson.to(device)
            losses.append(criterion(networks[name](lay_out(there.pixels)), there))
        if losses:
            total += float(torch.stack(losses).mean())
    return total


def look(finder: Finder, plan: PlacePlan, pictures: Sequence[AlbumPicture]) -> list[Found]:
    """What is found in each picture: animals above the plan's threshold, of points and boxes all that there are."""
    threshold = 0.0 if plan.pipeline == "detect" else None
    return [finder.find([picture], threshold)[0] for picture in pictures]


def as_told(found: Found, plan: PlacePlan) -> Found:
    """Of what :func:`look` found what a prediction tells."""
    return found.above(plan.threshold) if plan.pipeline == "detect" else found


def measures(
    found: Sequence[Found], plan: PlacePlan, pictures: Sequence[AlbumPicture], tolerance: float
) -> dict[str, float]:
    """Measures of held-out pictures, in each of which :func:`look` found something, by name; none without pictures."""
    if not pictures:
        return {}
    if plan.pipeline == "detect":
        return detected(count_points(found, pictures, tolerance), plan.threshold)
    pairs = zip(found, pictures, strict=True)
    frames = [match(picture.places.at, one.at, one.scores) for one, picture in pairs]
    return {name: value for name, value in summary(frames, plan.names).items() if value == value}


def count_points(found: Sequence[Found], pictures: Sequence[AlbumPicture], tolerance: float) -> list[PictureCount]:
    """Points found, made up and missed in each picture, at every candidate threshold."""
    out = []
    for one, picture in zip(found, pictures, strict=True):
        rows = [_count(picture, one.above(threshold), tolerance) for threshold in _CANDIDATES]
        out.append(PictureCount(np.array(rows), len(picture.places)))
    return out


def candidates() -> np.ndarray:
    """Thresholds at which points are counted."""
    return _CANDIDATES


def best_threshold(counted: Sequence[PictureCount]) -> float:
    """Where F1 over all pictures is best; of those that are all but as good, the one that counts most nearly right.

    Counts are compared picture by picture: what is made up in one does not make up for what is missed in another.
    """
    total = np.asarray(sum(one.counts for one in counted))
    scores = np.nan_to_num(np.array([f_score(*row) for row in total.tolist()]), nan=0.0)
    best = np.flatnonzero(scores >= scores.max() - _AS_GOOD)
    away = np.mean([np.abs(one.counts[best, 1] - one.counts[best, 2]) / max(1, one.true) for one in counted], axis=0)
    nearest = best[away <= away.min() + 1e-9]
    return float(_CANDIDATES[nearest[len(nearest) // 2]])


def detected(counted: Sequence[PictureCount], threshold: float) -> dict[str, float]:
    """``f1``, ``precision``, ``recall``, and how far counts are off: ``count_error`` and ``count_error_of_all``.

    The first is the mean over pictures, each a share of its own true number; the second adds up how far all pictures
    are off, as a share of all that there are, so that a picture of few counts little.
    """
    row = int(np.argmin(np.abs(_CANDIDATES - threshold)))
    hits, made_up, missed = np.sum([one.counts[row] for one in counted], axis=0).tolist()
    off = np.array([abs(one.counts[row, 0] + one.counts[row, 1] - one.true) for one in counted])
    true = np.array([one.true for one in counted])
    return {
        "f1": f_score(hits, made_up, missed),
        "precision": hits / max(1, hits + made_up),
        "recall": hits / max(1, hits + missed),
        "count_error": float(np.mean(off / np.maximum(1, true))),
        "count_error_of_all": float(off.sum() / max(1, true.sum())),
    }


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """Of a mean over pictures, 90 %, by drawing pictures again and again; NaN below two of them."""
    if len(values) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    given = np.asarray(values)
    drawn = given[rng.integers(len(given), size=(_DRAWS, len(given)))].mean(1)
    low, high = np.percentile(drawn, [5, 95])
    return float(low), float(high)


def per_picture(
    found: Sequence[Found], plan: PlacePlan, pictures: Sequence[AlbumPicture], tolerance: float
) -> list[float]:
    """One number a picture, for an interval: the mean OKS of its animals, or the F1 of its points."""
    if plan.pipeline == "detect":
        row = int(np.argmin(np.abs(_CANDIDATES - plan.threshold)))
        counted = count_points(found, pictures, tolerance)
        return [value for one in counted if (value := f_score(*one.counts[row].tolist())) == value]
    out = []
    for one, picture in zip(found, pictures, strict=True):
        if not len(picture.places):
            continue
        pairs = match(picture.places.at, one.at, one.scores)
        got = sum(float(pairs.similarity[a, b]) for a, b in pairs.pairs)
        out.append(got / len(picture.places))
    return out


def _count(picture: AlbumPicture, found: Found, tolerance: float) -> list[int]:
    """Class by class."""
    total = np.zeros(3, int)
    for channel in range(picture.places.at.shape[1]):
        true, other = picture.places.at[:, channel], found.at[:, channel]
        true, other = true[~np.isnan(true).any(1)], other[~np.isnan(other).any(1)]
        total += np.array(found_points(true, other, tolerance))
    return [int(n) for n in total]


def draw_places(path: Any, picture: AlbumPicture, found: Found, plan: PlacePlan) -> None:
    """A PNG of a held-out picture: what was labelled (white), what was found (orange)."""
    from PIL import Image, ImageDraw

    shape = picture.shape
    middle = shape[0] // 2 if len(shape) == 3 else None
    low = [0] * len(shape) if middle is None else [middle, 0, 0]
    high = list(shape) if middle is None else [middle + 1, shape[1], shape[2]]
    grays = picture.grays(low, high)
    plane = grays[0].reshape(shape[-2:]).astype(float)
    bottom, top = np.percentile(plane, [1, 99])
    gray = (np.clip((plane - bottom) / max(top - bottom, 1e-6), 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(gray).convert("RGB")
    pen = ImageDraw.Draw(image)
    if plan.pipeline == "detect":
        found = found.above(plan.threshold)
    for at, color, radius in ((picture.places.at, "white", 3), (found.at, "#e69f00", 2)):
        for own in at:
            if middle is not None:
                own = own[np.abs(own[:, 0] - middle) <= 2][:, 1:]
            for first, second in plan.edges:
                ends = own[[first, second]]
                if not np.isnan(ends).any():
                    pen.line([tuple(ends[0, ::-1]), tuple(ends[1, ::-1])], fill=color)
            for y, x in own[~np.isnan(own).any(1)]:
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], outline=color)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    image.save(temporary, format="PNG")
    temporary.replace(path)
