"""Models and predictions as rows of a list. Pure: reads runs and folders, returns rows."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import ago, badge
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.monitor.run_table import best_iou
from voxloop.panels.monitor.run_words import AT_WORK, LOOKS, MEASURED
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: what models that no run trained are listed as: their folder in the workspace
KEPT = "models/"
#: scores that agree in so many digits are equal
DIGITS = 3


@dataclass(frozen=True, slots=True)
class Offered:
    """Models as rows; ``best``: which to begin with; ``words``: why that one."""

    rows: list[Row]
    best: str
    words: str


def list_models(ws: Workspace) -> Offered:
    """Runs that have a model, newest first, then models in folders of the workspace.

    The best one has the highest validation IoU among those of the level that the newest run learnt; without scores it
    is the newest. Scores of other levels are no measure of it.
    """
    runs = [run for run in reversed(list(ws.runs.values())) if RunPlace(run.path).spec.exists()]
    folders = [_kept_row(path.parent) for path in _kept(ws)]
    scores = {run.name: round(best_iou(run), DIGITS) for run in runs}
    levels: dict[str, list[Run]] = {}
    for run in runs:
        levels.setdefault(str(run.config.get("level")), []).append(run)
    best = {level: _best(of, scores) for level, of in levels.items()}
    marked = {run.name for level, of in best.items() if len(levels[level]) > 1 for run in of}
    rows = [*(_model_row(run, scores[run.name], run.name in marked) for run in runs), *folders]
    if not runs:
        first_folder = folders[0].key if folders else ""
        return Offered(rows, first_folder, "")
    level = str(runs[0].config.get("level"))
    count, first = len(levels[level]), (best[level] or runs)[0].name
    words = ""
    if not best[level] and count > 1:
        words = "None of these has a score; the newest is list_models first."
    elif count > 1:
        has = "has" if len(best[level]) == 1 else "is the newest of those that share"
        words = (
            f"{first} {has} the best validation IoU of {count} models of level {level!r}; each was scored on held-out "
            "strokes of its own run, which flatter."
        )
    return Offered(rows, first, html.escape(words))


def _best(runs: list[Run], scores: Mapping[str, float]) -> list[Run]:
    """Those whose score none is above; none where none has one."""
    scored = [run for run in runs if not math.isnan(scores[run.name])]
    highest = max((scores[run.name] for run in scored), default=math.nan)
    return [run for run in scored if scores[run.name] == highest]


def model_folder(ws: Workspace, key: str) -> Path:
    """Where the model of a row lies."""
    return ws.path / key if key.startswith(KEPT) else RunPlace(ws.runs[key].path).model


def _kept(ws: Workspace) -> list[Path]:
    # a folder whose name begins with a dot is still being written
    specs = [path for path in ws.layout.models.glob("*/spec.json") if not path.parent.name.startswith(".")]
    return sorted(specs, key=lambda path: path.stat().st_mtime, reverse=True)


def _kept_row(folder: Path) -> Row:
    made = (folder / "spec.json").stat().st_mtime
    cells = (html.escape(f"{KEPT}{folder.name}"), "–", ago(time.time() - made))
    return Row(f"{KEPT}{folder.name}", cells, title="imported, or saved for a prediction; no run here trained it")


def _model_row(run: Run, score: float, best: bool) -> Row:
    """A run that has a model; ``best``: no other of its level has a higher score."""
    name = html.escape(run.name)
    if best:
        name += f" {badge('best', 'good')}"
    words = "–"
    if not math.isnan(score):
        words = f'<span title="{html.escape(MEASURED, quote=True)}">{score:.{DIGITS}f}</span>'
    return Row(run.name, (name, words, _age(run)), title=f"trained on level {run.config.get('level')!r}")


def prediction_row(run: Run, there: bool) -> Row:
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
    cells = (html.escape(run.name), badge(words, LOOKS.get(state, "")), _age(run))
    return Row(run.name, cells, actions, title=title)


def _age(run: Run) -> str:
    return ago(time.time() - float(run.config.get("created", time.time())))
