"""The samples by name, made up or real, and what a sample is."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.errors import VolumeError, unknown
from voxloop.model import ClassInfo

if TYPE_CHECKING:
    from xarray import DataArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A volume to try things on.

    ``truth`` is a volume of the same shape: class values as in ``classes``, or one id per object where the sample is of
    instances (``kind``); None where nobody knows. ``about`` says what it is, where it comes from and its licence.
    """

    name: str
    volume: DataArray
    truth: DataArray | None
    about: str
    classes: tuple[ClassInfo, ...]
    kind: str = "semantic"


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

    if name == "em":
        return em.load(seed)
    if name == "nuclei":
        return nuclei.load(seed)
    if name in real.REAL:
        return real.load(name, seed)
    raise VolumeError(unknown("sample", name, list()))
