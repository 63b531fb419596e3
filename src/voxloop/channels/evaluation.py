"""Channels of one image, box by box: which part of each source is needed, then each filter once. Keeps no voxels.

A box of a channel needs a box of its sources that is larger by the reach of its filter, cut off where the image ends:
there the filter mirrors, as it does on the whole. So every box says what the whole would say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.channels.fitting import check_fits
from voxloop.channels.grid import FilterGrid, grid_of
from voxloop.channels.recipe import ChannelRecipe, Source, check_chain, digest, needed, recipes_of, settle
from voxloop.channels.statistics import measure
from voxloop.config.channels import ChannelSettings, MeasuredSettings
from voxloop.errors import VolumeError
from voxloop.geometry import Box, Shape, cover
from voxloop.machine import available_memory
from voxloop.volumes import channels_of, read_block, shape_zyx, spacing_of
from voxloop.volumes.view import SourceView, Viewed, dask_over
from voxloop.volumes.volume import make_volume, origin_of, read_lazy

if TYPE_CHECKING:
    from pydantic import BaseModel
    from xarray import DataArray

#: voxels of a block of a lazy channel, through the stack and within planes
_BLOCK, _SLAB = (64, 256, 256), (4, 512, 512)
#: arrays of the size of what a filter is given that it holds at once
_HELD = 6
#: the chain that was asked last, so that a stroke does not measure the image that the one before has measured
_LAST: deque[tuple[DataArray, list[BaseModel], ChannelChain]] = deque(maxlen=1)


class ChannelChain:
    """All channels of one image.

    Parameters
    ----------
    volume
        (z, y, x) or (c, z, y, x) in micrometres, lazy.
    recipes
        In any order; a channel may be made of another one.
    kept
        Channels that were computed whole before, by name: these are read.
    measured
        Mean and deviation of sources by what these are made of; what is measured here is added.

    Raises
    ------
    ConfigError
        They are made in a circle, or of what is not there.
    """

    def __init__(
        self,
        volume: DataArray,
        recipes: Iterable[ChannelRecipe],
        kept: Mapping[str, DataArray] | None = None,
        measured: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        self.volume = volume
        self.kept = dict(kept or {})
        self.recipes = check_chain(recipes)
        self._shape = shape_zyx(volume)
        self.measured = {} if measured is None else measured

    @property
    def shape(self) -> Shape:
        """Voxels zyx."""
        return self._shape

    def settings(self, name: str) -> ChannelSettings:
        """The settings of a channel with a number everywhere; what is measured is so of its source on this image."""
        config = settle(self._recipe(name).config, self.grid(name))
        if isinstance(config, MeasuredSettings) and None in (config.mean, config.deviation):
            mean, deviation = self._statistics(name)
            mean = mean if config.mean is None else config.mean
            deviation = deviation if config.deviation is None else config.deviation
            return config.changed(mean=mean, deviation=deviation)
        return config

    def grid(self, name: str) -> FilterGrid:
        """The voxels that the filter of a channel sees, and along which axes it works."""
        return grid_of(self.volume, self._recipe(name).config)

    def reach(self, name: str) -> Shape:
        """Voxels of the image, zyx to one side, that a voxel of a channel depends on; may be all of a plane."""
        boxes = self._needs(name, Box.at((0, 0, 0), (1, 1, 1)), endless=True)
        low = np.min([box.start for key, box in boxes.items() if not isinstance(key, str)], axis=0)
        z, y, x = (int(-n) for n in low)
        return z, y, x

    def read(self, name: str, box: Box) -> np.ndarray:
        """A box of a channel (z, y, x) float32, computed now.

        Raises
        ------
        ConfigError
            There is no such channel, or it is made of a channel that the image does not have.
        VolumeError
            It needs more of the image at once than memory holds, or the image cannot be read.
        """
        if name in self.kept:
            return np.asarray(read_block(self.kept[name], box)[0], np.float32)
        needs = self._needs(name, box)
        self._check_memory(name, needs)
        blocks: dict[Source, np.ndarray] = {}
        for key, part in needs.items():
            if not isinstance(key, str):
                blocks[key] = self._image(key, part)
        for recipe in needed([name], self.recipes):
            if recipe.name not in needs:
                continue
            if recipe.name in self.kept:
                blocks[recipe.name] = self.read(recipe.name, needs[recipe.name])
            else:
                blocks[recipe.name] = self._filtered(recipe, needs, blocks)
        return blocks[name]

    def lazy(self, name: str, block: Shape | None = None) -> DataArray:
        """A channel as a volume (z, y, x) float32, dask-backed: slice it, and it computes that."""
        grid = self.grid(name)
        block = block or (_SLAB if grid.planar else _BLOCK)
        if any(recipe.kind.whole_planes for recipe in needed([name], self.recipes)):
            block = (1, *self._shape[1:])
        chunks = tuple(min(size, most) for size, most in zip(self._shape, block, strict=True))
        voxels = Viewed(_ChannelVoxels(self, name), SourceView("zyx", {}, "z"), f"channel {name!r}")
        return make_volume(
            dask_over(voxels, chunks),
            spacing_um=spacing_of(self.volume),
            origin_um=origin_of(self.volume),
            name=name,
            source=f"{self._recipe(name).words} of {self.volume.name}",
            z_kind=str(self.volume.attrs.get("z_kind", "space")),
        )

    # ------------------------------------------------------------------------------------------------------- parts

    def _recipe(self, name: str) -> ChannelRecipe:
        return needed([name], self.recipes)[-1]

    def _needs(self, name: str, box: Box, *, endless: bool = False) -> dict[Source, Box]:
        """The box of each source that a box of a channel needs; ``endless``: as if the image went on everywhere."""
        needs: dict[Source, Box] = {name: box}
        for recipe in reversed(needed([name], self.recipes)):
            if recipe.name not in needs or (recipe.name in self.kept and not endless):
                continue
            part = self._grown(recipe, needs[recipe.name], endless)
            for source in recipe.sources:
                needs[source] = cover([part, needs[source]]) if source in needs else part
        return needs

    def _grown(self, recipe: ChannelRecipe, box: Box, endless: bool) -> Box:
        """What a filter is given to compute a box."""
        grid = self.grid(recipe.name)
        reach = recipe.kind.reach(grid, settle(recipe.config, grid))
        if recipe.kind.whole_planes:
            reach = (reach[0], *self._shape[1:])
        grown = box.grow(reach)
        return grown if endless else grown.clip(self._shape)

    def _image(self, key: Source, box: Box) -> np.ndarray:
        number = int(key or 0)
        count = channels_of(self.volume)
        if number >= count:
            raise VolumeError(f"image {self.volume.name!r} has no channel {number}; it has {count}, counted from 0")
        if self.volume.ndim == 3:
            return np.asarray(read_block(self.volume, box)[0], np.float32)
        return np.asarray(read_lazy(self.volume.data, (slice(number, number + 1), *box.slices))[0], np.float32)

    def _filtered(
        self, recipe: ChannelRecipe, needs: dict[Source, Box], blocks: dict[Source, np.ndarray]
    ) -> np.ndarray:
        box = needs[recipe.name]
        part = self._grown(recipe, box, False)
        inputs = [blocks[source][part.within(needs[source]).slices] for source in recipe.sources]
        found = recipe.kind.compute(inputs, self.grid(recipe.name), self.settings(recipe.name))
        found = found[box.within(part).slices]
        if recipe.low is not None or recipe.high is not None:
            found = np.clip(found, recipe.low, recipe.high)
        return np.ascontiguousarray(found, np.float32)

    def _check_memory(self, name: str, needs: dict[Source, Box]) -> None:
        taken = 4 * (sum(box.size for box in needs.values()) + _HELD * max(box.size for box in needs.values()))
        if taken > available_memory():
            whole = "it needs whole planes, and " if self._recipe(name).kind.whole_planes else ""
            raise VolumeError(
                f"channel {name!r}: {whole}this part takes {taken / 1e9:.1f} GB at once, and "
                f"{available_memory() / 1e9:.1f} GB are free; take a smaller part, or smaller settings"
            )

    def _statistics(self, name: str) -> tuple[float, float]:
        """Mean and deviation of the source of a channel, measured once."""
        source = self._recipe(name).source
        key = digest(source, self.recipes) if isinstance(source, str) else str(source or 0)
        if key not in self.measured:
            self.measured[key] = measure(lambda box: self._of_source(name, box), self._shape)
        return self.measured[key]

    def _of_source(self, name: str, box: Box) -> np.ndarray:
        source = self._recipe(name).source
        return self.read(source, box) if isinstance(source, str) else self._image(source, box)


def reader_of(volume: DataArray, entries: Iterable[BaseModel], name: str) -> Callable[[Box], np.ndarray]:
    """Reads boxes (z, y, x) float32 of a channel that a workspace's document holds. Raises ConfigError."""
    entries = list(entries)
    chain = next((chain for seen, of, chain in _LAST if seen is volume and of == entries), None)
    if chain is None:
        chain = ChannelChain(volume, recipes_of(entries).values())
        _LAST.append((volume, entries, chain))
    check_fits(volume, [name], chain.recipes)  # what cannot be made is said now
    return partial(chain.read, name)


class _ChannelVoxels:
    """A channel as an array of which boxes are read."""

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, chain: ChannelChain, name: str) -> None:
        self._chain, self._name = chain, name
        self.shape = chain.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        return self._chain.read(self._name, Box.of(key, self.shape))
