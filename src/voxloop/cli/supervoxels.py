"""The commands on supervoxels: work them out whole, save them as labels, say which of them touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, box, finish, follow, open_workspace, tell

_workspace = click.argument("workspace", type=click.Path(path_type=Path))
_image = click.option("--image", help="Name of the image; needed where the workspace has several.")
_changes = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="One setting, such as size=12 or channel=smooth; repeat.",
)


@click.group()
def supervoxels() -> None:
    """Small compact pieces of alike intensity: to label whole, to measure, to export."""


@supervoxels.command()
@_workspace
@_image
@_changes
@click.option("--detach", is_flag=True, help="Return at once; the run goes on.")
@as_json
def compute(workspace: Path, image: str | None, changes: tuple[str, ...], detach: bool, as_json: bool) -> None:
    """Work out those of a whole image, so that strokes and borders find them."""
    with open_workspace(workspace) as ws:
        run = ws.supervoxels.compute(image, **_settings(changes))
    if not detach:
        follow(run, quiet=as_json)
    finish(run, as_json)


@supervoxels.command()
@_workspace
@click.argument("path", type=click.Path(path_type=Path))
@_image
@_changes
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@as_json
def save(
    workspace: Path, path: Path, image: str | None, changes: tuple[str, ...], overwrite: bool, as_json: bool
) -> None:
    """Write them as labels to PATH: .zarr, .ome.tif, .h5 and others."""
    with open_workspace(workspace, read_only=True) as ws:
        written = ws.supervoxels.save(path, image, overwrite=overwrite, **_settings(changes))
    tell(as_json, f"written: {written}", {"path": str(written)})


@supervoxels.command()
@_workspace
@click.argument("path", type=click.Path(path_type=Path))
@_image
@click.option("--region", help="z0:z1,y0:y1,x0:x1 in voxels, or the name of a region; default: all.")
@_changes
@as_json
def graph(
    workspace: Path, path: Path, image: str | None, region: str | None, changes: tuple[str, ...], as_json: bool
) -> None:
    """Write which of them touch as two tables beside PATH (.csv): nodes, and edges with area and contrast."""
    with open_workspace(workspace, read_only=True) as ws:
        written = ws.supervoxels.graph(image, box(region), **_settings(changes)).save(path)
    tell(as_json, "\n".join(f"written: {one}" for one in written), {"paths": [str(one) for one in written]})


def _settings(changes: tuple[str, ...]) -> dict[str, Any]:
    from voxloop.config.commands import changes_of
    from voxloop.config.supervoxels import SupervoxelConfig

    return SupervoxelConfig(**changes_of(changes)).noted()
