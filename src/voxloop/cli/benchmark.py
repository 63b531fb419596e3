"""The command ``benchmark``: the loop on data sets with a simulated annotator, IoU against seconds of annotation."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import click

from voxloop.cli.terminal import as_json, print_json


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@click.command()
@click.option(
    "--data", default="em", show_default=True, help="Stacks: made-up, of VOXLOOP_DATA, or paths; with commas."
)
@click.option(
    "--strategy",
    default="ours,random",
    show_default=True,
    help="Where the annotator goes next: ours, oracle, or a strategy of ws.suggest, such as random or uncertainty; "
    "all: no rounds, five slices labelled whole.",
)
@click.option("--learner", default="shallow", show_default=True, help="shallow, network, forest, unet; with commas.")
@click.option(
    "--start",
    type=click.Choice(["places", "slices"]),
    default="places",
    show_default=True,
    help="The first strokes: at places that the strategy chooses too, or the same 24 on five slices for all.",
)
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=5, show_default=True, help="How often with other chance."
)
@click.option("--rounds", type=click.IntRange(1, 50), default=6, show_default=True)
@click.option(
    "--voxels", type=click.IntRange(10_000), default=1_000_000, show_default=True, help="Crop stacks to these."
)
@click.option(
    "--mistakes", type=click.FloatRange(0, 1), default=0.02, show_default=True, help="Share of wrong strokes."
)
@click.option(
    "--doubts", type=click.IntRange(0, 20), default=3, show_default=True, help="Doubtful strokes looked at each round."
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("voxloop-benchmark.json"),
    show_default=True,
    help="Rows are added to this file; those that are there already are not measured again.",
)
@click.option("--figure", type=click.Path(path_type=Path), help="Write a figure: .png, .svg or .pdf.")
@as_json
def benchmark(
    data: str,
    strategy: str,
    learner: str,
    start: str,
    seeds: int,
    rounds: int,
    voxels: int,
    mistakes: float,
    doubts: int,
    to: Path,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Measure the loop: stack x strategy x learner x seed, IoU against seconds of annotation.

    Interrupt it whenever you like: the same command goes on with what is missing. Files of several machines are one
    file when each adds its rows (--to).
    """
    from voxloop.benchmark.learners import learner_named
    from voxloop.benchmark.loop import ALL, Experiment
    from voxloop.benchmark.report import draw, markdown
    from voxloop.benchmark.rows import Rows, key_of
    from voxloop.benchmark.stacks import load_stack
    from voxloop.benchmark.strategies import placing_named

    stacks, strategies, learners = _listed(data), _listed(strategy), _listed(learner)
    for name in learners:
        learner_named(name)
    for name in strategies:
        if name != ALL:
            placing_named(name)
    rows = Rows(to)
    for seed, name in product(range(seeds), stacks):
        wanted = [
            Experiment(
                data=name,
                strategy=where,
                learner=who,
                start=start,
                seed=seed,
                rounds=rounds,
                voxels=voxels,
                mistakes=mistakes,
                doubts=doubts,
            )
            for who, where in product(learners, strategies)
        ]
        missing = [one for one in wanted if not rows.holds(one.keys)]
        stack = load_stack(name, seed).cropped(voxels) if missing else None
        for experiment in missing:
            assert stack is not None
            for row in experiment.run(stack):
                is_new = not rows.holds([key_of(row)])
                rows.add([row])
                if is_new:
                    click.echo(_line(row), err=True)
    if figure is not None:
        click.echo(f"figure: {draw(list(rows), figure)}", err=True)
    if as_json:
        print_json({"format": 1, "rows": list(rows)})
        return
    click.echo(markdown(list(rows)))


def _line(row: dict[str, object]) -> str:
    where = f"{row['data']}, {row['learner']}, {row['strategy']}, seed {row['seed']}"
    shown = f", shown {row['score_low']}-{row['score_high']}" if "score_low" in row else ""
    return f"{where}, round {row['round']}: IoU {row['iou']} after {row.get('seconds', '-')} s{shown}"
