"""The command line: one command for each verb, thin. Tables for people on standard error or output, JSON for machines.

Exit code 0: done; 1: a run failed; 2: something in the input, said in one line.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from voxloop.errors import VolumeWarning, VoxloopError
from voxloop.terminal import as_json, box, finish, follow, numbers, print_json, tell


class _Commands(click.Group):
    """Turns an error of ours, from any command, into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VoxloopError as error:
            click.echo(f"voxloop: {error}", err=True)
            ctx.exit(2)
        except OSError as error:
            click.echo(f"voxloop: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
            ctx.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="voxloop")
def main() -> None:
    """Label, train, predict and correct image volumes, until the segmentation is right."""


# ---------------------------------------------------------------------------------------------------------------- loop


@main.command()
@click.option("--image", help="Image volume; the built-in EM sample where not given.")
@click.option("--truth", help="Mask of the same shape that the simulated annotator knows; needed with --image.")
@click.option("--dataset", help="Dataset inside an HDF5 image.")
@click.option("--rounds", type=click.IntRange(1, 50), default=3, show_default=True, help="Rounds of the loop.")
@click.option("--learner", type=click.Choice(["shallow", "deep", "both"]), default="shallow", show_default=True)
@click.option("--minutes", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Computing time in all.")
@click.option("--strokes", type=click.IntRange(2), default=100, show_default=True, help="Strokes of a round.")
@click.option("--slices", help="Planes across z that may be painted, such as 4,12,20.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--workspace", type=click.Path(path_type=Path), help="Keep the workspace here; a temporary one otherwise."
)
@as_json
def demo(
    image: str | None,
    truth: str | None,
    dataset: str | None,
    rounds: int,
    learner: Any,
    minutes: float,
    strokes: int,
    slices: str | None,
    seed: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Go round the loop with a simulated annotator and print what each round reached."""
    from voxloop.demo import figure, play

    source, classes, known, name = _demo_data(image, truth, dataset, seed)
    planes = [int(part) for part in slices.split(",")] if slices else None
    temporary = tempfile.mkdtemp(prefix="voxloop-demo-") if workspace is None else None
    folder = Path(temporary) / "demo" if temporary else workspace
    assert folder is not None
    try:
        with _workspace().create(folder, image=source, classes=classes) as ws:
            if not as_json:
                _header()
            done = play(
                ws,
                known,
                rounds=rounds,
                learner=learner,
                minutes=minutes,
                strokes=strokes,
                slices=planes,
                seed=seed,
                report=(lambda _: None) if as_json else _row,
            )
            drawn = figure(ws, known, done, folder / "rounds.png")
        if temporary:
            drawn = Path(shutil.move(drawn, Path.cwd() / "voxloop-demo.png")) if not as_json else drawn
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
    if as_json:
        print_json({"image": name, "rounds": [r.to_json() for r in done]})
    else:
        click.echo(f"figure: {drawn}" + ("" if temporary else f"   workspace: {folder}"))


def _demo_data(image: str | None, truth: str | None, dataset: str | None, seed: int) -> tuple[Any, Any, Any, str]:
    """Volume, classes, truth as class values, and a name for the report."""
    import numpy as np

    from voxloop.errors import VolumeError
    from voxloop.volumes import open_volume, samples, shape_zyx

    if (image is None) != (truth is None):
        raise VolumeError("--image and --truth belong together; give both, or neither for the built-in sample")
    if image is None or truth is None:
        sample = samples.load("em", seed=seed)
        return sample.volume, sample.classes, np.asarray(sample.truth), "em"
    volume, mask = open_volume(image, dataset=dataset), open_volume(truth)
    if shape_zyx(volume) != shape_zyx(mask):
        raise VolumeError(f"--truth has shape {shape_zyx(mask)} but --image {shape_zyx(volume)}; they must be the same")
    values = np.asarray(mask)
    found = np.unique(values)
    if len(found) < 2:
        raise VolumeError(f"--truth holds only the value {found[0]}; a mask needs at least two")
    if len(found) > 32:
        raise VolumeError(f"--truth holds {len(found)} values; the demo takes class masks of up to 32, not instances")
    classes = [{"name": "background", "background": True}] if found[0] == 0 else []
    named = [{"name": "foreground"}] if len(found) - len(classes) == 1 else [{"name": f"class {v}"} for v in found if v]
    known = (np.searchsorted(found, values) + 1).astype(np.uint8)
    return volume, [*classes, *named], known, image


_COLUMNS = "round  learner  strokes  labelled   annotation  mean IoU   compute  IoU per class"


def _header() -> None:
    click.echo(_COLUMNS)


def _row(r: Any) -> None:
    classes = "  ".join(f"{name} {value:.3f}" for name, value in r.iou_per_class.items())
    click.echo(
        f"{r.round:5d}  {r.learner:7s}  {r.strokes:7d}  {r.labelled_share:8.3%}  {r.annotation_seconds:8.0f} s  "
        f"{r.iou:8.3f}  {r.compute_seconds:6.0f} s  {classes}"
    )


# --------------------------------------------------------------------------------------------------------------- verbs


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--image", help="First image: a file, a folder of pictures, a zarr or a URL.")
@click.option("--dataset", help="Dataset inside an HDF5 file.")
@click.option("--class", "classes", multiple=True, help="A class; give it once for each, background first.")
@click.option("--spacing", help="Voxel size z,y,x in micrometres, where the file does not say it.")
@as_json
def new(
    workspace: Path,
    image: str | None,
    dataset: str | None,
    classes: tuple[str, ...],
    spacing: str | None,
    as_json: bool,
) -> None:
    """Make a workspace folder."""
    settings = {"dataset": dataset, "spacing": numbers(spacing)}
    given = {key: value for key, value in settings.items() if value is not None}
    with _workspace().create(workspace, image=image, classes=list(classes) or None, **given) as ws:
        tell(
            as_json,
            repr(ws),
            {"workspace": str(ws.path), "images": list(ws.images.names), "levels": list(ws.levels.names)},
        )


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--learner", type=click.Choice(["shallow", "deep"]), default="shallow", show_default=True)
@click.option("--preset", help="Settings to begin with, such as quick or auto.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings as JSON, as a run's config.json holds them.",
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@click.option("--name", help="Name of the run.")
@click.option(
    "--then-predict",
    multiple=True,
    metavar="IMAGE",
    help="Image to predict then; give it once for each. learnt: those learnt from; '*': all.",
)
@click.option("--note", default="", help="What the run is for, in your words.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on.")
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
    as_json: bool,
) -> None:
    """Train a model on the labels of a workspace."""
    from voxloop.config.commands import config_of

    config = config_of(learner, preset, config_file, changes)
    with _workspace().open(workspace) as ws:
        meant = then_predict[0] if len(then_predict) == 1 else then_predict or None
        run = ws.train(config, name=name, then_predict=meant, note=note)
    # whoever wants to paint may have the workspace meanwhile
    if not detach:
        follow(run, quiet=as_json)
    finish(run, as_json)


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--image", help="Name of the image; the only one where there is one.")
@click.option("--all", "everything", is_flag=True, help="All images, one after the other; prints a table.")
@click.option("--folder", type=click.Path(path_type=Path), help="Add the pictures of this folder first; with --all.")
@click.option("--region", help="z0:z1,y0:y1,x0:x1 in voxels, or the name of a region.")
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
    name: str | None,
    changes: tuple[str, ...],
    overwrite: bool,
    forecast: bool,
    as_json: bool,
) -> None:
    """Predict an image with MODEL: a run, a model folder or a bioimage.io package; several are an ensemble."""
    from voxloop.config import PredictConfig
    from voxloop.config.commands import changes_of

    with _workspace().open(workspace) as ws:
        config = PredictConfig(**changes_of(changes))
        config = config.changed(overwrite=True) if overwrite else config
        if folder is not None:
            ws.images.add_folder(folder)
        chosen = "*" if everything or folder is not None else image
        if forecast:
            found = ws.forecast(list(models), image=chosen, region=box(region), config=config)
            tell(as_json, repr(found).strip("<>"), asdict(found))
            return
        run = ws.predict(list(models), image=chosen, region=box(region), name=name, config=config)
    follow(run, quiet=as_json)
    if chosen == "*" and not as_json and run.state == "finished":
        click.echo(run.result.table.to_string(index=False))
    finish(run, as_json)


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("prediction")
@click.argument("truth")
@click.option("--dataset", help="Dataset inside an HDF5 truth.")
@as_json
def evaluate(workspace: Path, prediction: str, truth: str, dataset: str | None, as_json: bool) -> None:
    """Score PREDICTION against TRUTH: a mask file, or the name of a label level."""
    with _workspace().open(workspace, read_only=True) as ws:
        known: Any = truth
        if truth not in ws.levels.names:
            from voxloop.volumes import open_volume

            known = open_volume(truth, dataset=dataset)
        report = ws.evaluate(prediction, known)
        tell(as_json, repr(report), report.to_json())


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("prediction")
@click.option("--of", help="Name of the class; the only one that is not background where not given.")
@click.option("--region", help="z0:z1,y0:y1,x0:x1 in voxels, or the name of a region; what was predicted otherwise.")
@click.option("--name", help="Name of the run and of its objects.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="One setting; may be given many times.")
@as_json
def objects(
    workspace: Path,
    prediction: str,
    of: str | None,
    region: str | None,
    name: str | None,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make objects of PREDICTION: label image, table in micrometres."""
    from voxloop.config import ObjectsConfig
    from voxloop.config.commands import changes_of

    with _workspace().open(workspace) as ws:
        config = ObjectsConfig(**changes_of(changes))
        run = ws.objects(prediction, config, of=of, region=box(region), name=name)
        follow(run, quiet=as_json)
        finish(run, as_json)


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("what")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(["labels", "probabilities", "uncertainty", "objects"]),
    default="labels",
    show_default=True,
    help="What of a prediction.",
)
@click.option("--image", help="Whose labels of a level; the only image where there is one.")
@click.option("--region", help="What of a prediction, as for predict; what was predicted where not given.")
@click.option("--object", "number", type=int, help="Which object is to be a mesh.")
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
    with _workspace().open(workspace, read_only=True) as ws:
        if what in ws.runs and what not in ws.predictions and path.suffix == ".zip":
            made = ws.export_model(what, path, overwrite=overwrite)
            tell(as_json, str(made), {"path": str(path), "difference": made.difference, "problems": made.problems})
            return
        written = ws.export(what, path, kind=kind, image=image, region=box(region), number=number, overwrite=overwrite)
        tell(as_json, f"written: {written}", {"path": str(written)})


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--report", metavar="RUN", help="Write the report of a run (HTML) instead of listing them.")
@click.option("--csv", "table", metavar="RUN", help="Write steps and epochs of a run as CSV instead.")
@click.option("--compare", multiple=True, metavar="RUN", help="The settings in which runs differ; give each run once.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to write; the run's exports/ where not given.")
@as_json
def runs(
    workspace: Path, report: str | None, table: str | None, compare: tuple[str, ...], to: Path | None, as_json: bool
) -> None:
    """List the runs of a workspace, write the report or the numbers of one, or compare several."""
    from voxloop.runs.comparison import ancestors, differences

    with _workspace().open(workspace, read_only=True) as ws:
        if report or table:
            written = ws.runs[report].report(to) if report else ws.runs[str(table)].to_csv(to)
            tell(as_json, f"written: {written}", {"path": str(written)})
        elif compare:
            found = differences([ws.runs[name] for name in compare])
            lines = [f"{name:28s} {'  '.join(map(str, values))}" for name, values in found.items()]
            tell(as_json, "\n".join(lines) or "the same settings", {"runs": list(compare), "differences": found})
        else:
            rows = [
                {
                    "name": row["name"],
                    "state": row["state"],
                    "progress": ws.runs[row["name"]].progress,
                    "best": row["best"],
                    "from": ancestors(ws.runs, row["name"]),
                    "note": row["note"],
                }
                for row in ws.runs.table()
            ]
            lines = [
                f"{row['name']:24s} {row['state']:12s} {row['progress']:6.0%}  "
                f"{'' if row['best'] is None else format(row['best'], '.3f'):8s} {' > '.join(row['from'])}  "
                f"{row['note']}".rstrip()
                for row in rows
            ]
            tell(as_json, "\n".join(lines) or "no runs yet", {"runs": rows})


def _order(verb: str, words: str) -> None:
    """The command that gives a run the order of this name."""

    @main.command(verb, help=words)
    @click.argument("workspace", type=click.Path(path_type=Path))
    @click.argument("run")
    @click.option("--detach", is_flag=True, help="Return at once, before the run has obeyed or ended.")
    @as_json
    def order(workspace: Path, run: str, detach: bool, as_json: bool) -> None:
        with _workspace().open(workspace, read_only=True) as ws:
            found = ws.runs[run]
            getattr(found, verb)()
            if not detach:
                follow(found, quiet=as_json)
            finish(found, as_json)


_order("resume", "Go on with RUN where it was: after a pause, a crash, or a full disk.")
_order("pause", "Write down where RUN is and end its process; resume goes on there.")
_order("stop", "End RUN and keep what it has made so far.")
_order("cancel", "End RUN and discard what it has made.")


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--add", "name", help="Make a training set of this name, or a new version of it.")
@click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="IMAGE[/LEVEL[/REGION]]",
    help="A row of it; give it once for each. Without any: every image with labels.",
)
@as_json
def sets(workspace: Path, name: str | None, rows: tuple[str, ...], as_json: bool) -> None:
    """List the training sets of a workspace, or make one. Train on it with: train --set training_set=NAME."""
    with _workspace().open(workspace, read_only=name is None) as ws:
        given = [tuple(row.split("/", 2)) for row in rows] or None
        if name is not None:
            ws.sets.edit(name, given) if given and name in ws.sets else ws.sets.add(name, given)
        found = [ws.sets[one] for one in ws.sets]
        lines = [f"{one.title:24s} {', '.join('/'.join((r.image, r.level)) for r in one.rows)}" for one in found]
        tell(as_json, "\n".join(lines) or "no training sets yet", {"sets": [one.model_dump() for one in found]})


@main.command()
@click.argument("source")
@click.option("--dataset", help="Dataset inside an HDF5 file.")
@as_json
def info(source: str, dataset: str | None, as_json: bool) -> None:
    """Say what SOURCE is: a workspace, or anything that can be opened as a volume."""
    if (Path(source) / "workspace.json").exists():
        with _workspace().open(source, read_only=True) as ws:
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
    images = {name: ws.images.info(name) for name in ws.images.names}
    return {
        "workspace": str(ws.path),
        "images": {
            name: {"shape": list(found.shape), "spacing_um": list(found.spacing_um), "dtype": str(found.dtype)}
            for name, found in images.items()
        },
        "levels": {name: [c.name for c in ws.levels[name].classes] for name in ws.levels.names},
        "runs": {name: run.state for name, run in ws.runs.items()},
        "predictions": list(ws.predictions),
        "bytes": ws.size(),
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


@main.command()
@click.argument("notebook", required=False, type=click.Path(path_type=Path))
@click.option("--port", type=int, help="Port; a free one where not given.")
@click.option("--no-browser", is_flag=True, help="Only print the URL.")
def lab(notebook: Path | None, port: int | None, no_browser: bool) -> None:
    """Open JupyterLab, at NOTEBOOK if given."""
    from voxloop.lab import serve

    sys.exit(serve(notebook, port=port, browser=not no_browser))


# ------------------------------------------------------------------------------------------------------------- helpers


def _workspace() -> Any:
    from voxloop.workspace.workspace import Workspace

    return Workspace
