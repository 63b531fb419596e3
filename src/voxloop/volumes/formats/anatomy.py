"""Voxels put in the order of a patient's axes, so that masks of another orientation lie on them. Knows no format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.volumes.formats.contract import LazyArray
from voxloop.volumes.formats.numbers import Turned
from voxloop.volumes.metadata import Notes

#: x rises to the left, y to the back, z to the head: ITK, DICOM, NRRD of 3D Slicer
LPS = "LPS"


def oriented(
    array: LazyArray, letters: str, directions: Sequence[np.ndarray | None], notes: Notes
) -> tuple[str, LazyArray]:
    """Letters of the stored axes and the array with those turned that run against x, y, z.

    ``directions`` are those in which the stored axes rise (None for time and channels), in the order of the axes.
    Raises ValueError where two of them rise along the same axis of the body.
    """
    names, backwards = list(letters), [False] * len(letters)
    for place, direction in enumerate(directions):
        if direction is None:
            continue
        along = int(np.argmax(np.abs(direction)))
        names[place] = "xyz"[along]
        backwards[place] = direction[along] < 0
    if len(set(names)) != len(names):
        raise ValueError("two axes run the same way")
    return in_order(array, letters, names, backwards, "the file says it lies", notes)


def in_order(
    array: LazyArray, axes: str, letters: Sequence[str], backwards: Sequence[bool], told_by: str, notes: Notes
) -> tuple[str, LazyArray]:
    """The ``letters`` of the stored axes, read as ``axes``, and the array with those turned that run ``backwards``.

    What is done is a remark, with the words for what tells it.
    """
    if list(letters) != list(axes):
        notes.remarks.append(f"its axes are stored as {''.join(letters)} and put in order, as {told_by}")
    if not any(backwards):
        return "".join(letters), array
    turned = ", ".join(letter for letter, back in zip(letters, backwards, strict=True) if back)
    notes.remarks.append(f"turned round along {turned}, as {told_by}, so that masks of any orientation fit")
    return "".join(letters), Turned(array, backwards)
