"""The commands on who edited what: ``authors``, ``merge``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from voxloop.cli.terminal import as_json, open_workspace, tell
from voxloop.errors import LabelError


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--level", help="Only this level.")
@click.option("--image", help="Only this image.")
@as_json
def authors(workspace: Path, level: str | None, image: str | None, as_json: bool) -> None:
    """Who edited what, how much, and how long it took them."""
    with open_workspace(workspace, read_only=True) as ws:
        table = ws.authors(level, image)
    words = table.to_string(index=False) if len(table) else "nobody has edited anything yet"
    tell(as_json, words, {"authors": json.loads(table.to_json(orient="records"))})


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@click.option("--level", help="Only this level.")
@click.option("--image", help="Only this image.")
@click.option(
    "--class", "classes", multiple=True, metavar="THEIRS=OURS", help="What a class of OTHER is here; repeat for each."
)
@click.option("--decide", multiple=True, metavar="N=WHAT", help="Conflict N: mine, theirs, unlabelled or a class.")
@click.option(
    "--rest", type=click.Choice(["mine", "theirs", "unlabelled"]), help="What holds where nothing was decided."
)
@click.option("--apply", "apply_now", is_flag=True, help="Take it in; without this, nothing but decisions is written.")
@as_json
def merge(
    workspace: Path,
    other: Path,
    level: str | None,
    image: str | None,
    classes: tuple[str, ...],
    decide: tuple[str, ...],
    rest: str | None,
    apply_now: bool,
    as_json: bool,
) -> None:
    """What was labelled in OTHER, a copy of the workspace: agreement and conflicts; with --apply it is taken in."""
    named = dict(_pair("--class", words, "their mito=mitochondria") for words in classes)
    decided = [_pair("--decide", words, "0=theirs") for words in decide]
    with (
        open_workspace(workspace, read_only=not (apply_now or decided)) as ws,
        ws.merge(other, level=level, image=image, classes=named or None) as merge,
    ):
        for number, what in decided:
            if not number.isdecimal():
                raise LabelError(f"--decide {number}={what}: {number!r} is no number of a conflict")
            merge.decide(int(number), what)
        words, data = repr(merge), merge.to_json()
        if apply_now:
            done = merge.apply(rest)
            words, data = done.words, {**data, "changed": sum(done.voxels.values())}
        tell(as_json, words, data)


def _pair(option: str, words: str, such: str) -> tuple[str, str]:
    first, equals, second = (part.strip() for part in words.partition("="))
    if not (equals and first and second):
        raise LabelError(f"{option} {words!r} is not of the form {such}")
    return first, second
