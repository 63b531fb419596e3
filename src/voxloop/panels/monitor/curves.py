"""What of a run's numbers is drawn: a window of them, few enough to draw, smoothed where asked. Pure: no widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from voxloop.runs import History
from voxloop.runs.events import Event
from voxloop.runs.history import metric_of

#: points a line may have; SVG slows down beyond
POINTS = 2000
#: dots a run may have: each is an element of the page, and more of them only hide each other
DOTS = 1000

Points = tuple[np.ndarray, np.ndarray]


def _empty() -> Points:
    return np.empty(0), np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    """How curves are looked at.

    ``smoothing`` is the weight of the past in the running mean over batches (0: no such line); ``last`` the number of
    steps shown (None: all); ``outliers=False`` leaves batches out that lie far above the others, so that a single
    one does not press all else to the floor.
    """

    smoothing: float = 0.9
    last: int | None = None
    log: bool = False
    outliers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """One run in one plot; x is optimiser steps. ``hidden`` batches lie above what is shown.

    ``best`` is the epoch that is kept, ``highest`` the one whose IoU rose above it by chance, where there is one.
    """

    batches: Points = field(default_factory=_empty)
    smooth: Points = field(default_factory=_empty)
    train: Points = field(default_factory=_empty)
    val: Points = field(default_factory=_empty)
    best: Points = field(default_factory=_empty)
    highest: Points = field(default_factory=_empty)
    hidden: int = 0

    def __bool__(self) -> bool:
        return any(len(x) for x, _ in (self.batches, self.train, self.val))


def curves(history: History, metric: str, view: CurveView, points: int = POINTS) -> Curves:
    """The curves of a metric. ``"loss"`` has batches as well; everything else is per epoch."""
    x, y = history.steps.iteration, history.steps.loss
    start = _start(history, view.last)
    inside = slice(int(np.searchsorted(x, start, side="left")), None)
    x, y = (x[inside], y[inside]) if metric == "loss" else _empty()
    train, val = (_from(epoch_points(history, split, metric), start) for split in ("train", "val"))
    batches, train, val = (_drawable(pair, view.log) for pair in ((x, y), train, val))
    shown = batches if view.outliers else _below(batches, max([fence(batches[1]), *train[1], *val[1]]))
    line = smooth(*shown, view.smoothing, points // 2) if view.smoothing > 0 else _empty()
    peak = _at(val, highest(history)) if metric == "iou" else _empty()
    return Curves(
        batches=decimate(*shown, min(points, DOTS)),
        smooth=line,
        train=decimate(*train, points),
        val=decimate(*val, points),
        best=_at(val, history.best),
        highest=peak,
        hidden=len(batches[0]) - len(shown[0]),
    )


def highest(history: History) -> Event | None:
    """The epoch with the highest validation IoU, where that is not the one that is kept; the first of equals."""
    best = metric_of(history.best, "val", "iou") if history.best else math.nan
    scores = [(metric_of(event, "val", "iou"), event) for event in history.epochs]
    scores = [(score, event) for score, event in scores if not math.isnan(score)]
    score, event = max(scores, key=lambda one: one[0], default=(math.nan, None))
    return event if score > best else None


def metrics(history: History) -> list[str]:
    """Names of the metrics that epochs have besides the loss, in the order of their first mention; then by class."""
    splits = [event.get(split) or {} for event in history.epochs[:3] for split in ("val", "train")]
    scores = [(name, value) for split in splits for name, value in split.items() if name != "loss"]
    by_class = [(name, list(value)) for name, value in scores if isinstance(value, dict) and len(value) > 1]
    classes = [f"{name}: {label}" for name, labels in by_class for label in labels]
    return list(dict.fromkeys([*(name for name, _ in scores), *classes]))


def epoch_points(history: History, split: str, metric: str) -> Points:
    """A metric over epochs, placed at the steps where they ended (at their numbers where steps are not counted)."""
    pairs = [
        (float(event.get("iteration") or event.get("epoch") or number), metric_of(event, split, metric))
        for number, event in enumerate(history.epochs, 1)
    ]
    return np.array([x for x, _ in pairs], float), np.array([y for _, y in pairs], float)


def decimate(x: np.ndarray, y: np.ndarray, limit: int = POINTS) -> Points:
    """At most ``limit`` of the points: lowest and highest of each group of neighbours, so no spike is lost.

    Groups have 2^k points counted from the first, so a curve that grows does not flicker.
    """
    if len(x) <= limit:
        return x, y
    size = group_size(len(x), limit // 2)
    starts = np.arange(0, len(x), size)
    padded = np.full(len(starts) * size, np.nan)
    padded[: len(y)] = y
    groups = padded.reshape(-1, size)
    picked = np.unique(np.concatenate([starts + np.nanargmin(groups, axis=1), starts + np.nanargmax(groups, axis=1)]))
    return x[picked], y[picked]


def smooth(x: np.ndarray, y: np.ndarray, weight: float, limit: int = POINTS // 2) -> Points:
    """Exponential running mean with the bias of its start taken out; at most ``limit`` points.

    Long curves are averaged in groups first; the weight is per step, so the line means the same at any length.
    """
    if not len(x):
        return _empty()
    size = group_size(len(x), limit)
    starts = np.arange(0, len(x), size)
    counts = np.diff(np.append(starts, len(x)))
    means = np.add.reduceat(y, starts) / counts
    out, mean, total = np.empty(len(means)), 0.0, 0.0
    for index, (value, count) in enumerate(zip(means, counts, strict=True)):
        past = weight ** int(count)
        mean, total = past * mean + (1 - past) * value, past * total + (1 - past)
        out[index] = mean / total
    return x[starts + counts - 1], out


def fence(y: np.ndarray) -> float:
    """The value above which a number is an outlier: third quartile and four times the range between the quartiles."""
    if len(y) < 8:
        return math.inf
    low, high = np.percentile(y, [25, 75])
    return float(high + 4 * (high - low)) if high > low else math.inf


def nice_limit(value: float) -> float:
    """The next number above ``value`` of the form 1, 1.5, 2, 3, 4, 5, 6, 8 x 10^n; an axis grows in such jumps."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def ticks(low: float, high: float, count: int = 5) -> np.ndarray:
    """About ``count`` round numbers from ``low`` to ``high``."""
    raw = (high - low) / count
    if not raw > 0:
        return np.array([low])
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw * (1 - 1e-9))
    values = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
    digits = 12 - math.floor(math.log10(power)) if power < 1 else 6
    return np.round(values, digits)


def log_ticks(low: float, high: float) -> np.ndarray:
    """Round numbers on a logarithmic axis: 1, 2, 5 of each decade, or decades alone where there are many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    values = np.array([step * 10.0**power for power in range(first, last + 1) for step in steps])
    return values[(values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9))]


def group_size(length: int, groups: int) -> int:
    """The smallest 2^k such that ``groups`` groups of so many hold all."""
    size = 1
    while math.ceil(length / size) > max(1, groups):
        size *= 2
    return size


def _start(history: History, last: int | None) -> float:
    return -math.inf if last is None else history.iteration - last


def _from(points: Points, start: float) -> Points:
    keep = points[0] >= start
    return points[0][keep], points[1][keep]


def _drawable(points: Points, log: bool) -> Points:
    """Without what is no number, and, on a logarithmic axis, without what is not above zero."""
    x, y = points
    keep = np.isfinite(y) & (y > 0) if log else np.isfinite(y)
    return x[keep], y[keep]


def _below(points: Points, limit: float) -> Points:
    keep = points[1] <= limit
    return points[0][keep], points[1][keep]


def _at(points: Points, epoch: Event | None) -> Points:
    """The one point of a curve that belongs to an epoch."""
    if epoch is None:
        return _empty()
    keep = points[0] == (epoch.get("iteration") or epoch.get("epoch"))
    return points[0][keep], points[1][keep]
