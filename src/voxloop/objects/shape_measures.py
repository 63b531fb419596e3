"""Measures of one object that need all of it: hulls, Feret, oriented boxes, skeletons, and what scikit-image knows.

A mask of one object comes in, in the box around it; numbers in micrometres go out. Pure: reads nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product

import numpy as np

from voxloop.geometry import Spacing
from voxloop.objects.hulls import hull_of

#: measures of shape, by number of dimensions
SHAPE = {
    2: (
        "solidity", "filled_um2", "convex_um2", "euler_number", "eccentricity", "orientation", "feret_max_um",
        "feret_min_um", "box_1_um", "box_2_um", "box_um2",
    ),
    3: (
        "solidity", "filled_um3", "convex_um3", "euler_number", "feret_max_um", "feret_min_um", "box_1_um",
        "box_2_um", "box_3_um", "box_um3",
    ),
}  # fmt: skip
SKELETON = ("skeleton_um", "branches", "branch_points", "end_points")
#: what scikit-image measures of a region but pictures, places and what is measured here in another way
_NOT_NUMBERS = {
    "bbox", "centroid", "centroid_local", "centroid_weighted", "centroid_weighted_local", "coords", "coords_scaled",
    "feret_diameter_max", "image", "image_convex", "image_filled", "image_intensity", "label", "slice",
    "intensity_max", "intensity_mean", "intensity_min", "intensity_std", "intensity_median", "moments_weighted",
    "moments_weighted_central", "moments_weighted_hu", "moments_weighted_normalized",
}  # fmt: skip
_ONLY_FLAT = {"eccentricity", "moments_hu", "orientation", "perimeter", "perimeter_crofton"}


def shape_of(mask: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    """The measures of :data:`SHAPE` of a mask of two or three axes.

    Feret diameters are those of the hull of the middles of faces, as scikit-image takes them; the smallest is the least
    distance of two parallel planes, one of which lies on a face of the hull. The oriented box lies along the axes of
    inertia; of two dimensions it is the smallest one.
    """
    at = np.argwhere(mask)
    voxel, count = float(np.prod(spacing)), len(at)
    flat = mask.ndim == 2
    unit = "um2" if flat else "um3"
    hull = hull_of(mask, at, spacing)
    convex = hull.voxels
    cells = np.zeros(np.add(mask.shape, 2), bool)
    cells[(slice(1, -1),) * mask.ndim] = mask
    out: dict[str, float] = {
        "solidity": count / convex,
        f"filled_{unit}": _filled(cells) * voxel,
        "euler_number": float(euler_number(cells)),
        f"convex_{unit}": convex * voxel,
    }
    if flat:
        region = _region(mask, spacing)
        out |= {"eccentricity": float(region.eccentricity), "orientation": float(region.orientation)}
    out |= {"feret_max_um": hull.longest, "feret_min_um": float(hull.widths.min())}
    sides = hull.smallest_rectangle if flat else _box_of_inertia(at, hull.points, spacing)
    out |= {f"box_{number}_um": side for number, side in enumerate(sorted(sides, reverse=True), 1)}
    out[f"box_{unit}"] = float(np.prod(sides))
    return out


def euler_number(cells: np.ndarray) -> int:
    """Pieces minus tunnels plus hollows, voxels that share a corner being connected (corners, edges, faces counted).

    ``cells``: a mask with nothing along its border.
    """
    total = 0
    for joined in product((False, True), repeat=cells.ndim):
        touched = cells
        for axis, both in enumerate(joined):
            if both:
                line = [slice(None)] * cells.ndim
                before, after = list(line), list(line)
                before[axis], after[axis] = slice(None, -1), slice(1, None)
                touched = touched[tuple(before)] | touched[tuple(after)]
        total += (-1) ** (cells.ndim - sum(joined)) * int(np.count_nonzero(touched))
    return total


def skeleton_of(mask: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    """Length of the centre line, its branches, and where it forks and ends. Method: Lee 1994 (2-D: Zhang 1984)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
    from skimage.morphology import skeletonize

    line = skeletonize(np.pad(mask, 1))
    at = np.argwhere(line)
    if len(at) < 2:
        return {"skeleton_um": 0.0, "branches": float(len(at)), "branch_points": 0.0, "end_points": float(len(at))}
    pairs, length = _steps(line, at, spacing)
    degree = np.bincount(pairs.ravel(), minlength=len(at))
    forks, ends = degree > 2, degree == 1
    if not forks.any() and len(pairs) == len(at) - 1 and _pieces(line) == 1:  # one line without a fork: no graph needed
        total = float(length.sum())
        return {"skeleton_um": total, "branches": 1.0, "branch_points": 0.0, "end_points": float(ends.sum())}
    pairs = pairs.astype(np.int32)  # as SciPy before 1.15 wants the indices of graphs
    graph = coo_array((length, (pairs[:, 0], pairs[:, 1])), shape=(len(at), len(at))).tocsr()
    tree = minimum_spanning_tree(graph)
    between = ~forks[pairs[:, 0]] & ~forks[pairs[:, 1]]
    rest = coo_array((np.ones(between.sum()), pairs[between].T), shape=graph.shape)
    inner = coo_array((np.ones((~between).sum()), pairs[~between].T), shape=graph.shape)
    branches = connected_components(rest, directed=False)[1][~forks]
    joined = connected_components(inner, directed=False)[1][forks]
    return {
        "skeleton_um": float(tree.sum()),
        "branches": float(len(np.unique(branches))),
        "branch_points": float(len(np.unique(joined))),
        "end_points": float(ends.sum()),
    }


def regionprops_of(mask: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    """All numbers that scikit-image measures of a region, by its own names; lengths are micrometres.

    Left out are pictures, places and intensities, and the largest Feret diameter, which is ``feret_max_um``.
    """
    region = _region(mask, spacing)
    out: dict[str, float] = {}
    for name in regionprops_names(mask.ndim):
        try:
            with _quiet(), np.errstate(all="ignore"):
                value = np.asarray(getattr(region, name), np.float64)
        except NotImplementedError:  # Hu's, which know no voxel size: they do not depend on one that is the same
            alike = len(set(spacing)) == 1
            value = np.asarray(_region(mask, (1.0,) * mask.ndim).moments_hu if alike else np.full(7, np.nan))
        except (ValueError, ZeroDivisionError):
            value = np.asarray(np.nan)
        if not value.ndim:
            out[name] = float(value)
            continue
        for index in np.ndindex(value.shape):
            out["_".join([name, *map(str, index)])] = float(value[index])
    return out


def regionprops_names(dimensions: int) -> list[str]:
    """Measures of scikit-image's that are numbers, of so many dimensions."""
    from skimage.measure._regionprops import PROPS

    names = set(PROPS.values()) - _NOT_NUMBERS
    return sorted(names if dimensions == 2 else names - _ONLY_FLAT)


#: groups of measures that need the whole object, and what measures them
OF_MASK: Mapping[str, Callable[..., dict[str, float]]] = {
    "shape": shape_of,
    "skeleton": skeleton_of,
    "regionprops": regionprops_of,
}


def plane_or_volume(mask: np.ndarray, spacing: Spacing, flat: bool) -> tuple[np.ndarray, tuple[float, ...]]:
    """The axes that count: two of pictures and frames, else three."""
    return (mask[0], tuple(spacing[1:])) if flat else (mask, tuple(spacing))


@contextmanager
def _quiet() -> Iterator[None]:
    """Lines and sheets have no hull, which scikit-image warns of once for each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _region(mask: np.ndarray, spacing: tuple[float, ...]):  # type: ignore[no-untyped-def]
    from skimage.measure import regionprops

    return regionprops(mask.astype(np.uint8), spacing=spacing)[0]


def _filled(cells: np.ndarray) -> int:
    """Voxels of the object and of the holes that it closes, also against corners; nothing lies along the border."""
    import cc3d

    around = cc3d.connected_components(~cells, connectivity=8 if cells.ndim == 2 else 26)
    return int(around.size - np.count_nonzero(around == around.flat[0]))


def _pieces(line: np.ndarray) -> int:
    import cc3d

    return int(cc3d.connected_components(line, connectivity=8 if line.ndim == 2 else 26, return_N=True)[1])


def _steps(line: np.ndarray, at: np.ndarray, spacing: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of voxels of a line that touch, as rows of ``at``, and how far they are apart; its outer voxels are off."""
    number = np.full(line.shape, -1, np.int64)
    number[tuple(at.T)] = np.arange(len(at))
    pairs, lengths = [], []
    for step in product((-1, 0, 1), repeat=line.ndim):
        if step <= (0,) * line.ndim:
            continue
        there = number[tuple((at + step).T)]
        here = np.flatnonzero(there >= 0)
        pairs.append(np.stack([here, there[here]], axis=1))
        lengths.append(np.full(len(here), np.sqrt(np.square(np.multiply(step, spacing)).sum())))
    return np.concatenate(pairs), np.concatenate(lengths)


def _box_of_inertia(at: np.ndarray, points: np.ndarray, spacing: Sequence[float]) -> list[float]:
    """Sides of the box along the axes of inertia that holds all of ``points`` (micrometres); ``at`` in voxels."""
    step = np.asarray(spacing, np.float64)
    apart = (at - at.mean(axis=0)) * step
    _, axes = np.linalg.eigh(apart.T @ apart / len(at) + np.diag(np.square(step)) / 12)
    along = points @ axes
    return [float(side) for side in along.max(axis=0) - along.min(axis=0)]
