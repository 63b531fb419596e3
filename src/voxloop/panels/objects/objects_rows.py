"""Objects of a workspace as rows of a list: of runs that made some, of networks that learnt them. Returns rows."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.objects.result import box_of
from voxloop.panels.base.panel import ago, badge
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.monitor.run_words import AT_WORK, LOOKS
from voxloop.panels.view.thumbnails import thumbnail
from voxloop.volumes import shape_zyx

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: voxels around an object in its small picture
_AROUND = 4
#: orders of a table: by size or by number, rising or not
BY_ERROR, BY_CLASS = "Least sure first", "Class to say first"
ORDERS: dict[str, tuple[bool, bool] | None] = {
    "Largest first": (True, False), "Smallest first": (True, True), "By number": (False, True), BY_ERROR: None,
    BY_CLASS: None,
}  # fmt: skip


def objects_rows(ws: Workspace) -> list[Row]:
    """Runs that make objects, and predictions with objects that their network learnt; newest first."""
    runs = [run for run in ws.runs.values() if run.kind == "objects"]
    dated = [(float(run.config.get("created", time.time())), _run_row(run)) for run in runs]
    learnt = set(ws.predictions) - {run.name for run in runs}
    for path in ws.layout.objects.glob("*.zarr"):
        # a folder whose name begins with a dot is still being written
        if path.stem in learnt and not path.name.startswith("."):
            made = path.stat().st_mtime
            dated.append((made, _learnt_row(path.stem, made)))
    return [row for _, row in sorted(dated, key=lambda pair: pair[0], reverse=True)]


def object_heads(size: str, *, classes: bool) -> tuple[list[str], list[int]]:
    """Headings of a table, and which columns are numbers; ``size`` as for :func:`object_row`."""
    unit = "µm³" if size == "volume_um3" else "µm²"
    return (["", "Object", "Class", unit], [3]) if classes else (["", "Object", unit, "z", "y", "x µm"], [2, 3, 4, 5])


def object_row(number: int, line: Any, size: str, picture: str = "", said: str | None = None) -> Row:
    """One object of a table, with its class in the place of where it lies unless there are no classes (None).

    ``size``: the column with its size; ``picture`` and ``said``: a small one, and its class, as markup.
    """
    if said is not None:
        return Row(str(number), (picture, str(number), said, _rounded(line[size])))
    cells = [line[size], line["z_um"], line["y_um"], line["x_um"]]
    return Row(str(number), (picture, str(number), *map(_rounded, cells)))


def _rounded(value: Any) -> str:
    return f"{float(value):.3g}"


def size_of(table: DataFrame) -> str:
    """The column with the size: of stacks a volume, of pictures an area."""
    return "volume_um3" if "volume_um3" in table else "area_um2"


def in_order(table: DataFrame, order: str, errors: Mapping[int, float] | None = None) -> DataFrame:
    """The table in one of ``ORDERS``; ``errors``: how unsure each object is."""
    how = ORDERS[order]
    if how is None:
        unsure = table.index.map(dict(errors or {})).to_numpy(float)
        return table.iloc[np.argsort(-np.nan_to_num(unsure, nan=-1.0), kind="stable")]
    by_size, rising = how
    return table.sort_values(size_of(table), ascending=rising) if by_size else table


def read_pictures(image: Any, lines: DataFrame) -> dict[int, str]:
    """Small pictures of the objects of these rows: the plane through the middle of each, a little more around it."""
    z, y, x = shape_zyx(image)
    made = {}
    for number, line in lines.iterrows():
        box = box_of(line)
        middle = (box.start[0] + box.stop[0]) // 2
        around = box.grow((0, _AROUND, _AROUND)).clip((z, y, x)).cut("z", middle, middle + 1)
        made[int(number)] = thumbnail(image, around)
    return made


def largest(table: DataFrame | None, count: int) -> list[int]:
    """Numbers of so many objects, the largest first."""
    return [] if table is None else [int(number) for number in table[size_of(table)].nlargest(count).index]


def made_of(run: Run) -> str:
    """What a run makes objects of, in words."""
    about = run.config.get("labelled")
    if not about:
        return f"of prediction {run.config.get('parent')}"
    return f"of level {about['level']}" if about.get("level") else f"of mask {about.get('mask') or 'given as an array'}"


def _run_row(run: Run) -> Row:
    state, history = run.state, run.history
    share = f" {history.progress:.0%}" if state in AT_WORK and history.progress else ""
    actions = () if state in AT_WORK else (Action("delete", "Delete", "Remove it from disk", confirm="Really delete?"),)
    age = ago(time.time() - float(run.config.get("created", time.time())))
    title = history.error or made_of(run)
    return Row(run.name, (html.escape(run.name), badge(state + share, LOOKS.get(state, "")), age), actions, title=title)


def _learnt_row(name: str, made: float) -> Row:
    cells = (html.escape(name), badge("learnt", LOOKS.get("finished", "")), ago(time.time() - made))
    return Row(name, cells, title=f"of prediction {name}, whose network learnt objects; they go when it is deleted")
