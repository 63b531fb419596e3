"""The command line: one command for each verb, thin. Tables for people on standard error or output, JSON for machines.

Exit code 0: done; 1: a run failed; 2: something in the input, said in one line.
"""

from __future__ import annotations

from typing import Any

import click

from voxloop.cli import (
    benchmark,
    channels,
    demo,
    exchange,
    films,
    packs,
    people,
    places,
    results,
    reuse,
    rounds,
    runs,
    suggest,
    supervoxels,
    teaching,
    work,
)
from voxloop.cli.terminal import printable
from voxloop.errors import VoxloopError


class _Commands(click.Group):
    """Turns an error of ours, from any command, into one line and exit code 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any("\0" in argument for argument in args):
            _refuse(ctx, "an argument holds a NUL character, which no path and no name can have")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VoxloopError as error:
            _refuse(ctx, str(error))
        except OSError as error:
            _refuse(ctx, f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))


def _refuse(ctx: click.Context, words: str) -> None:
    """Say what is wrong with the input in one line, and end."""
    click.echo(printable(f"voxloop: {' '.join(words.split())}"), err=True)
    ctx.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voxloop")
@click.option("--author", metavar="NAME", help="Who signs what is edited; else VOXLOOP_AUTHOR, or who you are here.")
def main(author: str | None) -> None:
    """Label, train, predict and correct image volumes, until the segmentation is right."""
    if author is not None:
        from voxloop.store.signing import author as sign

        sign(author)


for command in (
    demo.demo,
    places.new,
    work.train,
    packs.pack,
    packs.unpack,
    work.predict,
    results.evaluate,
    people.authors,
    people.merge,
    teaching.classroom,
    suggest.suggest,
    benchmark.benchmark,
    work.objects,
    work.track,
    results.export,
    films.clip,
    results.report,
    rounds.rounds,
    rounds.replay,
    runs.runs,
    runs.resume,
    runs.pause,
    runs.stop,
    runs.cancel,
    runs.update,
    runs.queue,
    work.pairs,
    channels.channels,
    supervoxels.supervoxels,
    reuse.reuse,
    exchange.pull,
    exchange.push,
    places.sets,
    places.info,
    places.lab,
):
    main.add_command(command)
