"""The planes of a workspace as a simulated annotator sees them: truth, labels, picture. Draws no strokes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Box
from voxloop.review.annotator import Scene, error_size
from voxloop.review.reading import Readable

if TYPE_CHECKING:
    from voxloop.store import Labels

#: planes that are compared to find the worst
_LOOKED_AT = 64
#: voxels around a field that are in sight with it, and that a stroke may reach
_AROUND = 24


@dataclass(frozen=True, slots=True)
class Sight:
    """A piece of a plane that somebody looks at: the scene of it, where it lies, and what is predicted there.

    ``origin`` is the (row, column) of its corner; ``field`` (bool) what of it is meant, where that is not all.
    """

    axis: str
    index: int
    scene: Scene
    origin: tuple[int, int] = (0, 0)
    prediction: np.ndarray | None = None
    field: np.ndarray | None = None


class Scenes:
    """Reads what the annotator sees, plane by plane."""

    def __init__(
        self, lab: Labels, truth: Readable, prediction: Readable | None, picture: Any, radius: float, length: int
    ) -> None:
        self._lab, self._truth, self._prediction, self._picture = lab, truth, prediction, picture
        self._radius, self._length = radius, length

    def plane(self, index: int) -> Sight:
        """A whole plane across z."""
        return self._view("z", Box.whole(self._lab.shape).cut("z", index, index + 1))

    def field(self, axis: str, box: Box) -> Sight:
        """A suggested field, one voxel thick across ``axis``, with what is around it."""
        grown = box.grow(tuple(0 if name == axis else _AROUND for name in AXES)).clip(self._lab.shape)
        view = self._view(axis, grown)
        meant = np.zeros(grown.shape, bool)
        meant[box.within(grown).slices] = True
        return Sight(axis, view.index, view.scene, view.origin, view.prediction, meant.squeeze(AXES.index(axis)))

    def count_labelled(self, chosen: Sequence[int]) -> int:
        """Voxels of these planes across z that are labelled."""
        return sum(int((self._lab.plane("z", index) != 0).sum()) for index in chosen)

    def choose(self, count: int) -> list[int]:
        """Planes across z to paint on: evenly spread, or the worst ones that are not neighbours."""
        depth = self._lab.shape[0]
        if self._prediction is None:
            return sorted({int((i + 0.5) * depth / count) for i in range(count)})
        looked_at = sorted({int(z) for z in np.linspace(0, depth - 1, min(depth, _LOOKED_AT))})
        worst = sorted(looked_at, key=lambda z: -self._error_size(z))
        chosen: list[int] = []
        for z in worst:
            if len(chosen) < count and all(abs(z - other) > depth // (3 * count) for other in chosen):
                chosen.append(z)
        return sorted(chosen)

    def _error_size(self, index: int) -> int:
        view = self.plane(index)
        assert view.prediction is not None
        return error_size(view.scene, view.prediction)

    def _view(self, axis: str, box: Box) -> Sight:
        across = AXES.index(axis)
        rows, columns = (at for at in range(3) if at != across)
        sides = self._lab.spacing_um[rows], self._lab.spacing_um[columns]

        def flat(read: Callable[[Box], np.ndarray]) -> np.ndarray:
            return np.ascontiguousarray(read(box).squeeze(across))

        truth = flat(self._truth.read)
        foreground, background = self._values(truth)
        scene = Scene(
            truth=truth,
            labelled=flat(self._lab.read) != 0,
            foreground=foreground,
            background=background,
            picture=None if self._picture is None else flat(self._picture),
            sampling=(sides[0] / min(sides), sides[1] / min(sides)),
            widest=self._radius,
            longest=self._length,
        )
        prediction = None if self._prediction is None else flat(self._prediction.read)
        return Sight(axis, box.start[across], scene, (box.start[rows], box.start[columns]), prediction)

    def _values(self, truth: np.ndarray) -> tuple[list[int], list[int]]:
        """Foreground and background values of a plane. Raises LabelError for values that the level has not."""
        level = self._lab.level
        there = [int(value) for value in np.unique(truth) if value > 0]
        if level.kind == "instances":
            return there, []
        backgrounds = {c.value: c.background for c in level.classes}
        strange = [value for value in there if value not in backgrounds]
        if strange:
            listed = ", ".join(f"{c.value} {c.name}" for c in level.classes)
            raise LabelError(f"the truth holds values {strange[:8]}; level {level.name!r} has {listed}")
        return [v for v in there if not backgrounds[v]], [v for v in there if backgrounds[v]]


def picture_of(ws: Any, image: str | None) -> Callable[[Box], np.ndarray] | None:
    """A function that reads the image's first channel; None where the workspace has no image to look at."""
    images = getattr(ws, "images", None)
    if images is None:
        return None
    from voxloop.volumes import read_block

    volume = images.open(image) if image is not None else images.open()
    return lambda box: np.asarray(read_block(volume, box)[0])
