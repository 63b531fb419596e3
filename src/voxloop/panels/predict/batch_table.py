"""What a run over many images made, a row an image. Reads its table; opens no image."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxloop.errors import PredictionError
from voxloop.panels.base.panel import CopyCode, Panel, badge, column, row, show, spacer, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.monitor.run_words import duration

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.runs import Run

#: classes that have a column; the others stand in the tooltip
SHOWN = 2
#: of a name that is longer, so many are shown
LETTERS = 14
_OWN = ("image", "state", "seconds", "voxels", "prediction", "error")


@dataclass(frozen=True, slots=True)
class Made:
    """Name of a run, its table, of how many images it is, and the classes that are no background."""

    run: str
    table: DataFrame
    count: int
    front: tuple[str, ...]


def made_by(run: Run) -> Made | None:
    """What a run over many images has made; None before the first is done."""
    batch = run.open_result()
    try:
        table = batch.table
    except PredictionError:
        return None
    first = next(iter(batch.predictions.values()), None)
    front = () if first is None else tuple(info.name for info in first.classes if not info.background)
    return Made(run.name, table, len(run.config["images"]), front)


class BatchTable:
    """Share of each class and doubt of each image; a click shows that image.

    Parameters
    ----------
    panel
        Whose part it is.
    go_to
        Called with the name of an image.
    """

    def __init__(self, panel: Panel, go_to: Callable[[str], object]) -> None:
        self._stage: object = None
        self._made: Made | None = None
        self._shown: Made | None = None
        self.rows = RowList(panel.handler(lambda _, image: go_to(image)), height=150)
        self.words, self._copy = text("", "vx-small", "vx-dim"), CopyCode()
        self.widget = column(self.rows.widget, row(self.words, spacer(), self._copy))
        show(self.widget, False)

    @property
    def code(self) -> str:
        """The line of Python that gives the table."""
        return "" if self._shown is None else f"ws.runs[{self._shown.run!r}].result.table"

    def read(self, run: Run) -> Made | None:
        """What there is by now; None before the first image. Runs beside the UI, and reads only what is new."""
        stage = run.name, run.state, run.history.progress
        if stage != self._stage:
            self._stage, self._made = stage, made_by(run)
        return self._made

    def show(self, made: Made | None, image: str) -> None:
        """Show the table, None for none; ``image`` is the one on show."""
        self._shown = made
        show(self.widget, made is not None)
        if made is None:
            return
        table, count, front = made.table, made.count, made.front
        shares = [name for name in front if f"{name} share" in table][:SHOWN]
        unsure = "mean uncertainty" in table
        self.rows.widget.head = ["Image", *map(short, shares), *(["Unsure"] if unsure else [])]
        self.rows.widget.right = list(range(1, len(self.rows.widget.head)))
        self.rows.show(batch_row(line, shares, unsure) for line in table.to_dict("records"))
        self.rows.selected = image
        failed = int((table["state"] == "failed").sum())
        self.words.value = f"{len(table)} of {count} images" + (f", {failed} failed" if failed else "")
        self._copy.code = self.code


def batch_row(line: dict[str, Any], shares: Sequence[str], unsure: bool) -> Row:
    """One line of the table of a run over many images."""
    image = str(line["image"])
    if line["state"] == "failed":
        cells = [short(image), *[""] * (len(shares) + unsure - 1), badge("failed", "bad")]
        return Row(image, tuple(cells), title=f"{image}\n{line['error']}")
    values = [f"{float(line[f'{name} share']):.1%}" for name in shares]
    values += [f"{float(line['mean uncertainty']):.1%}"] * unsure
    known = [f"{name.replace('um3', 'µm³')}: {value:g}" for name, value in line.items() if _told(name, value)]
    known = [image, f"predicted in {duration(float(line['seconds']))}", *known]
    return Row(image, (short(image), *values), title="\n".join(known))


def short(name: str) -> str:
    """Markup of a name that leaves room for numbers; the whole of it under the pointer."""
    if len(name) <= LETTERS:
        return html.escape(name)
    return f'<span title="{html.escape(name, quote=True)}">{html.escape(name[: LETTERS - 1])}…</span>'


def _told(name: str, value: Any) -> bool:
    return name not in _OWN and isinstance(value, int | float) and not math.isnan(value)
