"""A heading that opens and closes what is under it. Knows nothing of what that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import classed, mark, show, text


class Fold:
    """``build()`` makes what is under the heading when it is first opened; ``opened(fold)`` is called each time."""

    def __init__(self, name: str, build: Callable[[], list[w.Widget]], opened: Callable[[Any], object]) -> None:
        self.name = name
        self._build, self._opened = build, opened
        self.is_open = False
        self.head = classed(w.Button(icon="caret-right", description=name), "vx-group-head")
        self.head.on_click(lambda _: self._toggle())
        self._note = text("", "vx-group-note")
        self.body = classed(w.VBox(), "vx-group-body", "vx-hidden")
        self.widget = classed(w.VBox([w.HBox([self.head, self._note]), self.body]), "vx-group")

    def _toggle(self) -> None:
        if self.is_open:
            self.close()
        else:
            self.open()

    def open(self) -> None:
        if not self.body.children:
            self.body.children = self._build()
        self.is_open = True
        self.head.icon = "caret-down"
        show(self.body, True)
        self._opened(self)

    def close(self) -> None:
        self.is_open = False
        self.head.icon = "caret-right"
        show(self.body, False)

    def bare(self) -> None:
        """No heading: there is only this one."""
        show(self.widget.children[0], False)

    def note(self, words: str, *, failed: bool = False) -> None:
        """A few words beside the heading, in the colour of errors where something ``failed``."""
        self._note.value = words
        mark(self.widget, "vx-has-invalid", failed)
