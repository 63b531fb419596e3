"""Models and predictions as rows of a list. Pure: reads runs and folders, returns rows."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.config.learners import OF_MARKS
from voxloop.panels.base.panel import ago, badge
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.monitor.run_words import AT_WORK, LOOKS
from voxloop.panels.monitor.score_words import score_cell, score_rank
from voxloop.runs.outcome import Outcome
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
    """Runs that have a model, newest first, then models in folders of the workspace, then those of others.

    The newest is offered while it has predicted nothing, then the one whose prediction is offered (``ws.offer``). It is
    called the best only where comparison says so.
    """
    trained = [run for run in reversed(list(ws.runs.values())) if RunPlace(run.path).spec.exists()]
    runs = [run for run in trained if run.learner not in OF_MARKS]
    offers = known_offers(ws)
    best = {offer.run for offer in offers if offer.clear}
    rows = [_model_row(run, ws.scores.of_run(run), run.name in best) for run in runs]
    rows += [_kept_row(path.parent) for path in _kept(ws)]
    rows += [_reused_row(name, folder) for name, folder in ws.reuse.models.items()]
    first, words = rows[0].key if rows else "", ""
    newest = next(iter(offers), None)
    keys = {row.key for row in rows}
    if newest is not None and newest.run in keys and ws.scores.made_by(runs[0]):
        first, words = newest.run, newest.words
    return Offered(rows, first, html.escape(words))


@dataclass(frozen=True, slots=True)
class KnownOffer:
    """A prediction that is offered of an image; ``run``: the training whose model made it."""

    name: str
    run: str
    clear: bool
    words: str


def known_offers(ws: Workspace) -> list[KnownOffer]:
    """What is offered of each image, as far as it was computed; that of the newest prediction first."""
    heads = {head.name: head for head in reversed(ws.scores.heads())}
    offers = {}
    for head in heads.values():
        if (head.image, head.level) not in offers:
            offers[head.image, head.level] = ws.offers.known(head.image, head.level)
    known = [offer for offer in offers.values() if offer is not None and offer.name in heads]
    return [KnownOffer(one.name, heads[one.name].trained_by, one.clear, one.words) for one in known]


def model_folder(ws: Workspace, key: str) -> Path:
    """Where the model of a row lies; of a run with two, the one that it keeps to predict with."""
    if key.startswith(KEPT) or Path(key).is_absolute():
        return ws.path / key
    return folder_of_run(ws.runs[key].path)


def _kept(ws: Workspace) -> list[Path]:
    # a folder whose name begins with a dot is still being written
    specs = [path for path in ws.layout.models.glob("*/spec.json") if not path.parent.name.startswith(".")]
    return sorted(specs, key=lambda path: path.stat().st_mtime, reverse=True)


def _kept_row(folder: Path) -> Row:
    made = (folder / "spec.json").stat().st_mtime
    cells = (html.escape(f"{KEPT}{folder.name}"), "–", ago(time.time() - made))
    return Row(f"{KEPT}{folder.name}", cells, title="imported, or saved for a prediction; no run here trained it")


def _reused_row(name: str, folder: Path) -> Row:
    made = (folder / "spec.json").stat().st_mtime
    return Row(str(folder), (html.escape(name), "–", ago(time.time() - made)), title=f"of another workspace: {folder}")


def _model_row(run: Run, score: Score | None, best: bool) -> Row:
    """A run that has a model; ``best``: comparison says that its prediction is better than each of the others."""
    name, title = named(run.name, best), f"trained on level {run.config.get('level')!r}"
    outcome = Outcome.read(run.path)
    if outcome is not None and outcome.kept == "classifier":
        name += '<div class="vx-dim vx-small">classifier kept</div>'
        title += f"; {outcome.words}"
    return Row(run.name, (name, score_cell(score), _age(run)), title=title, rank=score_rank(score))


def named(name: str, best: bool) -> str:
    """A name, and a badge where it is the best."""
    return f"{html.escape(name)} {badge('best', 'good')}" if best else html.escape(name)


def prediction_row(run: Run, there: bool, score: Score | None, best: bool = False) -> Row:
    """A run that predicts; ``there``: something of it is on disk; ``best``: comparison says that it is the best."""
    state, history = run.state, run.history
    words = state
    actions: tuple[Action, ...] = ()
    if state not in AT_WORK:
        actions = (Action("delete", "Delete", "Remove it from disk", confirm="Really delete?"),)
    elif history.progress:
        words = f"{state} {history.progress:.0%}"
    title = history.error or ""
    if there and not title:
        title = f"made {_age(run)} by the model of {run.config.get('parent') or run.config.get('model')}"
    cells = (named(run.name, best), badge(words, LOOKS.get(state, "")), score_cell(score))
    return Row(run.name, cells, actions, title=title, rank=score_rank(score))


def _age(run: Run) -> str:
    return ago(time.time() - float(run.config.get("created", time.time())))
