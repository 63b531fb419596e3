"""``simulate``: an annotator that knows the truth paints a few short strokes, through the same brush as a person.

Paints nothing but strokes inside their true class; knows no learner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, VolumeError
from voxloop.review.annotator import Scene, correcting_strokes, error_size, first_strokes
from voxloop.review.reading import Readable, readable, same_shape
from voxloop.review.tracing import Stroke

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels

#: what a stroke costs a person: to decide and set the brush down, and to draw ten voxels
SECONDS_PER_STROKE = 1.5
SECONDS_PER_TEN_VOXELS = 0.2
_SLICES = 5
_LOOKED_AT = 64  # planes that are compared to find the worst


@dataclass(frozen=True, slots=True, repr=False)
class SimulatedRound:
    """What the annotator did in one round.

    ``labelled_voxels`` are all that carry a label now, ``labelled_share`` their share of the volume, ``slice_share`` of
    the slices painted on in this round. ``annotation_seconds``: 1.5 s a stroke and 0.2 s for ten voxels of its length.
    """

    strokes: int
    labelled_voxels: int
    labelled_share: float
    annotation_seconds: float
    edits: tuple[Edit, ...]
    slices: tuple[int, ...]
    slice_share: float

    def __repr__(self) -> str:
        return (
            f"<SimulatedRound: {self.strokes} strokes on slices {', '.join(map(str, self.slices))}; "
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
    strokes: int = 24,
    radius: float = 6.0,
    length: int = 64,
    share: float | None = None,
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
    strokes
        How many at most; shared among the slices.
    radius, length
        The fattest brush and the longest stroke, in voxels of the finest in-plane axis.
    share
        Stop where this share of the slices' voxels is labelled, earlier rounds included.
    seed
        The same seed paints the same strokes.

    Raises
    ------
    LabelError, VolumeError
        The truth does not fit the level or the image.
    """
    lab = ws.labels(level=level, image=image)
    known = readable(truth, "the truth")
    said = None if prediction is None else readable(prediction, "the prediction")
    for other, what in ((known, "the truth"), (said, "the prediction")):
        if other is not None:
            same_shape(other, readable(lab, "the labels"), (what, "the image"))
    rng = np.random.default_rng(seed)
    scenes = _Scenes(lab, known, said, _picture(ws, image), radius, length)
    chosen = _chosen(slices, lab.shape[0]) if slices is not None else scenes.choose(min(_SLICES, max(1, strokes // 3)))
    voxels = len(chosen) * lab.shape[1] * lab.shape[2]
    budget = None
    if share is not None:
        budget = int(share * voxels) - scenes.count_labelled(chosen)
    edits, seconds = _paint(lab, scenes, chosen, strokes, budget, rng)
    total = sum(lab.counts().values())
    return SimulatedRound(
        strokes=len(edits),
        labelled_voxels=total,
        labelled_share=total / float(np.prod(lab.shape)),
        annotation_seconds=seconds,
        edits=tuple(edits),
        slices=tuple(chosen),
        slice_share=scenes.count_labelled(chosen) / voxels,
    )


def _paint(
    lab: Labels, scenes: _Scenes, chosen: Sequence[int], strokes: int, budget: int | None, rng: np.random.Generator
) -> tuple[list[Edit], float]:
    """Take strokes from the slices in turn until there are enough, the budget is spent, or nothing is left to paint."""
    edits: list[Edit] = []
    seconds = 0.0
    waiting = [(index, scenes.scene(index)) for index in chosen]
    sources = [(index, scene, scenes.strokes(scene, index, rng)) for index, scene in waiting]
    while sources and len(edits) < strokes:
        for source in list(sources):
            index, scene, offered = source
            stroke = next(offered, None)
            if stroke is None:
                sources.remove(source)
                continue
            cost = int((stroke.covers & ~scene.labelled[stroke.window]).sum())
            if budget is not None and cost > budget:
                sources.remove(source)
                continue
            edits.append(
                lab.paint(axis="z", index=index, points=stroke.points, radius=stroke.radius, value=stroke.value)
            )
            scene.done(stroke)
            seconds += SECONDS_PER_STROKE + SECONDS_PER_TEN_VOXELS * stroke.length / 10
            budget = None if budget is None else budget - cost
            if len(edits) == strokes:
                break
    return edits, seconds


class _Scenes:
    """The planes of a workspace as the annotator sees them."""

    def __init__(
        self, lab: Labels, truth: Readable, prediction: Readable | None, picture: Any, radius: float, length: int
    ) -> None:
        self._lab, self._truth, self._prediction, self._picture = lab, truth, prediction, picture
        self._radius, self._length = radius, length
        _, y, x = lab.spacing_um
        self._sampling = (y / min(y, x), x / min(y, x))

    def scene(self, index: int) -> Scene:
        truth = self._plane(self._truth, index)
        foreground, background = self._values(truth)
        return Scene(
            truth=truth,
            labelled=self._lab.plane("z", index) != 0,
            foreground=foreground,
            background=background,
            picture=None if self._picture is None else self._picture(index),
            sampling=self._sampling,
            widest=self._radius,
            longest=self._length,
        )

    def strokes(self, scene: Scene, index: int, rng: np.random.Generator) -> Iterator[Stroke]:
        if self._prediction is not None:
            yield from correcting_strokes(scene, self._plane(self._prediction, index), rng)
        yield from first_strokes(scene, rng)

    def count_labelled(self, chosen: Sequence[int]) -> int:
        """Voxels of these planes that are labelled."""
        return sum(int((self._lab.plane("z", index) != 0).sum()) for index in chosen)

    def choose(self, count: int) -> list[int]:
        """Planes to paint on: evenly spread, or the worst ones that are not neighbours."""
        depth = self._lab.shape[0]
        if self._prediction is None:
            return sorted({int((i + 0.5) * depth / count) for i in range(count)})
        looked_at = sorted({int(z) for z in np.linspace(0, depth - 1, min(depth, _LOOKED_AT))})
        worst = sorted(looked_at, key=lambda z: -error_size(self.scene(z), self._plane(self._prediction, z)))  # type: ignore[arg-type]
        chosen: list[int] = []
        for z in worst:
            if len(chosen) < count and all(abs(z - other) > depth // (3 * count) for other in chosen):
                chosen.append(z)
        return sorted(chosen)

    def _plane(self, source: Readable, index: int) -> np.ndarray:
        _, height, width = self._lab.shape
        plane: np.ndarray = source.read((slice(index, index + 1), slice(0, height), slice(0, width)))[0]
        return plane

    def _values(self, truth: np.ndarray) -> tuple[list[int], list[int]]:
        """Foreground and background values of a plane. Raises LabelError for values that the level has not."""
        level = self._lab.level
        there = [int(value) for value in np.unique(truth) if value > 0]
        if level.kind == "instances":
            return there, []
        known = {c.value: c.background for c in level.classes}
        strange = [value for value in there if value not in known]
        if strange:
            listed = ", ".join(f"{c.value} {c.name}" for c in level.classes)
            raise LabelError(f"the truth holds values {strange[:8]}; level {level.name!r} has {listed}")
        return [v for v in there if not known[v]], [v for v in there if known[v]]


def _chosen(slices: Sequence[int], depth: int) -> list[int]:
    chosen = [int(index) for index in slices]
    outside = [index for index in chosen if not 0 <= index < depth]
    if outside or not chosen:
        raise VolumeError(f"slices {list(slices)} must be among 0 to {depth - 1}, at least one")
    return chosen


def _picture(ws: Any, image: str | None) -> Any:
    """A function that gives a plane of the image's first channel; None where the workspace has no image to look at."""
    images = getattr(ws, "images", None)
    if images is None:
        return None
    from voxloop.volumes import read_block

    volume = images.open(image) if image is not None else images.open()
    return lambda index: read_block(volume, (index,))[0, 0]
