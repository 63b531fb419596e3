"""What networks of Cellpose and StarDist say, as foreground and arrows: what objects are found from, by the block.

Neither package is needed: the graph comes as ONNX, and what its channels mean is written here. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxloop.errors import ModelError

#: Cellpose multiplies its flows by this before it learns them
CELLPOSE_SCALE = 5.0
#: probability from which StarDist's candidate counts, and share of a candidate that others may have taken already
STARDIST_LEAST, STARDIST_OVERLAP = 0.5, 0.4
#: rays that a star has at least
_RAYS = 8


def cellpose(out: np.ndarray) -> np.ndarray:
    """Flows of Cellpose (n, 3, z, y, x: along y, along x, logit of cell) as (n, 4, z, y, x) in 0..1.

    Arrows -1..1 become 0..1, as the objects' finder takes them; none points along z.
    """
    made = np.full((out.shape[0], 4, *out.shape[2:]), 0.5, np.float32)
    made[:, 0] = (1 + np.tanh(out[:, 2] / 2)) / 2
    made[:, 2:] = np.clip(out[:, :2] / CELLPOSE_SCALE, -1, 1) / 2 + 0.5
    return made


def stardist(out: np.ndarray) -> np.ndarray:
    """Probability and rays of StarDist (n, 1 + rays, z, y, x) as (n, 4, z, y, x) in 0..1, each plane by itself.

    The most probable stars are drawn, those that overlap with one that was drawn are not; each voxel's arrow points to
    the middle of its star.
    """
    made = np.full((out.shape[0], 4, *out.shape[2:]), 0.5, np.float32)
    for n in range(out.shape[0]):
        for z in range(out.shape[2]):
            stars = draw_stars(out[n, 0, z], out[n, 1:, z])
            made[n, 0, z] = stars > 0
            made[n, 2:, z] = to_middles(stars) / 2 + 0.5
    return made


def draw_stars(probability: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Labels (y, x) int32 of stars: ``probability`` (y, x), ``rays`` (rays, y, x) in voxels, from +x towards +y."""
    from scipy import ndimage as ndi
    from skimage.draw import polygon

    labels = np.zeros(probability.shape, np.int32)
    # the best of its neighbourhood alone: others of the same object would be left out one by one
    best = (probability >= STARDIST_LEAST) & (probability >= ndi.maximum_filter(probability, 3))
    places = np.argwhere(best)
    angles = np.linspace(0, 2 * np.pi, len(rays), endpoint=False)
    steps = np.stack([np.sin(angles), np.cos(angles)])
    count = 0
    for y, x in places[np.argsort(-probability[best], kind="stable")]:
        corners = np.array([[y], [x]]) + steps * np.maximum(rays[:, y, x], 0)
        inside = polygon(corners[0], corners[1], labels.shape)
        if not len(inside[0]):
            continue
        taken = labels[inside] > 0
        if taken.mean() > STARDIST_OVERLAP:
            continue
        count += 1
        labels[inside[0][~taken], inside[1][~taken]] = count
    return labels


def to_middles(labels: np.ndarray) -> np.ndarray:
    """Arrows (2, y, x) of length 1 from each voxel of an object to its middle, shorter within two voxels of it."""
    arrows = np.zeros((2, *labels.shape), np.float32)
    at = np.nonzero(labels)
    if not len(at[0]):
        return arrows
    own = labels[at]
    size = np.bincount(own)
    away = np.stack([np.bincount(own, place)[own] / size[own] - place for place in at])
    arrows[:, at[0], at[1]] = away / np.maximum(np.hypot(*away), 2)
    return arrows


#: name -> what makes foreground and arrows of the network's own channels
DECODERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"cellpose": cellpose, "stardist": stardist}


def check_decoder(name: str, channels: int, dimensions: int) -> None:
    """Raises ModelError where a network cannot be one of those that are decoded so."""
    if name not in DECODERS:
        raise ModelError(f"objects={name!r} is not known; networks of {' and '.join(map(repr, DECODERS))} are decoded")
    if dimensions != 2:
        raise ModelError(f"objects={name!r} is for networks of planes, this one takes blocks")
    if name == "cellpose" and channels != 3:
        raise ModelError(f"networks of Cellpose give 3 channels (flow y, flow x, cell), this one gives {channels}")
    if name == "stardist" and channels <= _RAYS:
        raise ModelError(
            f"networks of StarDist give a probability and {_RAYS} rays or more, this one {channels} channels"
        )
