"""What was said of tiles of an earlier grid, for the tiles of this one: kept by place. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from voxloop.store.catalogue.entry import ItemEntry
from voxloop.store.catalogue.items import Items, read_tile

#: of a tile, as much of it must have been seen
LEAST = 0.5


def inherited(items: Items, entries: Mapping[str, ItemEntry]) -> tuple[dict[int, ItemEntry], int]:
    """What earlier tiles say of these, by place, and how many of the earlier ones fit none.

    A tile takes over what was said of the one that covers most of it, half at least; the newest of several.
    """
    found: dict[int, ItemEntry] = {}
    share: dict[int, tuple[float, str]] = {}
    left = 0
    for name, entry in entries.items():
        if name in items.places:
            continue
        old = read_tile(name)
        fits = False
        for at, covered in _over(items, old) if old else ():
            if items.names[at] in entries:
                fits = True
                continue
            fits = fits or covered >= LEAST
            if covered >= LEAST and (covered, entry.time) > share.get(at, (0.0, "")):
                share[at], found[at] = (covered, entry.time), entry
        left += not fits
    return found, left


def _over(items: Items, old: tuple[str, int | None, tuple[int, int, int, int]]) -> list[tuple[int, float]]:
    """Places of the tiles that an earlier one touches, and the share of each that it covers."""
    image, frame, (top, bottom, left, right) = old
    own = items.of_image(image)
    if not own.size:
        return []
    box = items.boxes[own]
    rows = np.minimum(box[:, 3], bottom) - np.maximum(box[:, 2], top)
    columns = np.minimum(box[:, 5], right) - np.maximum(box[:, 4], left)
    area = (box[:, 3] - box[:, 2]) * (box[:, 5] - box[:, 4])
    covered = np.clip(rows, 0, None) * np.clip(columns, 0, None) / area
    if frame is not None:
        covered = np.where(box[:, 0] == frame, covered, 0)
    which = np.flatnonzero(covered > 0)
    return list(zip(own[which].tolist(), covered[which].tolist(), strict=True))
