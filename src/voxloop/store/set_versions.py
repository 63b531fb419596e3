"""Versions of a training set as they stand in ``workspace.json``: a large one says what it keeps of the one before.

Of many rows, those that the version before has are written as ranges of its rows (``{"kept": "0:4000"}``), boxes of
one image and level beside each other (``{"image", "level", "boxes": ["0:1 0:32 32:64", ...]}``, z y x). Few rows are
written one by one. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from voxloop.geometry import Box

#: rows up to which a version is written row by row
_FEW = 50
#: rows that a version may have
_MOST = 10**6


def packed(versions: Sequence[Any]) -> list[dict[str, Any]]:
    """Versions (:class:`TrainingSet`) as JSON, oldest first."""
    out: list[dict[str, Any]] = []
    before: dict[int, int] = {}
    for one in versions:
        told = one.model_dump(mode="json", exclude={"rows"})
        few = len(one.rows) <= _FEW
        rows = [row.model_dump(mode="json") for row in one.rows] if few else _packed(one.rows, before)
        out.append({"name": told.pop("name"), "version": told.pop("version"), "rows": rows, **told})
        before = {id(row): at for at, row in enumerate(one.rows)}
    return out


def unpacked(given: Any, make: Callable[[Any], Any]) -> Any:
    """Versions as they are written, with all of their rows; ``make`` reads one. What is no list is left as it is.

    Raises ValueError where ranges or boxes make no sense.
    """
    if not isinstance(given, list | tuple):
        return given
    out: list[Any] = []
    before: list[Any] = []
    for one in given:
        if not isinstance(one, Mapping) or not isinstance(one.get("rows"), list | tuple):
            out.append(one)
            before = []
            continue
        rows: list[Any] = []
        for row in one["rows"]:
            rows += _unpacked(row, before, make)
            if len(rows) > _MOST:
                raise ValueError(f"a training set has more than {_MOST:,} rows")
        out.append({**one, "rows": tuple(rows)})
        before = rows
    return tuple(out)


def _packed(rows: Sequence[Any], before: Mapping[int, int]) -> list[Any]:
    out: list[Any] = []
    run: list[int] = []  # of the version before, [first, stop)
    boxes: list[str] = []
    place: tuple[str, str] | None = None
    for row in rows:
        at = before.get(id(row))
        if at is not None and run and run[1] == at:
            run[1] += 1
            out[-1] = {"kept": f"{run[0]}:{run[1]}"}
            continue
        run = [] if at is None else [at, at + 1]
        if at is not None:
            out.append({"kept": f"{at}:{at + 1}"})
            place = None
        elif row.box is None or row.region is not None or row.model_extra:
            out.append(row.model_dump(mode="json"))
            place = None
        else:
            if place != (row.image, row.level):
                place, boxes = (row.image, row.level), []
                out.append({"image": row.image, "level": row.level, "boxes": boxes})
            boxes.append(" ".join(f"{start}:{stop}" for start, stop in row.box.to_json()))
    return out


def _unpacked(row: Any, before: Sequence[Any], make: Callable[[Any], Any]) -> Sequence[Any]:
    if not isinstance(row, Mapping):
        return [row]
    if isinstance(row.get("kept"), str):
        first, stop = _span(row["kept"])
        if not 0 <= first < stop <= len(before):
            raise ValueError(f"rows {row['kept']} of the version before, which has {len(before)}")
        return before[first:stop]
    if isinstance(row.get("boxes"), list):
        own = {"image": row.get("image"), "level": row.get("level")}
        return [make({**own, "box": _box(one)}) for one in row["boxes"]]
    return [make(row)]


def _box(words: Any) -> Box:
    spans = [_span(one) for one in str(words).split(" ")]
    if len(spans) != 3:
        raise ValueError(f"{str(words)[:60]!r} is no box")
    return Box.from_json(spans)


def _span(words: str) -> tuple[int, int]:
    first, _, stop = words.partition(":")
    return int(first), int(stop)
