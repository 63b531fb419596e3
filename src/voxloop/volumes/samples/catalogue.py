"""The samples by name, made up or real. Knows no voxels."""

from __future__ import annotations

import builtins

from voxloop.errors import VolumeError, unknown
from voxloop.given import shown
from voxloop.volumes.samples.sample import Sample

MADE_UP = ("em", "nuclei")


def list() -> builtins.list[str]:
    """Names of all samples: the made-up ones, which need nothing, then the real ones."""
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
    """
    from voxloop.volumes.samples import em, nuclei, real

    if not isinstance(name, str):
        raise VolumeError(unknown("sample", shown(name), list()))
    if name == "em":
        return em.load(seed)
    if name == "nuclei":
        return nuclei.load(seed)
    if name in real.REAL:
        return real.load(name, seed)
    raise VolumeError(unknown("sample", name, list()))
