"""Images and time series of volumes, with their labels, as one file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.volumes.series import save_series

if TYPE_CHECKING:
    from voxloop.workspace.project import Project


def series_of(project: Project) -> dict[str, list[str]]:
    """The images of each time series, by time."""
    found: dict[str, list[str]] = {}
    for name in project.images.names:
        if series := project.images.info(name).series:
            found.setdefault(series, project.images.times(name))
    return found


def export_labels_in_time(
    project: Project, level: str, series: str, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write the labels of all time points of a series as one file. Raises VolumeError."""
    return save_series(
        [project.labels(level, name).as_volume() for name in series_of(project)[series]], path, overwrite=overwrite
    )


def export_pictures(project: Project, what: str, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an image, or all time points of a series, as one file; OME-Zarr with the labels. Raises VolumeError."""
    names = series_of(project).get(what, [what])
    labels = {}
    if str(path).lower().endswith(".zarr"):
        labels = {
            level: [project.labels(level, name).as_volume() for name in names] for level in project.levels.painted
        }
    return save_series([project.images.open(name) for name in names], path, labels=labels, overwrite=overwrite)
