"""Which frames to label next, where a level holds points, boxes or classes of frames. Reads thumbnails; keeps none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.spatial.distance import cdist

from voxloop.errors import PredictionError, unknown
from voxloop.geometry import Box, Shape
from voxloop.review import ranking
from voxloop.review.suggest import Suggestion
from voxloop.review.sweep import motion
from voxloop.store.values import whole

#: ``velocity``: how far bodies go; ``displacement``: how far single nodes do; ``chunk``: one frame after the other
FrameStrategy = Literal["kmeans", "stride", "random", "score", "velocity", "displacement", "chunk", "motion"]
STRATEGIES: tuple[FrameStrategy, ...] = get_args(FrameStrategy)
#: those that ask where instances are
OF_PLACES = ("score", "velocity", "displacement")
_WORDS = {
    "score": "unsure of what it found here ({:.2f})",
    "velocity": "bodies go {:.1f} pixels from the frame before",
    "displacement": "a node goes {:.1f} pixels from the frame before",
}
#: frames whose pictures are looked at, at most; side of a thumbnail; numbers that describe it
_LOOKED, _SIDE, _NUMBERS = 400, 24, 8
#: of a person's time for a frame
_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class FrameGround:
    """Frames that are looked through.

    Attributes
    ----------
    read : ``read(box)`` gives intensities (c, z, y, x).
    frames : those that may be suggested, in order.
    places : instances as ``arrays()`` gives them; None where nobody said where anything is.
    about : name of the run whose findings these are.
    """

    image: str
    read: Callable[[Box], np.ndarray]
    shape: Shape
    frames: Sequence[int]
    places: Mapping[str, np.ndarray] | None = None
    about: str | None = None


def suggest_frames(ground: FrameGround, n: int = 20, strategy: str = "kmeans", seed: int = 0) -> list[Suggestion]:
    """Frames worth labelling, best first. Raises PredictionError where the strategy needs what is not there."""
    n, seed = whole("n", n, 1, error=PredictionError), whole("seed", seed, 0, error=PredictionError)
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise PredictionError(unknown("strategy", strategy, STRATEGIES))
    if strategy in OF_PLACES and (ground.places is None or not len(ground.places["frame"])):
        raise PredictionError(
            f"strategy {strategy!r} asks where things are, and nothing was found or labelled; predict first, or use "
            "'kmeans' or 'stride'"
        )
    if not len(ground.frames):
        return []
    frames, ranked, words = _rank(ground, n, strategy, seed)
    pairs = zip(ranked.order.tolist(), ranked.score.tolist(), strict=True)
    return [_suggestion(ground, int(frames[at]), score, words(at)) for at, score in pairs]


def _rank(
    ground: FrameGround, n: int, strategy: str, seed: int
) -> tuple[np.ndarray, ranking.Ranked, Callable[[int], str]]:
    """Frames, an order of them, and the reason of each."""
    frames = np.asarray(ground.frames, int)
    if strategy == "random":
        return frames, ranking.rank_by_chance(len(frames), n, seed), lambda at: "drawn by chance"
    if strategy == "stride":
        ranked = ranking.rank_evenly(np.linspace(0, 1, len(frames)), n)
        return frames, ranked, lambda at: "one of evenly spaced frames"
    if strategy == "chunk":
        first = frames[:n]
        return frames, ranking.rank_evenly(np.linspace(0, 1, len(first)), len(first)), lambda at: "the next in turn"
    if strategy == "kmeans":
        looked = frames[np.unique(np.linspace(0, len(frames) - 1, _LOOKED).round().astype(int))]
        ranked = ranking.rank_by_clusters(_looks(ground, looked), n, seed)
        share = dict(zip(ranked.order.tolist(), ranked.share.tolist(), strict=True))
        return looked, ranked, lambda at: f"looks like {share[at]:.0%} of the frames"
    if strategy == "motion":
        value = motion(ground.read, [_box(ground, frame) for frame in frames.tolist()])
        words = "differs most from the one before"
        return frames, _apart(value, frames, n), lambda at: words
    assert ground.places is not None
    value = _of_places(ground.places, frames, strategy)
    told = _WORDS[strategy]
    return frames, _apart(value, frames, n), lambda at: told.format(value[at])


def _apart(value: np.ndarray, frames: np.ndarray, n: int) -> ranking.Ranked:
    """The highest values first, neighbours of what was taken later."""
    reach = max(1.0, len(frames) / (4 * n))
    at = np.zeros((len(frames), 3))
    at[:, 0] = frames / reach
    return ranking.rank_by_value(value, at, n)


def _of_places(places: Mapping[str, np.ndarray], frames: np.ndarray, strategy: str) -> np.ndarray:
    """(frames,) how unsure, or how far things went."""
    value = np.zeros(len(frames))
    by_frame = _by_frame(places["frame"])
    score = np.asarray(places["scores"] if "node_scores" in places else places["score"], float)
    for n, frame in enumerate(frames.tolist()):
        rows = by_frame.get(frame)
        if rows is None:
            continue
        if strategy == "score":
            known = score[rows][~np.isnan(score[rows])]
            value[n] = max(0.0, 1 - float(known.mean())) if len(known) else 0.0
        elif (before := by_frame.get(frame - 1)) is not None:
            value[n] = _went(places["points"][before], places["points"][rows], nodes=strategy == "displacement")
    return value


def _went(before: np.ndarray, now: np.ndarray, *, nodes: bool) -> float:
    """How far (pixels) the bodies of a frame, or its fastest node, are from the nearest ones of the frame before."""
    old, new = (np.nanmean(at, axis=1) for at in (before, now))
    nearest = cdist(new, old).argmin(axis=1)
    if not nodes:
        return float(np.linalg.norm(new - old[nearest], axis=1).max())
    ways = np.linalg.norm(now - before[nearest], axis=2)
    return float(np.nanmax(ways)) if not np.isnan(ways).all() else 0.0


def _by_frame(frame: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(frame, kind="stable")
    numbers, starts = np.unique(frame[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=False))


def _looks(ground: FrameGround, frames: np.ndarray) -> np.ndarray:
    """Numbers (frame, features) of what frames look like: main directions of their thumbnails."""
    step = max(1, max(ground.shape[1:]) // (4 * _SIDE))
    small = []
    for frame in frames.tolist():
        picture = np.nan_to_num(np.asarray(ground.read(_box(ground, frame)), np.float32)[:, 0, ::step, ::step])
        rows, columns = (np.linspace(0, size, min(_SIDE, size) + 1).astype(int)[:-1] for size in picture.shape[1:])
        means = np.add.reduceat(np.add.reduceat(picture, rows, axis=1), columns, axis=2)
        small.append(means.ravel())
    values = np.stack(small)
    values = values - values.mean(axis=0)
    u, s, _ = np.linalg.svd(values, full_matrices=False)
    described: Any = (u * s)[:, :_NUMBERS]
    return np.asarray(described / max(float(np.abs(described).max()), 1e-12), np.float32)


def _box(ground: FrameGround, frame: int) -> Box:
    return Box((frame, 0, 0), (frame + 1, *ground.shape[1:]))


def _suggestion(ground: FrameGround, frame: int, score: float, reason: str) -> Suggestion:
    box = _box(ground, frame)
    y, x = ((size - 1) / 2 for size in ground.shape[1:])
    return Suggestion(ground.image, "z", frame, box, (float(frame), y, x), score, _SECONDS, 0.0, reason, ground.about)
