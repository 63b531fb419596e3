"""The commands on who edited what: ``authors``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from voxloop.cli.terminal import as_json, open_workspace, tell


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
