"""The channels of a workspace: named filters of its images, that chain. Filters are a room below."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.channels.fitting import check_fits
from voxloop.channels.kinds import has_limits
from voxloop.channels.recipe import ChannelRecipe, Source, check_chain, digest, facts_of, needed, recipes_of
from voxloop.errors import ConfigError, VolumeError, WorkspaceError, unknown
from voxloop.given import flag, path_of
from voxloop.plain_files import read_plain
from voxloop.store.atomic import replace_json
from voxloop.store.document import ChannelEntry, check_name
from voxloop.store.layout import Layout
from voxloop.store.named import Named
from voxloop.store.values import as_list

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.channels import ChannelChain
    from voxloop.runs import Run
    from voxloop.workspace.project import Project

_FORMAT = "voxloop channels"
#: changes that can be taken back
_KEPT = 50


class Channels(Named["DataArray"]):
    """Mapping of lazy channels (z, y, x) float32 by name, on the only image; :meth:`open` for one of several.

    ``ws.channels["smooth"]`` computes what is sliced. A channel is a recipe: it holds for every image of the workspace.

    Examples
    --------
    >>> ws.channels.add("smooth", "gaussian", sigma_um=0.02).shape
    (6, 64, 64)
    >>> channel = ws.channels.add("walls", "gradient", source="smooth")
    >>> ws.channels.names
    ['smooth', 'walls']
    """

    def __init__(self, project: Project) -> None:
        super().__init__(project.store)
        self._project = project
        self._before: list[tuple[ChannelEntry, ...]] = []

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self._store.document.channels]

    @property
    def recipes(self) -> dict[str, ChannelRecipe]:
        """What each is made of, each after what it is made of. Raises ConfigError where the file says nonsense."""
        return recipes_of(self._store.document.channels)

    def __getitem__(self, name: str) -> DataArray:
        return self.open(name)

    def open(self, name: str, image: str | None = None) -> DataArray:
        """A channel of an image as a volume (z, y, x) float32, lazy; read where it was computed whole before.

        Raises
        ------
        ConfigError
            There is no such channel.
        VolumeError
            The image cannot be opened.
        """
        self._check(name)
        return self.chain(image).lazy(name)

    def chain(self, image: str | None = None) -> ChannelChain:
        """All channels of an image, to be read by the box."""
        from voxloop.channels import ChannelChain

        image = self._project.images.one(image)
        recipes = self.recipes
        kept = {name: volume for name in recipes if (volume := self._kept(name, image, recipes)) is not None}
        return ChannelChain(self._project.images.open(image), recipes.values(), kept)

    def add(
        self,
        name: str,
        filter: str = "gaussian",
        source: Source = None,
        *,
        other: Source = None,
        image: str | None = None,
        low: float | None = None,
        high: float | None = None,
        **parameters: Any,
    ) -> DataArray:
        """Name a filter of the images, or of another channel. A name that is in use gets the new filter.

        Parameters
        ----------
        filter
            One of :data:`voxloop.channels.FILTERS`.
        source, other
            What is filtered: another channel by name, a channel of the image by its name or its number from 0, None for
            the image's first. ``other`` is the second one of filters of two channels.
        image
            On which the result is returned; the only one where not given.
        low, high
            What comes out is clamped to these; of filters that look for a range (``"threshold"``, ``"distance"``), the
            range.
        **parameters
            Settings of the filter; lengths are micrometres. One that is left out is a usual number of voxels, or
            measured of the source, on each image by itself.

        Returns
        -------
        DataArray
            (z, y, x) float32, lazy: slice it, and it computes that.

        Raises
        ------
        ConfigError
            No such filter, setting or source, a length wider than the image, or channels would be made in a circle;
            nothing is changed.
        """
        self._store.check_writable()
        name = check_name("channel", name)
        if has_limits(filter):
            parameters |= {key: value for key, value in (("low", low), ("high", high)) if value is not None}
            low = high = None
        facts = {"filter": filter, "other": self._source(other), "low": low, "high": high, "settings": parameters}
        images = self._project.images
        shown_on = images.one(next(iter(images.names), None) if image is None else image)
        recipe = ChannelRecipe.of({"name": name, "source": self._source(source), **facts})
        recipes = check_chain({**self.recipes, name: recipe}.values())
        check_fits(self._project.images.open(shown_on), [name], recipes)
        self._keep(recipes)
        return self.open(name, shown_on)

    def remove(self, name: str) -> None:
        """Forget a channel. Raises ConfigError where another one is made of it."""
        self._store.check_writable()
        self._check(name)
        recipes = self.recipes
        used = [recipe.name for recipe in recipes.values() if name in recipe.sources]
        if used:
            raise ConfigError(f"channel {name!r} is what {', '.join(map(repr, used))} is made of; remove that first")
        recipes.pop(name)
        self._keep(recipes)

    def rename(self, name: str, to: str) -> None:
        """Call a channel otherwise, also where others are made of it."""
        self._store.check_writable()
        self._check(name)
        to = check_name("channel", to)
        recipes = self.recipes
        if to in recipes and to != name:
            raise ConfigError(f"channel {to!r} is there already; choose another name")

        def renamed(recipe: ChannelRecipe) -> ChannelRecipe:
            own, source, other = (to if one == name else one for one in (recipe.name, recipe.source, recipe.other))
            return recipe.model_copy(update={"name": own, "source": source, "other": other})

        self._keep({recipe.name: recipe for recipe in map(renamed, recipes.values())})

    def undo(self) -> bool:
        """Take back the last change of channels that was made here since the workspace was opened; whether it did."""
        self._store.check_writable()
        if not self._before:
            return False
        self._store.change(channels=self._before.pop())
        return True

    def save(self, path: str | Path, names: Sequence[str] | None = None) -> Path:
        """Write channels and all that they are made of as JSON, for the next volume. None: all.

        Examples
        --------
        >>> channel = ws.channels.add("smooth", "gaussian", sigma_um=0.02)
        >>> path = ws.channels.save("filters.json")
        >>> ws.channels.remove("smooth")
        >>> ws.channels.load(path)
        ['smooth']
        """
        target = path_of(path, error=ConfigError)
        if target.suffix.lower() != ".json":
            raise ConfigError(f"{target.name!r} must end in .json")
        chosen = needed(self._named(names), self.recipes)
        facts = {"format": _FORMAT, "version": 1, "channels": [recipe.model_dump(mode="json") for recipe in chosen]}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_json(target, facts)
        except OSError as error:
            raise WorkspaceError(
                f"{target} cannot be written ({error.strerror}); choose a folder of your own"
            ) from None
        return target

    def load(self, path: str | Path, *, replace: bool = False) -> list[str]:
        """Add the channels of a file that :meth:`save` wrote, or of another workspace; all of them or none.

        Parameters
        ----------
        replace
            Give a name that is in use to the channel of the file, instead of refusing.

        Returns
        -------
        list of str
            The names that were added or replaced.

        Raises
        ------
        ConfigError
            The file is none of channels, or another channel has one of the names.
        """
        self._store.check_writable()
        given = [ChannelRecipe.of(one) for one in read_recipes(path_of(path, error=ConfigError))]
        recipes, replace = self.recipes, flag("replace", replace, error=ConfigError)
        for recipe in given:
            check_name("channel", recipe.name)
            there = recipes.get(recipe.name)
            if there is not None and there != recipe and not replace:
                raise ConfigError(
                    f"channel {recipe.name!r} is there already ({there.words}); rename it, or load with replace=True"
                )
        self._keep({**recipes, **{recipe.name: recipe for recipe in given}})
        return [recipe.name for recipe in given]

    def facts(self, names: Sequence[str]) -> dict[str, Any]:
        """Channels as a run notes them, with all that they are made of. Raises ConfigError."""
        return facts_of(self._named(names), self.recipes)

    def compute(self, names: str | Sequence[str] | None = None, image: str | None = None) -> Run:
        """Compute channels whole, in a process of its own, so that they are read from then on. None: all.

        They lie in ``derived/``: deleted, they are computed again where they are looked at.

        Returns
        -------
        Run
            At once; ``run.result`` waits and is the list of channels as volumes.
        """
        from voxloop.workspace.choices import run_name

        chosen = self._named([names] if isinstance(names, str) else names)
        if not chosen:
            raise ConfigError("there are no channels yet; add one with ws.channels.add")
        project = self._project
        image = project.images.one(image)
        check_fits(project.images.open(image), chosen, self.recipes)
        project.store.check_open_to_runs()
        run = project.runs.create(
            run_name(project, None, "channels"),
            "voxloop.channels.task:run",
            {},
            kind="channels",
            result="voxloop.channels.task:open_result",
            image=image,
            channels=chosen,
            recipes=facts_of(chosen, self.recipes)["recipes"],
        )
        return run.launch()

    def _named(self, names: Sequence[str] | None) -> list[str]:
        """The channels that are meant, all where None are named. Raises ConfigError."""
        chosen = self.names if names is None else list(as_list("names", names, error=ConfigError))
        for name in chosen:
            self._check(name)
        return chosen

    def _check(self, name: str) -> None:
        if name not in self:
            raise ConfigError(unknown("channel", name, self.names))

    def _source(self, given: Source) -> Source:
        """A source by the name that it has in the image, as its number."""
        if not isinstance(given, str) or given in self.names:
            return given
        for image in self._project.images.names:
            names = self._project.images.open(image).attrs.get("channel_names") or []
            if given in names:
                return list(names).index(given)
        return given

    def _keep(self, recipes: dict[str, ChannelRecipe]) -> None:
        ordered = check_chain(recipes.values())
        entries = [ChannelEntry.model_validate(recipe.model_dump(mode="json")) for recipe in ordered.values()]
        before = self._store.document.channels
        self._store.change(channels=tuple(entries))
        if before != tuple(entries):
            self._before = [*self._before, before][-_KEPT:]

    def _kept(self, name: str, image: str, recipes: dict[str, ChannelRecipe]) -> DataArray | None:
        """A channel that was computed whole, where it still is what it was."""
        from voxloop.channels.keeping import kept_channel

        place = self._project.layout.channel(name, image)
        try:
            return kept_channel(place, digest(name, recipes), self._project.images.info(image).fingerprint)
        except VolumeError:
            return None  # damaged: it is computed again


def read_recipes(path: Path) -> list[Any]:
    """The channels of a file that :meth:`Channels.save` wrote, or of a workspace, not looked into. ConfigError."""
    of_workspace = path.is_dir()
    file = Layout(path).document if of_workspace else path
    try:
        data = json.loads(read_plain(file))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} is damaged, or no file of channels") from None
    channels = data.get("channels") if isinstance(data, dict) else None
    known = of_workspace or (isinstance(data, dict) and data.get("format") == _FORMAT)
    if not known or not isinstance(channels, list):
        raise ConfigError(f"{path} is no file of channels; ws.channels.save writes one")
    if not all(isinstance(one, dict) for one in channels):
        raise ConfigError(f"{path} is damaged: a channel is a name with a filter and its settings")
    return channels
