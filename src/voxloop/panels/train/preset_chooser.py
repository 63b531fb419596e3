"""Which preset the settings of a learner are, or come from. A view of a value that it changes by ``load`` alone."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.config import Config, presets
from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, show, text
from voxloop.panels.train.choice_line import ChoiceLine
from voxloop.panels.train.left_out import LeftOutStrokes
from voxloop.panels.train.share_words import share_words
from voxloop.shallow.last_choice import LastChoice

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: what is shown where the settings are no preset
NO_PRESET = "—"
#: lines of the list that are none to choose
OTHERS = "── as other programs begin ──"
REUSED = "── as other workspaces trained ──"


class PresetChooser:
    """A list of presets, what the chosen one is for, and how far the settings have gone from it.

    Parameters
    ----------
    panel
        Whose part it is.
    load
        Puts a config into the form.
    compare
        Has the form mark what differs from a config.
    """

    def __init__(
        self, panel: Panel, ws: Workspace, load: Callable[[Config], object], compare: Callable[[Config], object]
    ) -> None:
        self._load, self._compare = load, compare
        self._config: Config | None = None
        self._from: str | None = None
        self._names: list[str] = []
        self._more: Mapping[str, Config] = {}
        self._known: Mapping[str, Config] = {}
        self.choice = w.Dropdown(
            options=[NO_PRESET], **labelled("Preset", "Settings that go together; all can be changed below")
        )
        self._following = False
        self.choice.observe(panel.handler(self._chosen), "value")
        self._about = classed(text(), "vx-dim", "vx-small")
        self._back = button("Back to it", panel.handler(self._go_back), kind="link", tooltip="Undo these changes")
        self.last = ChoiceLine(panel, load)
        self.left_out = LeftOutStrokes(panel, ws)
        self._shares = classed(text(), "vx-dim", "vx-small")
        about = row(self._about, self._back)
        self.widget = column(self.choice, about, self.last.widget, self.left_out.widget, self._shares)

    def tell(self, choice: LastChoice | None) -> None:
        """Say what the newest run chose and which strokes it left out; None where none has."""
        self.last.offer(choice)
        self.left_out.follow(choice)

    def offer(self, kind: type[Config], more: Mapping[str, Config] | None = None) -> None:
        """Offer the presets of a learner; ``more``: settings of other workspaces by name."""
        self._more = {name: config for name, config in (more or {}).items() if isinstance(config, kind)}
        self._known = {**self._more, **read_presets()}
        self._names = [name for name, config in self._known.items() if isinstance(config, kind)]
        self._config = self._from = None
        self._put(NO_PRESET)
        show(self.widget, bool(self._names))

    def follow(self, config: Config) -> None:
        """Say which preset the settings are, or from which they come and how many of them were changed."""
        self._config = config
        self.last.follow(config)
        self._shares.value = html.escape(share_words(config))
        same = next((name for name in self._names if self._known[name] == config), None)
        self._from = same or self._from
        changed: list[str] = []
        if self._from:
            self._compare(self._known[self._from])
            changed = _changed(self._known[self._from], config)
        words, title = "", NO_PRESET
        if changed:
            words, title = f"Changed: {', '.join(changed)}", f"{self._from}, {len(changed)} changed"
        if same is not None:
            about = "settings of a training in another workspace" if same in self._more else ""
            words, title = _about(same) if same in presets else about, same
        self._put(title)
        self._about.value = html.escape(words)
        show(self._about, bool(words))
        show(self._back, bool(changed))

    def _put(self, shown: str) -> None:
        """Show a preset, or words for what is none, which lead the list: an index always means the same preset."""
        lead = NO_PRESET if shown in self._names else shown
        options = ((lead, lead), *self._groups())
        if (self.choice.options, self.choice.value) == (options, shown):
            return
        self._following = True
        try:
            with self.choice.hold_sync():
                self.choice.options = options
                self.choice.value = shown
        finally:
            self._following = False

    def _groups(self) -> list[tuple[str, str]]:
        """What there is to choose, as title and name: by purpose first, then what other programs begin with."""
        purposes = presets.purposes
        ours = [(purposes[name], name) for name in purposes if name in self._names]
        others = [(name, name) for name in self._names if name not in purposes and name not in self._more]
        reused = [(name, name) for name in self._more]
        heads = ((OTHERS, others if ours else []), (REUSED, reused))
        return [*ours, *(others if not ours else []), *(one for head, of in heads if of for one in ((head, head), *of))]

    def _chosen(self) -> None:
        name = self.choice.value
        if self._following or self._config is None:
            return
        if name not in self._names:
            self.follow(self._config)  # words are nothing to choose
        elif self._known[name] != self._config:
            self._load(self._known[name])

    def _go_back(self) -> None:
        if self._from:
            self._load(self._known[self._from])


def _about(name: str) -> str:
    """What a preset is, and what of it is not as in the program that it is named after."""
    found = presets.differs(name)
    return f"{presets.about(name)}. Not as there: {'; '.join(found)}." if found else presets.about(name)


def read_presets() -> dict[str, Config]:
    """Every preset by name."""
    return dict(presets)


def _changed(preset: Config, config: Config) -> list[str]:
    """Names of the settings that differ, as a form shows them."""
    names = type(preset).model_fields
    return [name.replace("_", " ") for name in names if getattr(preset, name) != getattr(config, name)]
