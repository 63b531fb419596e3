"""Labels painted in napari, back in their workspace as one edit that can be undone there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.napari.reading import NOTE
from voxloop.workspace.workspace import Workspace

if TYPE_CHECKING:
    import napari.layers


def keep_labels(layer: napari.layers.Labels, *, anyway: bool = False) -> str:
    """Write what was painted in a layer into the workspace that it came from; what was done, in words.

    It is one edit in the journal: ``ws.labels(...).undo()`` takes it back.

    Parameters
    ----------
    layer
        A layer of labels that the plugin opened.
    anyway
        Write also where labels were edited in the workspace since the layer was opened; the layer wins then.

    Raises
    ------
    LabelError
        The layer is of no workspace, holds values that are no class, or the labels were edited elsewhere meanwhile.
    ReadOnlyError
        Somebody else writes the workspace, such as a notebook; the sentence says who.
    """
    note = dict(layer.metadata.get(NOTE) or {})
    if "level" not in note or not hasattr(layer, "selected_label"):
        raise LabelError(
            "this layer is of no workspace; choose one that the plugin opened, or use vl.from_napari(viewer)"
        )
    if not note.get("editable"):
        raise LabelError("these labels are too large to be painted in napari; paint them in the workbench")
    with Workspace.open(note["workspace"]) as ws:
        ws.store.check_writable()
        labels = ws.labels(note["level"], note["image"])
        if labels.sequence != note["sequence"] and not anyway:
            raise LabelError(
                f"{note['level']!r} was edited in the workspace since this layer was opened; open the workspace again, "
                "or say anyway=True and the layer wins"
            )
        painted, known = np.asarray(layer.data), labels.read()
        if painted.shape != known.shape:
            raise LabelError(f"the layer has shape {painted.shape}, the labels {known.shape}; open the workspace again")
        changed = _changed(painted, known)
        if changed is None:
            return f"nothing was painted in {note['level']!r} since it was opened"
        labels.write(changed.slices, painted[changed.slices].astype(known.dtype))
        labels.flush()
        count = int((painted != known).sum())
        layer.metadata = {**layer.metadata, NOTE: {**note, "sequence": labels.sequence}}
    words = f"{count:,} voxels of {note['level']!r} kept in {note['workspace']}"
    _tell(words)
    return words


def _changed(painted: np.ndarray, known: np.ndarray) -> Box | None:
    """The box around all voxels that differ; None where none does."""
    differs = painted != known
    bounds = []
    for axis in range(3):
        along = np.flatnonzero(differs.any(axis=tuple(other for other in range(3) if other != axis)))
        if not along.size:
            return None
        bounds.append((int(along[0]), int(along[-1]) + 1))
    (z0, z1), (y0, y1), (x0, x1) = bounds
    return Box((z0, y0, x0), (z1, y1, x1))


def _tell(words: str) -> None:
    """Say it in napari, where that is running."""
    import sys

    notifications: Any = sys.modules.get("napari.utils.notifications")
    if notifications is not None:
        notifications.show_info(words)
