"""Models and predictions as rows of a list. Pure: reads runs and folders, returns rows."""

from __future__ import annotations

import html
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.panels.panel import ago, badge
from voxloop.panels.rows import Action, Row
from voxloop.panels.run_words import AT_WORK, LOOKS

if TYPE_CHECKING:
    from voxloop.project import Workspace
    from voxloop.runs import Run

#: what models that no run trained are listed as: their folder in the workspace
KEPT = "models/"


def predicts(run: Run) -> bool:
    """Whether a run predicts, one image or many."""
    return str(run.config.get("task", "")).endswith(("prediction.task:run", "prediction.batch:run"))


def model_rows(ws: Workspace) -> list[Row]:
    """Runs that have a model, newest first, then models in folders of the workspace."""
    runs = [run for run in reversed(list(ws.runs.values())) if (run.path / "model" / "spec.json").exists()]
    return [*(_model_row(run) for run in runs), *(_kept_row(path.parent) for path in _kept(ws))]


def model_folder(ws: Workspace, key: str) -> Path:
    """Where the model of a row lies."""
    return ws.path / key if key.startswith(KEPT) else ws.runs[key].path / "model"


def _kept(ws: Workspace) -> list[Path]:
    found = (ws.path / KEPT).glob("*/spec.json")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _kept_row(folder: Path) -> Row:
    made = (folder / "spec.json").stat().st_mtime
    cells = (html.escape(f"{KEPT}{folder.name}"), "–", ago(time.time() - made))
    return Row(f"{KEPT}{folder.name}", cells, title="imported, or saved for a prediction; no run here trained it")


def _model_row(run: Run) -> Row:
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
