"""Skeletons of webKnossos (nml) as points: seeds of objects, or places of classes. Knows no painted volume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.outlines import Outline
from voxloop.store.webknossos import parsed

if TYPE_CHECKING:
    from voxloop.store.label_contract import OpenLabels


def read(path: Path, labels: OpenLabels) -> list[Outline]:
    """The nodes of a skeleton as points, each tree with its name. Raises LabelError."""
    root = parsed(path.read_bytes(), path)
    points = []
    for tree in root.iter("thing"):
        name = tree.get("name") or f"tree {tree.get('id')}"
        for node in tree.iter("node"):
            try:
                x, y, z = (float(node.get(axis, "nan")) for axis in "xyz")
                place = int(z)
            except (ValueError, OverflowError):
                raise LabelError(f"{path} has a node of {name!r} without a place") from None
            if not np.isfinite([x, y]).all():
                raise LabelError(f"{path} has a node of {name!r} without a place")
            ring = np.array([[y, x]])
            points.append(Outline(rings=[ring], kind="point", name=name, slice=place, object=name))
    if not points:
        raise LabelError(f"{path} holds no nodes")
    return points
