"""What a network's training would be, before it begins: forecast, remarks with the button that helps, previews.

Asks the helper process, which it starts with the first question. Knows no runs.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import WorkspaceError
from voxloop.panels.base.asking import Asking
from voxloop.panels.base.panel import Panel, button, classed, close_tree, column, row, text
from voxloop.panels.base.work import Debounce
from voxloop.panels.monitor.previews import Done, Failed, FieldPreview, InputsPreview, Preview, RatePreview, folds
from voxloop.panels.monitor.run_words import value_text
from voxloop.panels.train.forecast_words import forecast_words

if TYPE_CHECKING:
    from voxloop.helper import Helper
    from voxloop.workspace.workspace import Workspace

#: settings are forecast once they have stood still for so long
REST_S = 1.0
#: the config as JSON, and what else a forecast depends on
Question = tuple[dict[str, Any], object]


class TrainingForecast:
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
        self._asking = Asking(owner, ws.path)
        self._wanted: Question | None = None
        self._asked: Question | None = None
        self._answer: dict[str, Any] | None = None
        self._hidden = False
        self._notes_shown: list[Mapping[str, Any]] = []
        self._rest = Debounce(owner, self._ask_forecast, seconds=REST_S)  # not while somebody is typing
        self.words: w.HTML = classed(text(), "vx-small", "vx-dim")
        self.notes = column()
        self.inputs = InputsPreview(self.ask)
        self.field = FieldPreview(self.ask, self._first_image)
        self.rate = RatePreview(self.ask, config, lambda rate: change(learning_rate=rate))
        self.previews: list[Preview] = [self.inputs, self.field, self.rate]
        for preview in self.previews:
            owner.on_close(preview.close)
        self.widget = folds(self.previews)

    @property
    def helper(self) -> Helper | None:
        """The process that answers; None before the first question."""
        return self._asking.helper

    def answer_to(self, question: Question | None) -> dict[str, Any] | None:
        """The forecast for a question, None while it is not known."""
        return self._answer if question is not None and self._asked == question else None

    def asked(self, question: Question | None) -> bool:
        """Whether this was the last question."""
        return question is not None and self._asked == question

    def follow(self, question: Question | None, *, quiet: bool) -> None:
        """Let the folds that are open follow, and forecast once the settings stand still; not where ``quiet``."""
        if question is None:
            self._hide()
            return
        for preview in self.previews:
            preview.update(*question)
        if question == self._asked:
            self._rest.forget()
            self._wanted = question
            if self._hidden:
                self._show(self._answer)
        elif question != self._wanted and not quiet:
            self._wanted = question
            self._rest.ask()

    def _ask_forecast(self) -> None:
        if self._wanted is None:
            return
        self._asked, self._answer = self._wanted, None
        self.words.value = "Forecast …"
        self.ask("forecast", self._answered, self._failed, config=self._wanted[0])

    def ask(self, kind: str, done: Done, failed: Failed, **fields: Any) -> None:
        """Ask the helper; the first question starts its process."""
        self._asking(kind, done, failed, **fields)

    def _answered(self, answer: dict[str, Any]) -> None:
        self._answer = answer
        self._show(answer)

    def _hide(self) -> None:
        """There is nothing to forecast now; the last answer is kept for when it is asked for again."""
        self._rest.forget()
        self._show(None)
        self._hidden = True

    def _show(self, answer: dict[str, Any] | None) -> None:
        """Show a forecast, or none."""
        self._hidden = False
        if answer:
            self.words.value = forecast_words(answer)
            self._show_notes(answer["notes"])
        else:
            self.words.value = ""
            self._show_notes([])

    def fold_away(self) -> None:
        """Close the folds, so that a run that has begun is what is seen."""
        for preview in self.previews:
            preview.fold.close()

    def close(self) -> None:
        self._asking.close()

    def _failed(self, error: BaseException) -> None:
        self._show(None)
        self._show_notes([{"words": str(error), "kind": "error", "fix": {}}])

    def _show_notes(self, notes: Sequence[Mapping[str, Any]]) -> None:
        """What the network's own look at the labels found, each with the button that helps."""
        if notes == self._notes_shown:
            return
        self._notes_shown = list(notes)
        rows_before = self.notes.children
        self.notes.children = [self._row(note) for note in notes]
        for child in rows_before:
            close_tree(child)

    def _row(self, note: Mapping[str, Any]) -> w.Widget:
        words = classed(text(note_of(note["kind"], note["words"]), markup=True), "vx-grow")
        if not note["fix"]:
            return words
        settings = ", ".join(f"{name.replace('_', ' ')} {value_text(value)}" for name, value in note["fix"].items())
        use = self._owner.handler(lambda: self._change(**note["fix"]))
        return row(words, button(f"Use {settings}", use, kind="link"), classes=["vx-remark"])

    def _first_image(self) -> tuple[str, Any]:
        """The first labelled image; its name and its volume."""
        for name in self._ws.images.names:
            if any(value and count for value, count in self._ws.labels(self._level(), name).counts().items()):
                return name, self._ws.images.open(name)
        raise WorkspaceError("nothing is labelled yet; paint a few strokes of at least two classes")


def note_of(kind: str, words: str) -> str:
    """A remark as markup."""
    return f'<div class="vx-note vx-note-{kind}">{html.escape(words)}</div>'
