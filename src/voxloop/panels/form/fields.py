"""One setting as text and as a widget. Knows a setting's description, not the config it belongs to."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from voxloop.config.base import Setting
from voxloop.errors import ConfigError
from voxloop.panels.base.panel import classed, labelled, mark, text
from voxloop.panels.form.choice_list import ChoiceList

#: what a list of choices shows where nothing is chosen
NOTHING = "—"

# ------------------------------------------------------------------------------------------------- text and values


def to_text(value: Any) -> str:
    """A value as it stands in a text box: ``''`` for None, ``1, 256, 256`` for tuples, ``30`` for 30.0."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(to_text(item) for item in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def from_text(setting: Setting, words: str, *, names: bool = False) -> Any:
    """The value that a text stands for; bounds are the config's business. ``names``: a tuple of words, not numbers.

    Raises
    ------
    ConfigError
        The text is no number where one is needed.
    """
    words = words.strip()
    if not words:
        if setting.optional:
            return None
        if setting.kind != "text":
            raise ConfigError(f"{setting.label} is empty; write {_wanted(setting)}")
    match setting.kind:
        case "int":
            return _number(setting, words, whole=True)
        case "float":
            return _number(setting, words, whole=False)
        case "tuple":
            parts = [part for part in re.split(r"[,;\s]+|(?<=\d)[x×](?=\d)", words.strip("()[] ")) if part]
            if names:
                return tuple(part.strip() for part in words.split(",") if part.strip())
            return tuple(_number(setting, part, whole=False, tidy=True) for part in parts)
        case _:
            return words


def _number(setting: Setting, words: str, *, whole: bool, tidy: bool = False) -> float | int:
    try:
        value = float(words.replace("−", "-"))
        if whole or tidy:
            if value.is_integer():
                return int(value)
            if whole:
                raise ValueError
        return value
    except (ValueError, OverflowError):
        raise ConfigError(f"{setting.label}: {words!r} does not fit; write {_wanted(setting)}") from None


def _wanted(setting: Setting) -> str:
    kind = {
        "int": "a whole number",
        "float": "a number",
        "tuple": "numbers like " + (to_text(setting.default) or "3, 129"),
    }
    words = kind.get(setting.kind, "something")
    if setting.kind in ("int", "float") and setting.low is not None and setting.high is not None:
        words += f" from {to_text(setting.low)} to {to_text(setting.high)}"
    return words


# ------------------------------------------------------------------------------------------------------------ widget


class SettingField:
    """The widget of one setting: label with help as tooltip, input, and, when needed, reset and error."""

    def __init__(
        self,
        setting: Setting,
        value: Any,
        on_input: Callable[[Any], None],
        on_reset: Callable[[], None],
        on_fault: Callable[[str], None],
        *,
        choices: Sequence[str] | None = None,
        suggestions: Sequence[str] | None = None,
        names: bool = False,
    ) -> None:
        self.setting = setting
        self._names = names
        self._on_input, self._on_reset, self._on_fault = on_input, on_reset, on_fault
        self._silent = False
        self._reset: w.Button | None = None
        self._error: w.HTML | None = None
        self.input = self._make(choices, suggestions, value)
        self.input.observe(self._changed, "value")
        self.widget = classed(w.Box([self.input]), "vx-field", f"vx-field-{setting.kind}")
        self.put(value)

    def offer(self, choices: Sequence[str], value: Any) -> None:
        """Change the choices, or the suggestions, and show ``value``."""
        if isinstance(self.input, w.Combobox):
            self.input.options = list(choices)
        if isinstance(self.input, ChoiceList):
            self.input.offer(choices)
        if isinstance(self.input, w.Dropdown):
            self._silent = True
            self.input.options = ([NOTHING] if self.setting.optional else []) + list(choices)
            self.put(value)

    def put(self, value: Any) -> None:
        """Show a value without reporting it back."""
        self._silent = True
        try:
            self.input.value = self._shown(value)
        finally:
            self._silent = False

    def mark(self, value: Any, base: Any) -> None:
        """Set the field off where its value is not ``base``, and offer the way back."""
        changed = value != base
        if changed:
            tip = f"back to {to_text(base) or 'empty'}"
            if self._reset is None:
                self._reset = classed(w.Button(description="↺", tooltip=tip), "vx-link", "vx-icon", "vx-reset")
                self._reset.on_click(lambda _: self._on_reset())
            self._reset.tooltip = tip
        if changed != ("vx-changed" in self.widget._dom_classes):
            mark(self.widget, "vx-changed", changed)
            self._arrange()

    def fail(self, words: str | None) -> None:
        """Show beside the field why its text is not taken; None takes that back."""
        if words is None and "vx-invalid" not in self.widget._dom_classes:
            return
        if words is not None:
            if self._error is None:
                self._error = text("", "vx-error")
            self._error.value = html.escape(words)
        mark(self.widget, "vx-invalid", words is not None)
        self._arrange()

    @property
    def spare(self) -> list[w.Widget]:
        """Widgets that exist but are not shown at the moment; they must be closed too."""
        return [extra for extra in (self._reset, self._error) if extra and extra not in self.widget.children]

    def _arrange(self) -> None:
        classes = self.widget._dom_classes
        extra = [self._reset] if "vx-changed" in classes else []
        extra += [self._error] if "vx-invalid" in classes else []
        self.widget.children = (self.input, *(piece for piece in extra if piece is not None))

    def _changed(self, change: Any) -> None:
        if self._silent:
            return
        try:
            value = self._read(change["new"])
        except ConfigError as error:
            self._on_fault(str(error))
            return
        self._on_input(value)

    def _make(self, choices: Sequence[str] | None, suggestions: Sequence[str] | None, value: Any) -> w.DOMWidget:
        """The input that suits the kind. Its description is the label, so that a screen reader finds it."""
        setting = self.setting
        common = labelled(label_markup(setting), setting.help, markup=True)
        options = list(choices or setting.choices or ())
        if self._names and choices is not None:
            return ChoiceList(common["description"], setting.help, "none yet", options)
        if setting.kind == "bool":
            return w.Checkbox(indent=False, **common)
        if setting.kind == "choice" or choices is not None:
            extra = [] if value is None or to_text(value) in options else [to_text(value)]
            return w.Dropdown(options=[NOTHING] * setting.optional + options + extra, **common)
        if options or suggestions is not None:
            empty = "none" if setting.optional else ""
            return w.Combobox(
                options=list(suggestions or options),
                placeholder=empty,
                ensure_option=False,
                continuous_update=False,
                **common,
            )
        if setting.kind in ("int", "float") and self._has_slider():
            slider = w.IntSlider if setting.kind == "int" else w.FloatSlider
            form = "d" if setting.kind == "int" else ".2f"
            return slider(
                min=setting.low,
                max=setting.high,
                step=setting.step,
                continuous_update=False,
                readout_format=form,
                **common,
            )
        placeholder = "none" if setting.optional else ""
        return w.Text(continuous_update=False, placeholder=placeholder, **common)

    def _has_slider(self) -> bool:
        s = self.setting
        return s.low is not None and s.high is not None and s.step is not None and not s.optional and not s.log

    def _shown(self, value: Any) -> Any:
        if isinstance(self.input, w.Checkbox | w.IntSlider | w.FloatSlider | ChoiceList):
            return value
        if isinstance(self.input, w.Dropdown):
            shown = NOTHING if value is None else to_text(value)
            if shown not in self.input.options:  # a value from elsewhere stays visible, for its error to stand beside
                self.input.options = (*self.input.options, shown)
            return shown
        return to_text(value)

    def _read(self, shown: Any) -> Any:
        if isinstance(self.input, w.Dropdown):
            if shown == NOTHING:
                return None
            return (shown,) if self.setting.kind == "tuple" else shown
        if isinstance(shown, str):
            return from_text(self.setting, shown, names=self._names)
        return shown


def label_markup(setting: Setting) -> str:
    """The label with its unit; a factor is marked by its sign."""
    label = setting.label[:1].upper() + setting.label[1:]
    needs_no_unit = not setting.unit or setting.label.endswith(
        setting.unit
    )  # 'max minutes' needs no 'minutes' after it
    words = "×" if setting.unit == "times" else html.escape(setting.unit or "")
    unit = "" if needs_no_unit else f' <span class="vx-unit">{words}</span>'
    return f"{html.escape(label)}{unit}"
