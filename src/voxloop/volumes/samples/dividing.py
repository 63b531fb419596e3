"""Made-up cells that move, divide and leave the picture, from one seed: masks that keep their number, and who is whose.

The table of tracks is that of the Cell Tracking Challenge: first frame, last frame, parent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from voxloop.model import ClassInfo
from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

FRAMES = 60
SIZE = (200, 240)
ABOUT = (
    "Made up: nuclei that move, push each other, divide and leave, in 60 frames of 200x240 pixels of 0.5 micrometres, "
    "blurred and with photon noise. The truth is a mask of every cell under one number, its centre, and which cell "
    "came out of which. No licence is needed."
)
_RADIUS = 9.0
_CYCLE = (22, 34)  # frames between two divisions


@dataclass(slots=True)
class _Cell:
    number: int
    place: np.ndarray
    push: np.ndarray
    left: int  # frames until it divides
    light: float
    angle: float
    age: int = 0

    @property
    def stretch(self) -> float:
        """How long it is: more right before it divides, round right after."""
        return 1.12 + 0.45 * max(0.0, 1 - self.left / 4) if self.age > 3 else 1.0

    @property
    def radius(self) -> float:
        """A daughter grows to full size in ten frames."""
        return _RADIUS * (0.74 + 0.26 * min(1.0, self.age / 10))


def load(seed: int = 0) -> Sample:
    """The sample ``dividing`` of one seed, in memory."""
    film, truth, lineage = make(seed)
    volume, labels = (open_volume(array, axes="zyx", z_kind="frame", spacing=(1, 0.5, 0.5)) for array in (film, truth))
    volume.name = labels.name = "dividing"
    labels.attrs["kind"] = "labels"
    points = []
    for frame, mask in enumerate(truth):
        numbers = np.unique(mask[mask > 0])
        for number, place in zip(numbers.tolist(), ndi.center_of_mass(mask > 0, mask, numbers), strict=True):
            at = tuple(round(float(value), 2) for value in place)
            points.append({"frame": frame, "points": {"point": at}, "track": str(number)})
    return Sample(
        name="dividing",
        volume=volume,
        truth=labels,
        about=ABOUT,
        classes=(ClassInfo(value=1, name="nuclei"),),
        kind="instances",
        points=tuple(points),
        skeleton={"nodes": ("point",)},
        lineage=lineage,
    )


def make(
    seed: int = 0, frames: int = FRAMES, size: tuple[int, int] = SIZE, cells: int = 7
) -> tuple[np.ndarray, np.ndarray, dict[int, tuple[int, int, int]]]:
    """Frames (t, y, x; uint16), masks of the same shape, and of each number (first frame, last frame, parent or 0)."""
    rng = np.random.default_rng(seed)
    alive = [_new(rng, n + 1, rng.uniform(30, np.array(size) - 30)) for n in range(cells)]
    for cell in alive:
        cell.age, cell.left = 20, int(rng.integers(2, _CYCLE[1]))
    for _ in range(30):
        _apart(alive, size, pull=False)
    parents = dict.fromkeys(range(1, cells + 1), 0)
    truth = np.zeros((frames, *size), np.uint16)
    film = np.empty((frames, *size), np.uint16)
    newest = cells
    for frame in range(frames):
        if frame:
            alive, newest = _lived(alive, rng, size, parents, newest)
        truth[frame] = _masks(alive, size)
        film[frame] = _seen(truth[frame], alive, rng)
    return film, truth, _lineage(truth, parents)


def _new(rng: np.random.Generator, number: int, place: np.ndarray) -> _Cell:
    left = int(rng.integers(*_CYCLE))
    return _Cell(number, place, np.zeros(2), left, rng.uniform(0.7, 1.2), rng.uniform(0, np.pi))


def _lived(
    cells: list[_Cell], rng: np.random.Generator, size: tuple[int, int], parents: dict[int, int], newest: int
) -> tuple[list[_Cell], int]:
    """The cells one frame later, and the highest number given."""
    after: list[_Cell] = []
    for cell in cells:
        cell.age, cell.left = cell.age + 1, cell.left - 1
        if cell.left > 0:
            cell.push = 0.8 * cell.push + rng.normal(0, 0.55, 2)
            cell.place = cell.place + np.clip(cell.push, -2.5, 2.5)
            cell.angle += rng.normal(0, 0.06)
            after.append(cell)
            continue
        away = 0.78 * _RADIUS * np.array([np.sin(cell.angle), np.cos(cell.angle)])
        for side in (-1, 1):
            newest += 1
            daughter = _new(rng, newest, cell.place + side * away)
            daughter.push, daughter.light = 0.15 * side * away, cell.light
            parents[newest] = cell.number
            after.append(daughter)
    _apart(after, size, pull=True)
    edge = np.array(size) - 1 + _RADIUS
    return [cell for cell in after if (cell.place > -_RADIUS).all() and (cell.place < edge).all()], newest


def _apart(cells: list[_Cell], size: tuple[int, int], pull: bool) -> None:
    """Push cells off each other; before the film begins also into the picture."""
    for n, one in enumerate(cells):
        for other in cells[n + 1 :]:
            gap = one.place - other.place
            length = float(np.linalg.norm(gap)) or 1.0
            need = 1.02 * (one.radius + other.radius)
            if length < need:
                shift = 0.35 * (need - length) * gap / length
                one.place, other.place = one.place + shift, other.place - shift
    if not pull:
        for cell in cells:
            cell.place = np.clip(cell.place, 16, np.array(size) - 16)


def _masks(cells: list[_Cell], size: tuple[int, int]) -> np.ndarray:
    """Each pixel is of the cell in which it lies deepest."""
    mask, depth = np.zeros(size, np.uint16), np.ones(size)
    for cell in cells:
        reach = int(1.7 * cell.radius) + 2
        start = np.maximum(np.round(cell.place).astype(int) - reach, 0)
        stop = np.minimum(np.round(cell.place).astype(int) + reach + 1, size)
        if (start >= stop).any():
            continue
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        y, x = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
        dy, dx = y - cell.place[0], x - cell.place[1]
        sin, cos = np.sin(cell.angle), np.cos(cell.angle)
        along, across = dy * sin + dx * cos, dy * cos - dx * sin
        away = np.hypot(along / (cell.radius * cell.stretch), across * cell.stretch**0.5 / cell.radius)
        deeper = away < depth[box]
        depth[box][deeper] = away[deeper]
        mask[box][deeper] = cell.number
    return mask


def _seen(mask: np.ndarray, cells: list[_Cell], rng: np.random.Generator) -> np.ndarray:
    light = np.zeros(max((cell.number for cell in cells), default=0) + 1)
    for cell in cells:
        light[cell.number] = cell.light * (1.35 if cell.left < 3 or cell.age < 2 else 1.0)
    chromatin = ndi.gaussian_filter(rng.standard_normal(mask.shape), 1.6)
    signal = light[mask] * (1 + 0.6 * chromatin)
    seen = ndi.gaussian_filter(np.clip(signal, 0, None), 1.1)
    photons = rng.poisson(np.clip(70 * seen + 9, 0, None))
    return np.asarray(np.clip(100 + 14 * photons + rng.normal(0, 15, mask.shape), 0, 65535).round(), np.uint16)


def _lineage(truth: np.ndarray, parents: dict[int, int]) -> dict[int, tuple[int, int, int]]:
    """What is in the picture: first and last frame of each number, and the parent where that was seen as well."""
    spans: dict[int, tuple[int, int]] = {}
    for frame, mask in enumerate(truth):
        for number in np.unique(mask[mask > 0]).tolist():
            first, _ = spans.get(number, (frame, frame))
            spans[number] = first, frame
    return {
        number: (first, last, parents[number] if parents[number] in spans else 0)
        for number, (first, last) in sorted(spans.items())
    }
