"""The commands that start what takes time: ``train``, ``predict``, ``objects``, ``track``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from voxloop.cli import packs
from voxloop.cli.terminal import as_json, box, finish, follow, open_workspace, tell, whole_numbers
from voxloop.config.learners import LEARNERS
from voxloop.errors import LabelError, RunError


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--learner", type=click.Choice(list(LEARNERS)), default="shallow", show_default=True)
@click.option("--preset", help="Start from these settings, such as quick or auto.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="A JSON file of settings, such as a run's config.json.",
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@click.option("--name", help="Name of the run.")
@click.option(
    "--then-predict",
    multiple=True,
    metavar="IMAGE",
    help="Predict this image when training is done; repeat for more. learnt: the training images; '*': all.",
)
@click.option("--note", default="", help="What the run is for, in your words.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on.")
@click.option("--no-start", is_flag=True, help="Make the run and start nothing: a job of a cluster does that.")
@as_json
def train(
    workspace: Path,
    learner: str,
    preset: str | None,
    config_file: Path | None,
    changes: tuple[str, ...],
    name: str | None,
    then_predict: tuple[str, ...],
    note: str,
    detach: bool,
    no_start: bool,
    as_json: bool,
) -> None:
    """Train a model on the labels of a workspace, or what a pack holds (voxloop train FILE.vxl)."""
    from voxloop.config.commands import config_of

    if workspace.suffix == packs.SUFFIX and not workspace.is_dir():
        if any((preset, config_file, changes, name, then_predict, note, detach, no_start)):
            raise RunError("a pack brings its settings along; voxloop train FILE.vxl takes no others, and waits")
        packs.train_pack(workspace, as_json)
        return
    config = config_of(learner, preset, config_file, changes)
    with open_workspace(workspace) as ws:
        meant = then_predict[0] if len(then_predict) == 1 else then_predict or None
        run = ws.train(config, name=name, start=not no_start, then_predict=meant, note=note)
    # whoever wants to paint may have the workspace meanwhile
    if not (detach or no_start):
        follow(run, quiet=as_json)
    finish(run, as_json)


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--image", help="Name of the image; needed where the workspace has several.")
@click.option("--all", "everything", is_flag=True, help="All images, one after the other; prints a table.")
@click.option("--folder", type=click.Path(path_type=Path), help="Add the pictures of this folder, and predict these.")
@click.option("--region", help="z0:z1,y0:y1,x0:x1 in voxels, or the name of a region.")
@click.option("--frames", help="Of what finds animals, points, boxes or classes: 0,5,9 or unlabelled; default: all.")
@click.option("--accept", is_flag=True, help="Make predicted labels of what was found.")
@click.option("--name", help="Name of the prediction.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@click.option("--overwrite", is_flag=True, help="Replace a prediction of this name, and its run.")
@click.option("--forecast", is_flag=True, help="Say what it would take: time, memory, disk; predict nothing.")
@as_json
def predict(
    workspace: Path,
    models: tuple[str, ...],
    image: str | None,
    everything: bool,
    folder: Path | None,
    region: str | None,
    frames: str | None,
    accept: bool,
    name: str | None,
    changes: tuple[str, ...],
    overwrite: bool,
    forecast: bool,
    as_json: bool,
) -> None:
    """Predict an image with MODEL: a run, a model folder or a bioimage.io package; several are an ensemble."""
    from voxloop.config import PredictConfig
    from voxloop.config.commands import changes_of

    with open_workspace(workspace) as ws:
        config = PredictConfig(**changes_of(changes))
        config = config.changed(overwrite=True) if overwrite else config
        added = [] if folder is None else [info.name for info in ws.images.add_folder(folder)]
        chosen = "*" if everything else added or image
        if forecast:
            estimate = ws.forecast(list(models), image=chosen, region=box(region), config=config)
            tell(as_json, f"Estimate: {estimate.words}", asdict(estimate))
            return
        meant = frames if frames in (None, "unlabelled") else whole_numbers(frames, "0,5,9")
        several = list(models) if len(models) > 1 else models[0]
        run = ws.predict(several, image=chosen, region=box(region), frames=meant, name=name, config=config)
    follow(run, quiet=as_json)
    if accept and run.state == "finished":
        with open_workspace(workspace, read_only=False) as ws:
            ws.accept(run.name)
    if (everything or added) and run.state == "finished" and not as_json:
        table = getattr(run.result, "table", None)  # of a folder with one picture there is none
        table = table() if callable(table) else table
        if table is not None:
            click.echo(table.to_string(index=False))
    finish(run, as_json)


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path))
@click.argument("masks", required=False, type=click.Path(path_type=Path))
@click.option("--level", help="The level that the masks are loaded into; needed where there are several.")
@click.option("--zero", type=click.Choice(["background", "unlabelled"]), help="What 0 means in the masks.")
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="NUMBER=CLASS",
    help="What a number in the masks means, a class or unlabelled; repeat for each.",
)
@click.option("--copy", is_flag=True, help="Copy the pictures into the workspace.")
@as_json
def pairs(
    workspace: Path,
    images: Path,
    masks: Path | None,
    level: str | None,
    zero: str | None,
    values: tuple[str, ...],
    copy: bool,
    as_json: bool,
) -> None:
    """Add the pictures of the folder IMAGES with their masks in MASKS, or beside them (a.tif, a_mask.tif)."""
    meanings = dict(_meaning(text) for text in values) or None
    with open_workspace(workspace, read_only=False) as ws:
        table = ws.add_pairs(images, masks, level=level, zero=zero, values=meanings, copy=copy)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    tell(as_json, table.to_string(index=False), {"pairs": rows})


def _meaning(text: str) -> tuple[int, str]:
    """``-1=unlabelled`` as a number and what it means."""
    number, _, meaning = text.partition("=")
    try:
        return int(number), meaning
    except ValueError:
        raise LabelError(f"--value {text!r} is not of the form NUMBER=CLASS, such as 1=cell") from None


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("prediction")
@click.option("--of", help="Name of the class; needed where several are not background.")
@click.option("--image", help="Of a level or a mask: the image it lies on; needed where there are several.")
@click.option("--kind", type=click.Choice(["semantic", "instances"]), help="Of a mask: classes, or numbered objects.")
@click.option("--region", help="z0:z1,y0:y1,x0:x1 in voxels, or the name of a region; default: all that was predicted.")
@click.option("--name", help="Name of the run and of its objects.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@as_json
def objects(
    workspace: Path,
    prediction: str,
    of: str | None,
    image: str | None,
    kind: str | None,
    region: str | None,
    name: str | None,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make objects of PREDICTION, of a label level or of a mask file: label image, table in micrometres.

    Without --set, settings are fitted to the objects that are labelled on the image, where there are any.
    """
    from voxloop.config import ObjectsConfig
    from voxloop.config.commands import changes_of

    with open_workspace(workspace) as ws:
        config = ObjectsConfig(**changes_of(changes)) if changes else None
        run = ws.objects(prediction, config, of=of, region=box(region), name=name, image=image, kind=kind)
        follow(run, quiet=as_json)
        finish(run, as_json)


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option("--method", type=click.Choice(["lap", "kalman", "flow"]), help="How; default: lap.")
@click.option("--image", help="Of a level: the image it lies on; needed where there are several.")
@click.option("--name", help="Name of the run.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@click.option("--accept", is_flag=True, help="Write the tracks to the level.")
@click.option("--table", type=click.Path(path_type=Path), help="Write the tracks to this .csv, .parquet or .xlsx.")
@as_json
def track(
    workspace: Path,
    source: str | None,
    method: str | None,
    image: str | None,
    name: str | None,
    changes: tuple[str, ...],
    accept: bool,
    table: Path | None,
    as_json: bool,
) -> None:
    """Link SOURCE over time: a run that found animals or objects, or a level of points, boxes or instances."""
    from voxloop.config import TracksConfig
    from voxloop.config.commands import changes_of

    with open_workspace(workspace, read_only=False if accept else None) as ws:
        run = ws.track(source, method, image=image, name=name, config=TracksConfig(**changes_of(changes)))
        follow(run, quiet=as_json)
        if run.state == "finished":
            if accept:
                ws.accept(run)
            if table is not None:
                run.result.save(table)
        finish(run, as_json)
