"""Images and time series of volumes, with their labels, as one file for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError, unknown
from voxloop.volumes import open_volume, shape_zyx
from voxloop.volumes.series import save_series

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.workspace.project import Project


def series_of(project: Project) -> dict[str, list[str]]:
    """The images of each time series, by time."""
    found: dict[str, list[str]] = {}
    for name in project.images.names:
        if series := project.images.info(name).series:
            found.setdefault(series, project.images.times(name))
    return found


def export_labels_in_time(
    project: Project, level: str, series: str, path: str | Path, *, overwrite: bool = False, ngff: str = "0.5"
) -> Path:
    """Write the labels of all time points of a series as one file. Raises VolumeError."""
    volumes = [project.labels(level, name).as_volume() for name in series_of(project)[series]]
    return save_series(volumes, path, overwrite=overwrite, ngff=ngff)


def export_pictures(
    project: Project,
    what: str,
    path: str | Path,
    *,
    predictions: Sequence[str] = (),
    overwrite: bool = False,
    ngff: str = "0.5",
) -> Path:
    """Write an image, or all time points of a series, as one file; OME-Zarr with labels and predictions.

    Raises VolumeError, and PredictionError for a prediction that is of another image, or of a part of this one.
    """
    names = series_of(project).get(what, [what])
    labels: dict[str, Sequence[DataArray]] = {}
    if str(path).lower().endswith(".zarr"):
        labels = {
            level: [project.labels(level, name).as_volume() for name in names] for level in project.levels.painted
        }
    for name in predictions:
        labels[_free(name, labels)] = [_found(project, name, names)]
    pictures = [project.images.open(name) for name in names]
    return save_series(pictures, path, labels=labels, overwrite=overwrite, ngff=ngff)


def _found(project: Project, name: str, images: Sequence[str]) -> DataArray:
    """The labels of a prediction of this very image."""
    if name not in project.predictions:
        raise PredictionError(unknown("prediction", name, project.predictions))
    prediction = project.predictions[name]
    if list(images) != [prediction.image]:
        raise PredictionError(
            f"prediction {name!r} is of image {prediction.image!r}; put it beside that one, or export it by itself"
        )
    if prediction.labels.shape != shape_zyx(project.images.open(prediction.image)):
        raise PredictionError(f"prediction {name!r} is of a part of the image; export it by itself")
    return open_volume(prediction.path / f"labels/{prediction.level}").assign_attrs(kind="labels")


def _free(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name} (prediction)"
