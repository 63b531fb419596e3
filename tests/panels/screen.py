"""A panel as a user meets it: words, buttons, fields and rows on show, found by what stands on them.

What is hidden cannot be pressed, typed into or read, and what a page would send is sent the way a page sends it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import CopyCode
from voxloop.panels.base.rows import RowsWidget
from voxloop.panels.base.ui import UiLoop


class Screen:
    """What a panel, or a widget, shows.

    ``Screen(panel).click("Accept")``, ``.field("Name").value = "mine"``, ``.row("run-1").click("Delete")``; ``.text``,
    ``.message``, ``.buttons``, ``.code``. A part of it, such as one card, is a screen as well: ``Screen(panel.card)``.
    """

    def __init__(self, shown: Any) -> None:
        self.panel = shown
        self.root: w.Widget = getattr(shown, "widget", shown)

    # -------------------------------------------------------------------------------------------------- what is read

    def widgets(self, *, hidden: bool = False) -> Iterator[w.Widget]:
        """Every widget in sight, in the order of the page; with ``hidden`` those out of sight as well."""
        return _walk(self.root, hidden)

    @property
    def text(self) -> str:
        """All words in sight, a line for each piece, without markup."""
        pieces = (_words(widget) for widget in self.widgets())
        return "\n".join(piece for piece in pieces if piece)

    @property
    def markup(self) -> str:
        """What is drawn in sight, as markup: plots, tables, badges."""
        return "\n".join(widget.value for widget in self.widgets() if isinstance(widget, w.HTML))

    @property
    def message(self) -> str:
        """What the message line says."""
        return str(self.panel.message.words)

    @property
    def failed(self) -> bool:
        """Whether the panel has the red edge of an error."""
        return "vx-failed" in self.root._dom_classes

    @property
    def code(self) -> str:
        """The line of Python behind the last button that copies one."""
        return [widget.code for widget in self.widgets() if isinstance(widget, CopyCode)][-1]

    # --------------------------------------------------------------------------------------------------------- buttons

    @property
    def buttons(self) -> list[str]:
        """Names of the buttons in sight that can be pressed."""
        return [_name_of(widget) for widget in self._buttons() if not widget.disabled]

    def button(self, name: str) -> w.Button:
        """The button in sight of this name: its words, or those of its tooltip where it shows an icon."""
        for widget in self._buttons():
            if name in (_name_of(widget), widget.description):
                return widget
        raise AssertionError(f"no button {name!r} in sight; there are {[_name_of(b) for b in self._buttons()]}")

    def click(self, name: str) -> None:
        """Press a button; one that is disabled cannot be pressed."""
        button = self.button(name)
        assert not button.disabled, f"the button {name!r} is disabled"
        button.click()

    def marked(self, style: str) -> list[str]:
        """Names of the buttons in sight that are set off by a style class: the step one is at, the tool in the hand."""
        return [_name_of(widget) for widget in self._buttons() if style in widget._dom_classes]

    def _buttons(self) -> Iterator[w.Button]:
        return (widget for widget in self.widgets() if isinstance(widget, w.Button))

    # ---------------------------------------------------------------------------------------------------------- fields

    @property
    def fields(self) -> list[str]:
        """Names of the inputs in sight."""
        return [_name_of(widget) for widget in self.widgets() if _is_field(widget)]

    def field(self, name: str, *, hidden: bool = False) -> Field:
        """The input in sight of this name: its label, or its placeholder or tooltip where it has none."""
        for widget in self.widgets(hidden=hidden):
            if _is_field(widget) and name == _name_of(widget):
                return Field(widget)
        raise AssertionError(f"no field {name!r} in sight; there are {self.fields}")

    # ------------------------------------------------------------------------------------------------------------ rows

    @property
    def rows(self) -> list[Line]:
        """Rows of all lists in sight."""
        lists = [widget for widget in self.widgets() if isinstance(widget, RowsWidget)]
        return [Line(widget, row) for widget in lists for row in widget.rows]

    def row(self, key: str) -> Line:
        """The row that stands for ``key``."""
        for line in self.rows:
            if line.key == key:
                return line
        raise AssertionError(f"no row {key!r} in sight; there are {[line.key for line in self.rows]}")

    # ------------------------------------------------------------------------------------------------------------ time

    def wait(self, rounds: int = 1, *, seconds: float = 10.0) -> None:
        """Let time pass: everything that a panel does at least every so many seconds is done, ``rounds`` times."""
        for _ in range(rounds):
            for timer in list(UiLoop.get().timers):
                if timer.seconds <= seconds:
                    timer.fire()


class Field:
    """An input: what it holds, and what a user puts in."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget

    @property
    def value(self) -> Any:
        return self.widget.value

    @value.setter
    def value(self, value: Any) -> None:
        assert not self.widget.disabled, f"the field {_name_of(self.widget)!r} is disabled"
        if isinstance(self.widget, w.Dropdown | w.ToggleButtons | w.RadioButtons):  # a page sends the place in the list
            self.widget.set_state({"index": self._choices.index(value)})
        elif isinstance(self.widget, w.SelectMultiple):
            self.widget.set_state({"index": [self._choices.index(one) for one in value]})
        else:
            self.widget.set_state({"value": value})

    @property
    def _choices(self) -> list[Any]:
        return [choice[1] if isinstance(choice, tuple) else choice for choice in self.widget.options]

    @property
    def options(self) -> list[Any]:
        """What can be chosen, as it is called."""
        return [choice[0] if isinstance(choice, tuple) else choice for choice in self.widget.options]


class Line:
    """A row of a list: its key, its cells as words, what can be done with it."""

    def __init__(self, widget: RowsWidget, row: dict[str, Any]) -> None:
        self._widget, self._row = widget, row
        self.key = str(row["key"])
        self.cells = [_plain(cell) for cell in row["cells"]]
        self.text = " ".join(self.cells)
        self.actions = [action["label"] for action in row["actions"]]
        self.selected = widget.selected == self.key

    def click(self, label: str | None = None) -> None:
        """Open the row, or do what stands at its end."""
        if label is None:
            send(self._widget, {"action": "open", "key": self.key})
            return
        names = {action["label"]: action["name"] for action in self._row["actions"]}
        assert label in names, f"{self.key!r} offers no {label!r}, but {self.actions}"
        send(self._widget, {"action": names[label], "key": self.key})


def send(widget: w.Widget, content: dict[str, Any], buffers: Any = ()) -> None:
    """What the page sends to a widget."""
    message = {"content": {"data": {"method": "custom", "content": content}}, "buffers": list(buffers)}
    widget._handle_msg(message)


def is_shown(widget: w.Widget) -> bool:
    """Whether a widget is not hidden itself; what is around it may be."""
    return not {"vx-hidden", "vx-away"} & set(widget._dom_classes)


def _walk(widget: w.Widget, hidden: bool) -> Iterator[w.Widget]:
    if isinstance(widget, w.DOMWidget) and not (hidden or is_shown(widget)):
        return
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _walk(child, hidden)


def _is_field(widget: w.Widget) -> bool:
    return hasattr(widget, "value") and hasattr(widget, "disabled") and not isinstance(widget, w.Label | w.HTML)


def _name_of(widget: Any) -> str:
    """The words by which a user knows a button or an input."""
    if widget.description:
        return _plain(widget.description)
    if getattr(widget, "placeholder", ""):
        return str(widget.placeholder)
    return re.split(r" \(|: ", widget.tooltip or "")[0]


def _words(widget: Any) -> str:
    if isinstance(widget, RowsWidget):
        lines = [" ".join(_plain(cell) for cell in row["cells"]) for row in widget.rows]
        return "\n".join(lines or [widget.empty])
    if isinstance(widget, w.HTML):
        return "" if "vx-style" in widget._dom_classes else _plain(widget.value)
    if isinstance(widget, w.Label):
        return str(widget.value)
    if isinstance(widget, w.Button):
        return str(widget.description)
    return _plain(getattr(widget, "description", ""))


def _plain(markup: str) -> str:
    """Markup as words."""
    spaced = re.sub(r"</(td|th|tr|div|p|h\d)>|<br>", " ", markup)
    return " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", spaced)).split())
