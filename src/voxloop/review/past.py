"""Labels as they were in an earlier round: brought back by an edit, or as a level of their own. Reads the journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.store import open_labels

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels, Level
    from voxloop.store.levels import Levels

#: what the journal calls an edit that brings an earlier state back
RESTORE = "restore"


class LabelHolder(Protocol):
    """What holds labels and levels: a Workspace or a Store."""

    @property
    def path(self) -> Path: ...
    @property
    def levels(self) -> Levels: ...
    def labels(self, level: str | None = None, image: str | None = None) -> Labels: ...


def restore(ws: LabelHolder, states: Mapping[str, int], why: Mapping[str, Any]) -> list[Edit]:
    """Make labels what they were: one edit an image, which undo takes back. Locked classes stay as they are.

    Parameters
    ----------
    states
        ``"level/image"`` to the number of the edit after which they are wanted.
    why
        What the journal notes beside that number.

    Returns
    -------
    list of Edit
        Those that changed anything.
    """
    edits = []
    for key, sequence in states.items():
        level, _, image = key.partition("/")
        labels = ws.labels(level, image)
        with open_labels(ws.path, level, image, at=sequence) as before:
            edit = _copy(before, labels, {**why, "edit": sequence})
        if edit is not None:
            edits.append(edit)
    return edits


def branch(ws: LabelHolder, states: Mapping[str, int], name: str, why: Mapping[str, Any]) -> Level:
    """A new level that holds labels as they were, with the classes that their level has now; the old one stays.

    Raises LabelError where the states are those of several levels, or the name is taken.
    """
    sources = {key.partition("/")[0] for key in states}
    if len(sources) != 1:
        raise LabelError(f"a branch is of one level; this round learned from {', '.join(sorted(sources)) or 'none'}")
    source = ws.levels[sources.pop()]
    made = ws.levels.add(name, [one.model_dump() for one in source.classes], parent=source.parent, kind=source.kind)
    try:
        for key, sequence in states.items():
            level, _, image = key.partition("/")
            with open_labels(ws.path, level, image, at=sequence) as before:
                _copy(before, ws.labels(made.name, image), {**why, "level": level, "edit": sequence})
    except BaseException:
        ws.levels.remove(made.name)  # half a branch is none
        raise
    return made


def _copy(before: Labels, labels: Labels, arguments: dict[str, Any]) -> Edit | None:
    """Make ``labels`` equal to ``before``; None where they are already."""
    boxes = {one.box.start: one.box for one in (*before.touched(), *labels.touched())}
    if not boxes:
        return None

    def proposal(part: Box, current: np.ndarray) -> np.ndarray | None:
        wanted = before.read(part)
        return None if np.array_equal(wanted, current) else wanted

    edit = labels.edit(RESTORE, list(boxes.values()), proposal, arguments)
    return edit if edit.voxels else None
