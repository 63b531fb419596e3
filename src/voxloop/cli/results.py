"""The commands that score and hand on what came out: ``evaluate``, ``export``, ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, box, open_workspace, tell
from voxloop.errors import LabelError, PredictionError


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("prediction", metavar="A")
@click.argument("truth", metavar="B")
@click.option("--dataset", help="Dataset in B, where that is an HDF5 file.")
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="B_CLASS=A_CLASS",
    help="Which class of B is which of A, by name or number; repeat for each.",
)
@click.option("--image", help="The image whose labels are meant; needed where the workspace has several.")
@click.option("--region", help="z0:z1,y0:y1,x0:x1 in voxels, or the name of a region.")
@click.option("--both", is_flag=True, help="Neither is the truth: kappa, confusion, boundaries, also of a prediction.")
@as_json
def evaluate(
    workspace: Path,
    prediction: str,
    truth: str,
    dataset: str | None,
    mapped: tuple[str, ...],
    image: str | None,
    region: str | None,
    both: bool,
    as_json: bool,
) -> None:
    """Hold A against B: names of levels or predictions, "LEVEL by AUTHOR", or mask files.

    A prediction is scored against B as the truth. Any other two, and with --map, --image, --region or --both any two,
    are compared as equals: confusion, Dice, IoU, kappa, AP of objects, distances of boundaries in micrometres.
    """
    with open_workspace(workspace, read_only=True) as ws:
        is_scored = prediction in ws.predictions and truth not in ws.predictions and prediction not in ws.levels.painted
        if both or mapped or image or region or not is_scored:
            agreement = ws.agreement(
                prediction,
                truth,
                image=image,
                mapping=dict(_pair(words) for words in mapped) or None,
                region=box(region),
                dataset=dataset,
            )
            tell(as_json, repr(agreement), agreement.to_json())
            return
        reference: Any = truth
        if truth not in ws.levels.names and not any(truth.startswith(f"{name} by ") for name in ws.levels.painted):
            from voxloop.volumes import open_volume

            reference = open_volume(truth, dataset=dataset)
        report = ws.evaluate(prediction, reference)
        tell(as_json, repr(report), report.to_json())


def _pair(words: str) -> tuple[str, str]:
    """``3=mitochondria`` as the two classes it names. Raises LabelError."""
    theirs, equals, ours = words.partition("=")
    if not equals or not theirs.strip() or not ours.strip():
        raise LabelError(f"--map {words!r} is not of the form B_CLASS=A_CLASS, such as 3=mitochondria")
    return theirs.strip(), ours.strip()


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
@click.option("--prediction", "beside", multiple=True, metavar="NAME", help="Beside an image in OME-Zarr; repeat.")
@click.option("--ngff", type=click.Choice(["0.5", "0.4"]), default="0.5", help="Version of OME-Zarr; 0.4 for Fiji.")
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
    beside: tuple[str, ...],
    ngff: Any,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write WHAT (a prediction, objects, a label level, an image, or the model of a run) to PATH.

    PATH ends in .zarr, .ome.tif, .tif, .h5, .csv, .ply, ... or, for a model, in .zip: of a network a bioimage.io
    package, of a pixel classifier ONNX with a recipe of its features. An image in .zarr has its labels along.
    """
    with open_workspace(workspace, read_only=True) as ws:
        if what in ws.runs and what not in ws.predictions and path.suffix == ".zip":
            made = ws.export_model(what, path, overwrite=overwrite)
            tell(as_json, str(made), {"path": str(path), "difference": made.difference, "problems": made.problems})
            return
        written = ws.export(
            what,
            path,
            kind=kind,
            image=image,
            region=box(region),
            number=number,
            predictions=beside,
            ngff=ngff,
            overwrite=overwrite,
        )
        tell(as_json, f"written: {written}", {"path": str(written)})


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--objects", "made", multiple=True, metavar="RUN", help="Objects to report; the newest of every image.")
@click.option(
    "--group", "groups", multiple=True, metavar="NAME=IMAGE,IMAGE", help="Images that belong together; repeat."
)
@click.option("--measure", "measures", multiple=True, help="What is described and drawn; repeat for each.")
@click.option("--rule", "rules", multiple=True, metavar="NAME=RULE", help="How many objects a rule holds for; repeat.")
@click.option("--only", default="", metavar="RULE", help="A rule that all objects of the study meet.")
@click.option("--classes", type=click.Path(path_type=Path), help="A classifier of objects that was kept (.json).")
@click.option("--title", default="Study", show_default=True, help="Stands above the report.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@as_json
def report(
    workspace: Path,
    path: Path,
    made: tuple[str, ...],
    groups: tuple[str, ...],
    measures: tuple[str, ...],
    rules: tuple[str, ...],
    only: str,
    classes: Path | None,
    title: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a study of the objects of WORKSPACE to PATH (.html or .pdf): counts, measures, pictures, methods.

    With --group twice or more, groups of images are compared: --group control=a,b --group treated=c,d.
    """
    with open_workspace(workspace, read_only=True) as ws:
        found = ws.study(
            list(made) or None,
            groups={name: images.split(",") for name, images in map(_named, groups)} or None,
            measures=list(measures) or None,
            rules=dict(map(_named, rules)),
            only=only,
            classes=classes,
            name=title,
        )
        written = found.report(path, overwrite=overwrite)
        about = {"path": str(written), "objects": len(found.table), "images": len(found.parts)}
        tell(as_json, f"{found!r} written: {written}", about)


def _named(words: str) -> tuple[str, str]:
    """``control=a,b`` as a name and what it names. Raises PredictionError."""
    name, equals, rest = words.partition("=")
    if not equals or not name.strip() or not rest.strip():
        raise PredictionError(f"{words!r} is not of the form NAME=…, such as control=a,b or large=volume_um3>2")
    return name.strip(), rest.strip()
