"""Objects of an array in memory: what the work by the block must equal, and what a preview shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.config.objects import ObjectsConfig
from voxloop.errors import PredictionError, VolumeError
from voxloop.geometry import Box, Spacing
from voxloop.given import shown
from voxloop.objects import following
from voxloop.objects.fields import VoxelField
from voxloop.objects.labelling import components, first_voxels, names_in_faces
from voxloop.objects.voxels import as_probability, depth, flood, smooth
from voxloop.volumes.volume import spacing_argument

#: what is a hole of objects that hold together by faces holds together by corners, and the other way round
DUAL = {"faces": "corners", "edges": "faces", "corners": "faces"}
#: outputs of a network that learnt objects, in the order of its channels
CHANNELS = ("foreground", "boundary", "distance")
#: of one that learnt where the middles of objects are
ARROWS = ("foreground", "z", "y", "x")
#: share of the size of a usual object below which something is a fleck, where nobody says a size
_SMALL = 0.07
#: planes to both sides that a preview of one plane looks at
_PREVIEW_PLANES = 8


def segment(
    probability: np.ndarray,
    config: ObjectsConfig | None = None,
    *,
    spacing_um: Sequence[float] = (1.0, 1.0, 1.0),
    frames: bool = False,
) -> np.ndarray:
    """Objects of one class.

    Parameters
    ----------
    probability
        Of the class, (z, y, x): uint8 (255 is certain) or floats 0 to 1.
    config
        Thresholds and sizes; :class:`voxloop.ObjectsConfig` as it is where not given.
    spacing_um
        Voxel size, micrometres, zyx.
    frames
        Whether planes are separate pictures.

    Returns
    -------
    ndarray
        One number from 1 an object (z, y, x), uint32, in the order of their first voxels along x, then y, then z.
    """
    config = ObjectsConfig.of(config)
    field = _field(np.asarray(probability), spacing_um, frames, "zyx")
    clumps = _clumps(field.read(Box.whole(field.shape)), field, config)
    if config.split and config.seed_depth > 0:
        height = depth(clumps, field.spacing_um, frames)
        clumps = _cut(clumps, height > config.seed_depth, height, field, config)
    return _renumber(clumps, field, config)


def decode_instances(
    probabilities: np.ndarray,
    config: ObjectsConfig | None = None,
    *,
    spacing_um: Sequence[float] = (1.0, 1.0, 1.0),
    frames: bool = False,
) -> np.ndarray:
    """Objects of a network's foreground, boundary and distance: a watershed from the middles of objects.

    Parameters
    ----------
    probabilities
        ``(3, z, y, x)``: foreground, boundary, and depth (0 at the border of an object, 1 in its middle); or
        ``(4, z, y, x)``: foreground and arrows zyx that lead to the middle of an object, 0 to 1 for lengths from -1 to
        1. uint8 (255 stands for 1) or floats.

    Returns
    -------
    ndarray
        As of :func:`segment`. Raises PredictionError for another number of channels.
    """
    config = ObjectsConfig() if config is None else config
    check_channels(len(probabilities))
    field = _field(np.asarray(probabilities), spacing_um, frames, "czyx")
    channels = field.read(Box.whole(field.shape))
    clumps = _clumps(channels[0], field, config)
    if config.split and len(channels) == len(ARROWS):
        clumps = _follow(clumps, as_probability(channels[1:]), field, config)
    elif config.split:
        height = middleness(channels, config, field)
        clumps = _cut(clumps, height > config.seed_threshold, height, field, config)
    return _renumber(clumps, field, config, instances=True)


def middleness(channels: np.ndarray, config: ObjectsConfig, field: VoxelField) -> np.ndarray:
    """How much a voxel is in the middle of an object, 0 to 1: depth, smoothed, where there is no boundary."""
    return np.asarray(smooth(channels[2], config, field) * (1 - as_probability(channels[1])))


def check_channels(count: int) -> None:
    if count not in (len(CHANNELS), len(ARROWS)):
        raise PredictionError(
            f"objects are made of the three channels {', '.join(CHANNELS)} or the four {', '.join(ARROWS)}; these are "
            f"{count}"
        )


def preview(field: VoxelField, config: ObjectsConfig, region: object, *, instances: bool = False) -> np.ndarray:
    """Objects of a region (z, y, x) as they come out of it and what lies around it within the reach.

    Objects that go on further may look different than when applied to all: their size and holes are those seen here,
    and numbers are of this region alone. ``field``: the probability, or the channels of :func:`decode_instances`.
    """
    box = Box.of(region, field.shape)
    z, y, x = reach(config, field)
    outer = box.grow((min(z, _PREVIEW_PLANES), y, x)).clip(field.shape)
    made = decode_instances if instances else segment
    objects = made(field.read(outer), config, spacing_um=field.spacing_um, frames=field.frames)
    return objects[box.within(outer).slices]


def reach(config: ObjectsConfig, field: VoxelField) -> tuple[int, int, int]:
    """Voxels that the watershed of a block looks past its border."""
    if not isinstance(config.reach, str):
        return field.voxels(config.reach)
    edges = field.spacing_um[1:] if field.flat else field.spacing_um
    return field.voxels(32 * min(edges))


def hole_voxels(config: ObjectsConfig, field: VoxelField) -> int:
    return int(config.fill_holes / field.voxel + 1e-6)


def leaves_out(config: ObjectsConfig, *, instances: bool) -> bool:
    """Whether objects may be too small; ``instances``: they are of a network that learnt objects."""
    return instances if isinstance(config.min_size, str) else config.min_size > 0


def too_small(sizes: np.ndarray, config: ObjectsConfig, field: VoxelField, *, instances: bool) -> np.ndarray:
    """Which of all objects, of so many voxels each, are left out."""
    if isinstance(config.min_size, str):
        return np.asarray(sizes < (_SMALL * _usual(sizes) if instances else 0))
    return np.asarray(sizes * field.voxel < config.min_size * (1 - 1e-9))


def _usual(sizes: np.ndarray) -> int:
    """The median of sizes, in which each counts by its root: neither many flecks nor one large blot are usual."""
    rising = np.sort(sizes)
    total = np.cumsum(np.sqrt(rising))
    return int(rising[np.searchsorted(total, total[-1] / 2)]) if len(rising) else 0


def is_inside(probability: np.ndarray, config: ObjectsConfig, field: VoxelField) -> np.ndarray:
    """Voxels from the threshold on, uint8."""
    return np.asarray(smooth(probability, config, field) >= np.float32(config.threshold)).view(np.uint8)


def _sizes(spacing_um: object) -> Spacing:
    """Voxel size (z, y, x) in micrometres, as a caller gives it. Raises VolumeError."""
    sizes = spacing_argument(spacing_um, "micrometer")
    if sizes is None or sizes[0] is None:
        raise VolumeError(f"spacing_um={shown(spacing_um)} is not three numbers (z, y, x)")
    return sizes[0], sizes[1], sizes[2]


def _field(array: np.ndarray, spacing_um: Sequence[float], frames: bool, axes: str) -> VoxelField:
    if array.ndim != len(axes) or array.dtype.kind not in "biuf":
        raise PredictionError(f"an array of {array.dtype} with shape {array.shape} is no volume ({', '.join(axes)})")
    depth, height, width = array.shape[-3:]
    z, y, x = _sizes(spacing_um)
    return VoxelField((depth, height, width), lambda box: array[..., *box.slices], (z, y, x), frames=frames)


def _clumps(probability: np.ndarray, field: VoxelField, config: ObjectsConfig) -> np.ndarray:
    """Connected voxels of the class, holes filled."""
    inside = is_inside(probability, config, field)
    if limit := hole_voxels(config, field):
        holes, count = components(1 - inside, DUAL[config.connectivity], field.frames)
        small = np.bincount(holes.ravel(), minlength=count + 1) <= limit
        small[names_in_faces(holes, Box.whole(field.shape), field)] = False
        small[0] = False
        inside |= small[holes].view(np.uint8)
    return components(inside, config.connectivity, field.frames)[0]


def _cut(
    clumps: np.ndarray, middles: np.ndarray, height: np.ndarray, field: VoxelField, config: ObjectsConfig
) -> np.ndarray:
    seeds, count = components(np.where(middles, clumps, 0), config.connectivity, field.frames)
    grown = flood(clumps, seeds, height, config.connectivity, field.frames)
    # a clump without a seed is one object
    return np.where(grown > 0, grown.astype(np.uint32), clumps.astype(np.uint32) + np.uint32(count) * (clumps > 0))


def _follow(clumps: np.ndarray, arrows: np.ndarray, field: VoxelField, config: ObjectsConfig) -> np.ndarray:
    flow = following.arrows(arrows, clumps > 0, field.spacing_um, field.flat, max(reach(config, field)))
    seeds, seed_at_end = following.follow(
        clumps, flow, field.spacing_um, max(reach(config, field)), field.frames, field.flat
    )
    grown = flood(clumps, seed_at_end, np.zeros(clumps.shape, np.float32), "corners", field.frames)
    count = np.uint32(seeds.max(initial=0))
    return np.where(grown > 0, grown.astype(np.uint32), clumps.astype(np.uint32) + count * (clumps > 0))


def _renumber(names: np.ndarray, field: VoxelField, config: ObjectsConfig, *, instances: bool = False) -> np.ndarray:
    import fastremap

    numbered_names, count = fastremap.renumber(np.ascontiguousarray(names, np.uint32), in_place=False)
    total = len(count) - (0 in count)
    sizes = np.bincount(numbered_names.ravel(), minlength=total + 1)[1:]
    order = np.argsort(first_voxels(numbered_names, total))
    order = order[~too_small(sizes, config, field, instances=instances)[order]]
    table = np.zeros(total + 1, np.uint32)
    table[order + 1] = np.arange(1, len(order) + 1)
    return np.asarray(table[numbered_names])
