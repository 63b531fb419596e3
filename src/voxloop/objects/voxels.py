"""Which voxels are objects, and where touching ones are cut, for a block in memory. Pure."""

from __future__ import annotations

import numpy as np

from voxloop.config.objects import ObjectsConfig
from voxloop.geometry import Spacing
from voxloop.objects.fields import Halo, VoxelField
from voxloop.objects.labelling import RANK

#: the Gaussian is cut off at this many sigmas
_TRUNCATE = 3.0


def smoothing_halo(config: ObjectsConfig, field: VoxelField) -> Halo:
    """Voxels that :func:`smooth` looks at past a voxel; with that many around it a block equals the whole."""
    sigma = _sigma(config, field)
    z, y, x = (int(_TRUNCATE * s + 0.5) for s in sigma)
    return z, y, x


def smooth(probability: np.ndarray, config: ObjectsConfig, field: VoxelField) -> np.ndarray:
    """Probabilities (z, y, x), uint8 (255 is certain) or floats, smoothed; float32. Never across frames."""
    from scipy import ndimage as ndi

    values = as_probability(probability)
    if config.smoothing == 0:
        return values
    return np.asarray(ndi.gaussian_filter(values, _sigma(config, field), truncate=_TRUNCATE))


def _sigma(config: ObjectsConfig, field: VoxelField) -> tuple[float, float, float]:
    z, y, x = (config.smoothing / step for step in field.spacing_um)
    return (0.0 if field.flat else z, y, x)


def as_probability(values: np.ndarray) -> np.ndarray:
    """uint8 of 255 as float32 of 1; floats as float32; what is not finite as 0."""
    if values.dtype == np.uint8:
        return values * np.float32(1 / 255)
    return np.nan_to_num(values.astype(np.float32, copy=False), nan=0.0, posinf=0.0, neginf=0.0)


def depth(names: np.ndarray, spacing_um: Spacing, frames: bool = False) -> np.ndarray:
    """Distance of each voxel to the nearest one of another name, micrometres, float32; 0 outside. Method: edt.

    What lies past the array is no border; infinite where there is no other name at all.
    """
    import edt

    if frames or len(names) == 1:
        return np.stack([edt.edt(plane, anisotropy=spacing_um[1:], black_border=False) for plane in names])
    return np.asarray(edt.edt(np.ascontiguousarray(names), anisotropy=spacing_um, black_border=False))


def flood(
    names: np.ndarray, seeds: np.ndarray, height: np.ndarray, connectivity: str, frames: bool = False
) -> np.ndarray:
    """Grow seeds over the voxels of their names, highest first: the seed that each voxel falls to, 0 where none does.

    Parameters
    ----------
    names
        Clumps (z, y, x): touching ones never flow into each other where their names differ.
    seeds
        Names from 1 of the seeds, 0 elsewhere.
    height
        What is highest in the middle of an object.

    Method: watershed by flooding of scikit-image (Soille and Ansoult 1990).
    """
    from skimage.segmentation import watershed

    if frames and len(names) > 1:
        grown = np.zeros(seeds.shape, seeds.dtype)
        for at in range(len(names)):
            grown[at] = flood(names[at : at + 1], seeds[at : at + 1], height[at : at + 1], connectivity)[0]
        return grown
    seeded = seeds > 0
    if not seeded.any():
        return np.zeros_like(seeds)
    seed_names, local = np.unique(
        seeds[seeded], return_inverse=True
    )  # the library wants int32, volumes have more seeds
    markers = np.zeros(seeds.shape, np.int32)
    markers[seeded] = local + 1
    grown = watershed(-height, markers, connectivity=RANK[connectivity], mask=names > 0)
    return np.asarray(np.concatenate([np.zeros(1, seeds.dtype), seed_names])[grown])
