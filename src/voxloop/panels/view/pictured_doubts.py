"""Strokes that models contradict, each with a small picture of its place. Judges nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxloop.geometry import AXES, Box
from voxloop.panels.view.thumbnails import thumbnail

if TYPE_CHECKING:
    from voxloop.review import Doubt
    from voxloop.workspace.workspace import Workspace

#: a stroke, and a small picture of its place as markup
PicturedDoubt = tuple["Doubt", str]
#: voxels to a side that the small picture of a stroke shows at least
_PICTURED = 48


def look_for_doubts(ws: Workspace, run: str | None = None) -> list[PicturedDoubt]:
    """Strokes that models contradict, each with a small picture of its place as markup; off the UI thread.

    ``run`` names the training that is asked; the newest where not given.
    """
    doubts = ws.doctor(run=run)
    volumes = {name: ws.images.open(name) for name in {doubt.image for doubt in doubts}}
    return [
        (doubt, thumbnail(volumes[doubt.image], _plane_around(doubt, volumes[doubt.image].shape[-3:])))
        for doubt in doubts
    ]


def place_of(doubt: Doubt) -> tuple[Box, str, int]:
    """Where a stroke lies, the axis across its plane, and which plane that is."""
    start, stop = zip(*((part.start, part.stop) for part in doubt.region), strict=True)
    box = Box(start, stop)
    axis = min(AXES, key=lambda name: box.along(name).stop - box.along(name).start)
    return box, axis, box.centre[AXES.index(axis)]


def _plane_around(doubt: Doubt, shape: Sequence[int]) -> Box:
    """The piece of its plane that a picture of a stroke shows, in a volume of this shape."""
    box, axis, index = place_of(doubt)
    half = max(_PICTURED, *box.shape) // 2
    square = Box.at(box.centre, (1, 1, 1)).grow((half, half, half)).clip(shape)
    return square.cut(axis, index, index + 1)
