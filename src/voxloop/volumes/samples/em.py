"""A made-up electron micrograph: neurites, mitochondria, vesicles, all from one seed. Knows no files.

Geometry is drawn in micrometres and rendered the way a section is seen: a membrane that runs obliquely through the
40 nm of a section is wide and faint. Truth follows what is visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from voxloop.geometry import Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

SHAPE: Shape = (48, 256, 256)
SPACING: Spacing = (0.040, 0.008, 0.008)
CLASSES = (
    ClassInfo(value=1, name="background", color="#56b4e9", background=True),
    ClassInfo(value=2, name="mitochondria", color="#e69f00"),
    ClassInfo(value=3, name="membrane", color="#cc79a7"),
)
ABOUT = (
    "Made up: a neuropil-like stack of 48x256x256 voxels of 40/8/8 nm with cell membranes, mitochondria, vesicles and "
    "dark bodies that are none, uneven contrast and noise. The truth is exact. No licence is needed."
)
_NEURITES, _MITOCHONDRIA, _BODIES = 44, 16, 9
_VISIBLE = 0.45  # darkness from which a membrane counts as seen
_MEMBRANE_UM = 0.0135  # standard deviation of the dark profile of two membranes and the cleft between them


def load(seed: int = 0) -> Sample:
    """The sample ``em`` of one seed, in memory; a few seconds of computing."""
    picture, truth = make(seed)
    volume, labels = (open_volume(array, spacing=SPACING, axes="zyx") for array in (picture, truth))
    volume.name = labels.name = "em"
    labels.attrs["kind"] = "labels"
    return Sample(name="em", volume=volume, truth=labels, about=ABOUT, classes=CLASSES)


def make(seed: int = 0, shape: Shape = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Picture (uint8) and truth (uint8: 1 background, 2 mitochondria, 3 membrane), both zyx."""
    rng = np.random.default_rng(seed)
    position = _positions(shape, rng)
    cells = _neurites(position, shape, rng)
    inside = cells.distance - 0.028
    organelles = _organelles(position, cells, inside, rng)
    dark = cells.membrane
    signal = _cytoplasm(cells, shape, rng)
    signal = _draw_bodies(signal, organelles.bodies)
    signal = _draw_mitochondria(signal, organelles)
    signal = _draw_vesicles(signal, inside, organelles, rng)
    signal = signal * (1 - dark) + 0.20 * dark
    truth = np.ones(shape, np.uint8)
    truth[organelles.mitochondria > 0] = 2
    truth[dark > _VISIBLE] = 3
    return _imaged(signal, rng), truth


@dataclass(frozen=True, slots=True)
class _Cells:
    index: np.ndarray  # which neurite
    distance: np.ndarray  # to its border, micrometres
    membrane: np.ndarray  # 0 none to 1 dark
    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True, slots=True)
class _Organelles:
    mitochondria: np.ndarray  # distance inside the outer membrane, micrometres; not positive outside
    along: np.ndarray  # coordinate across the cristae, micrometres
    bodies: np.ndarray  # the same distance for dark bodies


def _smooth_noise(shape: Shape, cells: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of unit size that varies over ``1 / cells`` of each axis."""
    coarse = rng.standard_normal([c + 3 for c in cells])
    grids = [np.linspace(1, c + 1, n, dtype=np.float32) for c, n in zip(cells, shape, strict=True)]
    smooth = coarse
    for axis, grid in enumerate(grids):  # separable cubic interpolation, one axis after the other
        smooth = ndi.spline_filter1d(smooth, axis=axis, output=np.float32)
        smooth = _cubic(smooth, grid, axis)
    return smooth.astype(np.float32)


def _cubic(values: np.ndarray, grid: np.ndarray, axis: int) -> np.ndarray:
    whole = np.floor(grid).astype(int)
    t = grid - whole
    weights = ((1 - t) ** 3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6, t**3 / 6)
    matrix = np.zeros((len(grid), values.shape[axis]), np.float32)
    for step, weight in zip((-1, 0, 1, 2), weights, strict=True):
        np.add.at(matrix, (np.arange(len(grid)), np.clip(whole + step, 0, values.shape[axis] - 1)), weight)
    return np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)


def _positions(shape: Shape, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each voxel lies, micrometres, bent so that no border is flat."""
    bent = []
    for axis, (n, step) in enumerate(zip(shape, SPACING, strict=True)):
        line = (np.arange(n, dtype=np.float32) * np.float32(step)).reshape([-1 if a == axis else 1 for a in range(3)])
        wave = 0.075 * _smooth_noise(shape, (3, 5, 5), rng) + 0.02 * _smooth_noise(shape, (6, 14, 14), rng)
        bent.append(line + wave.astype(np.float32))
    return bent[0], bent[1], bent[2]


def _neurites(position: tuple[np.ndarray, ...], shape: Shape, rng: np.random.Generator) -> _Cells:
    """Tubes around random line segments: each voxel belongs to the nearest, borders lie midway to the second."""
    extent = np.array(shape) * SPACING
    middle = rng.uniform(-0.15, 1.15, (_NEURITES, 3)) * extent
    direction = rng.standard_normal((_NEURITES, 3)) * (1.7, 0.8, 0.8)  # most run through the sections
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    half = rng.uniform(0.3, 1.1, (_NEURITES, 1)) * direction
    starts, ends = (middle - half).astype(np.float32), (middle + half).astype(np.float32)
    girth = rng.uniform(-0.05, 0.14, _NEURITES).astype(np.float32)
    index = np.empty(shape, np.uint8)
    distance, membrane = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for z in range(shape[0]):
        point = tuple(p[z] for p in position)
        index[z], distance[z], membrane[z] = _borders(point, starts, ends, girth)
    return _Cells(index, distance, membrane, starts, ends)


def _borders(
    point: tuple[np.ndarray, ...], starts: np.ndarray, ends: np.ndarray, girth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owner of each point of a plane, distance to its border, darkness of the membrane there."""
    owner, rival, gap = _two_nearest(point, starts, ends, girth)
    ours, theirs = _away(point, starts, ends, owner), _away(point, starts, ends, rival)
    tilt = [v - u for u, v in zip(ours, theirs, strict=True)]
    slope = np.sqrt(sum(part**2 for part in tilt)) + 1e-3
    distance = gap / slope
    smear = 0.5 * SPACING[0] * np.abs(tilt[0]) / slope  # how far the border moves within the section
    width = np.sqrt(_MEMBRANE_UM**2 + smear**2 / 3)
    return owner, distance, _MEMBRANE_UM / width * np.exp(-0.5 * (distance / width) ** 2)


def _two_nearest(
    point: tuple[np.ndarray, ...], starts: np.ndarray, ends: np.ndarray, girth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest and second nearest segment of each point of a plane, and how much farther the second is."""
    shape = point[0].shape
    owner, rival, gap = np.empty(shape, np.uint8), np.empty(shape, np.uint8), np.empty(shape, np.float32)
    for top in range(0, shape[0], 32):
        for left in range(0, shape[1], 32):  # small tiles: most segments are too far away to matter
            box = (slice(top, top + 32), slice(left, left + 32))
            points = np.stack([p[box].ravel() for p in point], axis=1)
            middle = points.mean(axis=0)
            radius = np.sqrt(((points - middle) ** 2).sum(axis=1).max())
            far = _distances(middle[None], starts, ends)[:, 0] - girth
            kept = np.flatnonzero(far <= np.partition(far, 1)[1] + 2 * radius)
            away = _distances(points, starts[kept], ends[kept]) - girth[kept, None]
            columns = np.arange(len(points))
            rows = away.argmin(axis=0)
            first = away[rows, columns]
            away[rows, columns] = np.inf
            seconds = away.argmin(axis=0)
            for out, values in ((owner, kept[rows]), (rival, kept[seconds]), (gap, away[seconds, columns] - first)):
                out[box] = values.reshape(out[box].shape)
    return owner, rival, gap


def _distances(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Distances (segments, points); squares expanded, so that the work is two matrix products."""
    way = ends - starts
    length = (way**2).sum(axis=1, keepdims=True)
    reach = way @ points.T - (way * starts).sum(axis=1, keepdims=True)
    t = np.clip(reach / length, 0, 1)
    square = -2 * starts @ points.T + (starts**2).sum(axis=1, keepdims=True) + (points**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(square - t * (2 * reach - t * length), 0)))


def _to_segment(point: tuple[np.ndarray, ...], start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance to a line segment."""
    way = end - start
    offset = [p - s for p, s in zip(point, start, strict=True)]
    t = np.clip(sum(o * w for o, w in zip(offset, way, strict=True)) / float(way @ way), 0, 1)
    return np.asarray(np.sqrt(sum((o - t * w) ** 2 for o, w in zip(offset, way, strict=True))))


def _away(point: tuple[np.ndarray, ...], starts: np.ndarray, ends: np.ndarray, which: np.ndarray) -> list[np.ndarray]:
    """Unit vectors away from the segment that ``which`` names at each voxel."""
    way = ends - starts
    offset = [p - starts[which, axis] for axis, p in enumerate(point)]
    t = np.clip(sum(o * way[which, a] for a, o in enumerate(offset)) / (way**2).sum(axis=1)[which], 0, 1)
    rest = [o - t * way[which, a] for a, o in enumerate(offset)]
    length = np.sqrt(sum(r**2 for r in rest)) + 1e-6
    return [r / length for r in rest]


def _organelles(
    position: tuple[np.ndarray, ...], cells: _Cells, inside: np.ndarray, rng: np.random.Generator
) -> _Organelles:
    """Mitochondria along their neurites where these are thick, and a few round dark bodies elsewhere."""
    shape = inside.shape
    mitochondria, bodies = np.full(shape, -1.0, np.float32), np.full(shape, -1.0, np.float32)
    along = np.zeros(shape, np.float32)
    room = inside.copy()
    for number in range(_MITOCHONDRIA + _BODIES):
        body = number >= _MITOCHONDRIA
        radius = rng.uniform(0.06, 0.10) if body else rng.uniform(0.13, 0.19)
        places = np.argwhere(room[::2, ::4, ::4] > radius * 0.9)
        if not len(places):
            continue
        at = tuple(int(i) for i in places[rng.integers(len(places))] * (2, 4, 4))
        axis = _axis(cells, at, rng)
        half = 0.02 if body else rng.uniform(0.12, 0.40)
        box = _around(at, radius + half + 0.2, shape)
        near = tuple(p[box] for p in position)
        centre = np.array([p[at] for p in position])
        away = _to_segment(near, (centre - half * axis).astype(np.float32), (centre + half * axis).astype(np.float32))
        depth = np.minimum(radius - away, inside[box] - 0.012)
        depth[(cells.index[box] != cells.index[at]) | (away > radius + 0.05)] = -1.0
        if body:
            bodies[box] = np.maximum(bodies[box], np.where(mitochondria[box] > -0.02, -1.0, depth))
        else:
            new = depth > np.maximum(mitochondria[box], 0)
            across = _cristae_direction(axis, rng)
            along[box][new] = sum(p[new] * a for p, a in zip(near, across, strict=True))
            mitochondria[box] = np.maximum(mitochondria[box], depth)
        room[box][away < radius + 0.16] = -1.0
    return _Organelles(mitochondria, along, bodies)


def _axis(cells: _Cells, at: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Roughly along the neurite."""
    cell = int(cells.index[at])
    axis = cells.ends[cell] - cells.starts[cell]
    axis = axis / np.linalg.norm(axis) + rng.normal(0, 0.25, 3)
    return np.asarray(axis / np.linalg.norm(axis))


def _around(at: tuple[int, ...], reach_um: float, shape: tuple[int, ...]) -> tuple[slice, ...]:
    by = (int(reach_um / step) + 1 for step in SPACING)
    return tuple(slice(max(0, i - n), min(size, i + n + 1)) for i, n, size in zip(at, by, shape, strict=True))


def _cristae_direction(axis: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cristae lie across the mitochondrion, tilted a little, and stand upright enough to show within a section."""
    direction = axis * (0.25, 1, 1) + rng.normal(0, 0.2, 3) * (0.3, 1, 1)
    if np.linalg.norm(direction[1:]) < 0.2:
        direction = np.array([0.1, *rng.standard_normal(2)])
    return np.asarray(direction / np.linalg.norm(direction), np.float32)


def _cytoplasm(cells: _Cells, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Gray of each neurite, with grain of ribosomes and filaments."""
    tone = rng.normal(0.66, 0.045, _NEURITES).astype(np.float32)
    grain = ndi.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (0, 1.1, 1.1))
    coarse = _smooth_noise(shape, (12, 32, 32), rng)
    strength = rng.uniform(0.06, 0.20, _NEURITES).astype(np.float32)
    return np.asarray(tone[cells.index] + strength[cells.index] * grain + 0.02 * coarse)


def _draw_bodies(signal: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Dark bodies as dark as mitochondria, without cristae."""
    inside = np.clip(depth / 0.012 + 0.5, 0, 1)
    return signal * (1 - inside) + (0.30 + 0.15 * (signal - 0.66)) * inside


def _draw_mitochondria(signal: np.ndarray, organelles: _Organelles) -> np.ndarray:
    """A dark envelope, a gray matrix, and bent dark cristae that rarely reach all the way across."""
    depth = organelles.mitochondria
    box = ndi.find_objects((depth > -0.02).astype(np.uint8))
    if not box:
        return signal
    depth, along, under = depth[box[0]], organelles.along[box[0]], signal[box[0]]
    shape: Shape = depth.shape
    rng = np.random.default_rng(shape)  # the waves need not vary with the seed beyond the shape
    wave = 0.018 * _smooth_noise(shape, (10, 20, 20), rng)
    crista = 0.5 + 0.5 * np.cos(2 * np.pi * (along + wave) / 0.058)
    crista = crista**3 * np.clip(0.75 + 0.55 * _smooth_noise(shape, (12, 16, 16), rng), 0, 1)
    matrix = 0.50 - 0.19 * crista * np.clip((depth - 0.014) / 0.012, 0, 1) + 0.6 * (under - 0.66)
    envelope = np.exp(-0.5 * ((depth - 0.008) / 0.008) ** 2)
    body = matrix * (1 - 0.75 * envelope) + 0.26 * 0.75 * envelope
    inside = np.clip(depth / 0.008 + 0.5, 0, 1)
    drawn = signal.copy()
    drawn[box[0]] = under * (1 - inside) + body * inside
    return drawn


def _draw_vesicles(
    signal: np.ndarray, inside: np.ndarray, organelles: _Organelles, rng: np.random.Generator
) -> np.ndarray:
    """Clusters of synaptic vesicles near membranes: dark rings of 45 nm with a pale middle, one section deep."""
    free = (inside > 0.01) & (organelles.mitochondria < -0.03) & (organelles.bodies < -0.03)
    drawn = signal.copy()
    homes = np.argwhere(free & (inside > 0.02) & (inside < 0.07))
    for _ in range(26):
        home = homes[rng.integers(len(homes))]
        count = rng.integers(90, 260)
        offsets = rng.normal(0, 1, (count, 3)) * (2.2, 14, 14)
        for z, y, x in home + offsets:
            _stamp(drawn, free, round(z), y, x, rng.uniform(2.3, 3.1))
    return drawn


def _stamp(drawn: np.ndarray, free: np.ndarray, z: int, y: float, x: float, radius: float) -> None:
    """One vesicle where there is room for it."""
    reach = 5
    top, left = round(y) - reach, round(x) - reach
    if not (0 <= z < free.shape[0] and 0 <= top < free.shape[1] - 2 * reach and 0 <= left < free.shape[2] - 2 * reach):
        return
    box = (z, slice(top, top + 2 * reach + 1), slice(left, left + 2 * reach + 1))
    rows, columns = np.ogrid[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    away = np.hypot(rows - y, columns - x)
    if not free[box][away < radius + 0.5].all():
        return
    ring = np.exp(-0.5 * ((away - radius) / 0.8) ** 2)
    middle = np.clip(radius - away, 0, 1)
    patch = drawn[box]
    drawn[box] = patch * (1 - 0.55 * ring) + 0.16 * ring + 0.06 * middle
    free[box] &= away > radius + 0.5


def _imaged(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the microscope makes of it: blur, uneven contrast, shading from section to section, shot and read noise."""
    shape: Shape = signal.shape
    seen = ndi.gaussian_filter(signal, (0, 0.7, 0.7))
    contrast = 1 + 0.08 * _smooth_noise(shape, (4, 2, 2), rng)
    shade = 0.035 * _smooth_noise(shape, (8, 2, 3), rng)
    gain = 1 + 0.05 * rng.standard_normal((shape[0], 1, 1)).astype(np.float32)
    offset = 0.025 * rng.standard_normal((shape[0], 1, 1)).astype(np.float32)
    seen = 0.5 + (seen - 0.5) * contrast * gain + shade + offset
    noise = rng.standard_normal(shape, dtype=np.float32)
    seen = seen + noise * np.sqrt(0.0007 + 0.0018 * np.clip(seen, 0, 1))
    return np.asarray(np.clip(seen * 255, 0, 255).round(), np.uint8)
