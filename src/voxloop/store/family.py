"""Levels inside of others: what of a child lies outside of its parent, and taking that away. Knows no files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box
from voxloop.store.guard import inside

if TYPE_CHECKING:
    from voxloop.store.edit import Edit
    from voxloop.store.labels import Labels

#: what becomes of a child's labels where an edit takes their parent away
Children = Literal["keep", "crop"]
_WITH = "with"
Parent = tuple["Labels", int]


def as_children(given: object) -> Children | None:
    """``"keep"``, ``"crop"`` or None from what a caller gives. Raises LabelError."""
    if given is not None and not (isinstance(given, str) and given in ("keep", "crop")):
        raise LabelError(unknown("children", given, ("keep", "crop")))
    return given  # type: ignore[return-value]


def outside(labels: Labels, parent: Parent, part: Box | None = None) -> int:
    """Labelled voxels that do not lie inside of ``parent``, in a box or everywhere; costs what is labelled."""
    count = 0
    for box in _labelled(labels, part):
        values = labels.read(box)
        count += int(np.count_nonzero((values > 0) & ~inside(*parent, box)))
    return count


def crop(labels: Labels, parent: Parent, part: Box | None = None, *, along: Labels | None = None) -> Edit:
    """Take away what does not lie inside of ``parent``: one edit. Locked classes stay.

    ``along`` is the parent's labels where undo of their last edit is to bring this back as well.
    """
    boxes = list(_labelled(labels, part)) or [Box.whole((0, 0, 0))]

    def proposal(box: Box, current: np.ndarray) -> np.ndarray:
        return np.where(inside(*parent, box), current, 0)

    above, value = parent
    arguments: dict[str, Any] = {"parent": above.level.name, "value": value}
    if along is not None:
        arguments[_WITH] = [along.level.folder, along.sequence]
    return labels.edit("crop", boxes, proposal, arguments, confined=False)


def settle(labels: Labels, children: Sequence[Labels], edit: Edit, what: Children | None) -> Edit:
    """Say how much of the children lies outside since an edit of their parent; crop them where that is wished."""
    lost: dict[str, int] = {}
    for child in children if edit.voxels else ():
        parent = child.parent
        count = 0 if parent is None else outside(child, parent, edit.box)
        if not count or parent is None:
            continue
        if what == "crop":
            crop(child, parent, edit.box, along=labels)
        else:
            lost[child.level.name] = count
    return replace(edit, outside=lost) if lost else edit


def follow(labels: Labels, children: Sequence[Labels], edit: Edit, of: Sequence[int], *, back: bool) -> Edit:
    """Undo, or make again, what children were cropped by along with the edits ``of`` of their parent."""
    for child in children:
        if child.read_only:
            continue
        cropped = child.next_step(back=back).get("arguments", {}).get(_WITH)
        if cropped and cropped[0] == labels.level.folder and cropped[1] in of:
            child.undo() if back else child.redo()
    return settle(labels, children, edit, None)


def _labelled(labels: Labels, part: Box | None) -> Iterator[Box]:
    for chunk in labels.touched():
        box = chunk.box if part is None else chunk.box.meet(part)
        if box is not None:
            yield box
