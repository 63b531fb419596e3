"""A form from a config type: every setting its widget, groups built when opened. Knows no particular config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar, get_args

import ipywidgets as w
from pydantic import BaseModel

from voxloop.config.base import Config, Setting, settings_of
from voxloop.errors import ConfigError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, close_tree, labelled, row, show, spacer, text
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.fields import SettingField, to_text
from voxloop.panels.form.nested import (
    SettingPath,
    count_changes,
    has_advanced,
    matches,
    search_words,
    settings_along,
    switches_of,
    value_at,
    with_main,
    with_values,
)

C = TypeVar("C", bound=Config)


class Form(Panel, Generic[C]):
    """Edit a config.

    Parameters
    ----------
    config_type
        A :class:`Config`; bounds, steps, units, help, groups and choices come from its fields.
    value
        What to begin with; the defaults where None.
    choices
        Allowed values of some text settings by name, such as the levels of a workspace.
    suggestions
        Values that are offered for some text settings, where others may be typed as well.
    only
        Which settings appear, all where None.
    main
        Settings that stand open above the others, in this order, with the names they go by there.
    on_change
        Called with the new config after every valid change.
    on_put
        Called with the config after :attr:`value` was set from outside.
    on_open
        Called with the name of a group whenever it is opened.

    Notes
    -----
    :attr:`value` is always a valid config: what is not valid stays in its field with the reason beside it, and is
    tried again whenever another field changes.
    """

    @on_ui
    def __init__(
        self,
        config_type: type[C],
        value: C | None = None,
        *,
        choices: Mapping[str, Sequence[str]] | None = None,
        suggestions: Mapping[str, Sequence[str]] | None = None,
        only: Callable[[Setting], bool] | None = None,
        main: Mapping[str, str] | None = None,
        on_change: Callable[[C], object] | None = None,
        on_put: Callable[[C], object] | None = None,
        on_open: Callable[[str], object] | None = None,
        embedded: bool = False,
    ) -> None:
        super().__init__(embedded=embedded)
        self.config_type = config_type
        self._value: C = config_type() if value is None else value
        self._base = config_type()
        self._choices = dict(choices or {})
        self._suggestions = dict(suggestions or {})
        shown = [setting for setting in settings_of(config_type) if only is None or only(setting)]
        self._settings = with_main(shown, main or {})
        self._on_change, self._on_put, self._on_open = on_change, on_put, on_open
        self._pending: dict[SettingPath, Any] = {}
        self._unread: dict[SettingPath, str] = {}
        self._fields: dict[SettingPath, SettingField] = {}
        self._blocks: dict[SettingPath, _Block] = {}
        self._advanced = False
        self._matter = self._mattering()
        self._copy = CopyCode(code=self.code)
        names = list(dict.fromkeys(setting.group for setting in self._settings))
        self.groups: dict[str, Fold] = {name: Fold(name, partial(self._build, name), self._opened) for name in names}
        self._search = w.Text(placeholder="Search settings", continuous_update=True)
        self._search.observe(self.handler(self._filter), "value")
        self._more = w.Checkbox(
            indent=False, **labelled("Advanced", "Also what is seldom changed; a search finds it in any case")
        )
        self._more.observe(self.handler(self._toggle_advanced), "value")
        show(self._more, any(has_advanced(setting) for setting in self._settings))
        show(self._copy, not embedded)  # the panel around it shows a line of its own
        tools = row(self._search, self._more, spacer(), self._copy, classes=["vx-form-tools"])
        self._nothing = classed(text("No setting matches these words.", "vx-dim"), "vx-hidden")
        single = len(names) == 1
        groups = [group.widget for group in self.groups.values()]
        if not single:
            self.body(tools, self._nothing, *groups)
        else:
            self.body(*groups)
            self.on_close(lambda: close_tree(tools))
            self.on_close(lambda: close_tree(self._nothing))
            self.groups[names[0]].bare()
        self.on_close(self._close_spares)
        self.widget.add_class("vx-form")
        if names:
            self.groups[names[0]].open()
        for group in self.groups.values():
            self._mark_group(group)

    @property
    def value(self) -> C:
        """The last valid config."""
        return self._value

    @value.setter
    def value(self, value: C) -> None:
        self.ui.call(self._put, value)

    def compare(self, base: C) -> None:
        """Mark what differs from ``base`` instead of from the defaults, and lead back there."""
        if base != self._base:
            self._base = base
            self._refresh()

    @property
    def code(self) -> str:
        """The line of Python that makes this config."""
        return self._value.code()

    @property
    def errors(self) -> dict[str, str]:
        """What is not valid yet: dotted name of the setting -> the reason."""
        faults = {path: self._fault(path, raw) for path, raw in self._pending.items()}
        return {".".join(path): words for path, words in {**faults, **self._unread}.items()}

    @on_ui
    def reveal(self, *path: str) -> SettingField:
        """Open what holds a setting, named from the outside in; its field."""
        top = next(setting for setting in self._settings if setting.name == path[0])
        self.groups[top.group].open()
        block = self._blocks.get(path[:-1])
        if block is not None and not block.is_open:
            block.toggle()
        return self._fields[path]

    @on_ui
    def set_choices(self, name: str, choices: Sequence[str]) -> None:
        """Change what is allowed, or suggested, for a text setting, such as after a run was added."""
        (self._suggestions if name in self._suggestions else self._choices)[name] = list(choices)
        if (name,) in self._fields:
            self._fields[(name,)].offer(choices, value_at(self._value, (name,)))

    # ------------------------------------------------------------------------------------------------------ values

    def _put(self, value: C) -> None:
        self._pending.clear()
        self._unread.clear()
        self._value = value
        for path, field in self._fields.items():
            field.put(value_at(value, path))
            field.fail(None)
        self._refresh()
        if self._on_put is not None:
            self._on_put(value)

    def _input(self, path: SettingPath, raw: Any) -> None:
        self._unread.pop(path, None)
        self._pending[path] = raw
        self._settle()

    def _unreadable(self, path: SettingPath, words: str) -> None:
        self._pending.pop(path, None)
        self._unread[path] = words
        self._settle()

    def _settle(self) -> None:
        """Take every pending entry that is valid by itself or together with the others; show why the rest is not."""
        before = self._value
        try:
            self._value = with_values(self._value, self._pending)
            self._pending.clear()
        except ConfigError:
            for path, raw in list(self._pending.items()):
                try:
                    self._value = with_values(self._value, {path: raw})
                except ConfigError:
                    continue
                del self._pending[path]
        for path, field in self._fields.items():
            fault = self._fault(path, self._pending[path]) if path in self._pending else self._unread.get(path)
            field.fail(fault)
        self._refresh()
        if self._value != before and self._on_change is not None:
            self._on_change(self._value)

    def _set(self, changes: Mapping[SettingPath, Any]) -> None:
        """Put in several values at once; what is typed elsewhere and not valid stays."""
        self._pending |= changes
        self._settle()
        for path, field in self._fields.items():
            if path not in self._pending and path not in self._unread:
                field.put(value_at(self._value, path))

    def _fault(self, path: SettingPath, raw: Any) -> str:
        try:
            with_values(self._value, {path: raw})
        except ConfigError as error:
            return str(error)
        return ""

    def _reset(self, path: SettingPath) -> None:
        value = value_at(self._base, path)
        self._fields[path].put(value)
        self._input(path, value)

    def _refresh(self) -> None:
        for path, field in self._fields.items():
            field.mark(value_at(self._value, path), value_at(self._base, path))
        for group in self.groups.values():
            self._mark_group(group)
        for path, block in self._blocks.items():
            self._mark_block(path, block)
        self._copy.code = self.code
        if (matter := self._mattering()) != self._matter:
            self._matter = matter
            self._filter()

    def _mattering(self) -> list[bool]:
        """Of each setting, whether it matters beside the others as they are."""
        return [setting.matters(self._value) for setting in self._settings]

    # ----------------------------------------------------------------------------------------------------- widgets

    def _opened(self, group: Fold) -> None:
        self._mark_group(group)
        if self._on_open is not None:
            self._on_open(group.name)

    def _build(self, group: str) -> list[w.Widget]:
        made = self._build_master(group)
        for setting in self._settings:
            if setting.group == group:
                made += self._build_setting(self.config_type, setting, (setting.name,))
        return made

    def _build_master(self, group: str) -> list[w.Widget]:
        """Two links over settings of a group that hold several switches."""
        held = {s.name: switches_of(s) for s in self._settings if s.group == group and s.config is not None}
        held = {name: switches for name, switches in held.items() if len(switches) > 1}
        if not held:
            return []
        off: dict[SettingPath, Any] = {
            (name, inner, "on"): False for name, switches in held.items() for inner in switches
        }
        back = "All of it as the preset has it, or as usual where none is chosen"
        return [
            row(
                button("All off", self.handler(lambda: self._set(off)), kind="link"),
                button(
                    "As the preset",
                    self.handler(lambda: self._set({(n,): value_at(self._base, (n,)) for n in held})),
                    kind="link",
                    tooltip=back,
                ),
            )
        ]

    def _build_setting(self, owner: type[BaseModel], setting: Setting, path: SettingPath) -> list[w.Widget]:
        if setting.kind == "config" and setting.config is not None:
            return self._build_nested(setting, path)
        names = setting.kind == "tuple" and "str" in str(get_args(owner.model_fields[setting.name].annotation))
        dotted = ".".join(path)
        field = SettingField(
            setting,
            value_at(self._value, path),
            partial(self._input, path),
            partial(self._reset, path),
            partial(self._unreadable, path),
            choices=self._choices.get(dotted),
            suggestions=self._suggestions.get(dotted),
            names=names,
        )
        self._fields[path] = field
        field.mark(value_at(self._value, path), value_at(self._base, path))
        show(field.widget, (self._advanced or not setting.advanced) and (len(path) > 1 or setting.matters(self._value)))
        return [field.widget]

    def _build_nested(self, setting: Setting, path: SettingPath) -> list[w.Widget]:
        """A config within a config: a switch with its settings under it, or a list of such."""
        config = setting.config
        assert config is not None
        inner = settings_of(config)
        switch = next((s for s in inner if s.name == "on" and s.kind == "bool"), None)
        if switch is None:
            return [piece for s in inner for piece in self._build_setting(config, s, (*path, s.name))]
        named = Setting(
            **{**{n: getattr(switch, n) for n in Setting.__slots__}, "label": setting.label, "help": setting.help}
        )
        (head,) = self._build_setting(config, named, (*path, "on"))

        def build() -> list[w.Widget]:
            return [p for s in inner if s is not switch for p in self._build_setting(config, s, (*path, s.name))]

        self._blocks[path] = block = _Block(head, build)
        self._mark_block(path, block)
        show(block.widget, self._advanced or not setting.advanced)
        return [block.widget]

    def _mark_block(self, path: SettingPath, block: _Block) -> None:
        config = value_at(self._value, path)
        inner = [s for s in settings_of(type(config)) if s.name != "on" and s.kind != "config"]
        words = [f"{s.label} {to_text(getattr(config, s.name))}" for s in inner if s.kind != "bool"]
        block.mark(bool(config.on), " · ".join(words))

    def _toggle_advanced(self) -> None:
        self._advanced = bool(self._more.value)
        self._filter()

    def _filter(self) -> None:
        """Show what matches the search; without one, everything that is not advanced, or all."""
        words = self._search.value.lower().split()
        show(self._nothing, bool(words) and not any(matches(s, words) for s in self._settings))
        for name, group in self.groups.items():
            hit = not words or any(matches(s, words) for s in self._settings if s.group == name)
            show(group.widget, hit)
            if words and hit:
                group.open()
        for path, field in self._fields.items():
            if path[:-1] not in self._blocks:
                show(field.widget, self._visible(path, words))
        for path, block in self._blocks.items():
            show(block.widget, self._visible(path, words))

    def _visible(self, path: SettingPath, words: Sequence[str]) -> bool:
        chain = settings_along(next(s for s in self._settings if s.name == path[0]), path[1:])
        if words:  # a search looks through advanced settings as well
            return matches(chain[-1], [word for word in words if not any(word in search_words(s) for s in chain[:-1])])
        return chain[0].matters(self._value) and (self._advanced or not any(setting.advanced for setting in chain))

    def _mark_group(self, group: Fold) -> None:
        names = [setting.name for setting in self._settings if setting.group == group.name]
        changed = sum(count_changes(getattr(self._value, name), getattr(self._base, name)) for name in names)
        failed = any(path[0] in names for path in (*self._pending, *self._unread))
        group.note(", ".join([f"{changed} changed"] * bool(changed) + ["not valid"] * failed), failed=failed)

    def _close_spares(self) -> None:
        for field in self._fields.values():
            for extra in field.spare:
                close_tree(extra)


class _Block:
    """A switch in one line with what is set under it, which opens and is built when asked for."""

    def __init__(self, head: w.Widget, build: Callable[[], list[w.Widget]]) -> None:
        self._build = build
        self.summary = classed(w.Button(icon="caret-right"), "vx-link", "vx-summary")
        self.summary.on_click(lambda _: self.toggle())
        self.body = classed(w.VBox(), "vx-nested", "vx-hidden")
        line = classed(w.HBox([head, self.summary]), "vx-switched-head")
        self.widget = classed(w.VBox([line, self.body]), "vx-switched")

    @property
    def is_open(self) -> bool:
        return "vx-hidden" not in self.body._dom_classes

    def toggle(self) -> None:
        if not self.body.children:
            self.body.children = self._build()
        show(self.body, not self.is_open)
        self.summary.icon = "caret-down" if self.is_open else "caret-right"

    def mark(self, on: bool, summary: str) -> None:
        self.summary.description = summary
        self.summary.tooltip = summary
        show(self.summary, on)
        if not on and self.is_open:
            self.toggle()
