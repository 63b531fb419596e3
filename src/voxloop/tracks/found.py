"""What a run found, as columns of places; boxes as their two corners."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxloop.errors import PredictionError


def found_columns(run_path: Path, image: str | None = None) -> dict[str, np.ndarray] | None:
    """``frame``, ``points`` (n, nodes, axes; voxels) and ``scores`` (n,) of what was found.

    ``image``: of a run that looked at several; None is returned where it did not come to that one.
    """
    from voxloop.prediction.found import FoundPlaces, open_result
    from voxloop.prediction.found_batch import FoundBatch

    found = open_result(run_path)
    if isinstance(found, FoundBatch) and image is not None:
        if image not in found:
            return None
        found = found[image]
    if not isinstance(found, FoundPlaces):
        raise PredictionError(f"run {run_path.name!r} tells classes of pictures, which have no places to link")
    columns = found.arrays()
    at = columns["points"]
    if found.by_class:
        # one channel is there, that of the class
        at = np.nanmean(at, axis=1)[:, None] if len(at) else at[:, :1]
    if found.kind == "boxes":
        half = columns["extents"][:, None]
        at = np.concatenate([at - half, at + half], axis=1)
    return {"frame": columns["frame"], "points": at, "scores": columns["scores"]}
