"""The commands on rounds of the loop: list them, and train one again from the record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voxloop.cli.terminal import as_json, open_workspace, tell
from voxloop.spreadsheets import cell_of

if TYPE_CHECKING:
    from voxloop.review import LoopRound


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--level", help="Only the rounds of this label level.")
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write the table to this file instead.")
@as_json
def rounds(workspace: Path, level: str | None, table: Path | None, as_json: bool) -> None:
    """List the rounds of the loop: strokes, seconds of annotation, score, seconds of the computer."""
    with open_workspace(workspace, read_only=True) as ws:
        if table is not None:
            ws.rounds.table(level).map(cell_of).to_csv(table, index=False)
            tell(as_json, f"written: {table}", {"path": str(table)})
            return
        listed = ws.rounds.read(level)
    lines = [_COLUMNS, *map(_line, listed)] if listed else ["no rounds yet: a training begins one"]
    tell(as_json, "\n".join(lines), {"rounds": [one.row() for one in listed]})


#: what _line prints
_COLUMNS = f"{'round':>5}  {'run':20s}  {'prediction':20s}  {'strokes':>7}  {'annotation':>10}  {'CPU':>7}  score"


def _line(one: LoopRound) -> str:
    computer = "" if one.cpu_seconds is None else f"{one.cpu_seconds:.0f} s"
    words = one.score.words if one.score else ""
    return (
        f"{one.number:5d}  {one.run:20s}  {one.prediction or '-':20s}  {one.work.strokes:7d}  "
        f"{one.work.seconds:8.0f} s  {computer:>7}  {words}"
    )


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--run", "name", required=True, help="The training that is done again.")
@as_json
def replay(workspace: Path, name: str, as_json: bool) -> None:
    """Train a run again from the record (labels as they were, settings, seed) and say whether the model is the same.

    Works beside the workspace and changes nothing in it. Exit code 1 where the model is another.
    """
    from voxloop.workspace.replay import replay as train_again

    with open_workspace(workspace, read_only=True) as ws:
        again = train_again(ws, name)
    tell(as_json, again.words, again.to_json())
    if not again.same:
        sys.exit(1)
