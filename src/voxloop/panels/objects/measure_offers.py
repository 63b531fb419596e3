"""Measures that go on from the word being typed in a rule: buttons that put them in. Reads names only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, row, show

#: measures that are offered, and the word they go on from
_OFFERED, _LAST_WORD = 4, re.compile(r"[A-Za-z_][A-Za-z_0-9]*$")


class MeasureOffers:
    """Names below a field; ``widget`` is empty where nothing goes on from what is typed.

    Parameters
    ----------
    panel
        Whose part it is.
    field
        In which rules are typed.
    columns
        The measures of the table on show.
    """

    def __init__(self, panel: Panel, field: w.Text | w.Textarea, columns: Callable[[], Sequence[str]]) -> None:
        self._field, self._columns = field, columns
        self._buttons = []
        for _ in range(_OFFERED):
            offered = button("", tooltip="Put this measure into the rule")
            offered.on_click(lambda pressed: panel.handler(lambda: self.complete(pressed.description))())
            show(offered, False)
            self._buttons.append(offered)
        self.widget = row(*self._buttons, classes=["vx-wrap"])
        field.observe(panel.handler(self._offer), "value")

    def complete(self, name: str) -> None:
        """Put a measure where the last word of the rule is."""
        self._field.value = _LAST_WORD.sub("", str(self._field.value)) + name + " "

    def _offer(self) -> None:
        """Measures that go on from the last word, those that hold it where none does."""
        last = _LAST_WORD.search(str(self._field.value))
        names = [] if last is None else names_like(last.group(), list(self._columns()))
        for offered, name in itertools.zip_longest(self._buttons, names[:_OFFERED]):
            offered.description = name or ""
            show(offered, bool(name))


def names_like(word: str, columns: Sequence[str]) -> list[str]:
    """Measures of a table, or that could be added to it, which begin with a word; which hold it where none does."""
    from voxloop.objects.naming import measure_names

    if not columns:
        return []
    known = [str(name) for name in columns]
    more = measure_names(3 if "volume_um3" in known else 2)
    known += [name for group in ("shape", "skeleton", "contacts") for name in more[group] if name not in known]
    if word in known or word in ("and", "or", "not"):
        return []
    begin = [name for name in known if name.startswith(word.lower())]
    return begin or [name for name in known if word.lower() in name]
