"""What a person would paint on one plane who knows the truth: which strokes, in which order. Pure; paints nothing.

A stroke through the middle of an object says what it is; one along its border, on either side, says where it ends; one
through what looks like the object but is none says what it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as default

import numpy as np
from scipy import ndimage as ndi

from voxloop.review.tracing import MARGIN, SMALLEST, Stroke, Window, depth_in, fatten, trace

#: a pixel and those around it
_NEXT = np.ones((3, 3), bool)
_ERRORS = 24  # of a class and plane that are looked at in one round


@dataclass(slots=True)
class Scene:
    """One plane: its truth (0 nobody knows), what is labelled already, and the picture where there is one.

    ``foreground`` and ``background`` are class values; ``sampling`` the pixel sides relative to the finer one;
    ``widest`` and ``longest`` what a stroke may be, in pixels. ``labelled`` is updated by :meth:`done`.
    """

    truth: np.ndarray
    labelled: np.ndarray
    foreground: Sequence[int]
    background: Sequence[int]
    picture: np.ndarray | None = None
    sampling: tuple[float, float] = (1.0, 1.0)
    widest: float = 6.0
    longest: int = 64
    _depths: dict[int, np.ndarray] = default(default_factory=dict)

    def depth(self, value: int) -> np.ndarray:
        """Distance of each pixel of a class to the outside of it."""
        if value not in self._depths:
            self._depths[value] = depth_in(self.truth == value, self.sampling)
        return self._depths[value]

    def free(self, value: int) -> np.ndarray:
        """Pixels of a class that are not labelled and where the thinnest brush fits."""
        return np.asarray((self.depth(value) > MARGIN) & ~self.labelled)

    def done(self, stroke: Stroke) -> None:
        """Take note of a stroke that was painted."""
        self.labelled[stroke.window] |= stroke.covers


def first_strokes(scene: Scene, rng: np.random.Generator) -> Iterator[Stroke]:
    """Strokes of somebody who sees the plane for the first time, the most telling first, while there is room."""
    foreground = [v for v in scene.foreground if (scene.truth == v).any()]
    background = [v for v in scene.background if (scene.truth == v).any()]
    rng.shuffle(foreground)
    wishes = [(_through, value) for value in foreground]
    for value in background:
        wishes += [(_along, value), (_alike, value)]
    wishes += [(_along, value) for value in foreground]
    wishes += [(_anywhere, value) for value in background]
    in_vain = 0
    while wishes and in_vain < 2 * len(wishes):
        for wish, value in wishes:
            stroke = wish(scene, value, rng)
            in_vain = 0 if stroke is not None else in_vain + 1
            if stroke is not None:
                yield stroke


def correcting_strokes(
    scene: Scene, prediction: np.ndarray, rng: np.random.Generator, field: np.ndarray | None = None
) -> Iterator[Stroke]:
    """Strokes where the prediction is wrong: the classes in turn, that of the largest error first, and so within each.

    One stroke inside the error, one beyond its border in what it was taken for. ``field`` (bool): where errors count.
    """
    wrong = (prediction != scene.truth) & (scene.truth > 0) & ~scene.labelled
    if field is not None:
        wrong &= field
    queues = {value: _errors(scene, value, wrong) for value in (*scene.foreground, *scene.background)}
    order = sorted((value for value in queues if queues[value]), key=lambda value: -queues[value][0][0])
    while any(queues.values()):
        for value in order:
            if not queues[value]:
                continue
            _, window, error = queues[value].pop(0)
            mask = np.zeros(scene.truth.shape, bool)
            mask[window] = error
            inside = _inside(scene, value, mask)
            if inside is not None:
                yield inside
            taken_for = {int(v) for v in np.unique(prediction[window][error])} - {value}
            for other in sorted(taken_for & {*scene.foreground, *scene.background}):
                outside = _beside(scene, other, mask, rng)
                if outside is not None:
                    yield outside


def visible_errors(scene: Scene, prediction: np.ndarray, field: np.ndarray | None = None) -> np.ndarray:
    """Pixels (bool) that are wrong and that somebody who looks at the plane would see.

    Nobody sees a border that is off by a pixel, whatever its length: what is predicted lies a pixel away in truth, and
    what is true a pixel away in the prediction. Nor a fleck on which no brush is worth setting down.
    """
    import cc3d

    truth = scene.truth
    wrong = (prediction != truth) & (truth > 0) & ~scene.labelled
    if field is not None:
        wrong &= field
    pairs = np.unique(np.stack([truth[wrong], prediction[wrong]]), axis=1)
    touched = {int(v): ndi.binary_dilation(truth == v, _NEXT) for v in np.unique(pairs[1])}
    found = {int(v): ndi.binary_dilation(prediction == v, _NEXT) for v in np.unique(pairs[0])}
    seen = wrong.copy()
    for true, said in pairs.T.tolist():
        seen &= ~((truth == true) & (prediction == said) & touched[said] & found[true])
    parts = cc3d.connected_components(seen, connectivity=8)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= SMALLEST)[parts])


def overshoot(stroke: Stroke, shape: tuple[int, ...], rng: np.random.Generator) -> Stroke:
    """The stroke of a hand that slipped: moved to one side by its width, and by as much as a border is away."""
    angle = rng.uniform(0, 2 * np.pi)
    by = (2 * stroke.radius + 3) * np.array([np.sin(angle), np.cos(angle)])
    moved = np.clip(np.asarray(stroke.points) + by, 0, np.asarray(shape) - 1)
    return replace(stroke, points=tuple((float(y), float(x)) for y, x in moved))


def error_size(scene: Scene, prediction: np.ndarray) -> int:
    """Pixels that are wrong and more than a pixel's width of border."""
    wrong = (prediction != scene.truth) & (scene.truth > 0)
    return int(ndi.binary_erosion(wrong).sum())


def _errors(scene: Scene, value: int, wrong: np.ndarray) -> list[tuple[float, Window, np.ndarray]]:
    """Connected errors of one true class by how large they are, as windows and masks; how fat counts as much."""
    import cc3d

    parts = cc3d.connected_components(wrong & (scene.truth == value), connectivity=8)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    found: list[tuple[float, Window, np.ndarray]] = []
    windows = ndi.find_objects(parts)
    for part in np.argsort(sizes)[::-1][:_ERRORS]:
        if sizes[part] < SMALLEST:
            break
        window = windows[part - 1]
        mask = parts[window] == part
        found.append((sizes[part] * float(depth_in(np.pad(mask, 1), scene.sampling).max()), window, mask))
    return sorted(found, key=lambda item: -item[0])


def _inside(scene: Scene, value: int, error: np.ndarray) -> Stroke | None:
    """Through the middle of an error, as fat as the true object allows."""
    depth = scene.depth(value)
    room = error & scene.free(value)
    if not room.any():
        return None
    amid = np.minimum(depth_in(error, scene.sampling), depth)
    return _stroke(scene, value, np.where(room, amid, 0))


def _beside(scene: Scene, value: int, error: np.ndarray, rng: np.random.Generator) -> Stroke | None:
    """Along the other side of an error's border, in the class it was taken for."""
    near = ndi.binary_dilation(error, iterations=8) & _band(scene, value) & ~scene.labelled
    return _stroke(scene, value, near.astype(np.float32), start=_draw(near, rng), rng=rng, thin=True)


def _through(scene: Scene, value: int, rng: np.random.Generator) -> Stroke | None:
    """Through the middle of an object, the largest ones that have no label first."""
    import cc3d

    depth = scene.depth(value)
    parts = cc3d.connected_components(scene.truth == value, connectivity=8)
    touched = np.unique(parts[scene.labelled])
    sizes = np.bincount(parts.ravel()).astype(float)
    sizes[0] = 0
    sizes[touched] *= 0.05
    if not sizes.any():
        return None
    part = rng.choice(len(sizes), p=sizes / sizes.sum()) if len(sizes) > 2 else int(sizes.argmax())
    room = (parts == part) & scene.free(value)
    return _stroke(scene, value, np.where(room, depth, 0))


def _along(scene: Scene, value: int, rng: np.random.Generator) -> Stroke | None:
    """Along the inside of a border; of background, only where it borders on foreground."""
    band = _band(scene, value) & ~scene.labelled
    if value in scene.background:
        foreground = np.isin(scene.truth, np.asarray(scene.foreground))
        band &= ndi.binary_dilation(foreground, iterations=8)
    return _stroke(scene, value, band.astype(np.float32), start=_draw(band, rng), rng=rng, thin=True)


def _alike(scene: Scene, value: int, rng: np.random.Generator) -> Stroke | None:
    """Through background that is as bright or dark as the foreground."""
    if scene.picture is None:
        return _anywhere(scene, value, rng)
    smooth = ndi.gaussian_filter(scene.picture.astype(np.float32), 2.0)
    foreground = smooth[np.isin(scene.truth, np.asarray(scene.foreground))]
    if not foreground.size:
        return _anywhere(scene, value, rng)
    likeness = np.exp(-0.5 * ((smooth - np.median(foreground)) / (foreground.std() + 1e-6)) ** 2)
    suits = np.where(scene.free(value), likeness, 0)
    best = suits > 0.6
    return _stroke(scene, value, suits, start=_draw(best if best.any() else suits > 0, rng), rng=rng)


def _anywhere(scene: Scene, value: int, rng: np.random.Generator) -> Stroke | None:
    """Through a class at random, far from its border."""
    room = np.where(scene.free(value), np.minimum(scene.depth(value), 3 * scene.widest), 0)
    far = room > 0.5 * room.max()
    return _stroke(scene, value, room, start=_draw(far, rng), rng=rng)


def _band(scene: Scene, value: int) -> np.ndarray:
    """Pixels from which a thin brush just reaches the border of the class."""
    depth = scene.depth(value)
    middle = _thin(scene) + MARGIN
    return (depth >= min(middle, float(depth.max()) - 0.5)) & (depth < middle + 2)


def _thin(scene: Scene) -> float:
    return 0.4 * scene.widest


def _draw(mask: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    found = np.flatnonzero(mask)
    if not len(found):
        return None
    y, x = np.unravel_index(found[rng.integers(len(found))], mask.shape)
    return int(y), int(x)


def _stroke(
    scene: Scene,
    value: int,
    suits: np.ndarray,
    *,
    start: tuple[int, int] | None = None,
    rng: np.random.Generator | None = None,
    thin: bool = False,
) -> Stroke | None:
    """A stroke from ``start`` to anywhere, or the longest through the best place where none is given."""
    if not (suits > 0).any():
        return None
    if start is None:
        y, x = np.unravel_index(int(suits.argmax()), suits.shape)
        start = int(y), int(x)
    if suits[start] <= 0:
        return None
    path = trace(suits / suits.max(), start, scene.longest, rng=rng)
    return fatten(path, scene.depth(value), value, _thin(scene) if thin else scene.widest, scene.sampling)
