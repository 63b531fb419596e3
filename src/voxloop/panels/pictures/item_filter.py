"""Search, filters and order of the grid. Knows words, no items."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, section, show, text
from voxloop.panels.base.work import Debounce
from voxloop.panels.pictures.item_facts import IN_SETS, QUALITIES, STATUSES, ItemFilter

#: seconds after the last letter
_REST = 0.25
_SORTS = ("name", "status", "assignee", "class", "last changed")


class FilterBox:
    """``changed()`` is called when other items are wanted."""

    def __init__(self, panel: Panel, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._filling = False
        self._rest = Debounce(panel, changed, seconds=_REST)
        self.words = classed(
            w.Text(placeholder="search name, note, person  ( / )", tooltip="Search names, notes and persons"),
            "vx-grid-search", "vx-grow",
        )  # fmt: skip
        on = panel.handler(self._choice)
        self.status = _list("Status", "Only items of this status", ["", *STATUSES])
        self.quality = _list("Quality", "Only items flagged so", ["", *QUALITIES[1:], "none"])
        self.assignee = _list("Assignee", "Only items of this person", [""])
        self.label = _list("Class", "Only items of this class", [""])
        self.labelled = _list("Labels", "Only items with labels, or without", ["", "yes", "no"])
        self.sets = _list("Set", "Only items of this training set", list(IN_SETS))
        self.sort = _list("Order", "By what the items are sorted", list(_SORTS))
        self._lists = (self.status, self.quality, self.assignee, self.label, self.labelled, self.sets, self.sort)
        self.words.observe(panel.handler(self._rest.ask), "value")
        for one in self._lists:
            one.observe(on, "value")
        self._all = button("Show all", panel.handler(self.clear), kind="link", tooltip="Take search and filters back")
        self.count = text("", "vx-dim", "vx-small", "vx-number")
        self.widget = section("Find", self.words, column(*self._lists), row(self.count, self._all))

    @property
    def wanted(self) -> ItemFilter:
        return ItemFilter(
            words=str(self.words.value).strip(),
            status=self.status.value or "",
            quality=self.quality.value or "",
            assignee=self.assignee.value or "",
            label=self.label.value or "",
            sets=self.sets.value or IN_SETS[0],
            labelled=self.labelled.value or "",
            sort=self.sort.value or "name",
        )

    def clear(self) -> None:
        """Show all items again."""
        self._filling = True
        self.words.value = ""
        for one in self._lists[:-1]:
            one.value = one.options[0][1]
        self._filling = False
        self._rest.forget()
        self._changed()

    def offer(self, people: Sequence[str], classes: Sequence[str]) -> None:
        """Persons and classes as there are now; what was chosen stays where it is still there."""
        self._filling = True
        for one, names in ((self.assignee, [*people, "nobody"] if people else []), (self.label, list(classes))):
            options = [("any", ""), *((name, name) for name in names)]
            if list(one.options) != options:
                kept = one.value
                one.options = options
                one.value = kept if kept in names else ""
            show(one, bool(names))
        self._filling = False

    def tell(self, shown: int, total: int) -> None:
        """How many fit."""
        self.count.value = f"{shown:,} of {total:,} shown"
        show(self._all, shown != total)

    def _choice(self) -> None:
        if not self._filling:
            self._changed()


def _list(name: str, about: str, values: list[str]) -> w.Dropdown:
    options = [(value or "any", value) for value in values]
    return w.Dropdown(options=options, value=values[0], **labelled(name, about))
