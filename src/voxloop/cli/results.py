"""The commands that score and hand on what came out: ``evaluate``, ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, box, open_workspace, tell


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("prediction")
@click.argument("truth")
@click.option("--dataset", help="Dataset in TRUTH, where that is an HDF5 file.")
@as_json
def evaluate(workspace: Path, prediction: str, truth: str, dataset: str | None, as_json: bool) -> None:
    """Score PREDICTION against TRUTH: a mask file, or the name of a label level."""
    with open_workspace(workspace, read_only=True) as ws:
        reference: Any = truth
        if truth not in ws.levels.names:
            from voxloop.volumes import open_volume

            reference = open_volume(truth, dataset=dataset)
        report = ws.evaluate(prediction, reference)
        tell(as_json, repr(report), report.to_json())


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("what")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(["labels", "probabilities", "uncertainty", "objects"]),
    default="labels",
    show_default=True,
    help="Which part of a prediction to export.",
)
@click.option("--image", help="The image whose labels are exported; needed where there are several.")
@click.option("--region", help="Part of a prediction: z0:z1,y0:y1,x0:x1 in voxels, or the name of a region.")
@click.option("--object", "number", type=int, help="Number of the object to export as a mesh.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@as_json
def export(
    workspace: Path,
    what: str,
    path: Path,
    kind: Any,
    image: str | None,
    region: str | None,
    number: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write WHAT (a prediction, objects, a label level, or the network of a run) to PATH.

    PATH ends in .zarr, .ome.tif, .tif, .h5, .csv, .ply, ... or, for a network, in .zip: a bioimage.io package.
    """
    with open_workspace(workspace, read_only=True) as ws:
        if what in ws.runs and what not in ws.predictions and path.suffix == ".zip":
            made = ws.export_model(what, path, overwrite=overwrite)
            tell(as_json, str(made), {"path": str(path), "difference": made.difference, "problems": made.problems})
            return
        written = ws.export(what, path, kind=kind, image=image, region=box(region), number=number, overwrite=overwrite)
        tell(as_json, f"written: {written}", {"path": str(written)})
