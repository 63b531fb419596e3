"""The commands for training on another machine: ``pack``, ``unpack``, and ``train`` of a pack."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voxloop.cli.terminal import as_json, finish, follow, open_workspace, tell
from voxloop.errors import RunError

if TYPE_CHECKING:
    from voxloop.runs import Run

SUFFIX = ".vxl"
#: seconds between looks for a signal
_LOOK = 0.2


@click.command(
    epilog="Example: voxloop pack STACK --learner deep --preset auto; then voxloop train deep-1.vxl elsewhere"
)
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("run", required=False)
@click.option("--to", type=click.Path(path_type=Path), help="The file to write; default: RUN.vxl beside the workspace.")
@click.option("--learner", type=click.Choice(["shallow", "deep"]), default="deep", show_default=True)
@click.option("--preset", help="Start from these settings, such as quick or auto.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@click.option("--name", help="Name of the new run.")
@click.option("--whole", is_flag=True, help="Carry images as a whole, not only what training can touch of them.")
@as_json
def pack(
    workspace: Path,
    run: str | None,
    to: Path | None,
    learner: str,
    preset: str | None,
    changes: tuple[str, ...],
    name: str | None,
    whole: bool,
    as_json: bool,
) -> None:
    """Write a training into one file, for another machine: the settings, the labels and what it needs of the images.

    RUN: what was trained before; without it a new run waits here for its result.
    """
    from voxloop.config.commands import config_of
    from voxloop.workspace.pack_file import read_facts

    if run is not None and (preset or changes or name):
        raise RunError(f"run {run!r} has its settings and its name; leave out --preset, --set and --name, or the run")
    with open_workspace(workspace) as ws:
        written = ws.pack(run or config_of(learner, preset, None, changes), to, name=name, whole=whole)
    size, carried = written.stat().st_size, read_facts(written).carried
    lines = [f"written: {written} ({size / 1e6:.1f} MB); 'voxloop train {written.name}' trains it on any machine"]
    lines += [f"of image {image!r}: {words}" for image, words in carried.items()]
    tell(as_json, "\n".join(lines), {"path": str(written), "bytes": size, "carried": carried})


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of a new run, where the one that was packed has a model by now.")
@as_json
def unpack(workspace: Path, file: Path, name: str | None, as_json: bool) -> None:
    """Take what was trained elsewhere home, into the run that it was packed from."""
    with open_workspace(workspace) as ws:
        run = ws.unpack(file, name=name)
    finish(run, as_json)


def train_pack(file: Path, as_json: bool) -> None:
    """Train a pack and wait; a signal to end pauses it, and the same command goes on."""
    from voxloop.runs.process import catch_signals
    from voxloop.workspace.away import train_pack as train

    with catch_signals() as signalled:
        written = train(file, follow=lambda run: _follow(run, signalled, as_json))
    tell(
        as_json, f"written: {written}; 'voxloop unpack WORKSPACE {written.name}' takes it home", {"path": str(written)}
    )


def _follow(run: Run, signalled: Callable[[], bool], quiet: bool) -> None:
    """Until the run has ended. Its process is one of its own, so what asks this one to end is passed on."""
    watch = threading.Thread(target=follow, args=(run, quiet), daemon=True)
    watch.start()
    told = False
    while watch.is_alive():
        watch.join(_LOOK)
        if signalled() and not told:
            told = True
            with suppress(RunError):  # it has ended meanwhile
                run.pause()
