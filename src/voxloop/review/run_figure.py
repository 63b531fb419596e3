"""The curves of runs as a picture for pages and papers. Draws what histories hold; opens no figure window."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import RunError
from voxloop.extras import install_line
from voxloop.runs.history import metric_of

if TYPE_CHECKING:
    from voxloop.review.reliability import Reliability
    from voxloop.runs import Run
    from voxloop.runs.history import History

#: training is blue, validation red, as in the monitor; several runs take colours that any eye tells apart
TRAIN, VAL, BEST = "#2b83d6", "#d9482b", "#e6a100"
SEVERAL = ("#009e73", "#e69f00", "#0072b2", "#cc79a7", "#d55e00", "#56b4e9")
#: reads on white and on black
INK = "#808080"
#: what epochs are told by, the first that they have
_AGREEMENT = {
    "iou": "agreement with held-out strokes (IoU)",
    "oks_map": "OKS mAP on held-out pictures",
    "f1": "F1 on held-out pictures",
    "accuracy": "accuracy on held-out pictures",
}
_KINDS = ("png", "svg", "pdf")


def draw(runs: Sequence[Run], kind: str = "png") -> bytes:
    """Loss and agreement with held-out strokes over optimiser steps; PNG on white, SVG and PDF without a ground.

    Raises
    ------
    RunError
        Matplotlib is not installed, the kind is not known, or there is nothing to draw yet.
    """
    if kind not in _KINDS:
        raise RunError(f"curves are written as .{', .'.join(_KINDS)}, not .{kind}")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RunError(f"a picture of curves needs matplotlib: {install_line('matplotlib')}") from error
    if not any(len(run.history.steps) or run.history.epochs for run in runs):
        raise RunError(f"{', '.join(run.name for run in runs)} has no numbers yet; wait for its first steps")
    with rc_context({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "voxloop"}):
        figure = Figure(figsize=(9.2, 3.1), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        for number, run in enumerate(runs):
            one = len(runs) == 1
            colors = (TRAIN, VAL) if one else (SEVERAL[number % len(SEVERAL)],) * 2
            _loss(left, run, colors, one)
            _score(right, run, colors, one)
        metric = main_metric(runs[-1].history)
        left.set(xlabel="step", ylabel="loss")
        right.set(xlabel="step", ylabel=_AGREEMENT.get(metric, metric), ylim=(0, 1))
        for axis in (left, right):
            dress(axis)
        out = io.BytesIO()
        figure.savefig(
            out,
            format=kind,
            dpi=160,
            transparent=kind != "png",
            metadata={"Date": None} if kind == "svg" else None,
        )
    return out.getvalue()


def main_metric(history: History) -> str:
    """What epochs of a run are told by beside their loss."""
    for event in reversed(history.epochs):
        for name in _AGREEMENT:
            if np.isfinite(metric_of(event, "val", name)):
                return name
    return "iou"


def draw_shares(lines: Sequence[tuple[np.ndarray, np.ndarray, str]], x: str, y: str) -> bytes:
    """Shares (0 to 1) over something, a line each (x, y, words), as SVG without a ground.

    Raises RunError without matplotlib.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RunError("a picture of curves needs matplotlib: pip install matplotlib") from error
    with rc_context({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "voxloop"}):
        figure = Figure(figsize=(4.2, 3.1), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        for number, (at, share, words) in enumerate(lines):
            axis.plot(at, share, "-", lw=1.6, color=(TRAIN, VAL)[number % 2], label=words or None)
        axis.set(xlabel=x, ylabel=y, ylim=(0, 1))
        dress(axis)
        out = io.BytesIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return out.getvalue()


def draw_reliability(measured: Reliability) -> bytes:
    """Share that is right over how sure the model was, as SVG without a ground. Raises RunError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RunError(f"a picture of curves needs matplotlib: {install_line('matplotlib')}") from error
    with rc_context({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "voxloop"}):
        figure = Figure(figsize=(3.4, 3.1), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], "-", lw=1, color=INK, alpha=0.6)
        known = np.isfinite(measured.sure)
        size = 8 + 60 * measured.voxels[known] / max(1, measured.voxels.max())
        axis.plot(measured.sure[known], measured.right[known], "-", lw=1.2, color=TRAIN)
        axis.scatter(measured.sure[known], measured.right[known], s=size, color=TRAIN, zorder=3, clip_on=False)
        axis.set(xlabel="how sure the model was", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
        dress(axis)
        out = io.BytesIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return out.getvalue()


def _loss(axis: Any, run: Run, colors: tuple[str, str], one: bool) -> None:
    steps = run.history.steps
    if len(steps):
        every = max(1, len(steps) // 1500)
        axis.plot(steps.iteration[::every], steps.loss[::every], ".", ms=2, alpha=0.25, color=colors[0])
        known = steps.loss[np.isfinite(steps.loss)]
        if len(known) > 8:
            low, high = np.percentile(known, [0, 99])
            axis.set_ylim(min(0.0, float(low)), max(axis.get_ylim()[1] if not one else 0.0, 1.15 * float(high)))
    _lines(axis, run, "loss", colors, one)


def _score(axis: Any, run: Run, colors: tuple[str, str], one: bool) -> None:
    metric = main_metric(run.history)
    _lines(axis, run, metric, colors, one)
    best = run.history.best
    if best is not None and np.isfinite(metric_of(best, "val", metric)):
        at = best.get("iteration") or best.get("epoch")
        axis.plot([at], [metric_of(best, "val", metric)], "o", ms=6, color=BEST if one else colors[1], label=None)


def _lines(axis: Any, run: Run, metric: str, colors: tuple[str, str], one: bool) -> None:
    epochs = run.history.epochs
    x = [event.get("iteration") or event.get("epoch") for event in epochs]
    for split, color in zip(("train", "val"), colors, strict=True):
        y = [metric_of(event, split, metric) for event in epochs]
        if np.isfinite(y).any():
            words = {"train": "training", "val": "validation"}[split] if one else (run.name if split == "val" else None)
            axis.plot(x, y, "-" if one or split == "val" else "--", lw=1.6, color=color, label=words)


def dress(axis: Any) -> None:
    """Axes as all figures have them: two lines, a faint grid, ink that reads on white and on black."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(INK)
    axis.tick_params(colors=INK)
    axis.grid(axis="y", color=INK, alpha=0.2, lw=0.6)
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set_color(INK)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(frameon=False, labelcolor=INK)
