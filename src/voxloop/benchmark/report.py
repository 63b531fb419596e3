"""What rows of the benchmark say, for people: a table in Markdown, a figure. Measures nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

from voxloop.benchmark.economy import CurveSummary, middle_of, savings, summaries
from voxloop.benchmark.rows import Row, curves, honesty, interval, seconds_to, target_of
from voxloop.errors import VoxloopError
from voxloop.extras import install_line

#: colours that any eye tells apart, one a learner; a line style for each strategy
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_LINES = {"ours": "-", "random": ":", "uncertainty": "--", "oracle": "-."}


def markdown(rows: Sequence[Row]) -> str:
    """Tables: of data sets, learners and strategies; of seconds saved; of the intervals shown."""
    lines = [
        "| stack | start | learner | places | seeds | first IoU (after s) | last IoU (after s) | area | up to s | "
        "area over by chance | above the first IoU | seconds to 95 % |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in summaries(rows):
        target = target_of(rows, one.data, one.learner)
        times = [seconds_to(curve, target) for curve in one.runs]
        cells = [
            one.data,
            one.start,
            one.learner,
            one.strategy,
            str(len(one.runs)),
            *(f"{_spread([c[at]['iou'] for c in one.runs])} ({_middle(one, at):.0f})" for at in (0, -1)),
            _spread(one.areas),
            f"{one.until:.0f}",
            f"{mean(one.over_chance):+.0%}" if one.over_chance else "",
            f"{mean(one.gained):+.3f}" if one.gained else "",
            "not measured" if math.isnan(target) else _seconds(times, one.runs),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *_saved(rows), *_told(rows)]) + "\n"


def _saved(rows: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    for words, lower in (("the better learner", False), ("the other one", True)):
        found = savings(rows, lower=lower)
        if not found:
            continue
        head = f"95 % of what all labels give to {words}"
        lines += [
            "",
            f"| stack | {head} | draws | ours, s | forest by chance, s | ratio |",
            "|---|---|---|---|---|---|",
        ]
        for one in found:
            ours, others = _seconds_spent(one.ours, one.ours_never), _seconds_spent(one.others, one.others_never)
            cells = (one.data, f"{one.target:.3f}", str(one.draws), ours, others, ratio_words(*one.bounds))
            lines.append(f"| {' | '.join(cells)} |")
        lines.append(f"| median | | | | | {ratio_words(*middle_of(found))} |")
    return lines


def _seconds_spent(seconds: float, never: int) -> str:
    if math.isnan(seconds):
        return ""
    return f"more than {seconds:.0f}" if never else f"{seconds:.0f}"


def ratio_words(least: float, most: float) -> str:
    """A ratio of which bounds are known, in words; nan: nothing is."""
    if math.isnan(least) or (least == 0 and math.isinf(most)):
        return "not known"
    if math.isinf(most):
        return f"at least {least:.2f}"
    if least == 0:
        return f"at most {most:.2f}"
    return f"{least:.2f}" if least == most else f"{least:.2f} to {most:.2f}"


def _told(rows: Sequence[Row]) -> list[str]:
    told = honesty(rows)
    if not told:
        return []
    lines = [
        "",
        "| it rests on | answers | 90 % intervals that hold the truth | median width | mean error | bias |",
        "|---|---|---|---|---|---|",
    ]
    for one in told:
        low, high = one["holds_interval"]
        lines.append(
            f"| {one['basis']} | {one['n']} | {one['holds']:.2f} ({low:.2f} to {high:.2f}) | {one['width']:.2f} | "
            f"{one['error']:.3f} | {one['bias']:+.3f} |"
        )
    return lines


def _middle(one: CurveSummary, at: int) -> float:
    return float(median(curve[at]["seconds"] for curve in one.runs))


def _spread(values: Sequence[float]) -> str:
    middle, half, spread = interval(values)
    return f"{middle:.3f} ± {half:.3f} (s {spread:.3f})" if len(values) > 1 else f"{middle:.3f}"


def _seconds(times: Sequence[float], runs: Sequence[Sequence[Row]]) -> str:
    middle = median(times)
    if math.isinf(middle):
        return f"more than {median(run[-1]['seconds'] for run in runs):.0f}"
    return f"{middle:.0f}"


def draw(rows: Sequence[Row], path: Path) -> Path:
    """IoU over annotation seconds, a field for each stack; the suffix (``.png``, ``.svg``, ``.pdf``) decides.

    Raises VoxloopError where there is nothing to draw, or matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise VoxloopError(f"the figure needs matplotlib: {install_line('matplotlib')}") from error
    drawn = curves(rows)
    begun = {key[1] for key in drawn}
    # one start a figure: that which strategies have a say in, where it was measured
    start = "places" if "places" in begun else next(iter(begun), "")
    drawn = {key: runs for key, runs in drawn.items() if key[1] == start}
    stacks = sorted({key[0] for key in drawn})
    if not stacks:
        raise VoxloopError("there are no rounds to draw yet")
    learners = sorted({key[2] for key in drawn})
    wide = min(3, len(stacks))
    high = math.ceil(len(stacks) / wide)
    figure = Figure(figsize=(4.2 * wide, 3.0 * high + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(high, wide, squeeze=False).ravel()
    for axis, data in zip(axes, stacks, strict=False):
        for (own, _, learner, strategy), runs in sorted(drawn.items()):
            if own == data:
                _line(
                    axis,
                    runs,
                    f"{learner}, {strategy}",
                    _COLORS[learners.index(learner) % 4],
                    _LINES.get(strategy, "-"),
                )
        axis.set(title=data, xlabel="annotation, s", ylabel="IoU", ylim=(0, 1))
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(stacks) :]:
        axis.set_axis_off()
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _line(axis: object, runs: Sequence[Sequence[Row]], label: str, color: str, style: str) -> None:
    """The mean over seeds, round by round, and the band of its 90 % interval; of two seeds both, which span no such."""
    rounds = range(min(len(run) for run in runs))
    seconds = [sum(run[at]["seconds"] for run in runs) / len(runs) for at in rounds]
    summary = [interval([run[at]["iou"] for run in runs]) for at in rounds]
    axis.plot(seconds, [one[0] for one in summary], style, color=color, label=label, lw=1.5)  # type: ignore[attr-defined]
    if len(runs) == 2:
        for run in runs:
            values = [row["iou"] for row in run]
            axis.plot([row["seconds"] for row in run], values, style, color=color, alpha=0.35, lw=0.8)  # type: ignore[attr-defined]
        return
    low, high = [one[0] - one[1] for one in summary], [one[0] + one[1] for one in summary]
    axis.fill_between(seconds, low, high, color=color, alpha=0.12, lw=0)  # type: ignore[attr-defined]
