"""The command ``demo``: the loop with a simulated annotator, on a sample or on a file."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, numbers, print_json, whole_numbers
from voxloop.errors import VolumeError
from voxloop.extras import missing_words


@click.command()
@click.option("--image", help="Image volume; default: the built-in EM sample.")
@click.option("--truth", help="Mask of the same shape that the simulated annotator knows; needed with --image.")
@click.option("--dataset", help="Dataset inside an HDF5 image.")
@click.option("--spacing", help="Voxel size z,y,x in micrometres, such as 0.04,0.008,0.008; default: as the file says.")
@click.option("--rounds", type=click.IntRange(1, 50), default=3, show_default=True, help="Rounds of the loop.")
@click.option("--learner", type=click.Choice(["shallow", "deep", "both"]), default="shallow", show_default=True)
@click.option("--preset", help="Settings of the last round's learner; default: auto for networks, else as they are.")
@click.option(
    "--correct",
    type=click.Choice(["errors", "suggestions"]),
    default="errors",
    show_default=True,
    help="Where corrections go: to the largest errors, or to the places that voxloop suggests.",
)
@click.option("--minutes", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Computing time in all.")
@click.option("--strokes", type=click.IntRange(2), default=100, show_default=True, help="Strokes of a round.")
@click.option("--slices", help="Planes across z that may be painted, such as 4,12,20.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--workspace", type=click.Path(path_type=Path), help="Keep the workspace here; default: a temporary folder."
)
@as_json
def demo(
    image: str | None,
    truth: str | None,
    dataset: str | None,
    spacing: str | None,
    rounds: int,
    learner: Any,
    preset: str | None,
    correct: str,
    minutes: float,
    strokes: int,
    slices: str | None,
    seed: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Go round the loop with a simulated annotator and print what each round reached."""
    from voxloop.demo import figure, play, settings_of
    from voxloop.workspace.workspace import Workspace

    planes = whole_numbers(slices, "4,12,20")
    settings = settings_of(preset, learner)
    data = _demo_data(image, truth, dataset, numbers(spacing), seed)
    if data.words and not as_json:
        click.echo(data.words)
    no_figure = missing_words("there will be no figure; it needs", "matplotlib")
    if no_figure and not as_json:
        click.echo(no_figure)
    scratch = tempfile.mkdtemp(prefix="voxloop-demo-") if workspace is None else None
    folder = workspace or Path(str(scratch)) / "demo"
    if not as_json:
        click.echo(_COLUMNS)
    try:
        with Workspace.create(folder, image=data.volume, classes=data.classes) as ws:
            report = (lambda _: None) if as_json else _print_row
            done = play(
                ws,
                data.truth,
                rounds=rounds,
                learner=learner,
                preset=settings,
                suggest=correct == "suggestions",
                minutes=minutes,
                strokes=strokes,
                slices=planes,
                seed=seed,
                report=report,
            )
            picture = None if no_figure else figure(ws, data.truth, done, folder / "rounds.png")
        if picture is not None and scratch and not as_json:
            picture = Path(shutil.move(picture, Path.cwd() / "voxloop-demo.png"))
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    if as_json:
        print_json({"image": data.name, "rounds": [r.to_json() for r in done]})
        return
    for words in filter(None, (r.words for r in done)):
        click.echo(words)
    shown = [f"figure: {picture}"] if picture else []
    if not scratch:
        shown.append(f"workspace: {folder}")
    if shown:
        click.echo("   ".join(shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class _DemoData:
    """What the loop goes over; ``truth`` are class values, ``words`` what is to be known of the mask."""

    name: str
    volume: Any
    classes: Any
    truth: Any
    words: str = ""


def _demo_data(
    image: str | None, truth: str | None, dataset: str | None, spacing: tuple[float, ...] | None, seed: int
) -> _DemoData:
    import numpy as np

    from voxloop.demo import read_mask
    from voxloop.volumes import open_volume, samples, shape_zyx

    if (image is None) != (truth is None):
        raise VolumeError("--image and --truth belong together; give both, or neither for the built-in sample")
    if image is None or truth is None:
        if spacing is not None:
            raise VolumeError("--spacing is of --image; the voxel size of the built-in sample is known")
        sample = samples.load("em", seed=seed)
        return _DemoData(name="em", volume=sample.volume, classes=sample.classes, truth=np.asarray(sample.truth))
    volume, mask = open_volume(image, dataset=dataset, spacing=spacing), open_volume(truth)
    if shape_zyx(volume) != shape_zyx(mask):
        raise VolumeError(f"--truth has shape {shape_zyx(mask)} but --image {shape_zyx(volume)}; they must be the same")
    classes, values, words = read_mask(np.asarray(mask))
    return _DemoData(name=image, volume=volume, classes=classes, truth=values, words=words)


#: what _print_row prints
_COLUMNS = "round  predicted by  strokes  labelled   annotation  mean IoU   offered   compute  IoU per class"


def _print_row(r: Any) -> None:
    classes = "  ".join(f"{name} {value:.3f}" for name, value in r.iou_per_class.items())
    click.echo(
        f"{r.round:5d}  {r.kept:12s}  {r.strokes:7d}  {r.labelled_share:8.3%}  {r.annotation_seconds:8.0f} s  "
        f"{r.iou:8.3f}  {r.offered_iou:8.3f}  {r.compute_seconds:6.0f} s  {classes}"
    )
