"""``suggest``: the places where a person's next seconds are worth most, by one of several rules. Keeps no voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.geometry import Box, Shape, Spacing
from voxloop.review import ranking
from voxloop.review.effort import seconds_at
from voxloop.review.opinions import Opinions
from voxloop.review.reading import Readable, readable, same_shape
from voxloop.review.survey import SIDE, Survey, look_over
from voxloop.review.sweep import motion, planes_of
from voxloop.review.texture import structure
from voxloop.store.values import whole

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.store import Labels

Strategy = Literal["gain", "uncertainty", "diversity", "random", "stride", "score", "kmeans", "motion"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
#: those of whole planes; the others are of pieces
OF_PLANES = ("stride", "motion")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A place to paint: a piece of the plane across ``axis`` at ``index`` of ``image``.

    Attributes
    ----------
    box : where it lies, in voxels.
    centre : (z, y, x) where in it to look first.
    score : 0 to 1, falling along the list.
    seconds : of a person's time, by the time model of :mod:`voxloop.review.effort`.
    prediction : name of the prediction that it is about; None before any.
    share : of what is expected to be wrong, how much looks like this place and like none before it (before any
        prediction: of the image, how much is of this kind); 0 where the strategy does not ask.
    reason : a sentence.

    Examples
    --------
    >>> place = ws.suggest("predict-1", n=1)[0]
    >>> place.image, place.axis, place.seconds > 0
    ('stack', 'z', True)
    """

    image: str
    axis: str
    index: int
    box: Box
    centre: tuple[float, float, float]
    score: float
    seconds: float
    share: float
    reason: str
    prediction: str | None = None

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box as slices (z, y, x), for indexing."""
        return self.box.slices


@dataclass(frozen=True, eq=False)
class Ground:
    """An image in which places are looked for.

    Attributes
    ----------
    read : ``read(box)`` gives intensities (c, z, y, x).
    frames : planes are pictures of their own.
    predictions : of this image by models of the same classes, the newest first; may be none.
    labels : what is painted on it; None for nothing.
    inside : where to look; None for everywhere.
    seen : pieces of planes that somebody looked at and found right: neither they nor their like are worth a visit.
    """

    image: str
    read: Any
    shape: Shape
    spacing_um: Spacing
    frames: bool = False
    predictions: Sequence[Prediction] = ()
    labels: Labels | None = None
    inside: Box | None = None
    seen: Sequence[Box] = ()

    @property
    def about(self) -> str | None:
        """Name of the newest prediction."""
        return self.predictions[0].name if self.predictions else None


def suggest(grounds: Sequence[Ground], n: int = 8, *, strategy: Strategy = "gain", seed: int = 0) -> list[Suggestion]:
    """Where to paint next, best first.

    Raises
    ------
    PredictionError
        ``n`` is not positive, there is no such strategy, or it needs a prediction that knows how sure it is.
    """
    n, seed = whole("n", n, 1, error=PredictionError), whole("seed", seed, 0, error=PredictionError)
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise PredictionError(unknown("strategy", strategy, STRATEGIES))
    parts = [(ground, box) for ground in grounds if (box := _inside(ground)) is not None]
    if strategy in OF_PLANES:
        return _whole_planes(parts, strategy, n)
    surveyed = [_Surveyed(ground, box, seed, 1 / len(parts)) for ground, box in parts]
    surveyed = [one for one in surveyed if one.free.any()]
    if not surveyed:
        return []
    places = _Places(surveyed)
    ranked = places.rank(strategy, n, seed)
    chosen = zip(ranked.order.tolist(), ranked.score.tolist(), ranked.share.tolist(), strict=True)
    return [places.suggestion(strategy, *one) for one in chosen]


def _inside(ground: Ground) -> Box | None:
    """Where to look: what was asked for and was predicted, None where these do not meet.

    Raises VolumeError where image and predictions do not lie on the same voxels.
    """
    inside = ground.inside or Box.whole(ground.shape)
    for prediction in ground.predictions:
        source = readable(prediction, "the prediction")
        same_shape(source, Readable(ground.shape, None), ("the prediction", "the image"))
    if not ground.predictions or ground.predictions[0].box is None:
        return inside
    return inside.meet(ground.predictions[0].box)


class _Surveyed:
    """One image looked over.

    ``rows`` are the pieces that may be suggested (``free``) and those that somebody found right.
    """

    def __init__(self, ground: Ground, inside: Box, seed: int, share: float) -> None:
        self.ground = ground
        self.opinions = Opinions(ground.predictions) if ground.predictions else None
        self.survey: Survey = look_over(
            ground.read,
            inside,
            ground.spacing_um,
            frames=ground.frames,
            opinions=self.opinions,
            labels=None if ground.labels is None else readable(ground.labels, "the labels"),
            seed=seed,
            share=share,
        )
        seen = self.survey.at_places(ground.seen)
        possible = (self.survey.labelled < 1) & ~seen
        if self.opinions is not None:
            possible &= self.survey.predicted > 0
        self.rows = np.flatnonzero(possible | seen)
        self.free = ~seen[self.rows]


class _Places:
    """The pieces of all images together, and what the strategies ask of them."""

    def __init__(self, surveyed: Sequence[_Surveyed]) -> None:
        self._surveyed = surveyed
        self._owner: np.ndarray = np.concatenate([np.full(len(one.rows), k) for k, one in enumerate(surveyed)])
        self._row: np.ndarray = np.concatenate([one.rows for one in surveyed])
        self.free: np.ndarray = np.concatenate([one.free for one in surveyed])
        self.predicted = all(one.opinions is not None for one in surveyed)
        self.labelled = self._column("labelled")
        looks = self._column("looks")
        self.looks = looks / np.float32(np.sqrt(looks.shape[1]))
        self.unknown = self._unknown()
        self._found_unlike: set[int] = set()

    def _column(self, name: str) -> np.ndarray:
        return np.asarray(np.concatenate([getattr(one.survey, name)[one.rows] for one in self._surveyed]))

    @cached_property
    def loss(self) -> np.ndarray:
        """(n,) how much of the score is expected to be missing at each place: of IoU, mean of the classes that count.

        A voxel of a rare class weighs more, as it does in the score; so do errors that lie together.
        """
        opinions = self._surveyed[0].opinions
        assert opinions is not None
        counts = opinions.foreground
        mass = np.sum([one.survey.mass for one in self._surveyed], axis=0)
        missing = self._column("wrong")[:, counts] / np.maximum(mass[counts], 1.0)
        # a piece that is unsure as a whole can be set right by a stroke; a seam of a pixel along every border cannot
        return np.asarray(missing.mean(axis=1) * self._column("together"))

    @cached_property
    def features(self) -> np.ndarray:
        """(n, features) in which places that teach the same are near: what they look like and what is said of them."""
        if not self.predicted:
            return self.looks
        said = np.sqrt(self._column("said"))
        return np.concatenate([self.looks, said], axis=1).astype(np.float32)

    @cached_property
    def seconds(self) -> np.ndarray:
        """(n,) of a person at each place. The unsure piece says how long strokes become."""
        unsure = self._column("unsure")
        sides = np.array([np.sqrt(np.prod(self._box(at).shape)) for at in range(len(self._row))])
        lengths = np.clip(np.sqrt(unsure) * sides, 8, SIDE) if self.predicted else np.full(len(sides), SIDE / 2)
        return np.asarray([seconds_at(float(length)) for length in lengths])

    def rank(self, strategy: Strategy, n: int, seed: int) -> ranking.Ranked:
        """The places in the order of a strategy."""
        painted = np.flatnonzero(self.labelled > 0)
        free = np.flatnonzero(self.free)
        if strategy == "gain":
            right = np.flatnonzero(~self.free)
            if not self.predicted:
                return self._first(np.union1d(painted, right), n, seed)
            wrong = ranking.rank_by_gain(self.loss * self.free, self.features, self.seconds, n, right=right)
            if not self.unknown:
                return wrong
            # what was never painted is never predicted, and no prediction is unsure about it
            unlike = self._unlike(painted, right, n)
            self._found_unlike = set(unlike.order.tolist()) - set(wrong.order.tolist())
            return ranking.in_turn(unlike, wrong, n)
        if strategy == "diversity":
            left = ranking.rank_by_difference(self.features[free], n, np.flatnonzero(self.labelled[free] > 0))
        elif strategy == "kmeans":
            left = ranking.rank_by_clusters(self.looks[free], n, seed)
        elif strategy == "random":
            left = ranking.rank_by_chance(len(free), n, seed)
        else:
            left = ranking.rank_by_value(self._value(strategy)[free], self._apart()[free], n)
        return replace(left, order=free[left.order])

    def _unknown(self) -> list[str]:
        """Names of classes that were painted nowhere and that no prediction believes in anywhere."""
        opinions = self._surveyed[0].opinions
        grounds = [one.ground for one in self._surveyed]
        semantic = [one.labels for one in grounds if one.labels is not None and one.labels.level.kind == "semantic"]
        known = {value for labels in semantic for value, count in labels.counts().items() if count}
        if opinions is None or not known:
            return []
        mass = np.sum([one.survey.mass for one in self._surveyed], axis=0)
        known |= {info.value for info, believed in zip(opinions.classes, mass, strict=True) if believed > 0}
        return list(
            {info.name: None for labels in semantic for info in labels.level.classes if info.value not in known}
        )

    def _first(self, covered: np.ndarray, n: int, seed: int) -> ranking.Ranked:
        """Places by chance, of all kinds and all over."""
        may_be_drawn = (self.labelled == 0) & self.free
        return ranking.rank_by_kinds(may_be_drawn, self.looks, self._apart(), n, seed, covered)

    def _unlike(self, painted: np.ndarray, right: np.ndarray, n: int) -> ranking.Ranked:
        """The most usual kinds of places that are unlike all that was painted or found right."""
        # where more than one thing is to be seen, more than one class can be painted
        busy = np.exp(structure(self._column("looks"))) * (self.labelled == 0) * self.free
        covered = np.union1d(painted, right)
        return ranking.rank_by_gain(busy, self.looks, self.seconds, n, taught=ranking.NEARLY_ALL, covered=covered)

    def _value(self, strategy: Strategy) -> np.ndarray:
        """(n,) how unsure each place is, as a strategy means it."""
        if not self.predicted:
            raise PredictionError(f"strategy {strategy!r} needs a prediction; before one, use 'gain' or 'kmeans'")
        if strategy == "score":
            there = self._column("said")[:, self._foreground].any(axis=1)
            return np.where(there, 1 - self._column("sureness"), 0)
        return np.asarray(self._column("wrong").sum(axis=1))

    def suggestion(self, strategy: Strategy, at: int, score: float, share: float) -> Suggestion:
        """The place at a position, with its reason."""
        one = self._surveyed[self._owner[at]]
        row = self._row[at]
        box, axis = one.survey.boxes[row], one.survey.axes[row]
        z, y, x = one.survey.worst[row].tolist()
        return Suggestion(
            image=one.ground.image,
            axis=axis,
            index=box.along(axis).start,
            box=box,
            centre=(z, y, x),
            score=score,
            seconds=float(self.seconds[at]),
            share=share,
            reason=self._reason(strategy, at, share),
            prediction=one.ground.about,
        )

    def _reason(self, strategy: Strategy, at: int, share: float) -> str:
        if strategy == "random":
            return "drawn by chance"
        if strategy in ("diversity", "kmeans") or not self.predicted:
            alike = f"stands for {share:.0%} of the image" if share else "unlike the other places"
            return f"{alike}; nothing painted here yet" if self.labelled[at] == 0 else alike
        if at in self._found_unlike:
            return f"unlike all that was painted; there is no {self.unknown[0]} yet"
        words = f"{_unsure(self._column('unsure')[at])}{self._between(at)}"
        if strategy == "score":
            return f"{self._column('sureness')[at]:.0%} sure of what it found here"
        if strategy == "gain":
            return f"{words}; {share:.0%} of what may be wrong looks like this"
        return words

    def _between(self, at: int) -> str:
        """Which classes the model wavers between, in words."""
        opinions = self._surveyed[0].opinions
        if opinions is None or len(opinions.classes) < 2:
            return ""
        wrong = self._column("wrong")[at]
        first, second = sorted(np.argsort(-wrong, kind="stable")[:2].tolist())
        names = [info.name for info in opinions.classes]
        return f" between {names[first]} and {names[second]}" if min(wrong[first], wrong[second]) > 0 else ""

    @property
    def _foreground(self) -> np.ndarray:
        opinions = self._surveyed[0].opinions
        assert opinions is not None
        return opinions.foreground

    def _apart(self) -> np.ndarray:
        """(n, 3) where places lie, in units of how far a stroke tells about its surroundings; images far apart."""
        out = np.empty((len(self._row), 3))
        for number, one in enumerate(self._surveyed):
            mine = self._owner == number
            spacing = np.array(one.ground.spacing_um)
            reach = SIDE * spacing[1:].min()
            out[mine] = one.survey.worst[self._row[mine]] * spacing / reach + 1e3 * number
        return out

    def _box(self, at: int) -> Box:
        box: Box = self._surveyed[self._owner[at]].survey.boxes[self._row[at]]
        return box


def _unsure(share: float) -> str:
    return f"unsure in {share:.0%}" if share >= 0.01 else "nearly sure"


def _whole_planes(parts: Sequence[tuple[Ground, Box]], strategy: Strategy, n: int) -> list[Suggestion]:
    """Every n-th plane, or those that differ most from the one before, over all images."""
    planes: list[tuple[Ground, Box]] = []
    moved: list[float] = []
    for ground, inside in parts:
        boxes = planes_of(inside)
        planes += [(ground, box) for box in boxes]
        if strategy == "motion":
            moved += motion(ground.read, boxes).tolist()
    if strategy == "stride":
        ranked = ranking.rank_evenly(np.linspace(0, 1, len(planes)), n)
    else:
        apart = np.array([[number * 2.0, 0, 0] for number in range(len(planes))]) / max(1, len(planes) / (2 * n))
        ranked = ranking.rank_by_value(np.array(moved), apart, n)
    out = []
    for at, score in zip(ranked.order.tolist(), ranked.score.tolist(), strict=True):
        ground, box = planes[at]
        z, y, x = box.centre
        reason = "one of evenly spaced planes" if strategy == "stride" else "differs most from the one before"
        place = (float(z), float(y), float(x))
        out.append(Suggestion(ground.image, "z", z, box, place, score, seconds_at(SIDE), 0.0, reason, ground.about))
    return out
