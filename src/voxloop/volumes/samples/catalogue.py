"""The samples by name, made up or real. Knows no voxels."""

from __future__ import annotations

import builtins

from voxloop.errors import VolumeError, unknown
from voxloop.given import shown
from voxloop.volumes.samples.sample import Sample

MADE_UP = ("em", "nuclei", "walkers", "spots", "dividing", "pictures")


def list() -> builtins.list[str]:
    """Names of all samples: the made-up ones, which need nothing, then the real ones.

    Examples
    --------
    >>> vl.samples.list()[:3]
    ['em', 'nuclei', 'walkers']
    """
    from voxloop.volumes.samples.real import REAL

    return [*MADE_UP, *REAL]


def load(name: str, seed: int = 0) -> Sample:
    """One sample in memory.

    Parameters
    ----------
    name
        One of :func:`list`.
    seed
        Seed of a made-up volume: the same seed gives the same voxels. For collections of pictures, which one.

    Raises
    ------
    VolumeError
        Where there is no such sample, or a real one can be had from neither folder, mirror nor network.

    Examples
    --------
    Made up by seed, with the truth known:

    >>> sample = vl.samples.load("nuclei", seed=1)
    >>> sample.volume.dims, sample.truth.shape == sample.volume.shape
    (('z', 'y', 'x'), True)
    """
    from voxloop.volumes.samples import dividing, em, kinds_of_cells, nuclei, real, spots, walkers

    if not isinstance(name, str):
        raise VolumeError(unknown("sample", shown(name), list()))
    makers = {
        "em": em.load,
        "nuclei": nuclei.load,
        "walkers": walkers.load,
        "spots": spots.load,
        "dividing": dividing.load,
        "pictures": kinds_of_cells.load,
    }
    if name in makers:
        return makers[name](seed)
    if name in real.REAL:
        return real.load(name, seed)
    raise VolumeError(unknown("sample", name, list()))
