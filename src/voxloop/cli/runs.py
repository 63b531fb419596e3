"""The commands on runs: list and compare them, and give one an order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voxloop.cli.terminal import as_json, finish, follow, open_workspace, tell

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--report", metavar="RUN", help="Write the report of a run (HTML) instead of listing them.")
@click.option("--csv", "table", metavar="RUN", help="Write the steps and epochs of a run as CSV instead.")
@click.option(
    "--compare", multiple=True, metavar="RUN", help="Show the settings in which runs differ; repeat for each run."
)
@click.option("--sort", type=click.Choice(["age", "score"]), default="age", help="By age, or the best score first.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to write; default: exports/ in the run's folder.")
@as_json
def runs(
    workspace: Path,
    report: str | None,
    table: str | None,
    compare: tuple[str, ...],
    sort: str,
    to: Path | None,
    as_json: bool,
) -> None:
    """List the runs of a workspace, write the report or the numbers of one, or compare several."""
    with open_workspace(workspace, read_only=True) as ws:
        if report or table:
            written = ws.runs[report].report(to) if report else ws.runs[str(table)].to_csv(to)
            tell(as_json, f"written: {written}", {"path": str(written)})
        elif compare:
            _tell_differences(ws, compare, as_json)
        else:
            _list_runs(ws, sort, as_json)


def _tell_differences(ws: Workspace, names: Sequence[str], as_json: bool) -> None:
    differences = ws.runs.compare(*names)
    lines = [f"{name:28s} {'  '.join(map(str, values))}" for name, values in differences.items()]
    tell(as_json, "\n".join(lines) or "the same settings", {"runs": list(names), "differences": differences})


def _list_runs(ws: Workspace, sort: str, as_json: bool) -> None:
    scores = {row["name"]: row for row in ws.scores.table()}
    table = ws.runs.table()
    if sort == "score":
        table.sort(key=lambda row: _rank(scores.get(row["name"])), reverse=True)
    rows, lines = [], []
    for row in table:
        name, state, note, score = row["name"], row["state"], row["note"], scores.get(row["name"])
        progress, chain = ws.runs[name].progress, ws.runs.ancestors(name)
        rows.append({"name": name, "state": state, "progress": progress, "score": score, "from": chain, "note": note})
        words = score["score"] if score else ""
        line = f"{name:20s} {state:11s} {progress:5.0%}  {words}"
        if chain:
            line += f"  from {' > '.join(chain)}"
        lines.append(f"{line}  {note}".rstrip())
    damaged = ws.runs.damaged
    lines += [f"{name:20s} damaged      {reason}" for name, reason in damaged.items()]
    tell(as_json, "\n".join(lines) or "no runs yet", {"runs": rows, "damaged": damaged})


def _rank(score: Mapping[str, Any] | None) -> float:
    """What runs are sorted by; those whose score is not known come last."""
    return -math.inf if score is None or score["iou"] is None else float(score["iou"])


def _order(verb: str, words: str) -> click.Command:
    """The command that gives a run the order of this name."""

    @click.command(verb, help=words)
    @click.argument("workspace", type=click.Path(path_type=Path))
    @click.argument("run")
    @click.option("--detach", is_flag=True, help="Return at once, before the run has obeyed or ended.")
    @as_json
    def order(workspace: Path, run: str, detach: bool, as_json: bool) -> None:
        with open_workspace(workspace, read_only=True) as ws:
            ordered = ws.runs[run]
            getattr(ordered, verb)()
            if not detach:
                follow(ordered, quiet=as_json)
            finish(ordered, as_json)

    return order


resume = _order("resume", "Go on with RUN where it was: after a pause, a crash, or a full disk.")
pause = _order("pause", "Write down where RUN is and end its process; resume goes on there.")
stop = _order("stop", "End RUN and keep what it has made so far.")
cancel = _order("cancel", "End RUN and discard what it has made.")
