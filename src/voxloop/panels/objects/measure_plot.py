"""Measures of objects as histogram, scatter or pairs, with a brush: what lies under it is selected, and the other way.

Of very many objects a plot shows how many lie where: the page draws the same few marks however many there are, and a
brush is the page's own. Computes counts; knows no workspace.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.panels.base.figure import plain_figure
from voxloop.panels.base.panel import classed, column, text
from voxloop.panels.base.when_shown import WhenShown

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # bqscales names a trait type that ipywidgets renamed
    import bqplot as bq

if TYPE_CHECKING:
    from pandas import DataFrame

#: cells of a scatter along each side, bars of a histogram
CELLS, BARS = 40, 48
#: objects from which a scatter shows how many lie where, instead of each
EACH = 2000
#: selected objects that are drawn one by one
_MARKED = 2000
PLAIN, MARKED = "#2b83d6", "#e6a100"


class MeasurePlot:
    """One plot of one or two measures.

    Parameters
    ----------
    x, y
        Columns of the table; no ``y``: a histogram.
    on_brush
        Called with the numbers of the objects under the brush, when it is let go.
    colors
        A colour for each row; None: all alike.
    """

    def __init__(
        self,
        table: DataFrame,
        x: str,
        y: str | None,
        on_brush: Callable[[list[int]], object],
        *,
        height: int = 230,
        colors: np.ndarray | None = None,
    ) -> None:
        self.x, self.y, self._colors = x, y, colors
        self._numbers = table.index.to_numpy()
        self._at = [_finite(table[name].to_numpy(np.float64)) for name in (x, y) if name is not None]
        self._on_brush = on_brush
        ranges = [_range(values) for values in self._at]
        self._scales = {"x": bq.LinearScale(min=ranges[0][0], max=ranges[0][1])}
        if y is None:
            counts, self._edges = np.histogram(self._at[0], BARS, range=ranges[0])
            self._scales["y"] = bq.LinearScale(min=0.0, max=float(max(1, counts.max()) * 1.05))
            self._marks = self._histogram(counts)
            self.brush: Any = bq.interacts.BrushIntervalSelector(scale=self._scales["x"], marks=[])
        else:
            self._scales["y"] = bq.LinearScale(min=ranges[1][0], max=ranges[1][1])
            self._marks = self._scatter(ranges)
            self.brush = bq.interacts.BrushSelector(x_scale=self._scales["x"], y_scale=self._scales["y"], marks=[])
        self.brush.observe(lambda _: None if self.brush.brushing else self._brushed(), "brushing")
        axes = [
            bq.Axis(scale=self._scales["x"], label=x, tick_format="~s", grid_lines="none", label_offset="28px"),
            bq.Axis(
                scale=self._scales["y"], label=y or "objects", side="left", tick_format="~s",
                grid_lines="none", label_offset="40px",
            ),
        ]  # fmt: skip
        margin = {"top": 8, "bottom": 38, "left": 54, "right": 10}
        self.figure = plain_figure(self._marks, axes, height, margin, interaction=self.brush)
        self.widget = classed(column(WhenShown(self.figure)), "vx-plot")

    def show_selected(self, ids: Sequence[int]) -> None:
        """Light up objects."""
        chosen = np.isin(self._numbers, np.asarray(list(ids), self._numbers.dtype))
        marked = self._marks[-1]
        if self.y is None:
            counts, _ = np.histogram(self._at[0][chosen], self._edges)
            marked.y = counts.astype(np.float64)
            return
        at = np.flatnonzero(chosen)
        if len(at) > _MARKED:
            at = at[np.linspace(0, len(at) - 1, _MARKED).astype(int)]
        with marked.hold_sync():
            marked.x, marked.y = self._at[0][at], self._at[1][at]

    def brushed(self) -> list[int] | None:
        """Numbers of the objects under the brush; None where there is no brush."""
        if self.y is None:
            interval = self.brush.selected
            if interval is None or len(interval) != 2:
                return None
            low, high = sorted(float(edge) for edge in interval)
            inside = (self._at[0] >= low) & (self._at[0] <= high)
        else:
            spans = (self.brush.selected_x, self.brush.selected_y)
            if any(span is None or len(span) != 2 for span in spans):
                return None
            inside = np.ones(len(self._numbers), bool)
            for values, span in zip(self._at, spans, strict=True):
                low, high = sorted(float(edge) for edge in span)
                inside &= (values >= low) & (values <= high)
        return [int(number) for number in self._numbers[inside]]

    def _brushed(self) -> None:
        found = self.brushed()
        if found is not None:
            self._on_brush(found)

    def _histogram(self, counts: np.ndarray) -> list[Any]:
        middles = (self._edges[:-1] + self._edges[1:]) / 2
        scales = self._scales
        plain = bq.Bars(x=middles, y=counts.astype(float), scales=scales, colors=[PLAIN], padding=0.05, opacities=[0.7])
        marked = bq.Bars(x=middles, y=np.zeros(len(counts)), scales=scales, colors=[MARKED], padding=0.05)
        return [plain, marked]

    def _scatter(self, ranges: list[tuple[float, float]]) -> list[Any]:
        marked = bq.Scatter(
            x=np.zeros(0), y=np.zeros(0), scales=self._scales, colors=[MARKED], default_size=18, stroke_width=0
        )
        if len(self._numbers) <= EACH:
            plain = bq.Scatter(
                x=self._at[0], y=self._at[1], scales=self._scales, colors=self._each_color(), default_size=10,
                opacities=[0.6], stroke_width=0,
            )  # fmt: skip
            return [plain, marked]
        return [self._cells(ranges), marked]

    def _each_color(self) -> list[str]:
        return [PLAIN] if self._colors is None else [str(color) for color in self._colors]

    def _cells(self, ranges: list[tuple[float, float]]) -> Any:
        """How many objects lie where: a square for each cell that holds any, the darker the more."""
        counts, up, across = np.histogram2d(self._at[1], self._at[0], CELLS, range=[ranges[1], ranges[0]])
        row, column = np.nonzero(counts)
        colors = [PLAIN]
        if self._colors is not None:  # of a cell the colour that most of its objects have
            kinds = sorted(set(self._colors.tolist()))
            of_kinds = []
            for kind in kinds:
                own = self._colors == kind
                spans = [ranges[1], ranges[0]]
                of_kinds.append(np.histogram2d(self._at[1][own], self._at[0][own], CELLS, range=spans)[0][row, column])
            colors = [kinds[at] for at in np.argmax(of_kinds, axis=0)]
        share = np.log1p(counts[row, column]) / np.log1p(max(1.0, counts.max()))
        return bq.Scatter(
            x=(across[column] + across[column + 1]) / 2,
            y=(up[row] + up[row + 1]) / 2,
            scales=self._scales,
            colors=colors,
            marker="square",
            default_size=36,
            stroke_width=0,
            opacities=[float(one) for one in np.round(0.15 + 0.85 * share, 2)],
        )


class PlotSet:
    """A histogram, a scatter, or the pairs of three measures; one selection goes through all of them."""

    def __init__(self, on_brush: Callable[[list[int]], object]) -> None:
        self._on_brush = on_brush
        self.plots: list[MeasurePlot] = []
        self.widget = column()

    def show(self, table: DataFrame | None, names: Sequence[str], kind: str, colors: np.ndarray | None = None) -> None:
        """Plot these columns: ``kind`` is ``"histogram"``, ``"scatter"`` or ``"pairs"``; ``colors``: one a row."""
        for plot in self.plots:
            plot.figure.close()
        self.plots = []
        if table is None or not len(table):
            self.widget.children = (text("No objects to plot yet.", "vx-dim"),)
            return
        pairs: list[tuple[str, str | None]] = [(names[0], None)]
        if kind == "scatter":
            pairs = [(names[0], names[1])]
        if kind == "pairs":
            pairs = [(x, None if x == y else y) for at, y in enumerate(names) for x in names[: at + 1]]
        height = 230 if kind != "pairs" else 170
        self.plots = [MeasurePlot(table, x, y, self._on_brush, height=height, colors=colors) for x, y in pairs]
        # pairs: what lies up is the same in a row
        up = [y if y is not None else x for x, y in pairs] if kind == "pairs" else [""]
        lines: dict[str, list[w.Widget]] = {}
        for plot, name in zip(self.plots, up, strict=True):
            lines.setdefault(name, []).append(plot.widget)
        self.widget.children = tuple(classed(w.HBox(line), "vx-pair") for line in lines.values())

    def show_selected(self, ids: Sequence[int]) -> None:
        """Light up objects in all of them."""
        for plot in self.plots:
            plot.show_selected(ids)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _range(values: np.ndarray) -> tuple[float, float]:
    """From the smallest to the largest, a little more on both sides."""
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    more = 0.02 * (high - low) or 0.5 * max(abs(high), 1e-9)
    return low - more, high + more
