"""A question on a card, with an answer on each button. Knows nothing of what is asked."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from functools import partial

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, classed, close_tree, column, row, show, text


class Question:
    """Asks one thing at a time; a newer question takes the place of the one before."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._words = text("")
        self._answers = row()
        self.widget: w.VBox = classed(column(self._words, self._answers), "vx-card")
        show(self.widget, False)

    @property
    def is_open(self) -> bool:
        """Whether an answer is awaited."""
        return "vx-hidden" not in self.widget._dom_classes

    def ask(self, words: str, answers: Mapping[str, Callable[[], object]]) -> None:
        """Show a question; the card closes with any answer, before that is carried out."""
        before = self._answers.children
        self._words.value = html.escape(words)
        self._answers.children = [
            button(label, self._panel.handler(partial(self._answer, does)), kind="plain" if at else "primary")
            for at, (label, does) in enumerate(answers.items())
        ]
        for old in before:
            close_tree(old)
        show(self.widget, True)

    def close(self) -> None:
        """Take the question back."""
        show(self.widget, False)

    def _answer(self, does: Callable[[], object]) -> None:
        self.close()
        does()
