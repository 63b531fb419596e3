"""The filter that is being set up: which one, of what, with which settings. Shows no picture."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from voxloop.channels import FILTERS, ChannelRecipe, filter_named, settle
from voxloop.channels.grid import FilterGrid
from voxloop.channels.kinds import has_limits
from voxloop.channels.recipe import Source
from voxloop.config.channels import ChannelSettings
from voxloop.panels.base.panel import Panel, column, labelled, row, show, text
from voxloop.panels.form.form import Form


class FilterDraft:
    """Fields for one channel: name, filter, source, settings, and what comes out clamped.

    Parameters
    ----------
    panel
        Whose handlers guard the fields.
    grid
        The voxels that a filter of these settings sees: usual lengths are shown as numbers.
    changed
        Called after every valid change.
    """

    def __init__(
        self, panel: Panel, grid: Callable[[ChannelSettings], FilterGrid], changed: Callable[[], object]
    ) -> None:
        self._panel, self._grid, self._changed = panel, grid, changed
        self._form: Form[Any] | None = None
        self._shown = ""  # the filter whose settings are in the form; the list may be ahead of it
        self._name = w.Text("smooth", continuous_update=False, **labelled("Name", "By which it is called"))
        options = [(f"{kind.group}: {kind.name.replace('_', ' ')}", kind.name) for kind in FILTERS.values()]
        self._filter = w.Dropdown(options=options, **labelled("Filter", "What is computed"))
        self._about = text("", "vx-dim")
        self._source = w.Dropdown(options=[("image", None)], **labelled("Of", "The image, or another channel"))
        self._other = w.Dropdown(options=[("image", None)], **labelled("And", "The second channel"))
        self._low = w.Text("", continuous_update=False, **labelled("At least", "What is smaller becomes this"))
        self._high = w.Text("", continuous_update=False, **labelled("At most", "What is larger becomes this"))
        self._holder, self._limits = column(), row(self._low, self._high)
        self.widget = column(
            self._name, self._filter, self._about, self._source, self._other, self._holder, self._limits
        )
        self._filter.observe(panel.handler(self._other_filter), "value")
        for field in (self._name, self._source, self._other, self._low, self._high):
            field.observe(panel.handler(self._told), "value")
        self._show_filter(None)

    @property
    def name(self) -> str:
        """The name in the field."""
        return str(self._name.value).strip()

    @property
    def recipe(self) -> ChannelRecipe:
        """The channel as it is set up. Raises ConfigError in a sentence."""
        return ChannelRecipe.of({"name": self.name, "filter": self._shown, **self.arguments})

    @property
    def arguments(self) -> dict[str, Any]:
        """What :meth:`Channels.add` is told beside name and filter, settings apart."""
        sources = filter_named(self._shown).sources
        other = self._other.value if sources == 2 else None
        ends = {"low": _number(self._low.value), "high": _number(self._high.value)}
        limits = {} if has_limits(self._shown) else ends
        return {"source": self._source.value, "other": other, **limits, "settings": self.settings}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that are not the usual ones."""
        if self._form is None:
            return {}
        usual = self._form.config_type()
        given: ChannelSettings = self._form.value
        return {name: value for name, value in given.to_json().items() if value != getattr(usual, name)}

    def offer(self, names: Sequence[str], own: Sequence[str]) -> None:
        """Offer channels of the workspace, and those of the image, as sources."""
        options: list[tuple[str, Source]] = [("image", None)]
        options += [(f"image: {name or number}", number) for number, name in enumerate(own) if len(own) > 1]
        options += [(name, name) for name in names]
        for field in (self._source, self._other):
            chosen = field.value
            field.options = options
            _choose(field, chosen)

    def take(self, recipe: ChannelRecipe) -> None:
        """Show a channel in the fields."""
        self._name.value = recipe.name
        self._filter.value = recipe.filter
        for field, value in ((self._source, recipe.source), (self._other, recipe.other)):
            _choose(field, value)
        self._low.value, self._high.value = (("" if one is None else f"{one:g}") for one in (recipe.low, recipe.high))
        self._show_filter(recipe.config)
        self._told()

    def close(self) -> None:
        """Let the form go."""
        if self._form is not None:
            self._form.close()

    def _other_filter(self) -> None:
        self._show_filter(None)
        self._told()

    def _show_filter(self, settings: ChannelSettings | None) -> None:
        kind = filter_named(self._filter.value)
        self._about.value = html.escape(f"{kind.about[0].upper()}{kind.about[1:]}.")
        show(self._other, kind.sources == 2)
        show(self._limits, not has_limits(kind.name))
        self.close()
        settings = settings or kind.settings()
        self._form = Form(kind.settings, self._with_lengths(settings), on_change=lambda _: self._told(), embedded=True)
        self._shown = kind.name
        self._holder.children = (self._form.widget,)

    def _with_lengths(self, settings: ChannelSettings) -> ChannelSettings:
        """Settings with the usual lengths, in three digits, where none are given."""
        settled = settle(settings, self._grid(settings))
        left_open = [name for name in type(settings).USUAL if getattr(settings, name) is None]
        return settings.changed(**{name: float(f"{getattr(settled, name):.3g}") for name in left_open})

    def _told(self) -> None:
        self._changed()


def _choose(field: w.Dropdown, source: Source) -> None:
    """Choose by the place in the list: the value None would be no choice. The image where there is no such source."""
    values = [value for _, value in field.options]
    field.index = values.index(source) if source in values else 0


def _number(given: str) -> float | str | None:
    """What stands in a field of a number; None where it is empty. Text that is no number stays, to be refused."""
    given = given.strip()
    if not given:
        return None
    try:
        return float(given)
    except ValueError:
        return given
