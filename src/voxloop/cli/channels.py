"""The commands on channels: list, add, remove, compute whole, and recipes as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voxloop.cli.terminal import as_json, finish, follow, open_workspace, tell
from voxloop.errors import ConfigError

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: what ``add`` takes beside the settings of the filter
_OWN = ("name", "filter", "source", "other", "low", "high", "image")
_workspace = click.argument("workspace", type=click.Path(path_type=Path))


@click.group()
def channels() -> None:
    """Filters of the images and of each other: to look at, to threshold, to learn from."""


@channels.command("list")
@_workspace
@as_json
def list_channels(workspace: Path, as_json: bool) -> None:
    """List the channels of a workspace."""
    with open_workspace(workspace, read_only=True) as ws:
        _tell(ws, as_json)


@channels.command("filters")
@as_json
def list_filters(as_json: bool) -> None:
    """List the filters, each with its settings."""
    from voxloop.channels import FILTERS
    from voxloop.config.base import settings_of

    facts: dict[str, Any] = {}
    for kind in FILTERS.values():
        names = [one.name for one in settings_of(kind.settings)]
        facts[kind.name] = {"group": kind.group, "about": kind.about, "sources": kind.sources, "settings": names}
    lines = [f"{name:22s} {one['about']}; {', '.join(one['settings'])}" for name, one in facts.items()]
    tell(as_json, "\n".join(lines), {"filters": facts})


@channels.command()
@_workspace
@click.argument("name")
@click.option("--filter", "kind", default="gaussian", show_default=True, help="voxloop channels filters lists them.")
@click.option("--of", "source", help="A channel by name, or one of the image by number; default: the image's first.")
@click.option("--and", "other", help="The second channel, of filters of two.")
@click.option(
    "--low",
    type=float,
    help="What is smaller becomes this; of threshold and distance the smallest intensity inside.",
)
@click.option(
    "--high",
    type=float,
    help="What is larger becomes this; of threshold and distance the largest intensity inside.",
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting of the filter; repeat.")
@as_json
def add(
    workspace: Path,
    name: str,
    kind: str,
    source: str | None,
    other: str | None,
    low: float | None,
    high: float | None,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Name a filter of the images, or of another channel: NAME is there from then on, and costs nothing until seen."""
    from voxloop.config.commands import changes_of

    with open_workspace(workspace) as ws:
        settings = changes_of(changes)
        if said := [one for one in settings if one in _OWN]:
            raise ConfigError(f"--set {said[0]}: that is no setting of a filter; voxloop channels add --help says more")
        ws.channels.add(name, kind, _source(source), other=_source(other), low=low, high=high, **settings)
        _tell(ws, as_json)


@channels.command()
@_workspace
@click.argument("name")
@as_json
def remove(workspace: Path, name: str, as_json: bool) -> None:
    """Forget a channel that no other one is made of."""
    with open_workspace(workspace) as ws:
        ws.channels.remove(name)
        _tell(ws, as_json)


@channels.command()
@_workspace
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--image", help="Name of the image; needed where the workspace has several.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on.")
@as_json
def compute(workspace: Path, names: tuple[str, ...], image: str | None, detach: bool, as_json: bool) -> None:
    """Compute channels whole, so that they are read from then on; all where none is named."""
    with open_workspace(workspace) as ws:
        run = ws.channels.compute(list(names) or None, image)
    if not detach:
        follow(run, quiet=as_json)
    finish(run, as_json)


@channels.command()
@_workspace
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, metavar="[NAME...]")
@as_json
def save(workspace: Path, path: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Write channels and what they are made of to the file PATH (.json); all where none is named."""
    with open_workspace(workspace, read_only=True) as ws:
        written = ws.channels.save(path, list(names) or None)
    tell(as_json, f"written: {written}", {"path": str(written)})


@channels.command()
@_workspace
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Give names that are in use to the channels of the file.")
@as_json
def load(workspace: Path, path: Path, replace: bool, as_json: bool) -> None:
    """Add the channels of a file, or of another workspace: all of them or none."""
    with open_workspace(workspace) as ws:
        ws.channels.load(path, replace=replace)
        _tell(ws, as_json)


def _tell(ws: Workspace, as_json: bool) -> None:
    recipes = ws.channels.recipes
    lines = [f"{name:20s} {recipe.words}" for name, recipe in recipes.items()]
    listed = [recipe.model_dump(mode="json") for recipe in recipes.values()]
    tell(as_json, "\n".join(lines) or "no channels yet", {"channels": listed})


def _source(text: str | None) -> str | int | None:
    """A source as written: a number is a channel of the image."""
    return int(text) if text is not None and text.isdecimal() else text
