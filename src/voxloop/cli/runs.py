"""The commands on runs: list and compare them, and give one an order."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voxloop.cli.terminal import as_json, finish, follow, open_workspace, printable, tell
from voxloop.config.commands import changes_of
from voxloop.runs.history import ALIVE

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: seconds between looks for the answer of a run
_LOOK = 0.1


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


@click.command()
@as_json
def queue(as_json: bool) -> None:
    """Say who has each device of this machine, and who waits for it: user, process and run.

    Of all users where VOXLOOP_QUEUE names the folder that they share, else of your own.
    """
    from voxloop.runs.queue import lines

    rows, words = [], []
    for device, standing in lines().items():
        for place, one in standing:
            run = printable(str(one.note.get("run", "")))
            rows.append(
                {"device": device, "place": place, "user": one.user, "pid": one.pid, "host": one.host, "run": run}
            )
            words.append(
                f"{device:8s} {'has it' if place == 0 else f'waits {place}':8s} {one.user:12s} {one.pid:8d}  {run}"
            )
    tell(as_json, "\n".join(words) or "no run is on any device", {"lines": rows})


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


@click.command(epilog="Example: voxloop update STACK deep-1 learning_rate=1e-4 patience=30")
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("run")
@click.argument("changes", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--wait", type=float, default=30.0, show_default=True, help="Seconds to wait for the run's answer.")
@as_json
def update(workspace: Path, run: str, changes: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Change settings of RUN while it runs: learning_rate, epochs, patience. A crash does not take them back."""
    values = changes_of(changes)
    with open_workspace(workspace, read_only=True) as ws:
        ordered = ws.runs[run]
        before = len(ordered.events())
        ordered.update(**values)
        answers = _answers(ordered, before, len(values), wait)
    words = [_answer_words(event) for event in answers] or ["ordered; the run has not answered yet"]
    tell(as_json, "\n".join(words), {"run": run, "asked": values, "answers": answers})


def _answers(run: Run, before: int, count: int, seconds: float) -> list[dict[str, Any]]:
    """What a run says to an order: one event a setting, of those after the first ``before``."""
    end = time.monotonic() + seconds
    while True:
        alive = run.state in ALIVE
        found = [event for event in run.events()[before:] if event.get("order")]
        if len(found) >= count or not alive or time.monotonic() > end:
            return found
        time.sleep(_LOOK)


def _answer_words(event: Mapping[str, Any]) -> str:
    if event["kind"] == "updated":
        return f"{event.get('what')}: {event.get('old')} -> {event.get('new')}"
    return str(event.get("text", event["kind"]))
