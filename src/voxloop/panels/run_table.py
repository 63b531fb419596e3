"""The list of runs: state, where each came from, how good it is, and in what it differs from the one chosen."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.panels.panel import ago, badge
from voxloop.panels.rows import Action, Row
from voxloop.panels.run_words import LOOKS
from voxloop.runs.comparison import ancestors, differences
from voxloop.runs.history import metric_of

if TYPE_CHECKING:
    from voxloop.runs import Run

HEAD = ("Run", "State", "Best IoU", "From", "Differs in", "Started")
RIGHT = (2,)
_REFERENCE = '<span class="vx-dim" title="the others are compared with this run">reference</span>'
#: settings of a row that are written out; the others are counted
_SHOWN = 2


def rows_of(runs: Sequence[Run], known: Mapping[str, Run], chosen: str, overlaid: Collection[str]) -> list[Row]:
    """One row a run, in the order given.

    Parameters
    ----------
    known
        All runs of the workspace, for the chains of parents.
    chosen
        The run whose settings the others are compared with; the first where it is none of them.
    overlaid
        Names of runs whose curves are drawn beside those of the one chosen.
    """
    base = next((run for run in runs if run.name == chosen), runs[0] if runs else None)
    return [_row(run, known, base, overlaid) for run in runs]


def differing(run: Run, base: Run | None) -> list[tuple[str, Any, Any]]:
    """Setting, value here, value there: of the same learner only, since others share no settings."""
    if base is None or run.name == base.name or run.config.get("task") != base.config.get("task"):
        return []
    return [(name, here, there) for name, (here, there) in differences([run, base]).items()]


def value_text(value: Any) -> str:
    """A setting's value in a few letters."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ",".join(value_text(part) for part in value)
    return str(value)


def best_iou(run: Run) -> float:
    """Mean validation IoU of the best epoch; NaN where there is none."""
    best = run.history.best
    return metric_of(best, "val", "iou") if best else math.nan


def _no_chips(run: Run, base: Run | None, known: int) -> str:
    """What stands where no setting differs."""
    if base is None or known < 2:
        return ""
    if run.name == base.name:
        return _REFERENCE
    return '<span class="vx-dim">another learner</span>' if run.config.get("task") != base.config.get("task") else ""


def _row(run: Run, known: Mapping[str, Run], base: Run | None, overlaid: Collection[str]) -> Row:
    state, history = run.state, run.history
    best = best_iou(run)
    percent = f" {history.progress:.0%}" if state in ("running", "stopping") and history.progress else ""
    actions: list[Action] = []
    if base is not None and run.name != base.name:
        drawn = run.name in overlaid
        title = "Take its curves out of the plot" if drawn else "Draw its curves in the same plot"
        actions.append(Action("overlay", "Hide" if drawn else "Overlay", title))
    if state not in ("running", "queued", "stopping"):
        actions.append(Action("delete", "Delete", "Remove the run and its model", confirm="Really delete?"))
    found = differing(run, base)
    chips = "".join(
        f'<span class="vx-differs">{html.escape(name.replace("_", " "))} <b>{html.escape(value_text(here))}</b></span>'
        for name, here, _ in found[:_SHOWN]
    ) + (f' <span class="vx-dim">+{len(found) - _SHOWN}</span>' if len(found) > _SHOWN else "")
    cells = (
        html.escape(run.name),
        badge(state + percent, LOOKS.get(state, "")),
        "–" if math.isnan(best) else f"{best:.3f}",
        html.escape(" › ".join(ancestors(known, run.name))) or "fresh",
        chips or _no_chips(run, base, len(known)),
        ago(time.time() - float(run.config.get("created", time.time()))),
    )  # fmt: skip
    title = history.error or "\n".join(f"{n}: {value_text(a)} instead of {value_text(b)}" for n, a, b in found)
    return Row(run.name, cells, tuple(actions), title=title)
