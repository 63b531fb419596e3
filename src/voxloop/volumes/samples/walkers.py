"""Made-up animals that walk and cross, from one seed: jointed bodies, who is who, and what lies over what."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage as ndi

from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

FRAMES = 240
SIZE = (240, 320)
SKELETON = {
    "nodes": ("head", "thorax", "abdomen", "left foot", "right foot"),
    "edges": (("head", "thorax"), ("thorax", "abdomen"), ("thorax", "left foot"), ("thorax", "right foot")),
    "symmetric": (("left foot", "right foot"),),
}
ABOUT = (
    "Made up: two to five jointed animals (by seed) that walk and cross in 240 frames of 240x320 pixels, on uneven "
    "ground with noise. The truth is where each of five nodes is, whose, and what is covered. No licence is needed."
)
_REACH = 34  # pixels around a thorax that a body may cover
#: half widths in pixels and brightness of head, trunk and legs
_HEAD, _TRUNK, _LEG = (5.5, 0.95), (5.0, 0.75), (2.2, 0.6)


def load(seed: int = 0) -> Sample:
    """The sample ``walkers`` of one seed, in memory."""
    film, points = make(seed)
    volume = open_volume(film, axes="zyx", z_kind="frame", spacing=(1, 1, 1))
    volume.name = "walkers"
    return Sample(
        name="walkers",
        volume=volume,
        truth=None,
        about=ABOUT,
        classes=(),
        kind="points",
        points=tuple(points),
        skeleton=SKELETON,
    )


def make(
    seed: int = 0, frames: int = FRAMES, size: tuple[int, int] = SIZE, animals: int | None = None
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Frames (t, y, x; uint8) and the truth as dicts of frame, points, track and hidden nodes."""
    rng = np.random.default_rng(seed)
    number = 2 + seed % 4 if animals is None else animals
    places = np.stack([_walk(rng, frames, size) for _ in range(number)])  # animal, frame, node, yx
    ground = _ground(rng, size)
    film = np.empty((frames, *size), np.uint8)
    truth: list[dict[str, Any]] = []
    for frame in range(frames):
        picture, owner = ground.copy(), np.full(size, -1)
        for animal in range(number):
            _draw(picture, owner, places[animal, frame], animal)
        seen = ndi.gaussian_filter(picture, 0.7) + rng.normal(0, 0.03, size)
        film[frame] = np.clip(255 * seen, 0, 255)
        truth += [_said(places[animal, frame], owner, animal, frame) for animal in range(number)]
    return film, truth


def _walk(rng: np.random.Generator, frames: int, size: tuple[int, int]) -> np.ndarray:
    """Nodes of one animal over time (frame, node, yx): it turns slowly, and back where the ground ends."""
    margin = 30.0
    limits = np.array(size) - 1
    at = rng.uniform(margin, limits - margin)
    heading, turn = rng.uniform(0, 2 * np.pi), 0.0
    speed, stride = rng.uniform(1.8, 3.2), rng.uniform(0.25, 0.4)
    scale, phase = rng.uniform(0.9, 1.1), rng.uniform(0, 2 * np.pi)
    nodes = np.empty((frames, 5, 2))
    for frame in range(frames):
        turn = 0.85 * turn + rng.normal(0, 0.035)
        towards = np.arctan2(*(limits / 2 - at))
        outside = bool(((at < margin) | (at > limits - margin)).any())
        if outside:
            turn += 0.2 * np.sin(towards - heading)
        heading += turn
        at = np.clip(at + speed * _along(heading), 14, limits - 14)
        phase += stride * speed / 2.4
        bend = 0.25 * np.sin(phase / 2)
        swing = 0.5 * np.sin(phase)
        nodes[frame] = (
            at + 13 * scale * _along(heading + bend),
            at,
            at - 15 * scale * _along(heading - bend),
            at + 14 * scale * _along(heading + 1.35 + swing),
            at + 14 * scale * _along(heading - 1.35 + swing),
        )
    return np.clip(nodes, 0, limits)


def _along(angle: float) -> np.ndarray:
    return np.array([np.sin(angle), np.cos(angle)])


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Dim, with slow shading and a grain that stays."""
    slow = ndi.gaussian_filter(rng.standard_normal(size), 40)
    grain = ndi.gaussian_filter(rng.standard_normal(size), 2)
    return np.asarray(0.25 + 0.07 * slow / np.abs(slow).max() + 0.05 * grain / np.abs(grain).max())


def _draw(picture: np.ndarray, owner: np.ndarray, nodes: np.ndarray, animal: int) -> None:
    """Put a body over what is there; ``owner`` says who covers a pixel."""
    head, thorax, abdomen, left, right = nodes
    corner = np.maximum(np.round(thorax).astype(int) - _REACH, 0)
    stop = np.minimum(np.round(thorax).astype(int) + _REACH + 1, picture.shape)
    box = tuple(slice(a, b) for a, b in zip(corner, stop, strict=True))
    grid = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), axis=-1).astype(float)
    parts = ((thorax, left, _LEG), (thorax, right, _LEG), (thorax, abdomen, _TRUNK), (thorax, head, (3.5, 0.8)))
    for a, b, (width, light) in (*parts, (head, head, _HEAD)):
        cover = np.clip(width + 0.5 - _distance(grid, a, b), 0, 1)
        picture[box] += cover * (light * (1 - 0.03 * animal) - picture[box])
        owner[box][cover > 0.5] = animal


def _distance(grid: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of every pixel from the line between two places."""
    along = b - a
    length = float(along @ along)
    share = np.clip(((grid - a) @ along) / length, 0, 1) if length else np.zeros(grid.shape[:-1])
    return np.asarray(np.linalg.norm(grid - a - share[..., None] * along, axis=-1))


def _said(nodes: np.ndarray, owner: np.ndarray, animal: int, frame: int) -> dict[str, Any]:
    names = SKELETON["nodes"]
    pixels = np.round(nodes).astype(int)
    above = owner[pixels[:, 0], pixels[:, 1]] > animal
    return {
        "frame": frame,
        "points": {str(name): tuple(place) for name, place in zip(names, nodes.round(2).tolist(), strict=True)},
        "track": str(animal + 1),
        "hidden": [str(name) for name, covered in zip(names, above, strict=True) if covered],
    }
