"""What is said of the chosen items: status, quality, note, person, class. Asks its owner; changes nothing itself."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, classed, labelled, mark, row, section, show, text
from voxloop.panels.pictures.item_facts import QUALITIES, STATUSES

if TYPE_CHECKING:
    from voxloop.store import ItemEntry

#: keys of the grid
STATUS_KEYS = dict(zip(STATUSES, "tpd", strict=True))
QUALITY_KEYS = dict(zip(QUALITIES[1:], "gub", strict=True))


class SayBox:
    """``say(**fields)`` and ``assign(class or None)`` are what is done with the chosen items."""

    def __init__(
        self,
        panel: Panel,
        say: Callable[..., object],
        assign: Callable[[str | None], object],
        open_item: Callable[[], object],
    ) -> None:
        self._panel, self._say, self._assign = panel, say, assign
        on = panel.handler
        self.title = text("Nothing chosen", "vx-small")
        self.open = button("Open", on(open_item), kind="primary", tooltip="Label this item (Enter, or double click)")
        self._status = {
            name: button(name, on(lambda name=name: say(status=name)), tooltip=f"Status: {name} ({key.upper()})")
            for name, key in STATUS_KEYS.items()
        }
        self._quality = {
            name: button(
                name, on(lambda name=name: self._flag(name)), tooltip=f"Quality: {name}, or no more ({key.upper()})"
            )
            for name, key in QUALITY_KEYS.items()
        }
        self._note = classed(
            w.Textarea(rows=2, continuous_update=False, placeholder="note  ( N )", tooltip="Note on the chosen items"),
            "vx-grid-note",
        )  # fmt: skip
        self._person = w.Combobox(continuous_update=False, **labelled("Assignee", "Who does the chosen items"))
        self._note.observe(on(lambda change: self._typed(note=change["new"])), "value")
        self._person.observe(on(lambda change: self._typed(assignee=change["new"])), "value")
        self.next_after = w.Checkbox(value=True, description="then go to the next", indent=False)
        self._classes = classed(w.HBox(), "vx-row", "vx-wrap")
        self._class_part = section("Class", self._classes)
        self._filling = False
        self.widget = section(
            "Chosen",
            row(self.title, self.open),
            classed(w.HBox(list(self._status.values())), "vx-row", "vx-wrap"),
            classed(w.HBox(list(self._quality.values())), "vx-row", "vx-wrap"),
            self._note,
            self._person,
            self._class_part,
            self.next_after,
        )

    def _flag(self, name: str) -> None:
        on = "vx-on" in self._quality[name]._dom_classes
        self._say(quality="" if on else name)

    def _typed(self, **fields: str) -> None:
        if not self._filling:
            self._say(**fields)

    def offer(self, people: Sequence[str], classes: Sequence[Any]) -> None:
        """Persons and classes as there are now."""
        self._person.options = list(people)
        names = [f"{item.shortcut} {item.name}".strip() for item in classes]
        if [one.description for one in self._classes.children] != names:
            for old in self._classes.children:
                old.close()
            self._classes.children = [
                button(
                    title,
                    self._panel.handler(lambda name=item.name: self._assign(name)),
                    tooltip=f"This is {item.name} ({item.shortcut}); Backspace takes it away",
                )
                for title, item in zip(names, classes, strict=True)
            ]
        show(self._class_part, bool(names))

    def show(self, title: str, entries: Sequence[ItemEntry], label: str | None, *, editable: bool) -> None:
        """What is said of the chosen items; empty where they differ."""
        self.title.value = html.escape(title)
        same = {key: _same(entries, key) for key in ("status", "quality", "note", "assignee")}
        for buttons, said in ((self._status, same["status"]), (self._quality, same["quality"])):
            for name, one in buttons.items():
                mark(one, "vx-on", name == said)
                one.disabled = not entries or not editable
        for one in self._classes.children:
            mark(one, "vx-on", label is not None and one.description.endswith(label))
            one.disabled = not entries or not editable
        self._filling = True
        self._note.value = same["note"] or ""
        self._note.placeholder = "note  ( N )" if same["note"] is not None else "several notes; typing replaces them"
        self._person.value = same["assignee"] or ""
        self._filling = False
        self._note.disabled = self._person.disabled = not entries or not editable
        self.open.disabled = not entries


def _same(entries: Sequence[ItemEntry], key: str) -> str | None:
    values = {getattr(entry, key) for entry in entries}
    return values.pop() if len(values) == 1 else (None if values else "")
