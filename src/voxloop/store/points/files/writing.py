"""Write points and boxes for other programs, by the ending of the name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import LabelError, unknown
from voxloop.given import flag, path_of
from voxloop.store.points.files import coco_file, csv_file, sleap_file

if TYPE_CHECKING:
    from voxloop.store.points.placed_labels import PlacedLabels

_BY_SUFFIX = {".slp": "slp", ".h5": "analysis", ".nwb": "nwb", ".json": "coco", ".csv": "csv"}
_FORMATS = (*_BY_SUFFIX.values(), "labelstudio", "package")


def save(
    marks: PlacedLabels,
    path: str | Path,
    *,
    format: str | None = None,
    predicted: bool | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a file that other programs open; where it lies.

    Parameters
    ----------
    path
        ``.slp`` (SLEAP), ``.pkg.slp`` (with the pictures of its frames in it), ``.h5`` (its analysis HDF5, an array of
        every track), ``.nwb``, ``.json`` (COCO keypoints or boxes), ``.csv`` (a row an instance).
    format
        ``"labelstudio"`` for ``.json`` of Label Studio.
    predicted
        True: only predictions; False: only what a person said; None: both.

    Raises
    ------
    LabelError
        There is a file already, or the format cannot hold what is here.
    """
    path = path_of(path, error=LabelError)
    kind = format or ("package" if path.name.lower().endswith(".pkg.slp") else _BY_SUFFIX.get(path.suffix.lower()))
    if kind not in _FORMATS:
        raise LabelError(unknown("format", format or path.suffix, [*_BY_SUFFIX, "labelstudio"]))
    if path.exists() and not flag("overwrite", overwrite, error=LabelError):
        raise LabelError(f"{path} is there already; overwrite=True replaces it")
    if kind != "csv" and not marks.framed:
        raise LabelError(f"image {marks.image!r} is a volume, and {path.suffix} holds frames only; .csv holds it")
    if kind not in ("csv", "coco") and marks.level.kind != "points":
        raise LabelError(f"{path.suffix} holds points only; boxes go into .json (COCO) or .csv")
    if not len(marks):
        raise LabelError(f"level {marks.level.name!r} holds nothing on {marks.image!r}, so there is nothing to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "csv":
            csv_file.write(marks, path, predicted)
        elif kind == "coco":
            coco_file.write(marks, path, predicted)
        else:
            path.unlink(missing_ok=True)
            sleap_file.write(marks, path, kind, predicted)  # type: ignore[arg-type]
    except OSError as error:
        raise LabelError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error
    return path
