"""The list of runs: state, where each came from, how good it is, and in what it differs from the one chosen."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import ago, badge, swatch
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.monitor.run_words import AT_WORK, ENDED, LOOKS, value_text
from voxloop.panels.monitor.score_words import SCORE_HEAD, score_cell, score_rank
from voxloop.runs.comparison import ancestors, differences

if TYPE_CHECKING:
    from voxloop.review import Score
    from voxloop.runs import Run

HEAD = ("Run", "State", SCORE_HEAD, "From", "Differs in", "Started")
#: the column by which the list can be sorted
RANKED = 2
_REFERENCE = '<span class="vx-dim" title="the others are compared with this run">reference</span>'
#: settings of a row that are written out, of a run whose curves are drawn beside others too; the rest are counted
_SHOWN, _SHOWN_DRAWN = 2, 4


def rows_of(
    runs: Sequence[Run],
    every: Mapping[str, Run],
    chosen: str,
    drawn: Mapping[str, str],
    score_of: Callable[[Run], Score | None],
) -> list[Row]:
    """One row a run, in the order given, those drawn over each other first.

    Parameters
    ----------
    every
        All runs of the workspace, for the chains of parents.
    chosen
        The run whose settings the others are compared with; the first where it is none of them.
    drawn
        Names of runs whose curves are drawn over each other, with the colours of these; empty where there is one.
    score_of
        How good what a run made is; None while that is being computed.
    """
    first = next(iter(runs), None)
    base = next((run for run in runs if run.name == chosen), first)
    beside = [run for run in runs if run.name in drawn]
    others = [run for run in runs if run not in beside]
    return [_row(run, every, base, beside, drawn, score_of(run)) for run in (*beside, *others)]


def find_differences(run: Run, base: Run | None) -> list[tuple[str, Any, Any]]:
    """Setting, value here, value there: of the same learner only, since others share no settings."""
    if base is None or run.name == base.name or run.learner != base.learner:
        return []
    return [(name, here, there) for name, (here, there) in differences([run, base]).items()]


def _told(run: Run, name: str, value: Any) -> str:
    """The value of a setting in a few letters; of one that was left to the run what it became too."""
    became = run.history.became
    return f"{value_text(value)}: {value_text(became[name])}" if name in became else value_text(value)


def _chip(name: str, value: str, look: str = "vx-differs") -> str:
    words = html.escape(name.replace("_", " "))
    return f'<span class="{look}">{words} <b>{html.escape(value)}</b></span>'


def _chips(run: Run, base: Run | None, beside: Sequence[Run]) -> str:
    """The settings of a run that differ; of the reference those in which runs drawn beside it differ from it."""
    limit = _SHOWN_DRAWN if run in beside else _SHOWN
    if base is not None and run.name == base.name:
        there = {name: _told(base, name, value) for other in beside for name, _, value in find_differences(other, base)}
        chips = [_chip(name, value, "vx-same") for name, value in there.items()]
    else:
        chips = [_chip(name, _told(run, name, here)) for name, here, _ in find_differences(run, base)]
    more = f' <span class="vx-dim">+{len(chips) - limit}</span>' if len(chips) > limit else ""
    return "".join(chips[:limit]) + more


def _whole(words: str) -> str:
    """Words that stay in one line."""
    return f'<span style="white-space:nowrap">{html.escape(words)}</span>'


def _no_chips(run: Run, base: Run | None, count: int) -> str:
    """What stands where no setting differs."""
    if base is None or count < 2:
        return ""
    if run.name == base.name:
        return _REFERENCE
    return '<span class="vx-dim">another learner</span>' if run.learner != base.learner else ""


def _row(
    run: Run,
    every: Mapping[str, Run],
    base: Run | None,
    beside: Sequence[Run],
    drawn: Mapping[str, str],
    score: Score | None,
) -> Row:
    state, history = run.state, run.history
    percent = f" {history.progress:.0%}" if state in ("running", "stopping") and history.progress else ""
    age = ago(time.time() - float(run.config.get("created", time.time())))
    cells = (
        _name(run, drawn),
        badge(state + percent, LOOKS.get(state, "")) + _kept(run, state),
        score_cell(score),
        " › ".join(_whole(name) for name in ancestors(every, run.name)) or "fresh",
        _chips(run, base, beside) or _no_chips(run, base, len(every)),
        _whole(age),
    )
    differs = find_differences(run, base)
    lines = [f"{name}: {_told(run, name, here)} instead of {value_text(there)}" for name, here, there in differs]
    names = [name for name, _, _ in differs]
    lines += [f"{name} became {value_text(value)}" for name, value in history.became.items() if name not in names]
    return Row(
        run.name, cells, _actions(run, base, drawn), title=history.error or "\n".join(lines), rank=score_rank(score)
    )


def _kept(run: Run, state: str) -> str:
    """A mark where a network's run predicts with the classifier beside it; why under the pointer."""
    outcome = run.outcome if state in ENDED and run.learner == "deep" else None
    if outcome is None or outcome.kept != "classifier":
        return ""
    return f' <span title="{html.escape(outcome.words, quote=True)}">{badge("classifier kept", "warn")}</span>'


def _name(run: Run, drawn: Mapping[str, str]) -> str:
    """Colour where its curves are drawn, name, and the note below."""
    name = html.escape(run.name)
    if run.name in drawn:
        name = swatch(drawn[run.name]) + name
    if run.note:
        note = html.escape(run.note, quote=True)
        name += f'<div class="vx-run-note" title="{note}">{note}</div>'
    return name


def _actions(run: Run, base: Run | None, drawn: Mapping[str, str]) -> tuple[Action, ...]:
    actions = []
    if base is not None and run.name != base.name:
        if run.name in drawn:
            actions.append(Action("overlay", "Hide", "Take its curves out of the plot"))
        else:
            actions.append(Action("overlay", "Overlay", "Draw its curves in the same plot"))
    if run.state not in AT_WORK:
        actions.append(Action("delete", "Delete", "Remove the run and its model", confirm="Really delete?"))
    return tuple(actions)
