"""What the command line reads and says: numbers and boxes from text, progress, one line or one JSON object."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voxloop.errors import VolumeError
from voxloop.runs import waiting

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace


def open_workspace(path: Path | str, read_only: bool | None = None) -> Workspace:
    """A workspace, as ``Workspace.open`` opens it."""
    from voxloop.workspace.workspace import Workspace

    return Workspace.open(path, read_only=read_only)


as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)


def numbers(text: str | None) -> tuple[float, ...] | None:
    """``0.04,0.005,0.005`` as numbers."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise VolumeError(f"{text!r} is not a list of numbers; write for example 0.04,0.005,0.005") from None


def whole_numbers(text: str | None, example: str) -> list[int] | None:
    """``4,12,20`` as whole numbers."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise VolumeError(f"{text!r} is not a list of whole numbers; write for example {example}") from None


def box(text: str | None) -> object:
    """``0:16,:,64:128`` as three slices; anything else is the name of a region."""
    if text is None or ":" not in text:
        return text
    try:
        return tuple(slice(*(int(n) if n else None for n in part.split(":"))) for part in text.split(","))
    except (ValueError, TypeError):
        raise VolumeError(f"region {text!r} is not of the form z0:z1,y0:y1,x0:x1") from None


def follow(run: Run, quiet: bool) -> None:
    """Wait for a run, then for the one that it starts: a bar on a terminal, a plain line for every tenth elsewhere.

    Ctrl-C leaves the run running, says so and ends the command.
    """
    try:
        _follow_one(run, quiet)
    except KeyboardInterrupt:
        click.echo(f"\nvoxloop: run {run.name!r} goes on ({run.progress:.0%} done); voxloop cancel ends it", err=True)
        sys.exit(130)
    if then := _next(run):
        follow(then, quiet)


def _next(run: Run) -> Run | None:
    return type(run)(run.path.with_name(run.followed_by)) if run.followed_by else None


def _follow_one(run: Run, quiet: bool) -> None:
    if quiet:
        for _ in waiting.looks(run):
            pass
        return
    if sys.stderr.isatty():
        waiting.draw(run, sys.stderr)
        return
    last = -1
    for progress in waiting.looks(run):
        tenth = int(10 * progress)
        if tenth != last:
            last = tenth
            click.echo(f"{run.name}: {run.state} {progress:.0%}", err=True)


def finish(run: Run, as_json: bool) -> None:
    """Say how a run stands, and the one that it started; exit code 1 where one failed, or an image of several did."""
    then = _next(run)
    facts = {**_facts(run), **({"then": _facts(then)} if then else {})}
    ended = [run, then] if then else [run]
    lines = [_last_words(one) for one in ended]
    left_out = {image: why for one in ended for image, why in _failed_images(one).items()}
    lines += [f"not predicted: {image}: {why}" if why else f"not predicted: {image}" for image, why in left_out.items()]
    tell(as_json, "\n".join(lines), facts)
    if left_out or any(one.state in ("failed", "interrupted") for one in ended):
        sys.exit(1)


def _failed_images(run: Run) -> dict[str, str]:
    """Of a run over several images those that it could not predict, and why: it went on to the others."""
    if run.state != "finished" or not isinstance(run.config.get("images"), list):
        return {}
    return dict(getattr(run.result, "failed", {}))


def _last_words(run: Run) -> str:
    """The state of a run, and why it failed, or which of its models it keeps."""
    outcome = run.outcome
    reason = run.history.error or (outcome.words if outcome else "")
    return f"{run.name}: {run.state}" + (f": {reason}" if reason else "")


def _facts(run: Run) -> dict[str, Any]:
    error = {"error": run.history.error} if run.history.error else {}
    outcome = {"outcome": asdict(run.outcome)} if run.outcome else {}
    failed = {"failed": left_out} if (left_out := _failed_images(run)) else {}
    return {"run": run.name, "state": run.state, "path": str(run.path), **error, **outcome, **failed}


def tell(as_json: bool, text: str, data: dict[str, Any]) -> None:
    """The text for people, or the data for machines."""
    if as_json:
        print_json(data)
    else:
        click.echo(printable(text))


def printable(text: str) -> str:
    """A text with the bytes of file names that are no text as escapes, so that any terminal takes it."""
    return text.encode(errors="backslashreplace").decode()


def print_json(data: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(data))
