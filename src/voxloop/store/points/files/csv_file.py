"""Tables (CSV): one row an instance as we write it, and DeepLabCut's with three or four rows of heads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.points.files.given import Given
from voxloop.volumes.metadata import first_line

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.store.points.placed_labels import PlacedLabels

_PLACE = re.compile(r"(?P<node>.+?)[ .](?P<axis>[zyx])")


def read(path: Path) -> Given:
    """A table of instances. Raises LabelError."""
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline().lower()
        if first.startswith("scorer"):
            return _deeplabcut(path)
        table = pd.read_csv(path)
    except (OSError, ValueError, UnicodeError) as error:
        raise LabelError(f"{path} cannot be read as a table ({first_line(error)})") from error
    return _rows(table, path)


def _rows(table: pd.DataFrame, path: Path) -> Given:
    places: dict[str, dict[str, str]] = {}
    for column in table.columns:
        found = _PLACE.fullmatch(str(column))
        if found is not None:
            places.setdefault(found["node"], {})[found["axis"]] = str(column)
    if not places and {"x", "y"} <= set(table.columns):
        places = {"point": {axis: axis for axis in "zyx" if axis in table.columns}}
    nodes = {node: axes for node, axes in places.items() if {"x", "y"} <= set(axes)}
    if not nodes:
        raise LabelError(
            f"{path} has no columns of places; such as 'nose y' and 'nose x', or 'y' and 'x' for plain points"
        )
    frame = next((name for name in ("frame", "frame_idx") if name in table.columns), None)
    instances = []
    for row in table.to_dict("records"):
        points = {}
        for node, axes in nodes.items():
            at = tuple(float(row[axes[axis]]) for axis in "zyx" if axis in axes)
            if not any(np.isnan(value) for value in at):
                points[node] = at
        told: dict[str, Any] = {"frame": None if frame is None else int(row[frame]), "points": points}
        told["track"] = _text(row.get("track"))
        told["label"] = _text(row.get("class"))
        told["predicted"] = str(row.get("predicted", False)).lower() in ("true", "1", "1.0")
        score = row.get("score", row.get("instance.score"))
        told["score"] = float(score) if isinstance(score, int | float) and np.isfinite(score) else None
        told["hidden"] = [node for node in str(row.get("hidden") or "").split("|") if node in points]
        instances.append(told)
    return Given(nodes=list(nodes), instances=instances, boxes=set(nodes) == {"start", "stop"})


def _text(value: Any) -> str | None:
    if value is None or value != value or value == "":
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _deeplabcut(path: Path) -> Given:
    """Rows are frames: their number, or a picture whose name ends with it."""
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        heads = [line.split(",")[0].strip().lower() for line, _ in zip(file, range(4), strict=False)]
    levels = heads.index("coords") + 1
    table = pd.read_csv(path, header=list(range(levels)))
    index = table.columns[0]
    marked = [column for column in table.columns if str(column[-1]).lower() in ("x", "y", "likelihood")]
    names = [column for column in table.columns if column not in marked]
    bodies: dict[str, dict[str, dict[str, Any]]] = {}
    for column in marked:
        who = str(column[-3]) if levels == 4 else ""
        bodies.setdefault(who, {}).setdefault(str(column[-2]), {})[str(column[-1]).lower()] = column
    instances = []
    for row in range(len(table)):
        frame = _frame([str(table[name].iloc[row]) for name in names] or [str(table[index].iloc[row])], path)
        for who, nodes in bodies.items():
            points, scores = {}, {}
            for node, axes in nodes.items():
                y, x = (float(table[axes[axis]].iloc[row]) for axis in ("y", "x"))
                if np.isnan(y) or np.isnan(x):
                    continue
                points[node] = (y, x)
                if "likelihood" in axes and np.isfinite(likely := float(table[axes["likelihood"]].iloc[row])):
                    scores[node] = likely
            if points:
                told: dict[str, Any] = {"frame": frame, "points": points, "predicted": bool(scores)}
                told |= {"track": who if who and who != "single" else None, "scores": scores}
                told["score"] = float(np.mean(list(scores.values()))) if scores else None
                instances.append(told)
    nodes_of_all = list(dict.fromkeys(node for nodes in bodies.values() for node in nodes))
    return Given(nodes=nodes_of_all, instances=instances)


def _frame(names: list[str], path: Path) -> int:
    for name in reversed(names):
        found = re.search(r"(\d+)(?:\.\w+)?$", name)
        if found is not None:
            return int(found[1])
    raise LabelError(f"{path} names the frame {names[-1]!r}, which has no number")


def write(marks: PlacedLabels, path: Path, predicted: bool | None) -> None:
    """One row an instance: id, frame, track, class, node y, node x..., predicted, score. Raises OSError."""
    table = marks.table()
    if predicted is not None:
        table = table[table["predicted"] == predicted]
    covered = [one.hidden for number in table["id"] for one in [marks.instance(int(number))]]
    table = table.assign(hidden=["|".join(sorted(names)) for names in covered])
    table.to_csv(path, index=False)
