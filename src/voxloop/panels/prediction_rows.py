"""Models and predictions as rows of a list. Pure: reads runs, returns rows."""

from __future__ import annotations

import html
import math
import time
from typing import TYPE_CHECKING

from voxloop.panels.panel import ago, badge
from voxloop.panels.rows import Action, Row
from voxloop.panels.run_words import AT_WORK, LOOKS

if TYPE_CHECKING:
    from voxloop.runs import Run


def predicts(run: Run) -> bool:
    """Whether a run predicts, one image or many."""
    return str(run.config.get("task", "")).endswith(("prediction.task:run", "prediction.batch:run"))


def model_row(run: Run) -> Row:
    """A run that has a model."""
    from voxloop.runs.history import metric_of

    history = run.history
    best = metric_of(history.best, "val", "iou") if history.best else math.nan
    cells = (html.escape(run.name), "–" if math.isnan(best) else f"{best:.3f}", _age(run))
    return Row(run.name, cells)


def prediction_row(run: Run, there: bool) -> Row:
    """A run that predicts; ``there``: something of it is on disk."""
    state, history = run.state, run.history
    share = f" {history.progress:.0%}" if state in AT_WORK and history.progress else ""
    actions = () if state in AT_WORK else (Action("delete", "Delete", "Remove it from disk", confirm="Really delete?"),)
    look = LOOKS.get(state, "")
    title = history.error or (f"by the model of {run.config.get('parent') or run.config.get('model')}" if there else "")
    return Row(run.name, (html.escape(run.name), badge(state + share, look), _age(run)), actions, title=title)


def _age(run: Run) -> str:
    return ago(time.time() - float(run.config.get("created", time.time())))
