"""The command ``demo``: the loop with a simulated annotator, on a sample or on a file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, print_json, whole_numbers
from voxloop.errors import VolumeError


@click.command()
@click.option("--image", help="Image volume; default: the built-in EM sample.")
@click.option("--truth", help="Mask of the same shape that the simulated annotator knows; needed with --image.")
@click.option("--dataset", help="Dataset inside an HDF5 image.")
@click.option("--rounds", type=click.IntRange(1, 50), default=3, show_default=True, help="Rounds of the loop.")
@click.option("--learner", type=click.Choice(["shallow", "deep", "both"]), default="shallow", show_default=True)
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
    from voxloop.workspace.workspace import Workspace

    planes = whole_numbers(slices, "4,12,20")
    volume, classes, truth_values, name = _demo_data(image, truth, dataset, seed)
    scratch = tempfile.mkdtemp(prefix="voxloop-demo-") if workspace is None else None
    folder = workspace or Path(str(scratch)) / "demo"
    if not as_json:
        click.echo(_COLUMNS)
    try:
        with Workspace.create(folder, image=volume, classes=classes) as ws:
            report = (lambda _: None) if as_json else _print_row
            done = play(
                ws,
                truth_values,
                rounds=rounds,
                learner=learner,
                minutes=minutes,
                strokes=strokes,
                slices=planes,
                seed=seed,
                report=report,
            )
            picture = figure(ws, truth_values, done, folder / "rounds.png")
        if scratch and not as_json:
            picture = Path(shutil.move(picture, Path.cwd() / "voxloop-demo.png"))
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    if as_json:
        print_json({"image": name, "rounds": [r.to_json() for r in done]})
        return
    click.echo(f"figure: {picture}" + ("" if scratch else f"   workspace: {folder}"))


def _demo_data(image: str | None, truth: str | None, dataset: str | None, seed: int) -> tuple[Any, Any, Any, str]:
    """Volume, classes, truth as class values, and a name for the report."""
    import numpy as np

    from voxloop.volumes import open_volume, samples, shape_zyx

    if (image is None) != (truth is None):
        raise VolumeError("--image and --truth belong together; give both, or neither for the built-in sample")
    if image is None or truth is None:
        sample = samples.load("em", seed=seed)
        return sample.volume, sample.classes, np.asarray(sample.truth), "em"
    volume, mask = open_volume(image, dataset=dataset), open_volume(truth)
    if shape_zyx(volume) != shape_zyx(mask):
        raise VolumeError(f"--truth has shape {shape_zyx(mask)} but --image {shape_zyx(volume)}; they must be the same")
    pixels = np.asarray(mask)
    values = np.unique(pixels)
    if len(values) < 2:
        raise VolumeError(f"--truth holds only the value {values[0]}; a mask needs at least two")
    if len(values) > 32:
        raise VolumeError(f"--truth holds {len(values)} values; the demo takes class masks of up to 32, not instances")
    background = [{"name": "background", "background": True}] if values[0] == 0 else []
    foreground: list[dict[str, Any]] = [{"name": f"class {value}"} for value in values if value]
    if len(foreground) == 1:
        foreground = [{"name": "foreground"}]
    return volume, [*background, *foreground], (np.searchsorted(values, pixels) + 1).astype(np.uint8), image


#: what _print_row prints
_COLUMNS = "round  learner  strokes  labelled   annotation  mean IoU   compute  IoU per class"


def _print_row(r: Any) -> None:
    classes = "  ".join(f"{name} {value:.3f}" for name, value in r.iou_per_class.items())
    click.echo(
        f"{r.round:5d}  {r.learner:7s}  {r.strokes:7d}  {r.labelled_share:8.3%}  {r.annotation_seconds:8.0f} s  "
        f"{r.iou:8.3f}  {r.compute_seconds:6.0f} s  {classes}"
    )
