"""Whether channels can be made of an image: its channels are there, and lengths are no wider than it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from voxloop.channels.grid import grid_of
from voxloop.channels.recipe import ChannelRecipe, needed
from voxloop.config.channels import DistanceSettings
from voxloop.errors import ConfigError
from voxloop.volumes import channels_of, shape_zyx

if TYPE_CHECKING:
    from xarray import DataArray


def check_fits(volume: DataArray, names: Sequence[str], recipes: Mapping[str, ChannelRecipe]) -> None:
    """Raise ConfigError where one of these channels, or one that it is made of, cannot be made of an image."""
    count = channels_of(volume)
    for recipe in needed(names, recipes):
        for source in recipe.sources:
            if isinstance(source, int) and source >= count:
                raise ConfigError(
                    f"channel {recipe.name!r} is made of channel {source} of the image, and {volume.name!r} has "
                    f"{count}, counted from 0"
                )
        _check_lengths(recipe, volume)


def _check_lengths(recipe: ChannelRecipe, volume: DataArray) -> None:
    """Lengths that somebody gave; the usual ones are voxels, and mirrored at the faces of a small image."""
    config = recipe.config
    if isinstance(config, DistanceSettings):
        return  # beyond the image nothing is further away
    grid = grid_of(volume, config)
    shape = shape_zyx(volume)
    widest = max(shape[axis] * grid.spacing_um[axis] for axis in grid.axes)
    for name in type(config).USUAL:
        length = getattr(config, name)
        if length is not None and length > widest:
            raise ConfigError(
                f"channel {recipe.name!r}: {name}={length:g} is wider than the image {volume.name!r}, which is "
                f"{widest:.3g} µm; take a smaller one"
            )
