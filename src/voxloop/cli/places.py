"""The commands that make and describe places: ``new``, ``info``, ``sets``, ``lab``."""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, numbers, open_workspace, tell
from voxloop.errors import VolumeWarning, WorkspaceError
from voxloop.store.layout import Layout


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--image", help="First image: a file, a folder of pictures, a zarr or a URL.")
@click.option("--dataset", help="Dataset inside an HDF5 file.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    help="Name of a class; repeat for each. One called background is the background.",
)
@click.option("--spacing", help="Voxel size z,y,x in micrometres; needed where the file does not say it.")
@click.option("--times", is_flag=True, help="The image is a series of volumes: add every time point.")
@click.option("--images", type=click.Path(path_type=Path), help="A folder: every picture in it becomes an image.")
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    help="The folder of their masks (a.tif, a_mask.tif); the same one where they lie beside the pictures.",
)
@click.option("--zero", type=click.Choice(["background", "unlabelled"]), help="What 0 means in the masks.")
@as_json
def new(
    workspace: Path,
    image: str | None,
    dataset: str | None,
    classes: tuple[str, ...],
    spacing: str | None,
    times: bool,
    images: Path | None,
    masks: Path | None,
    zero: str | None,
    as_json: bool,
) -> None:
    """Make a workspace folder, of an image or of a folder of pictures, with masks where there are any."""
    from voxloop.store.pairs import found_pairs
    from voxloop.workspace.workspace import Workspace

    if images is not None:
        if image is not None:
            raise WorkspaceError("--image is one image, --images a folder of them; give one of the two")
        beside = masks is not None and masks.absolute() == images.absolute()
        found = found_pairs(images, None if beside else masks) if masks is not None else ""
        existed = workspace.exists()
        with Workspace.create(workspace) as ws:
            ws.levels.add("labels", list(classes) or None)
            how: dict[str, Any] = {"spacing": numbers(spacing)} if spacing else {}
            try:
                if masks is None:
                    ws.images.add_folder(images, **how)
                else:
                    ws.add_pairs(images, None if beside else masks, level="labels", zero=zero, **how)
            except BaseException:
                ws.close()
                if not existed:
                    shutil.rmtree(workspace, ignore_errors=True)
                raise
            facts = {"workspace": str(ws.path), "images": list(ws.images.names), "levels": list(ws.levels.names)}
            tell(as_json, "\n".join(filter(None, (repr(ws), found))), facts)
        return
    if masks is not None or zero is not None:
        raise WorkspaceError("--masks and --zero go with --images, a folder of pictures")

    settings: dict[str, Any] = {"dataset": dataset, "spacing": numbers(spacing), "times": times or None}
    settings = {key: value for key, value in settings.items() if value is not None}
    with Workspace.create(workspace, image=image, classes=list(classes) or None, **settings) as ws:
        tell(
            as_json,
            repr(ws),
            {"workspace": str(ws.path), "images": list(ws.images.names), "levels": list(ws.levels.names)},
        )


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--add", "name", help="Make a training set of this name, or a new version of it.")
@click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="IMAGE[/LEVEL[/REGION]]",
    help="A row of the set; repeat for each. Default: every image with labels.",
)
@as_json
def sets(workspace: Path, name: str | None, rows: tuple[str, ...], as_json: bool) -> None:
    """List the training sets of a workspace, or make one. Train on it with: train --set training_set=NAME."""
    with open_workspace(workspace, read_only=name is None) as ws:
        new_rows = [tuple(row.split("/", 2)) for row in rows] or None
        if name is not None:
            ws.sets.edit(name, new_rows) if new_rows and name in ws.sets else ws.sets.add(name, new_rows)
        training_sets = [ws.sets[one] for one in ws.sets]
        lines = [
            f"{one.title:24s} {', '.join('/'.join((r.image, r.level)) for r in one.rows)}" for one in training_sets
        ]
        tell(as_json, "\n".join(lines) or "no training sets yet", {"sets": [one.model_dump() for one in training_sets]})


@click.command()
@click.argument("source")
@click.option("--dataset", help="Dataset inside an HDF5 file.")
@as_json
def info(source: str, dataset: str | None, as_json: bool) -> None:
    """Say what SOURCE is: a workspace, or anything that can be opened as a volume."""
    if Layout(source).document.exists():
        with open_workspace(source, read_only=True) as ws:
            facts = _workspace_facts(ws)
    else:
        facts = _volume_facts(source, dataset)
    tell(as_json, "\n".join(f"{key:12s} {_fact(value)}" for key, value in facts.items()), facts)


def _fact(value: Any) -> Any:
    """Remarks a line each; anything else as it is."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ("\n" + " " * 13).join(value) or "none"
    return value


def _workspace_facts(ws: Any) -> dict[str, Any]:
    from voxloop.workspace.voxel_size import voxel_size_remarks

    images = {name: ws.images.info(name) for name in ws.images.names}
    return {
        "workspace": str(ws.path),
        "images": {
            name: {"shape": list(info.shape), "spacing_um": list(info.spacing_um), "dtype": str(info.dtype)}
            for name, info in images.items()
        },
        "levels": {name: [c.name for c in ws.levels[name].classes] for name in ws.levels.names},
        "runs": {name: run.state for name, run in ws.runs.items()},
        "predictions": list(ws.predictions),
        "bytes": ws.size(),
        "remarks": [*ws.store.remarks(), *voxel_size_remarks(ws)],
    }


def _volume_facts(source: str, dataset: str | None) -> dict[str, Any]:
    from voxloop.volumes import open_volume, spacing_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VolumeWarning)  # the remarks say the same
        volume = open_volume(source, dataset=dataset)
    return {
        "source": source,
        "axes": "".join(map(str, volume.dims)),
        "shape": list(volume.shape),
        "dtype": str(volume.dtype),
        "axes_from": volume.attrs["axes_from"],
        "spacing_um": list(spacing_of(volume)),
        "spacing_from": volume.attrs["spacing_from_zyx"],
        "bytes": int(volume.nbytes),
        "remarks": list(volume.attrs["remarks"]),
    }


@click.command()
@click.argument("notebook", required=False, type=click.Path(path_type=Path))
@click.option("--tutorial", metavar="NUMBER", help="Copy a notebook that comes along, and open it; list: names.")
@click.option("--port", type=int, help="Port; default: a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the URL.")
def lab(notebook: Path | None, tutorial: str | None, port: int | None, no_browser: bool) -> None:
    """Open JupyterLab, at NOTEBOOK if given."""
    from voxloop.lab import serve, take_tutorial, tutorials

    if tutorial == "list":
        click.echo("\n".join(tutorials()))
        return
    if tutorial is not None:
        notebook = take_tutorial(tutorial, Path.cwd())
    sys.exit(serve(notebook, port=port, browser=not no_browser))
