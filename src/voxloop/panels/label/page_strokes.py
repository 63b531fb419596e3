"""What is drawn on a picture becomes edits of the labels that it was drawn on, each stroke once. Knows no widget.

A stroke may come late: sent again after a lost answer, or handed over by a page whose kernel went before it said that
the stroke is on disk. So it names its labels, and its edits name it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from voxloop.errors import LabelError, VoxloopError
from voxloop.panels.label.tools import SHAPES, stroke_call
from voxloop.panels.view.ink import StrokePiece
from voxloop.store.drawn import Drawn, marked

if TYPE_CHECKING:
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace


def place_of(ws: Workspace, labels: Labels) -> str:
    """What strokes on these labels name as their place; nothing where nobody here may paint."""
    if labels.read_only:
        return ""
    return json.dumps([str(ws.path.resolve()), labels.image, labels.level.name])


def labels_at(ws: Workspace, place: str, shown: Labels) -> Labels:
    """The labels that a stroke was drawn on; those on show where it names none. Raises LabelError."""
    if not place:
        return shown
    try:
        path, image, level = json.loads(place)
    except ValueError as error:
        raise LabelError(f"this stroke does not say what it was drawn on: {place[:80]!r}") from error
    if path != str(ws.path.resolve()):
        raise LabelError(f"this stroke was drawn in another workspace: {path}")
    if (image, level) == (shown.image, shown.level.name):
        return shown
    return ws.labels(level, image)


def paint(labels: Labels, piece: StrokePiece) -> int:
    """Paint a piece of a stroke; the number of its edit. Raises what the store raises."""
    joined = piece.joined and piece.tool not in SHAPES
    with marked(piece.id, piece.count):
        edit = stroke_call(piece).make(labels, joined=joined)
    return labels.sequence if edit is None else edit.sequence


def take_back(labels: Labels, stroke: str, undo: Callable[[], object]) -> None:
    """Undo what a stroke that the hand took back has painted; one that changed nothing made no edit to undo."""
    drawn = labels.drawn(stroke)
    if drawn is not None and drawn.newest:
        undo()


def recall(ws: Workspace, stroke: str, place: str, shown: Labels) -> Drawn | None:
    """What is on record of a stroke that was drawn before this panel was there.

    None also where its labels cannot be had: painting it says why.
    """
    with suppress(VoxloopError):
        return labels_at(ws, place, shown).drawn(stroke)
    return None
