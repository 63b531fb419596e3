"""The command ``suggest``: where to paint next, as a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from voxloop.cli.terminal import as_json, box, open_workspace, tell


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("prediction", required=False)
@click.option("-n", "count", type=int, default=8, show_default=True, help="How many places at most.")
@click.option("--strategy", default="gain", show_default=True, help="By which rule: uncertainty, random, kmeans, ...")
@click.option("--images", help="Names of images with commas, or '*' for all.")
@click.option("--region", help="Only in z0:z1,y0:y1,x0:x1 voxels, or in a region of this name.")
@click.option("--seed", type=int, default=0, show_default=True)
@as_json
def suggest(
    workspace: Path,
    prediction: str | None,
    count: int,
    strategy: Any,
    images: str | None,
    region: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """List where painting helps most: to correct PREDICTION, or without one where to begin."""
    wanted: Any = images
    if images is not None and images != "*":
        wanted = [name.strip() for name in images.split(",") if name.strip()]
    with open_workspace(workspace, read_only=True) as ws:
        places = ws.suggest(prediction, count, strategy, seed, wanted, box(region))
        words = "\n".join(_line(place) for place in places) or "nothing unsure is left"
        tell(as_json, words, {"places": [_facts(place) for place in places]})


def _line(place: Any) -> str:
    where = f"{place.image:16s} {place.axis} {place.index:<5d} {_corner(place):24s}"
    return f"{where} {place.seconds:3.0f} s  {place.reason}"


def _corner(place: Any) -> str:
    """The box as the option ``--region`` takes it."""
    return ",".join(f"{start}:{stop}" for start, stop in place.box.to_json())


def _facts(place: Any) -> dict[str, Any]:
    return {
        "image": place.image,
        "prediction": place.prediction,
        "axis": place.axis,
        "index": place.index,
        "region": place.box.to_json(),
        "centre": list(place.centre),
        "score": round(place.score, 4),
        "share": round(place.share, 4),
        "seconds": round(place.seconds, 1),
        "reason": place.reason,
    }
