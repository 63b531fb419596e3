"""Measures of one object that need all of it: hulls, Feret, oriented boxes, skeletons, and what scikit-image knows.

A mask of one object comes in, in the box around it; numbers in micrometres go out. Pure: reads nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from voxloop.geometry import Spacing

#: measures of shape, by number of dimensions
SHAPE = {
    2: (
        "circularity", "solidity", "extent", "filled_um2", "convex_um2", "equivalent_diameter_um", "euler_number",
        "eccentricity", "orientation", "feret_max_um", "feret_min_um", "box_1_um", "box_2_um", "box_um2",
    ),
    3: (
        "sphericity", "solidity", "extent", "filled_um3", "convex_um3", "equivalent_diameter_um", "euler_number",
        "feret_max_um", "feret_min_um", "box_1_um", "box_2_um", "box_3_um", "box_um3",
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


def shape_of(mask: np.ndarray, spacing: tuple[float, ...], surface: float) -> dict[str, float]:
    """The measures of :data:`SHAPE` of a mask of two or three axes; ``surface`` as :func:`measure_objects` has it.

    Feret diameters are those of the hull of the middles of faces, as scikit-image takes them; the smallest is the least
    distance of two parallel planes, one of which lies on a face of the hull. The oriented box lies along the axes of
    inertia; of two dimensions it is the smallest one.
    """
    region = _region(mask, spacing)
    size = float(mask.sum() * np.prod(spacing))
    flat = mask.ndim == 2
    unit = "um2" if flat else "um3"
    out: dict[str, float] = {
        "solidity": _solidity(region),
        "extent": float(region.extent),
        f"filled_{unit}": float(region.area_filled),
        "equivalent_diameter_um": float(region.equivalent_diameter_area),
        "euler_number": float(region.euler_number),
    }
    out[f"convex_{unit}"] = size / out["solidity"]
    if flat:
        out |= {"eccentricity": float(region.eccentricity), "orientation": float(region.orientation)}
        out["circularity"] = 4 * np.pi * size / surface**2 if surface else 0.0
    else:
        out["sphericity"] = np.pi ** (1 / 3) * (6 * size) ** (2 / 3) / surface if surface else 0.0
    hull = _hull(mask, spacing)
    points = hull.points[hull.vertices]
    out["feret_max_um"] = _longest(points)
    widths = np.ptp(hull.equations[:, :-1] @ points.T, axis=1)
    out["feret_min_um"] = float(widths.min())
    sides = _smallest_rectangle(hull) if flat else _box_of_inertia(mask, points, spacing)
    out |= {f"box_{number}_um": side for number, side in enumerate(sorted(sides, reverse=True), 1)}
    out[f"box_{unit}"] = float(np.prod(sides))
    return out


def skeleton_of(mask: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    """Length of the centre line, its branches, and where it forks and ends. Method: Lee 1994 (2-D: Zhang 1984)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
    from scipy.spatial import cKDTree
    from skimage.morphology import skeletonize

    at = np.argwhere(skeletonize(np.pad(mask, 1)))
    if len(at) < 2:
        return {"skeleton_um": 0.0, "branches": float(len(at)), "branch_points": 0.0, "end_points": float(len(at))}
    pairs = cKDTree(at).query_pairs(1.01 * np.sqrt(mask.ndim), output_type="ndarray")
    pairs = pairs[np.abs(at[pairs[:, 0]] - at[pairs[:, 1]]).max(axis=1) == 1]
    length = np.linalg.norm((at[pairs[:, 0]] - at[pairs[:, 1]]) * np.array(spacing), axis=1)
    graph = coo_array((length, (pairs[:, 0], pairs[:, 1])), shape=(len(at), len(at))).tocsr()
    tree = minimum_spanning_tree(graph)
    degree = np.bincount(pairs.ravel(), minlength=len(at))
    forks, ends = degree > 2, degree == 1
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


def _solidity(region) -> float:  # type: ignore[no-untyped-def]
    """Share of the hull that is filled; lines and sheets are their own hull."""
    with _quiet(), np.errstate(all="ignore"):
        hull = float(region.area_convex)
    return min(1.0, float(region.area) / hull) if hull else 1.0


def _hull(mask: np.ndarray, spacing: tuple[float, ...]):  # type: ignore[no-untyped-def]
    """The hull of the middles of the outer faces, micrometres."""
    from scipy.spatial import ConvexHull

    padded = np.pad(mask, 1)
    points = []
    for axis in range(mask.ndim):
        for way in (-1, 1):
            face = mask & ~np.take(padded, np.arange(1, padded.shape[axis] - 1) + way, axis)[_inner(mask.ndim, axis)]
            at = np.argwhere(face).astype(np.float64)
            at[:, axis] += way / 2
            points.append(at)
    return ConvexHull(np.concatenate(points) * np.array(spacing))


def _inner(dimensions: int, axis: int) -> tuple[slice, ...]:
    return tuple(slice(None) if at == axis else slice(1, -1) for at in range(dimensions))


def _longest(points: np.ndarray) -> float:
    from scipy.spatial.distance import pdist

    while len(points) > 3000:  # hulls of very large objects have more corners than matter
        points = points[::2]
    return float(pdist(points).max())


def _smallest_rectangle(hull) -> list[float]:  # type: ignore[no-untyped-def]
    """Sides of the smallest rectangle around a hull of two dimensions: one of them lies on an edge."""
    normals = hull.equations[:, :2]
    along = np.stack([-normals[:, 1], normals[:, 0]], axis=1)
    points = hull.points[hull.vertices].T
    sides = np.stack([np.ptp(normals @ points, axis=1), np.ptp(along @ points, axis=1)], axis=1)
    return [float(side) for side in sides[np.argmin(sides.prod(axis=1))]]


def _box_of_inertia(mask: np.ndarray, points: np.ndarray, spacing: tuple[float, ...]) -> list[float]:
    at = np.argwhere(mask) * np.array(spacing)
    _, axes = np.linalg.eigh(np.cov(at.T, bias=True) + np.diag(np.square(spacing)) / 12)
    return [float(side) for side in np.ptp(points @ axes, axis=0)]
