"""Training and validation sets of the chosen items. Asks its owner; changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, labelled, row, section, show, text

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class TeachingBox:
    """``put(into, out_of)`` puts the chosen items into a set, which they leave for ``None``."""

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        put: Callable[[str | None, str | None], object],
        changed: Callable[[], object],
    ) -> None:
        self._ws, self._put = ws, put
        on = panel.handler
        self.training = w.Combobox(
            value="training", continuous_update=False, **labelled("Training set", "Its items have a T in the grid")
        )
        self.validation = w.Combobox(
            value="validation", continuous_update=False, **labelled("Validation set", "Its items have a V in the grid")
        )
        self.level = w.Dropdown(**labelled("Labels of", "The level whose labels are learned"))
        for one in (self.training, self.validation):
            one.observe(on(changed), "value")
        about = "a new version of the set; the other one is left"
        self._buttons = (
            button("To training", on(lambda: put(*self.names)), tooltip=f"Put the chosen items there: {about}"),
            button("To validation", on(lambda: put(*self.names[::-1])), tooltip=f"Put the chosen items there: {about}"),
            button("To none", on(lambda: put(None, None)), tooltip="Take the chosen items out of both sets"),
        )
        self.words = text("", "vx-dim", "vx-small")
        self.widget = section(
            "Training sets", self.training, self.validation, self.level, row(*self._buttons), self.words
        )

    @property
    def names(self) -> tuple[str, str]:
        """Of the set that teaches and of the one that judges."""
        return str(self.training.value).strip() or "training", str(self.validation.value).strip() or "validation"

    def offer(self) -> None:
        """Sets and levels as there are now."""
        levels = self._ws.levels.painted
        if list(self.level.options) != levels:
            kept = self.level.value
            self.level.options = levels
            self.level.value = kept if kept in levels else next(iter(levels), None)
        show(self.level, len(levels) > 1)
        show(self.widget, bool(levels))
        for one in (self.training, self.validation):
            one.options = self._ws.sets.names

    def show(self, counts: Sequence[int], *, enabled: bool) -> None:
        """How many items are in which set."""
        for one in self._buttons:
            one.disabled = not enabled
        training, validation, other = counts
        said = f"{training:,} in training, {validation:,} in validation"
        self.words.value = said + (f", {other:,} in other sets only" if other else "")
