"""Models and predictions as rows of a list. Pure: reads runs and folders, returns rows."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import ago, badge
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.monitor.run_words import AT_WORK, LOOKS
from voxloop.panels.monitor.score_words import score_cell, score_rank
from voxloop.runs.outcome import model_folder as folder_of_run
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.review import Score
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: what models that no run trained are listed as: their folder in the workspace
KEPT = "models/"


@dataclass(frozen=True, slots=True)
class Offered:
    """Models as rows; ``best``: which to begin with; ``words``: why that one."""

    rows: list[Row]
    best: str
    words: str


def list_models(ws: Workspace) -> Offered:
    """Runs that have a model, newest first, then models in folders of the workspace; the newest is offered."""
    runs = [run for run in reversed(list(ws.runs.values())) if RunPlace(run.path).spec.exists()]
    rows = [*(_model_row(run, ws.scores.of_run(run)) for run in runs), *(_kept_row(path.parent) for path in _kept(ws))]
    return Offered(rows, rows[0].key if rows else "", "")


def model_folder(ws: Workspace, key: str) -> Path:
    """Where the model of a row lies; of a run with two, the one that it keeps to predict with."""
    return ws.path / key if key.startswith(KEPT) else folder_of_run(ws.runs[key].path)


def _kept(ws: Workspace) -> list[Path]:
    # a folder whose name begins with a dot is still being written
    specs = [path for path in ws.layout.models.glob("*/spec.json") if not path.parent.name.startswith(".")]
    return sorted(specs, key=lambda path: path.stat().st_mtime, reverse=True)


def _kept_row(folder: Path) -> Row:
    made = (folder / "spec.json").stat().st_mtime
    cells = (html.escape(f"{KEPT}{folder.name}"), "–", ago(time.time() - made))
    return Row(f"{KEPT}{folder.name}", cells, title="imported, or saved for a prediction; no run here trained it")


def _model_row(run: Run, score: Score | None) -> Row:
    """A run that has a model."""
    cells = (html.escape(run.name), score_cell(score), _age(run))
    return Row(run.name, cells, title=f"trained on level {run.config.get('level')!r}", rank=score_rank(score))


def prediction_row(run: Run, there: bool, score: Score | None) -> Row:
    """A run that predicts; ``there``: something of it is on disk."""
    state, history = run.state, run.history
    words = state
    actions: tuple[Action, ...] = ()
    if state not in AT_WORK:
        actions = (Action("delete", "Delete", "Remove it from disk", confirm="Really delete?"),)
    elif history.progress:
        words = f"{state} {history.progress:.0%}"
    title = history.error or ""
    if there and not title:
        title = f"by the model of {run.config.get('parent') or run.config.get('model')}"
    cells = (html.escape(run.name), badge(words, LOOKS.get(state, "")), score_cell(score), _age(run))
    return Row(run.name, cells, actions, title=title, rank=score_rank(score))


def _age(run: Run) -> str:
    return ago(time.time() - float(run.config.get("created", time.time())))
