"""Several names out of a list, a box to tick for each. Knows no settings."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets as w
import traitlets as t

from voxloop.panels.base.panel import close_tree, column, labelled, show, text


class ChoiceList(w.VBox):
    """A label with a box for each name; ``value`` holds those ticked, in the order of the list.

    Names in ``value`` that are not on offer stay, ticked, until somebody unticks them.

    Parameters
    ----------
    label
        Markup.
    empty
        What is said where there is nothing to choose.
    """

    value = t.Tuple()

    def __init__(self, label: str, help: str, empty: str, names: Sequence[str] = ()) -> None:
        self._empty = text(empty, "vx-dim", "vx-small")
        self._column = column(self._empty)
        self._names: tuple[str, ...] = ()
        self._boxes: dict[str, w.Checkbox] = {}
        self._silent = False
        title = w.HTML(f'<span title="{html.escape(help, quote=True)}">{label}</span>')
        super().__init__([title, self._column])
        self.add_class("vx-choice-list")
        self.observe(lambda change: self._show(), "value")
        self.offer(names)

    def offer(self, names: Sequence[str]) -> None:
        """Change what there is to choose from."""
        self._names = tuple(names)
        self._show()

    def _show(self) -> None:
        listed = [*self._names, *(name for name in self.value if name not in self._names)]
        if list(self._boxes) != listed:
            before, self._boxes = self._boxes, {name: self._box(name) for name in listed}
            self._column.children = (self._empty, *self._boxes.values())
            for box in before.values():
                close_tree(box)
        show(self._empty, not listed)
        self._silent = True
        for name, box in self._boxes.items():
            box.value = name in self.value
        self._silent = False

    def _box(self, name: str) -> w.Checkbox:
        box = w.Checkbox(indent=False, **labelled(name, ""))
        box.observe(lambda change: self._ticked(), "value")
        return box

    def _ticked(self) -> None:
        if not self._silent:
            self.value = tuple(name for name, box in self._boxes.items() if box.value)
