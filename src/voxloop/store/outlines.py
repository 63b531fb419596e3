"""Outlines of other programs as labels, and back: one edit from whatever file. Knows no file format's details."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box
from voxloop.store.classes import plain_name
from voxloop.store.planes import Plane
from voxloop.store.shapes import inside, parts_of, thick_line
from voxloop.store.strokes import PlaneMask

if TYPE_CHECKING:
    from pathlib import Path

    from voxloop.store.edit import Edit
    from voxloop.store.label_contract import OpenLabels


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One annotation on one slice.

    ``rings`` are closed outlines (row, column) in voxel centres, of which voxels inside an odd number are meant; a
    ``mask`` says it voxel by voxel instead. ``kind`` is ``"area"``, ``"line"`` or ``"point"``. ``object`` tells
    annotations of one object from others; None where each is its own.
    """

    rings: Sequence[np.ndarray] = ()
    mask: PlaneMask | None = None
    kind: str = "area"
    width: float = 0.0
    name: str = ""
    label: str | None = None  # the class, where the file has a place for it
    value: int | None = None
    slice: int | None = None
    hole: bool = False
    object: str | None = None


def load(
    labels: OpenLabels,
    outlines: Sequence[Outline],
    path: Path,
    zero: str | None,
    values: Mapping[Any, Any] | None,
    *,
    overwrite: bool,
    index: int | None = None,
    line_width: float | None = None,
) -> Edit:
    """Fill the outlines of a file as one edit; what lies outside stays as it is.

    The class of an outline is what the file says it is (through ``values`` where that names another), else the class
    that its name begins with, else the only foreground class. In a level of instances every outline becomes an object;
    outlines of one name on several slices become the same. ``index`` is the slice of outlines that name none;
    ``line_width`` the pixels with which lines and points are drawn, 0 to leave them out.
    """
    if zero == "background":
        raise LabelError(f"{path.name} does not say that the rest is background; load it with zero='unlabelled'")
    lines = [one for one in outlines if one.kind != "area" and not one.width]
    if lines and line_width is None:
        kinds = ", ".join(f"{one.name or 'one without a name'!r} ({one.kind})" for one in lines[:4])
        more = f" and {len(lines) - 4} more" if len(lines) > 4 else ""
        raise LabelError(
            f"{path.name} holds outlines that are no areas: {kinds}{more}; line_width=3 draws them three pixels wide, "
            "line_width=0 leaves them out"
        )
    numbers: dict[Any, int] = {}
    seen: dict[Any, int] = defaultdict(int)
    drawn: list[tuple[Box, np.ndarray, int]] = []
    for one in outlines:
        place = _slice(one, labels, index)
        plane = Plane("z", place, labels.shape, labels.spacing_um)
        mask = _mask(one, plane, line_width or 0)
        if mask is None:
            continue
        box, solid = plane.place(mask)
        seen[one.name, place] += 1
        value = 0 if one.hole else _value(one, labels, values or {}, numbers, seen[one.name, place])
        drawn.append((box, solid, value))
    if not drawn:
        raise LabelError(f"{path} holds no outline that lies on the image")
    return fill_drawn(labels, drawn, overwrite, {"source": str(path), "outlines": len(drawn)})


def outlines_of(labels: OpenLabels) -> list[tuple[int, int, int, list[tuple[bool, np.ndarray]]]]:
    """(slice, value, number on the slice, its rings with whether they are holes) of all that is labelled."""
    slices = sorted({z for touched in labels.touched() for z in range(touched.box.start[0], touched.box.stop[0])})
    found = []
    for z in slices:
        values = labels.plane("z", z)
        for value in np.unique(values[values > 0]).tolist():
            for number, rings in enumerate(parts_of(values == value), 1):
                found.append((z, int(value), number, rings))
    if not found:
        raise LabelError("nothing is labelled, so there is no outline to save")
    return found


def name_of(labels: OpenLabels, value: int) -> str:
    """The class of a value, or ``object 7``."""
    named = [item.name for item in labels.level.classes if item.value == value]
    return named[0] if named else f"object {value}"


def _mask(one: Outline, plane: Plane, line_width: float) -> PlaneMask | None:
    if one.mask is not None:
        return one.mask
    if one.kind == "area":
        return inside([ring for ring in one.rings if len(ring) > 2], plane.size)
    width = one.width or line_width
    return thick_line(one.rings, width, plane.size, dots=one.kind == "point") if width > 0 else None


def _slice(one: Outline, labels: OpenLabels, index: int | None) -> int:
    if one.slice is not None:
        if not 0 <= one.slice < labels.shape[0]:
            raise LabelError(
                f"outline {one.name!r} lies on slice {one.slice + 1}, the image has {labels.shape[0]}; is it another's?"
            )
        return one.slice
    if index is not None or labels.shape[0] == 1:
        return index or 0
    raise LabelError(f"outline {one.name!r} names no slice; say which with index=")


def _value(one: Outline, labels: OpenLabels, values: Mapping[Any, Any], numbers: dict[Any, int], turn: int) -> int:
    """The label value of an outline. ``turn`` counts outlines of its name on the slice: two of them are two objects."""
    if labels.level.kind == "instances":
        key: Any = ("object", one.object) if one.object is not None else (one.name, turn)
        if not one.name and one.object is None:
            key = id(one)
        return numbers.setdefault(key, labels.next_id() + len(numbers))
    wanted = _class_named(one, labels, values)
    if wanted is not None:
        return wanted
    classes = labels.level.classes
    if one.value is not None and any(item.value == one.value for item in classes):
        return labels.paintable(one.value)
    for item in sorted(classes, key=lambda item: -len(item.name)):
        if plain_name(one.name).lower().startswith(item.name.lower()):
            return labels.paintable(item.value)
    foreground = [item for item in classes if not item.background]
    if len(foreground) != 1:
        raise LabelError(
            f"outline {one.name!r} does not say its class; let its name begin with one of "
            f"{', '.join(repr(item.name) for item in classes)}"
        )
    return labels.paintable(foreground[0].value)


def _class_named(one: Outline, labels: OpenLabels, values: Mapping[Any, Any]) -> int | None:
    """The value of the class that the file names; None where it names none. Raises LabelError for one that is none."""
    if one.label is None:
        return None
    label = plain_name(one.label)
    given = {plain_name(str(key)): value for key, value in values.items()}
    chosen = given.get(label, label)
    if chosen in (0, None, "unlabelled"):
        return 0
    there = [item.name for item in labels.level.classes]
    if isinstance(chosen, str):
        alike = [name for name in there if name.lower() == plain_name(chosen).lower()]
        if not alike:
            raise LabelError(
                f"{unknown('class', chosen, there)}; add it, or say which of yours it is: values={{{label!r}: ...}}"
            )
        chosen = alike[0]
    return labels.paintable(chosen)


def fill_drawn(
    labels: OpenLabels, drawn: Sequence[tuple[Box, np.ndarray, int]], overwrite: bool, note: dict[str, Any]
) -> Edit:
    """One edit of areas: boxes one slice deep, the voxels in each, and the label that they get."""
    by_slice: dict[int, list[tuple[Box, np.ndarray, int]]] = defaultdict(list)
    chunks: set[Box] = set()  # whole ones, so that every block comes up once
    for box, solid, value in drawn:
        by_slice[box.start[0]].append((box, solid, value))
        chunks.update(box.aligned(labels.chunks).clip(labels.shape).blocks(labels.chunks))

    def proposal(part: Box, current: np.ndarray) -> np.ndarray:
        new = np.zeros_like(current)
        for z in range(part.start[0], part.stop[0]):
            for box, solid, value in by_slice.get(z, ()):
                both = box.meet(part)
                if both is not None:
                    new[both.within(part).slices][solid[both.within(box).slices]] = value
        return np.where((new > 0) if overwrite else (new > 0) & (current == 0), new, current)

    return labels.edit("load", sorted(chunks, key=lambda box: box.start), proposal, note)
