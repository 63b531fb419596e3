"""The figures of a study: distributions, scatter, means of images, and pictures of objects. Opens no window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.review.run_figure import INK, SEVERAL, dress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxloop.review.study import Study
    from voxloop.review.study_pictures import ObjectPicture

#: points of a scatter that are drawn at most; which ones is drawn by lot
_POINTS = 4000
_ACROSS = 8
#: inches of an image with its objects, the longer side
_OVERVIEW = 5.2
OUTLINE, OTHERS = "#ffb000", "#56b4e9"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches. Raises PredictionError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PredictionError("a report needs matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def distributions(study: Study) -> Figure:
    """A histogram of each measure, the groups over each other."""
    names = list(study.measures)[:6]
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure = new_figure(9.2, 2.6 * down)
    axes = np.atleast_1d(figure.subplots(down, across)).ravel()
    for axis, name in zip(axes, names, strict=False):
        values = _finite(study.table[name])
        edges = np.histogram_bin_edges(values, bins=min(40, max(8, int(np.sqrt(max(len(values), 1))))))
        for color, group in zip(_colors(len(study.groups)), study.groups, strict=True):
            own = _finite(study.table.loc[study.table["group"] == group, name])
            label = group if len(study.groups) > 1 else None
            axis.hist(own, edges, histtype="stepfilled", color=color, alpha=0.45, label=label)
        axis.set(xlabel=name, ylabel="objects")
        axis.yaxis.get_major_locator().set_params(integer=True)
        dress(axis)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    return figure


def scatter(study: Study) -> Figure | None:
    """The first two measures over each other, by class or by group; None with one measure."""
    if len(study.measures) < 2:
        return None
    x, y = study.measures[:2]
    table = study.table
    if len(table) > _POINTS:
        table = table.sample(_POINTS, random_state=0)
    key, names = ("class", study.classes) if study.classes else ("group", study.groups)
    figure = new_figure(5.4, 3.6)
    axis = figure.subplots()
    for color, name in zip(_colors(len(names)), names, strict=True):
        own = table[table[key] == name]
        axis.plot(own[x], own[y], ".", ms=4, alpha=0.6, color=color, label=name if len(names) > 1 else None)
    axis.set(xlabel=x, ylabel=y)
    dress(axis)
    return figure


def means_of_images(study: Study) -> Figure | None:
    """The mean of each image by group; over time, of a series. None where there is one image."""
    if len(study.parts) < 2:
        return None
    names = list(study.measures)[:3]
    figure = new_figure(9.2, 2.8)
    axes = np.atleast_1d(figure.subplots(1, len(names)))
    over_time = "time" in study.table and study.table["time"].notna().all()
    for axis, name in zip(axes, names, strict=True):
        for at, (color, group) in enumerate(zip(_colors(len(study.groups)), study.groups, strict=True)):
            own = study.table[study.table["group"] == group]
            means = own.groupby("time" if over_time else "image", sort=over_time)[name].mean()
            x = means.index.to_numpy(float) if over_time else at + np.linspace(-0.15, 0.15, len(means))
            axis.plot(x, means.to_numpy(), "o-" if over_time else "o", color=color, ms=5)
            if not over_time:
                axis.plot([at - 0.3, at + 0.3], [means.mean()] * 2, "-", lw=1.6, color=color)
        if over_time:
            axis.set(xlabel="time point")
        else:
            axis.set_xticks(range(len(study.groups)), study.groups)
        axis.set(ylabel=f"mean {name}")
        dress(axis)
    return figure


def with_objects(picture: ObjectPicture, classes: dict[int, str], names: Sequence[str]) -> Figure:
    """An image with the outlines of its objects, in the colours of their classes."""
    rows, columns = picture.gray.shape
    down, across = picture.pixel_um
    ratio = rows * down / max(columns * across, 1e-9)
    width = _OVERVIEW if ratio <= 1 else _OVERVIEW / ratio
    figure = new_figure(width, width * ratio + 0.3)
    axis = figure.subplots()
    _show(axis, picture)
    edge = _edges(picture.labels)
    colored = np.zeros((*picture.gray.shape, 4), np.float32)
    from matplotlib.colors import to_rgba

    colored[edge] = to_rgba(OUTLINE)
    for color, name in zip(_colors(len(names)), names, strict=True):
        own = [number for number, one in classes.items() if one == name]
        colored[edge & np.isin(picture.labels, own)] = to_rgba(color)
        axis.plot([], [], "-", lw=3, color=color, label=name)
    axis.imshow(colored, interpolation="nearest", aspect=down / across)
    if names:
        figure.legend(loc="outside lower center", ncols=min(6, len(names)), frameon=False, labelcolor=INK)
    return figure


def gallery(pictures: Sequence[ObjectPicture]) -> Figure:
    """Single objects side by side, each with its outline."""
    down = -(-len(pictures) // _ACROSS)
    figure = new_figure(9.2, 1.35 * down)
    axes = np.atleast_1d(figure.subplots(down, _ACROSS)).ravel()
    for axis, picture in zip(axes, pictures, strict=False):
        _show(axis, picture)
        axis.set_title(picture.title, fontsize=7, color=INK, pad=2)
        down_um, across_um = picture.pixel_um
        own = np.ma.masked_equal(_edges(picture.labels == picture.number).astype(int), 0)
        from matplotlib.colors import ListedColormap

        axis.imshow(own, cmap=ListedColormap([OUTLINE]), interpolation="nearest", aspect=down_um / across_um)
    for axis in axes[len(pictures) :]:
        axis.set_axis_off()
    return figure


def _show(axis: Any, picture: ObjectPicture) -> None:
    down, across = picture.pixel_um
    axis.imshow(picture.gray, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect=down / across)
    axis.set_axis_off()


def _edges(labels: np.ndarray) -> np.ndarray:
    """Pixels of an object that have a neighbour of another number."""
    padded = np.pad(np.asarray(labels), 1)
    inner = padded[1:-1, 1:-1]
    differs = np.zeros(inner.shape, bool)
    for there in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        differs |= inner != there
    return np.asarray(differs & (inner != 0))


def _finite(values: Any) -> np.ndarray:
    out = np.asarray(values, np.float64)
    return out[np.isfinite(out)]


def _colors(count: int) -> list[str]:
    return [SEVERAL[at % len(SEVERAL)] for at in range(count)]
