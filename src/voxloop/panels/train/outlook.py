"""What a network's training would be, before it begins: forecast, remarks with the button that helps, previews.

Asks the helper process, which it starts with the first question. Knows no runs.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import WorkspaceError
from voxloop.helper import Helper
from voxloop.panels.base.panel import Panel, button, classed, close_tree, column, row, text
from voxloop.panels.monitor.run_table import value_text
from voxloop.panels.train.forecast_words import forecast_words
from voxloop.panels.train.previews import Done, Failed, FieldPreview, InputsPreview, Preview, RatePreview, folds

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class Outlook:
    """``words`` (the forecast), ``notes`` (remarks) and ``widget`` (the folds), which follow the settings.

    ``change(**settings)`` puts settings into the form; ``config()`` is what it says, as JSON; ``level()`` is the one
    that is chosen.
    """

    def __init__(
        self,
        owner: Panel,
        ws: Workspace,
        change: Callable[..., object],
        config: Callable[[], dict[str, Any]],
        level: Callable[[], str | None],
    ) -> None:
        self._owner, self._ws, self._change, self._level = owner, ws, change, level
        self.helper: Helper | None = None
        self._asked: Any = None
        self._found: dict[str, Any] | None = None
        self._settling: Any = None
        self._noted: list[Mapping[str, Any]] = []
        self.words: w.HTML = classed(text(), "vx-small", "vx-dim")
        self.notes = column()
        self.previews: list[Preview] = [
            InputsPreview(self.ask),
            FieldPreview(self.ask, self._first_image),
            RatePreview(self.ask, config, lambda rate: change(learning_rate=rate)),
        ]
        for preview in self.previews:
            owner.on_close(preview.close)
        self.widget = folds(self.previews)

    def forecast(self, question: Any) -> dict[str, Any] | None:
        """The answer to a question, None while it is not known."""
        return self._found if self._asked == question else None

    def asked(self, question: Any) -> bool:
        """Whether this was the last question."""
        return question is not None and self._asked == question

    def follow(self, question: Any, *, quiet: bool) -> None:
        """Let the folds that are open follow, and forecast once the settings stand still; not where ``quiet``."""
        if question is None:
            self.show(None)
            return
        for preview in self.previews:
            preview.update(*question)
        if question == self._asked or quiet:
            return
        settled, self._settling = self._settling == question, question  # not while somebody is typing
        if settled:
            self._asked, self._found = question, None
            self.words.value = "Forecast …"
            self.ask("forecast", self.show, self._failed, config=question[0])

    def ask(self, kind: str, done: Done, failed: Failed, **fields: Any) -> None:
        """Ask the helper; the first question starts its process."""
        if self.helper is None:
            self.helper = Helper(self._ws.path)

        def deliver(future: Future[dict[str, Any]]) -> None:
            error = future.exception()
            if error is not None:
                failed(error)
            elif future.result().get("state") != "dropped":
                done(future.result())

        answer = self.helper.request(kind, **fields)
        answer.future.add_done_callback(lambda future: self._owner.post(deliver, future))

    def show(self, found: dict[str, Any] | None) -> None:
        """Show a forecast, or none."""
        self._found = found
        self.words.value = forecast_words(found) if found else ""
        self._show_notes(found["notes"] if found else [])

    def fold_away(self) -> None:
        """Close the folds, so that a run that has begun is what is seen."""
        for preview in self.previews:
            preview.fold.close()

    def close(self) -> None:
        if self.helper is not None:
            self.helper.close()

    def _failed(self, error: BaseException) -> None:
        self.show(None)
        self._show_notes([{"words": str(error), "kind": "error", "fix": {}}])

    def _show_notes(self, notes: Sequence[Mapping[str, Any]]) -> None:
        """What the network's own look at the labels found, each with the button that helps."""
        if notes == self._noted:
            return
        self._noted = list(notes)
        old = self.notes.children
        self.notes.children = [self._row(note) for note in notes]
        for child in old:
            close_tree(child)

    def _row(self, note: Mapping[str, Any]) -> w.Widget:
        words = classed(text(note_of(note["kind"], note["words"]), markup=True), "vx-grow")
        if not note["fix"]:
            return words
        said = ", ".join(f"{name.replace('_', ' ')} {value_text(value)}" for name, value in note["fix"].items())
        use = self._owner.handler(lambda: self._change(**note["fix"]))
        return row(words, button(f"Use {said}", use, kind="link"), classes=["vx-remark"])

    def _first_image(self) -> tuple[str, Any]:
        """The first labelled image; its name and its volume."""
        for name in self._ws.images.names:
            if any(value and count for value, count in self._ws.labels(self._level(), name).counts().items()):
                return name, self._ws.images.open(name)
        raise WorkspaceError("nothing is labelled yet; paint a few strokes of at least two classes")


def note_of(kind: str, words: str) -> str:
    """A remark as markup."""
    return f'<div class="vx-note vx-note-{kind}">{html.escape(words)}</div>'
