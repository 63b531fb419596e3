"""``simulate``: an annotator that knows the truth paints a few short strokes, through the same brush as a person.

Paints nothing but strokes; knows no learner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import Box
from voxloop.review.annotator import correcting_strokes, first_strokes, overshoot, visible_errors
from voxloop.review.effort import STROKES, AnnotationEffort
from voxloop.review.reading import readable, same_shape
from voxloop.review.round_log import RoundLog
from voxloop.review.scenes import Scenes, Sight, picture_of
from voxloop.review.tracing import Stroke
from voxloop.store import values
from voxloop.store.values import as_list, number, whole

if TYPE_CHECKING:
    from voxloop.review.suggest import Suggestion
    from voxloop.store import Edit, Labels

_SLICES = 5


@dataclass(frozen=True, slots=True, repr=False)
class SimulatedRound:
    """What the annotator did in one round.

    ``labelled_voxels`` are all that carry a label now, ``labelled_share`` their share of the volume, ``slice_share`` of
    the slices painted on in this round. ``annotation_seconds``: what that would cost a person, by the keystroke-level
    model (:mod:`voxloop.review.effort`). ``mistakes``: numbers of the edits that are wrong, of ``edits``. ``right``:
    suggested places where nothing wrong was to be seen; ``seen=`` of ``ws.suggest`` takes them.
    """

    strokes: int
    labelled_voxels: int
    labelled_share: float
    annotation_seconds: float
    edits: tuple[Edit, ...]
    slices: tuple[int, ...]
    slice_share: float
    mistakes: tuple[int, ...] = ()
    right: tuple[Suggestion, ...] = ()

    def __repr__(self) -> str:
        wrong = f"; {len(self.mistakes)} of them mistakes" if self.mistakes else ""
        return (
            f"<SimulatedRound: {self.strokes} strokes on slices {', '.join(map(str, self.slices))}{wrong}; "
            f"{self.labelled_voxels:,} voxels labelled ({self.labelled_share:.1%} of the volume); "
            f"about {self.annotation_seconds:.0f} s of a person's time>"
        )


def simulate(
    ws: Any,
    truth: Any,
    prediction: Any = None,
    *,
    level: str | None = None,
    image: str | None = None,
    slices: Sequence[int] | None = None,
    suggest: bool | str | Sequence[Suggestion] = False,
    strokes: int = 24,
    radius: float = 6.0,
    length: int = 64,
    share: float | None = None,
    mistakes: float = 0.0,
    seed: int = 0,
) -> SimulatedRound:
    """Paint one round of strokes.

    Parameters
    ----------
    ws
        A Workspace or Store; painting goes through ``ws.labels(level, image).paint``.
    truth
        Class values (z, y, x) as the level counts them, 0 where nobody knows; ids where the level is of instances.
    prediction
        What the model says now: anything :func:`evaluate` takes. None: a first round, strokes through objects, along
        borders on both sides, and through background that looks alike. Else: strokes where it is wrong, the largest
        error first, one inside it and one on the other side of its border.
    slices
        Planes across z. None: five, evenly spread, or those with the largest errors.
    suggest
        Go to suggested places in turn instead and paint two strokes at each: True asks ``ws.suggest(prediction)``, a
        name asks for that strategy of it, a list of suggestions is gone through as it is (those of other images are
        passed over). A place where nothing wrong is to be seen is looked at and left; before any prediction every
        class in sight gets a stroke.
    strokes
        How many at most; shared among the slices.
    radius, length
        The fattest brush and the longest stroke, in voxels of the finest in-plane axis.
    share
        Stop where this share of the slices' voxels is labelled, earlier rounds included; not with ``suggest``.
    mistakes
        Share of strokes, 0 to 1, that go wrong: half are of another class, half run across the border.
    seed
        The same seed paints the same strokes.

    Raises
    ------
    LabelError, VolumeError
        The truth does not fit the level or the image, or ``mistakes`` is no share.

    Examples
    --------
    >>> painted = vl.simulate(ws, np.where(truth > 0, 1, 2), strokes=4, radius=2, length=12, seed=0)
    >>> len(painted.edits), painted.mistakes
    (4, ())
    """
    mistakes = values.share("mistakes", mistakes)
    strokes, seed = whole("strokes", strokes, 1), whole("seed", seed, 0)
    radius, length = number("radius", radius, 0), whole("length", length, 1)
    if share is not None:
        share = values.share("share", share)
    lab = ws.labels(level=level, image=image)
    right = readable(truth, "the truth")
    predicted = None if prediction is None else readable(prediction, "the prediction")
    for other, what in ((right, "the truth"), (predicted, "the prediction")):
        if other is not None:
            same_shape(other, readable(lab, "the labels"), (what, "the image"))
    rng = np.random.default_rng(seed)
    scenes = Scenes(lab, right, predicted, picture_of(ws, image), radius, length)
    hand = _Hand(lab, strokes, mistakes, seed)
    places = _suggested(ws, prediction, suggest, strokes)
    lab.beside = str(getattr(prediction, "name", ""))
    if places is not None:
        chosen = hand.follow(scenes, places, rng)
    else:
        chosen = _checked(slices, lab.shape[0]) or scenes.choose(min(_SLICES, max(1, strokes // 3)))
        budget = None
        if share is not None:
            budget = int(share * _voxels(lab, chosen)) - scenes.count_labelled(chosen)
        hand.correct(scenes, chosen, budget, rng)
    lab.beside = ""
    if hand.edits:
        first, last = hand.edits[0].sequence, hand.edits[-1].sequence
        RoundLog(ws.path).note_simulated(lab.level.name, lab.image, first, last, hand.effort.seconds)
    total = sum(lab.counts().values())
    return SimulatedRound(
        strokes=len(hand.edits),
        labelled_voxels=total,
        labelled_share=total / float(np.prod(lab.shape)),
        annotation_seconds=hand.effort.seconds,
        edits=tuple(hand.edits),
        slices=tuple(chosen),
        slice_share=scenes.count_labelled(chosen) / max(1, _voxels(lab, chosen)),
        mistakes=tuple(hand.mistakes),
        right=tuple(hand.right),
    )


class _Hand:
    """Paints strokes, counts what they cost, and errs now and then."""

    def __init__(self, lab: Labels, most: int, mistakes: float, seed: int) -> None:
        self._lab, self._most, self._rate = lab, most, mistakes
        # a chance of its own, so that the strokes that go right are the same whatever the rate
        self._chance = np.random.default_rng([seed, 1])
        self.effort = AnnotationEffort()
        self.edits: list[Edit] = []
        self.mistakes: list[int] = []
        self.right: list[Suggestion] = []

    @property
    def _full(self) -> bool:
        return len(self.edits) >= self._most

    def correct(self, scenes: Scenes, chosen: Sequence[int], budget: int | None, rng: np.random.Generator) -> None:
        """Take strokes from planes in turn until there are enough, the budget is spent, or nothing is left to paint."""
        views = [scenes.plane(index) for index in chosen]
        sources = [(view, _strokes_of(view, rng)) for view in views]
        waiting: list[tuple[Sight, Stroke]] = []
        while sources and len(waiting) < self._most:
            for source in list(sources):
                view, offered = source
                stroke = next(offered, None)
                if stroke is None:
                    sources.remove(source)
                    continue
                cost = int((stroke.covers & ~view.scene.labelled[stroke.window]).sum())
                if budget is not None and cost > budget:
                    sources.remove(source)
                    continue
                view.scene.done(stroke)
                waiting.append((view, stroke))
                budget = None if budget is None else budget - cost
                if len(waiting) == self._most:
                    break
        # who corrects a stack does a plane, then the next
        order = {view.index: at for at, view in enumerate(views)}
        for view, stroke in sorted(waiting, key=lambda item: order[item[0].index]):
            self.effort.go(view.axis, view.index)
            self._paint(view, stroke)

    def follow(self, scenes: Scenes, places: Sequence[Suggestion], rng: np.random.Generator) -> list[int]:
        """Go to suggested places in turn; the planes across z that were painted on."""
        for place in places:
            if self._full:
                break
            if getattr(place, "image", self._lab.image) != self._lab.image:
                continue
            box = Box.of(place.region, self._lab.shape)
            view = scenes.field(place.axis, box.cut(place.axis, place.index, place.index + 1))
            self.effort.go(view.axis, view.index, led=True)
            if view.prediction is not None and not visible_errors(view.scene, view.prediction, view.field).any():
                self.right.append(place)
                continue
            offered = _strokes_of(view, rng)
            count = STROKES
            if view.prediction is None:  # whoever begins paints one of each thing in sight
                count = max(STROKES, len(view.scene.foreground) + len(view.scene.background))
            for _ in range(min(count, self._most - len(self.edits))):
                stroke = next(offered, None)
                if stroke is None:
                    break
                view.scene.done(stroke)
                self._paint(view, stroke)
        planes = {z for edit in self.edits for z in range(edit.box.start[0], edit.box.stop[0])}
        return sorted(planes)

    def _paint(self, view: Sight, stroke: Stroke) -> None:
        stroke, wrong = self._slip(view, stroke)
        (top, left), points = view.origin, stroke.points
        edit = self._lab.paint(
            axis=view.axis,
            index=view.index,
            points=[(y + top, x + left) for y, x in points],
            radius=stroke.radius,
            value=stroke.value,
        )
        self.effort.paint(stroke.value, stroke.length)
        self.edits.append(edit)
        if wrong:
            self.mistakes.append(edit.sequence)

    def _slip(self, view: Sight, stroke: Stroke) -> tuple[Stroke, bool]:
        """The stroke, or at the set rate one that is wrong."""
        if self._chance.random() >= self._rate:
            return stroke, False
        others = [value for value in (*view.scene.foreground, *view.scene.background) if value != stroke.value]
        if others and self._chance.random() < 0.5:
            return replace(stroke, value=int(self._chance.choice(others))), True
        return overshoot(stroke, view.scene.truth.shape, self._chance), True


def _strokes_of(view: Sight, rng: np.random.Generator) -> Iterator[Stroke]:
    """Strokes of a piece of a plane, the most telling first."""
    if view.prediction is not None:
        yield from correcting_strokes(view.scene, view.prediction, rng, view.field)
    yield from first_strokes(view.scene, rng)


def _suggested(
    ws: Any, prediction: Any, suggest: bool | str | Sequence[Suggestion], strokes: int
) -> Sequence[Suggestion] | None:
    """The places to go to; None where the annotator looks for itself."""
    if suggest is False:
        return None
    if not isinstance(suggest, bool | str):
        places = as_list("suggest", suggest)
        if not all(hasattr(place, "region") and hasattr(place, "index") for place in places):
            raise LabelError("suggest takes True, the name of a strategy, or what ws.suggest gives")
        return places
    strategy = {} if suggest is True else {"strategy": suggest}
    wanted: Sequence[Suggestion] = ws.suggest(prediction, max(1, strokes // STROKES), **strategy)
    return wanted


def _checked(slices: Sequence[int] | None, depth: int) -> list[int] | None:
    if slices is None:
        return None
    chosen = [whole("slices", index, error=VolumeError) for index in as_list("slices", slices, error=VolumeError)]
    outside = [index for index in chosen if not 0 <= index < depth]
    if outside or not chosen:
        raise VolumeError(f"slices {chosen[:9]} must be among 0 to {depth - 1}, at least one")
    return chosen


def _voxels(lab: Labels, chosen: Sequence[int]) -> int:
    return len(chosen) * lab.shape[1] * lab.shape[2]
