"""What a channel is: a filter, its settings, and what it is made of. Values; computes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from voxloop.channels.grid import FilterGrid
from voxloop.channels.kinds import FilterKind, filter_named
from voxloop.config.channels import ChannelSettings
from voxloop.errors import ConfigError, unknown

#: a channel of the workspace, a channel of the image by its number, or the image's first one
Source = str | int | None


class ChannelRecipe(BaseModel):
    """One channel, on any image.

    Attributes
    ----------
    name : of the channel.
    filter : name of a filter (:data:`voxloop.channels.FILTERS`).
    source, other : what it is made of: another channel by name, a channel of the image by its number from 0, None for
        the image's first; ``other`` for filters of two channels.
    settings : of the filter, those that are not the usual ones.
    low, high : what comes out is clamped to these; None: not.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    filter: str = "gaussian"
    source: Source = None
    other: Source = None
    settings: dict[str, Any] = Field(default_factory=dict)
    low: float | None = Field(None, allow_inf_nan=False)
    high: float | None = Field(None, allow_inf_nan=False)

    @field_validator("source", "other", mode="before")
    @classmethod
    def _no_flag(cls, given: Any) -> Any:
        if isinstance(given, bool) or (isinstance(given, int) and given < 0):
            raise ValueError(f"{given!r} is no channel: give a name, or a number from 0")
        return given

    @model_validator(mode="after")
    def _filter_takes_it(self) -> Self:
        try:
            _settings(self.kind, self.settings)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if self.kind.sources == 1 and self.other is not None:
            raise ValueError(f"filter {self.filter!r} takes one channel, and other={self.other!r} is a second one")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low={self.low:g} is not below high={self.high:g}")
        return self

    @classmethod
    def of(cls, given: Any) -> Self:
        """A recipe from values or from JSON. Raises ConfigError with one sentence."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from None

    @property
    def kind(self) -> FilterKind:
        return filter_named(self.filter)

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that it is made of."""
        return (self.source, self.other)[: self.kind.sources]

    @property
    def config(self) -> ChannelSettings:
        """The settings of its filter, the usual ones included."""
        return _settings(self.kind, self.settings)

    @property
    def words(self) -> str:
        """In a line: ``gaussian of image, sigma_um=0.2``."""
        made_of = " and ".join("image" if one is None else f"image channel {one}" if isinstance(one, int) else one
                               for one in self.sources)  # fmt: skip
        parts = [f"{name}={value}" for name, value in self.settings.items()]
        limits = [f"{name}={value:g}" for name, value in (("low", self.low), ("high", self.high)) if value is not None]
        return ", ".join([f"{self.filter} of {made_of}", *parts, *limits])


def check_chain(recipes: Iterable[ChannelRecipe]) -> dict[str, ChannelRecipe]:
    """Recipes by name, each after what it is made of.

    Raises ConfigError where two have one name, one is made of what is not there, or one of itself.
    """
    given: dict[str, ChannelRecipe] = {}
    for recipe in recipes:
        if recipe.name in given:
            raise ConfigError(f"there are two channels {recipe.name!r}; give one another name")
        given[recipe.name] = recipe
    ordered: dict[str, ChannelRecipe] = {}
    for name in given:
        _place(name, given, ordered, ())
    return ordered


def recipes_of(entries: Iterable[BaseModel]) -> dict[str, ChannelRecipe]:
    """The recipes that a workspace's document holds, each after what it is made of. Raises ConfigError."""
    return check_chain([ChannelRecipe.of(entry.model_dump()) for entry in entries])


def needed(names: Sequence[str], recipes: Mapping[str, ChannelRecipe]) -> list[ChannelRecipe]:
    """The recipes of channels and of all that these are made of, each after what it is made of. Raises ConfigError."""
    ordered: dict[str, ChannelRecipe] = {}
    for name in names:
        if name not in recipes:
            raise ConfigError(unknown("channel", name, recipes))
        _place(name, recipes, ordered, ())
    return list(ordered.values())


def facts_of(names: Sequence[str], recipes: Mapping[str, ChannelRecipe]) -> dict[str, Any]:
    """Channels as runs and models note them: ``names``, and ``recipes`` of these and of all that they are made of.

    Raises ConfigError where there is none of a name.
    """
    chosen = list(dict.fromkeys(names))
    return {"names": chosen, "recipes": [recipe.model_dump(mode="json") for recipe in needed(chosen, recipes)]}


def digest(name: str, recipes: Mapping[str, ChannelRecipe]) -> str:
    """The same text for the same channel, made of the same ones; whatever these are called."""
    known: dict[str, str] = {}
    for recipe in needed([name], recipes):
        made_of = [known.get(one, one) if isinstance(one, str) else int(one or 0) for one in recipe.sources]
        facts = [recipe.filter, made_of, recipe.config.to_json(), recipe.low, recipe.high]
        known[recipe.name] = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return known[name]


def _place(
    name: str, given: Mapping[str, ChannelRecipe], ordered: dict[str, ChannelRecipe], above: tuple[str, ...]
) -> None:
    """Put a channel into ``ordered``, after its sources; ``above`` are those that are made of it."""
    if name in ordered:
        return
    if name in above:
        circle = " from ".join((*above[above.index(name) :], name))
        raise ConfigError(f"channels are made in a circle: {circle}; choose another source for one of them")
    for source in given[name].sources:
        if not isinstance(source, str):
            continue
        if source not in given:
            raise ConfigError(f"channel {name!r} is made of {source!r}: {unknown('channel', source, given)}")
        _place(source, given, ordered, (*above, name))
    ordered[name] = given[name]


def settle(config: ChannelSettings, grid: FilterGrid) -> ChannelSettings:
    """The same settings with lengths where none were given; what is measured of the source stays open."""
    lengths = {
        name: voxels * grid.finest for name, voxels in type(config).USUAL.items() if getattr(config, name) is None
    }
    return config.changed(**lengths) if lengths else config


def _settings(kind: FilterKind, values: Mapping[str, Any]) -> ChannelSettings:
    try:
        return kind.settings(**values)
    except TypeError as error:
        raise ConfigError(f"settings of filter {kind.name!r}: {error}") from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    words = str(first["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    return f"{where}={first['input']!r}: {words}"[:300] if where else words
