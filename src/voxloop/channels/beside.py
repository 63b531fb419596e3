"""An image with channels beside its own, as one volume: what a learner sees that was taught on them. Lazy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.channels.evaluation import ChannelChain
from voxloop.channels.recipe import ChannelRecipe
from voxloop.errors import ConfigError
from voxloop.geometry import Box
from voxloop.volumes import channels_of, read_block, shape_zyx, spacing_of
from voxloop.volumes.view import SourceView, Viewed, dask_over
from voxloop.volumes.volume import make_volume, origin_of

if TYPE_CHECKING:
    from xarray import DataArray

#: voxels of a block; who reads slices it anyway
_BLOCK = (16, 256, 256)


def with_channels(volume: DataArray, facts: Mapping[str, Any] | None) -> DataArray:
    """The channels of an image, then those that ``facts`` name: (c, z, y, x) float32, lazy.

    Parameters
    ----------
    facts
        ``names``, and ``recipes`` of these and of all that they are made of, as :meth:`ChannelRecipe.model_dump` gives
        them; None: the image as it is.

    Raises
    ------
    ConfigError
        The facts are damaged.
    """
    if not facts:
        return volume
    names, recipes = _read(facts)
    chain = ChannelChain(volume, recipes)
    for name in names:
        chain.grid(name)  # what is not there is said now
    voxels = _Beside(chain, names)
    own = [str(name) for name in volume.attrs.get("channel_names") or ["image"] * channels_of(volume)]
    chunks = (1, *(min(size, most) for size, most in zip(chain.shape, _BLOCK, strict=True)))
    seen = Viewed(voxels, SourceView("czyx", {}, "z", "c", tuple(range(voxels.shape[0]))), f"channels of {volume.name}")
    return make_volume(
        dask_over(seen, chunks),
        spacing_um=spacing_of(volume),
        origin_um=origin_of(volume),
        name=str(volume.name),
        source=str(volume.attrs.get("source", "array")),
        channel_names=[*own, *names],
        z_kind=str(volume.attrs.get("z_kind", "space")),
    )


def _read(facts: Mapping[str, Any]) -> tuple[list[str], list[ChannelRecipe]]:
    try:
        return [str(name) for name in facts["names"]], [ChannelRecipe.of(one) for one in facts["recipes"]]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"what is noted of channels is damaged ({error})") from None


class _Beside:
    """The image's own channels and named ones as one array of which boxes are read."""

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(self, chain: ChannelChain, names: list[str]) -> None:
        self._chain, self._names = chain, names
        self._own = channels_of(chain.volume)
        self.shape = (self._own + len(names), *shape_zyx(chain.volume))

    def __getitem__(self, key: Any) -> np.ndarray:
        box = Box.of(key[1:], self.shape[1:])
        wanted = range(*key[0].indices(self.shape[0]))
        own = [number for number in wanted if number < self._own]
        parts = [read_block(self._chain.volume, box)[own].astype(np.float32)] if own else []
        parts += [self._chain.read(self._names[number - self._own], box)[None] for number in wanted[len(own) :]]
        return np.concatenate(parts)
