"""What may stand in a table of instances, and the sentences where it may not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.store.points.instance import EMPTY, PREDICTED, Place, Step
from voxloop.store.points.table import MarkTable
from voxloop.store.spelling import plain_name
from voxloop.store.values import number


def place_of(what: str, given: object, extent: Sequence[int]) -> Place:
    """Coordinates in voxels, inside of the picture, from what a caller gives. Raises LabelError."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    try:
        place = tuple(map(float, given))  # type: ignore[call-overload]
        inside = len(place) == len(extent) and all(
            -0.5 <= at <= size - 0.5 for at, size in zip(place, extent, strict=True)
        )
    except (TypeError, ValueError):
        inside = False
    if not inside or isinstance(given, str | bytes | Mapping):
        raise _no_place(what, given, extent)
    return place


def _no_place(what: str, given: Any, extent: Sequence[int]) -> LabelError:
    """Why this is no place."""
    axes = ("z", "y", "x")[3 - len(extent) :]
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Sequence) or len(given) != len(extent):
        return LabelError(f"{what} is at ({', '.join(axes)}) in voxels, not at {shown(given)}")
    if any(value is None or value != value for value in given):
        return LabelError(f"{what} is at {shown(given)}, which is no place; leave out a node that is not there")
    for axis, value, size in zip(axes, given, extent, strict=True):
        at = number(f"{what} {axis}", value, endless=True)
        if not -0.5 <= at <= size - 0.5:
            return LabelError(f"{what} is at {axis} {at:g}, outside of the picture: {axis} goes from 0 to {size - 1}")
    return LabelError(f"{what} is at {shown(given)}, which is no place")


def track_of(given: object) -> str | None:
    """The name of a track; numbers become text. Raises LabelError."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | np.integer):
        raise LabelError(f"track={shown(given)} is neither a name nor a number")
    name = plain_name(str(given))
    if not name:
        raise LabelError("a track has a name; None stands for no track")
    return name


def score_of(given: object) -> float | None:
    """A score: any finite number, more is surer. Raises LabelError."""
    return None if given is None else number("score", given)


def hidden_of(given: object, nodes: Sequence[str]) -> frozenset[str]:
    """Names of nodes that something lies over. Raises LabelError where one is not placed."""
    if given is None:
        return frozenset()
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence | set | frozenset):
        raise LabelError(f"hidden={shown(given)} is no list of nodes")
    for name in names:
        if not isinstance(name, str) or name not in nodes:
            raise LabelError(f"hidden: {unknown('placed node', name, nodes)}")
    return frozenset(names)


def check_tracks(table: MarkTable, steps: Sequence[Step]) -> None:
    """Raise LabelError where two instances of one frame would be of one track (predicted ones beside one's own may)."""
    named = [step for step in steps if step[2] is not None and "t" in step[2]]
    if not named:
        return
    touched = {step[0] for step in steps}
    there: dict[tuple[int, str, bool], int] = {}
    for row in _rows_of_tracks(table, named):
        number = int(table.id[row])
        if number not in touched and table.track[row] >= 0 and not table.flags[row] & EMPTY:
            name = table.tracks[table.track[row]]
            frame = int(table.frame[row]) if table.dims == 2 else 0
            there[frame, name, bool(table.flags[row] & PREDICTED)] = number
    for number, _, after in named:
        assert after is not None
        key = after["f"] if table.dims == 2 else 0, after["t"], bool(after.get("x", 0) & PREDICTED)
        other = there.setdefault(key, number)
        if other != number:
            where = f"frame {after['f']}" if table.dims == 2 else "the volume"
            raise LabelError(
                f"{where} has an instance of track {after['t']!r} already (number {other}); one body is in one place, "
                "so choose another track or take that one off it first"
            )


def _rows_of_tracks(table: MarkTable, named: Sequence[Step]) -> list[int]:
    """Rows that could be of the same track in the same frame; a volume is one frame."""
    if table.dims == 2:
        frames = {after["f"] for _, _, after in named if after is not None}
        return [row for frame in frames for row in table.rows(frame).tolist()]
    names = {after["t"] for _, _, after in named if after is not None}
    codes = [code for code, name in enumerate(table.tracks) if name in names]
    return np.flatnonzero(table.alive[: table.size] & np.isin(table.track[: table.size], codes)).tolist()


def check_mapping(given: Any, what: str) -> Mapping[str, Any]:
    """A dict from what a caller gives. Raises LabelError."""
    if not isinstance(given, Mapping):
        raise LabelError(f"{what} are a dict such as {{'nose': (12.5, 40.0)}}, not {shown(given)}")
    return given
