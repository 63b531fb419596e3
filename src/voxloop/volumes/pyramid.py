"""Coarser resolutions of a volume: the source's own, else in-plane halvings by mean. Lazy; knows no file format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import VolumeError
from voxloop.geometry import Shape, Spacing
from voxloop.given import shown
from voxloop.volumes.chunks import chunk_plan
from voxloop.volumes.halving import CachedBlocks, Halved
from voxloop.volumes.view import dask_over
from voxloop.volumes.volume import make_volume, opened_with, origin_of, shape_zyx, spacing_of, spacing_sources

if TYPE_CHECKING:
    from xarray import DataArray

#: a plane that fits here needs no coarser one
SMALLEST = 512
Factors = tuple[int, int, int]


def scales(volume: DataArray, *, cache: str | Path | None = None, smallest: int = SMALLEST) -> list[DataArray]:
    """Resolutions of ``volume``, finest first; the first is ``volume`` itself. Computes nothing.

    A multiscale source gives its own; any other is halved in the plane by mean until a plane fits ``smallest`` pixels.
    Physical coordinates agree: the centre of a coarse voxel lies amid the fine ones it stands for.

    Parameters
    ----------
    cache
        Folder in which computed blocks are kept (made when needed, may be deleted at any time). None: computed anew.
    smallest
        Longest side of the coarsest plane, in pixels.

    Examples
    --------
    >>> [one.shape for one in vl.scales(volume)]
    [(6, 64, 64)]
    """
    if not hasattr(volume, "attrs"):
        raise VolumeError(f"{shown(volume)} is no volume; open it first with open_volume")
    own = _own_scales(volume)
    if own is not None:
        return own
    found = [volume]
    while max(shape_zyx(found[-1])[1:]) > smallest:
        found.append(_halved(found[-1], len(found), cache, volume))
    return found


def _own_scales(volume: DataArray) -> list[DataArray] | None:
    """The source's other resolutions; None where it has none or where ``volume`` is no longer all of it."""
    count, arguments = volume.attrs.get("scale_count", 1), opened_with(volume)
    if count < 2 or not arguments or arguments.get("scale", 0):
        return None
    from voxloop.volumes.opening import open_volume

    first = open_volume(**arguments)
    if first.shape != volume.shape or origin_of(first) != origin_of(volume):
        return None
    finest = spacing_of(volume)
    own = [volume]
    for scale in range(1, count):
        coarse = open_volume(**{**arguments, "scale": scale})
        if "spacing" in arguments:  # the argument speaks of the finest voxels
            coarse = _respaced(coarse, volume, finest)
        own.append(coarse)
    return own


def _respaced(coarse: DataArray, volume: DataArray, finest: Spacing) -> DataArray:
    sizes = zip(finest, shape_zyx(volume), shape_zyx(coarse), strict=True)
    z, y, x = (step * round(full / part) for step, full, part in sizes)
    spacing = (z, y, x)
    start = origin_of(volume)
    z, y, x = (o + (s - f) / 2 for o, s, f in zip(start, spacing, finest, strict=True))
    return _like(coarse, coarse.data, spacing, (z, y, x))


def _halved(volume: DataArray, level: int, cache: str | Path | None, finest: DataArray) -> DataArray:
    array: Any = Halved(volume.data)
    plan = chunk_plan(array.shape, "czyx"[-array.ndim :], array.dtype.itemsize, own=_tile(array.shape))
    if cache is not None:
        array = CachedBlocks(array, Path(cache) / f"{level}.zarr", _tile(array.shape), _fingerprint(finest, level))
    lazy = dask_over(array, plan)
    z, y, x = spacing_of(volume)
    sz, sy, sx = origin_of(volume)
    return _like(volume, lazy, (z, 2 * y, 2 * x), (sz, sy + y / 2, sx + x / 2))


def _like(volume: DataArray, data: Any, spacing: Spacing, origin: Spacing) -> DataArray:
    return make_volume(
        data,
        spacing_um=spacing,
        origin_um=origin,
        name=str(volume.name),
        source=volume.attrs.get("source", "array"),
        channel_names=volume.attrs.get("channel_names"),
        z_kind=volume.attrs.get("z_kind", "space"),
        spacing_from=spacing_sources(volume),
        axes_from=volume.attrs.get("axes_from", "assumed"),
        remarks=volume.attrs.get("remarks", ()),
    )


def _tile(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Blocks of a cache: one plane deep, since planes are what is looked at."""
    return (*(1 for _ in shape[:-2]), *(min(512, n) for n in shape[-2:]))


def _fingerprint(volume: DataArray, level: int) -> dict[str, Any]:
    """What a cached scale was made from; a file's time of change tells a new version of it."""
    arguments = opened_with(volume) or {}
    source = arguments.get("source")
    path = Path(source) if isinstance(source, str) and "://" not in source else None
    changed = path.stat().st_mtime_ns if path is not None and path.exists() else None
    return {"shape": list(volume.shape), "dtype": str(volume.dtype), "level": level, "from": source, "changed": changed}


@dataclass(frozen=True, slots=True)
class Scale:
    """One resolution of a pyramid: voxels, voxel size, centre of voxel 0, and the step from the next finer one."""

    shape: Shape
    spacing_um: Spacing
    origin_um: Spacing
    factors: Factors


def plan_scales(
    shape: Shape,
    spacing_um: Spacing,
    *,
    origin_um: Spacing = (0.0, 0.0, 0.0),
    frames: bool = False,
    smallest: int = 256,
) -> list[Scale]:
    """Resolutions to write for a volume, finest first, until it fits a cube of ``smallest`` voxels.

    Each step halves the axes whose voxels are at most 1.5 times the smallest, so anisotropic volumes become isotropic
    first and stay so; frames are never mixed.
    """
    found = [Scale(shape, spacing_um, origin_um, (1, 1, 1))]
    while True:
        last = found[-1]
        free = [n > 1 and not (frames and axis == 0) for axis, n in enumerate(last.shape)]
        if not any(n > smallest and f for n, f in zip(last.shape, free, strict=True)):
            return found
        finest = min(s for s, f in zip(last.spacing_um, free, strict=True) if f)
        z, y, x = (2 if f and s <= 1.5 * finest else 1 for s, f in zip(last.spacing_um, free, strict=True))
        found.append(_coarser(last, (z, y, x)))


def _coarser(last: Scale, factors: Factors) -> Scale:
    z, y, x = (-(-n // f) for n, f in zip(last.shape, factors, strict=True))
    sz, sy, sx = (s * f for s, f in zip(last.spacing_um, factors, strict=True))
    oz, oy, ox = (o + s * (f - 1) / 2 for o, s, f in zip(last.origin_um, last.spacing_um, factors, strict=True))
    return Scale((z, y, x), (sz, sy, sx), (oz, oy, ox), factors)
