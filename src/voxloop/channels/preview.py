"""A channel to look at while its settings change: on a coarser image where that takes long. Lazy; knows no widgets."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.channels.evaluation import ChannelChain
from voxloop.channels.fitting import check_fits
from voxloop.channels.recipe import ChannelRecipe, needed
from voxloop.geometry import Box, Shape
from voxloop.volumes import shape_zyx, spacing_of
from voxloop.volumes.view import SourceView, Viewed, dask_over
from voxloop.volumes.volume import make_volume, origin_of

if TYPE_CHECKING:
    from xarray import DataArray

#: seconds that a preview may take, voxels along a side of the parts that are tried, and of what is seen at most
SOON, TRIED, SEEN = 0.3, (8, 48, 160), 900
#: how many times coarser an image may be, and seconds from which on nothing is shown of it
COARSEST, TOO_LONG = 8, 5.0
#: a plane at a time, since the one on show is all that is seen
_PLANE = (1, 512, 512)


@dataclass(frozen=True, slots=True)
class ChannelPreview:
    """What is shown of a channel that is being set up.

    Attributes
    ----------
    volume : (z, y, x) float32 of the image's shape, lazy; None where even the coarsest image takes too long to watch.
    coarser : by how much the image is that it is computed on; 1: the image itself.
    seconds : what the visible part of a plane takes on the image itself, about.
    """

    volume: DataArray | None
    coarser: int
    seconds: float

    @property
    def words(self) -> str:
        """What to say of it; empty where it is what will be kept."""
        if self.coarser == 1 and self.seconds <= SOON:
            return ""
        if self.volume is None:
            return (
                f"Not previewed: a plane takes about {self.seconds:,.0f} s. Filter within planes (dimensions 2d), with "
                "smaller settings, or add it and compute it whole."
            )
        if self.coarser == 1:
            return f"A plane takes about {self.seconds:.1f} s."
        return (
            f"Preview on an image {self.coarser} times coarser, since a plane takes about {self.seconds:.1f} s; what "
            "is kept is computed on the image itself."
        )


def preview(chain: ChannelChain, name: str, scales: Sequence[DataArray], plane: Box) -> ChannelPreview:
    """A channel of a chain as a preview: on the image itself where that is soon done, else on a coarser scale.

    Parameters
    ----------
    scales
        Of the image, finest first.
    plane
        What is on show, voxels; its middle is tried.
    """
    check_fits(chain.volume, [name], chain.recipes)
    seconds = _expected(chain, name, plane)
    shape = chain.shape
    coarser, left = 1, seconds
    while left > SOON and coarser < COARSEST and min(shape[1:]) > 64 * coarser:
        coarser *= 2
        left = seconds / coarser**2
    volume: DataArray | None = None
    if coarser == 1:
        volume = chain.lazy(name, _PLANE)
    elif left <= TOO_LONG:
        volume = _enlarged(_on(chain, name, _scale(scales, coarser)), name, chain.volume)
    return ChannelPreview(volume, coarser, seconds)


def _scale(scales: Sequence[DataArray], coarser: int) -> DataArray:
    """The image so many times coarser within planes: of its coarsest scale that is not coarser, every n-th voxel."""
    width = shape_zyx(scales[0])[2]
    known = [(round(width / shape_zyx(scale)[2]), scale) for scale in scales]
    factor, scale = max(((one, scale) for one, scale in known if one <= coarser), key=lambda pair: pair[0])
    every = slice(None, None, max(1, coarser // factor))
    return scale.isel(y=every, x=every)


def _expected(chain: ChannelChain, name: str, plane: Box) -> float:
    """Seconds of this thread for what is on show, from parts of it; what is measured of the image once is not counted.

    A part larger than the one before is tried only while that was soon done.
    """
    for recipe in needed([name], chain.recipes):
        chain.settings(recipe.name)
    whole = _voxels(chain, name, [min(stop - start, SEEN) for start, stop in zip(plane.start, plane.stop, strict=True)])
    _tried(chain, name, plane, 1)  # what is imported once is not counted either
    for side in TRIED:
        seconds, voxels = _tried(chain, name, plane, side)
        if seconds > SOON / 8:
            break
    return seconds * whole / voxels


def _tried(chain: ChannelChain, name: str, plane: Box, side: int) -> tuple[float, int]:
    """Seconds for a part in the middle of a plane, and the voxels that it depends on."""
    sides = [min(stop - start, side) for start, stop in zip(plane.start, plane.stop, strict=True)]
    corner = [(start + stop - n) // 2 for start, stop, n in zip(plane.start, plane.stop, sides, strict=True)]
    began = time.thread_time()
    chain.read(name, Box.at(corner, sides).clip(chain.shape))
    return time.thread_time() - began, _voxels(chain, name, sides)


def _voxels(chain: ChannelChain, name: str, sides: Sequence[int]) -> int:
    """How many voxels a part of this size depends on."""
    return math.prod(
        min(size, side + 2 * reach) for size, side, reach in zip(chain.shape, sides, chain.reach(name), strict=True)
    )


def _on(chain: ChannelChain, name: str, volume: DataArray) -> ChannelChain:
    """The same chain on another scale: lengths and what was measured are those of the image itself."""
    recipes = [
        ChannelRecipe.of({**recipe.model_dump(), "settings": chain.settings(recipe.name).to_json()})
        for recipe in needed([name], chain.recipes)
    ]
    return ChannelChain(volume, recipes)


def _enlarged(coarse: ChannelChain, name: str, volume: DataArray) -> DataArray:
    """A channel of a coarser scale as large as the image: its voxels repeated."""
    shape = shape_zyx(volume)
    chunks = tuple(min(size, most) for size, most in zip(shape, _PLANE, strict=True))
    seen = Viewed(_Repeated(coarse, name, shape), SourceView("zyx", {}, "z"), f"preview of {name!r}")
    return make_volume(
        dask_over(seen, chunks),
        spacing_um=spacing_of(volume),
        origin_um=origin_of(volume),
        name=name,
        source=f"preview of {volume.name}",
        z_kind=str(volume.attrs.get("z_kind", "space")),
    )


class _Repeated:
    """A channel of a coarser scale, each voxel as often as it takes."""

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, chain: ChannelChain, name: str, shape: Shape) -> None:
        self._chain, self._name = chain, name
        self.shape = shape

    def __getitem__(self, key: Any) -> np.ndarray:
        box = Box.of(key, self.shape)
        places = [
            np.minimum(np.arange(start, stop) * few // many, few - 1)
            for start, stop, few, many in zip(box.start, box.stop, self._chain.shape, self.shape, strict=True)
        ]
        z, y, x = ((int(one[0]), int(one[-1]) + 1) for one in places)
        block = self._chain.read(self._name, Box((z[0], y[0], x[0]), (z[1], y[1], x[1])))
        return block[np.ix_(*(one - one[0] for one in places))]
