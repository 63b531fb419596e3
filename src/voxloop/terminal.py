"""What the command line reads and says: settings and boxes from text, progress, one line or one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from voxloop.errors import ConfigError, VolumeError, unknown

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)


def config_of(learner: str, preset: str | None, file: Path | None, changes: tuple[str, ...]) -> Any:
    """The settings of a training: of a preset or of the learner, those in a file over them, single ones over all."""
    from voxloop.config import DeepConfig, ShallowConfig

    kind = DeepConfig if learner == "deep" else ShallowConfig
    config: Any = kind()
    if preset is not None:
        from voxloop.config import presets

        if preset not in presets:
            raise ConfigError(unknown("preset", preset, presets))
        config = presets[preset]
    if file is not None:
        try:
            data = json.loads(file.read_text())
        except json.JSONDecodeError as error:
            raise ConfigError(f"{file} is not JSON: {error}") from error
        config = type(config)(**data.get("settings", data))
    return config.changed(**changes_of(changes))


def changes_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE`` as settings by name; values are JSON where they can be read so, else text."""
    out: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair!r}: write NAME=VALUE, such as --set epochs=20")
        try:
            out[name] = json.loads(text)
        except json.JSONDecodeError:
            out[name] = text
    return out


def numbers(text: str | None) -> tuple[float, ...] | None:
    """``0.04,0.005,0.005`` as numbers."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise VolumeError(f"{text!r} is not a list of numbers; write for example 0.04,0.005,0.005") from None


def box(text: str | None) -> object:
    """``0:16,:,64:128`` as three slices; anything else is the name of a region."""
    if text is None or ":" not in text:
        return text
    try:
        return tuple(slice(*(int(n) if n else None for n in part.split(":"))) for part in text.split(","))
    except (ValueError, TypeError):
        raise VolumeError(f"region {text!r} is not of the form z0:z1,y0:y1,x0:x1") from None


def follow(run: Any, quiet: bool) -> None:
    """Wait for a run: a bar on a terminal, a plain line for every tenth elsewhere."""
    if quiet:
        run.wait()
        return
    if not sys.stderr.isatty():
        last = -1
        while _going(run):
            if (tenth := int(10 * run.progress)) != last:
                last = tenth
                click.echo(f"{run.name}: {run.state} {run.progress:.0%}", err=True)
        return
    from tqdm import tqdm

    form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=100, desc=run.name, bar_format=form) as bar:
        while _going(run):
            bar.update(round(100 * run.progress) - bar.n)
        bar.update(100 - bar.n)


def _going(run: Any) -> bool:
    """Wait a moment; whether the run still goes on."""
    try:
        run.wait(timeout=0.3)
    except TimeoutError:
        return True
    return False


def finish(run: Any, as_json: bool) -> None:
    """Say how a run stands; exit code 1 where it failed."""
    facts = {"run": run.name, "state": run.state, "path": str(run.path)}
    error = run.history.error
    if error:
        facts["error"] = error
    tell(as_json, f"{run.name}: {run.state}" + (f": {error}" if error else ""), facts)
    if run.state in ("failed", "interrupted"):
        sys.exit(1)


def tell(as_json: bool, text: str, data: dict[str, Any]) -> None:
    """The text for people, or the data for machines."""
    if as_json:
        print_json(data)
    else:
        click.echo(text)


def print_json(data: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(data))
