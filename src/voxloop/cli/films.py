"""The command that writes films: ``clip``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from voxloop.cli.terminal import as_json, box, numbers, open_workspace, tell
from voxloop.film.instance_shapes import ColorBy


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("film", type=click.Path(path_type=Path))
@click.option("--image", help="The image; needed where the workspace has several.")
@click.option("--axis", default="z", show_default=True, help="Across which axis the planes lie: z, y or x.")
@click.option("--start", type=int, help="First plane or frame.")
@click.option("--stop", type=int, help="One more than the last.")
@click.option("--step", type=int, default=1, show_default=True, help="Every so many planes.")
@click.option("--region", help="Part that is shown: z0:z1,y0:y1,x0:x1 in voxels, or the name of a region.")
@click.option(
    "--layer", "layers", multiple=True, help="A level, prediction, objects or tracks; repeat. All levels if none."
)
@click.option("--bare", is_flag=True, help="The picture alone, nothing over it.")
@click.option("--opacity", type=float, default=0.5, show_default=True, help="Of labels and predictions.")
@click.option("--fps", type=float, default=10.0, show_default=True, help="Pictures a second.")
@click.option("--scale", type=float, help="Pixels for a voxel.")
@click.option("--contrast", help="Intensities shown black and white: low,high.")
@click.option("--trail", type=int, default=0, show_default=True, help="Frames over which tracks leave a line.")
@click.option("--names", is_flag=True, help="Track, class and score beside points and boxes.")
@click.option("--color-by", default="track", show_default=True, help=f"One of {', '.join(get_args(ColorBy))}.")
@click.option("--no-scale-bar", is_flag=True, help="Without the bar of a known length.")
@click.option("--no-caption", is_flag=True, help="Without the number of the plane.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@as_json
def clip(
    workspace: Path,
    film: Path,
    layers: tuple[str, ...],
    bare: bool,
    region: str | None,
    contrast: str | None,
    no_scale_bar: bool,
    no_caption: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Write a film (.mp4, .gif) of the slices or frames of an image to FILM, with labels, points, tracks over them."""
    with open_workspace(workspace, read_only=True) as ws:
        written = ws.clip(
            film,
            layers=[] if bare else list(layers) or None,
            region=box(region),
            contrast=numbers(contrast),  # type: ignore[arg-type]  # two are asked for there
            scale_bar=not no_scale_bar,
            caption=not no_caption,
            **how,
        )
        tell(as_json, f"written: {written}", {"path": str(written)})
