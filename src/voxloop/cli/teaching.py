"""The command of a teacher: ``classroom``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from voxloop.cli.terminal import as_json, printable, tell


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--within", default="", help="Where in each learner's folder the workspace lies, as workspaces/lesson.")
@click.option("--quiet-minutes", default=10.0, show_default=True, help="Without a sign of life, then a seat is quiet.")
@as_json
def classroom(folder: Path, within: str, quiet_minutes: float, as_json: bool) -> None:
    """Who of a room is where: every workspace below FOLDER, its step, exercises, honest score and last sign of life.

    Reads only, also while learners paint.
    """
    from voxloop.teaching.roster import Roster

    roster = Roster(folder, within=within, quiet_minutes=quiet_minutes)
    now = time.time()
    seats = roster.read()
    rows = [seat.row(now, roster.quiet_s) for seat in seats]
    lines = [_HEAD, *(printable(_line(one)) for one in rows)] if rows else []
    tell(as_json, "\n".join([*lines, printable(roster.words(seats, now))]), {"seats": rows})


#: what _line prints
_HEAD = f"{'who':24s}  {'where':10s}  {'exercises':>9}  {'edits':>6}  {'honest IoU':>10}  {'idle':>7}  needs"


def _line(one: dict) -> str:
    done = f"{one['exercises']} of {one['of']}" if one["of"] else ""
    score = f"{one['low']:.2f}-{one['high']:.2f}" if one["iou"] is not None else ""
    idle = "" if one["idle_s"] is None else f"{one['idle_s'] / 60:.0f} min"
    needs = f"broken: {one['broken']}" if one["broken"] else one["trouble"] or ""
    who = f"{one['name'][:24]:24s}  {one['step'] or '':10s}"
    return f"{who}  {done:>9}  {one['edits']:6d}  {score:>10}  {idle:>7}  {needs}"
