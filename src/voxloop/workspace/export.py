"""The verbs ``export`` and ``export_model``: what other programs read of a workspace. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voxloop.errors import ModelError, PredictionError, VoxloopError, WorkspaceError, unknown
from voxloop.given import flag, path_of, shown
from voxloop.runs import Run
from voxloop.store.points.placed_labels import PlacedLabels
from voxloop.store.values import text
from voxloop.volumes import open_volume, save_volume
from voxloop.volumes.multiscale import NGFF, check_ngff
from voxloop.workspace.choices import one_image, part_of
from voxloop.workspace.in_time import export_labels_in_time, export_pictures, series_of
from voxloop.workspace.project import Project
from voxloop.workspace.track import export_tracks

if TYPE_CHECKING:
    from voxloop.deep.exchange.package import Package
    from voxloop.objects import Objects
    from voxloop.prediction import Prediction
    from voxloop.shallow.onnx_package import ClassifierPackage

Kind = Literal["labels", "probabilities", "uncertainty", "objects"]
#: voxels (z, y, x) of the piece of an image that a package is tried with, at most
_SAMPLE = (32, 256, 256)


def export(
    project: Project,
    what: str,
    path: str | Path,
    *,
    kind: Kind = "labels",
    image: str | None = None,
    region: object = None,
    number: int | None = None,
    predictions: Sequence[str] = (),
    ngff: Literal["0.5", "0.4"] = "0.5",
    overwrite: bool = False,
) -> Path:
    """Write a prediction, objects, labels, an image or a trained network for other programs.

    Parameters
    ----------
    what
        Name of a prediction, of a run that made objects or trained a network, of a label level, of an image or of a
        time series of volumes, all of whose time points go into one file (``.zarr``, ``.ome.tif``, ``.tif``). Of an
        image, ``.zarr`` holds the labels as well.
    path
        The suffix decides: ``.zarr`` (OME-Zarr), ``.ome.tif``, ``.tif``, ``.h5``. Objects, those of a prediction
        whose network learnt them included, also as a table (``.csv``, ``.parquet``; with intensities where the
        image is there) and, one of them, as a mesh (``.ply``, ``.obj``); labels also as ``.npy`` and ImageJ ROI
        set (``.zip``). Tracks as a table (``.csv``, ``.parquet``, ``.xlsx``) or, without a suffix, a folder as of the
        Cell Tracking Challenge: masks and ``res_track.txt``. Networks as bioimage.io package, pixel classifiers as
        ONNX with a recipe of features (``.zip``).
    kind
        What of a prediction; ``"objects"`` where its network learnt them.
    image
        Whose labels of a level; the only one where not given. Of a time series: its labels of all time points.
    region
        What of a prediction: slices (z, y, x) in voxels, a region of ``ws.regions`` or its name; what was predicted
        where not given. The file knows where in the image it lies, where its format can say so.
    number
        Which object is to be a mesh.
    predictions
        Of an image in OME-Zarr: predictions of it that lie beside its labels.
    ngff
        Version of OME-Zarr; ``"0.4"`` is what Fiji and older programs read.

    Raises
    ------
    PredictionError, VolumeError, LabelError
        There is no such thing, or the path exists and ``overwrite`` is false.

    Examples
    --------
    >>> ws.export("predict-1", "cells.ome.zarr")
    PosixPath('cells.ome.zarr')
    >>> ws.export("objects-1", "cells.csv")
    PosixPath('cells.csv')
    >>> ws.export("labels", "cells.ome.zarr")
    Traceback (most recent call last):
    ...
    voxloop.errors.LabelError: cells.ome.zarr exists; choose another name or say overwrite=True
    """
    from voxloop.objects.result import MESHES
    from voxloop.objects.table_files import TABLES

    what, overwrite = text("what", what, error=PredictionError), flag("overwrite", overwrite, error=PredictionError)
    path, beside = path_of(path, error=PredictionError), _names(predictions)
    version = check_ngff(ngff, is_zarr=path.suffix.lower() == ".zarr")
    if beside and (what in project.predictions or what in project.levels.names or what in project.runs):
        raise PredictionError(f"predictions= lie beside an image, and {what!r} is none; leave it out")
    made_objects = [name for name, run in project.runs.items() if run.kind == "objects"]
    if what in project.predictions:
        prediction = project.predictions[what]
        if kind != "objects" and Path(path).suffix.lower() not in (*TABLES, *MESHES):
            return _export_voxels(project, prediction, path, kind, region, overwrite, version)
        if region is not None:
            raise PredictionError("objects are exported as they were made; make those of a region with ws.objects")
        shown = project.images.open(prediction.image) if prediction.image in project.images.names else None
        return prediction.objects.export(path, image=shown, number=number, overwrite=overwrite)
    if what in project.runs and project.runs[what].kind == "tracks":
        return export_tracks(project, project.runs[what].result, Path(path), overwrite)
    if region is not None:
        raise PredictionError(f"region= is of predictions, and {what!r} is none; leave it out")
    if what in made_objects:
        run = project.runs[what]
        shown = project.images.open(one_image(project.store, run.config.get("image")))
        objects: Objects = run.result
        return objects.export(path, image=shown, number=number, overwrite=overwrite)
    if what in project.levels.names:
        if image is not None and image not in project.images and image in list(series_of(project)):
            return export_labels_in_time(project, what, image, path, overwrite=overwrite, ngff=version)
        if not project.levels[what].raster:
            return _marks(project, what, image, path, overwrite)
        labels = project.labels(what, image)
        if version != NGFF[0]:
            return save_volume(labels.as_volume(), path, kind="labels", overwrite=overwrite, ngff=ngff)
        return labels.save(path, overwrite=overwrite)
    if what in project.runs:
        return export_model(project, what, path, overwrite=overwrite).path
    pictures = [*project.images.names, *series_of(project)]
    if what in pictures:
        return export_pictures(project, what, path, predictions=beside, overwrite=overwrite, ngff=version)
    names = dict.fromkeys([*project.predictions, *made_objects, *project.levels.names, *project.runs, *pictures])
    raise PredictionError(unknown("prediction, objects, level, run or image", what, names))


def _names(given: object) -> list[str]:
    """Names of predictions as they were given. Raises PredictionError."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list | tuple):
        raise PredictionError(f"predictions={shown(given)} are no names; give a list of texts")
    return [text("predictions", one, error=PredictionError) for one in given]


def export_model(
    project: Project, run: Run | str, path: str | Path, *, overwrite: bool = False, **settings: Any
) -> Package | ClassifierPackage:
    """Write the model of a run as a ``.zip`` that other programs open.

    A network becomes a bioimage.io package. Its test tensors are a piece of the first image; bioimageio.core computes
    them again from the package. See :func:`voxloop.bioimageio.export_package` for ``settings``. It is the network also
    where the run keeps the pixel classifier to predict with.

    A pixel classifier becomes an ONNX graph that takes features, beside a recipe of these (``recipe.json``) and the
    model itself: the filters are no part of the graph. How far it is from the model is measured on a piece of the
    first image. :func:`pull` opens the file again.

    Raises ModelError where the model is neither.

    Examples
    --------
    A network is needed, whose training takes minutes:

    >>> ws.export_model("deep-1", "membranes.zip")  # doctest: +SKIP
    >>> ws.export_model("shallow-1", "pixels.zip")  # doctest: +SKIP
    """
    trained = run if isinstance(run, Run) else project.runs[run]
    model = trained.model("network") if trained.learner == "deep" else trained.model()
    write = getattr(model, "export", None)
    if write is None:
        raise ModelError(f"the model of {trained.name!r} is for this program alone: {type(model).__name__}")
    path, overwrite = path_of(path, error=ModelError), flag("overwrite", overwrite, error=ModelError)
    settings = {"name": f"{project.name} {trained.name}", **settings}
    package: Package | ClassifierPackage = write(
        path, sample=_sample(project, model.spec.channels), overwrite=overwrite, **settings
    )
    return package


def _export_voxels(
    project: Project, prediction: Prediction, path: str | Path, kind: Kind, region: object, overwrite: bool, ngff: Any
) -> Path:
    """Write labels, probabilities or uncertainty of a prediction."""
    prediction.stored(kind)  # says what is missing where it was not kept
    folder = prediction.path / (f"labels/{prediction.level}" if kind == "labels" else kind)
    volume, box = open_volume(folder), part_of(project.store, prediction, region)
    if box is not None:
        volume = volume.isel(dict(zip("zyx", box.slices, strict=True)))
    if prediction.image in project.images.names:  # so that it lies in other programs where the image does
        volume.attrs |= _lie(project, str(prediction.image))
    if kind == "labels":
        return save_volume(volume, path, kind="labels", overwrite=overwrite, ngff=ngff)
    return save_volume(volume, path, kind="image", overwrite=overwrite, ngff=ngff)


def _lie(project: Project, image: str) -> dict[str, str]:
    """How the body in an image lies, where its file says it and is still there."""
    try:
        anatomy = project.images.open(image).attrs.get("anatomy")
    except VoxloopError:
        return {}
    return {"anatomy": anatomy} if anatomy else {}


def _sample(project: Project, channels: int) -> Any:
    """A piece from the middle of the first image with as many channels; None where there is none."""
    from voxloop.volumes import channels_of, read_block, shape_zyx

    for name in project.images.names:
        volume = project.images.open(name)
        if channels_of(volume) == channels:
            piece = []
            for n, size in zip(shape_zyx(volume), _SAMPLE, strict=True):
                start = max(0, n // 2 - size // 2)
                piece.append(slice(start, min(n, start + size)))
            return read_block(volume, tuple(piece))
    return None


def _marks(project: Project, level: str, image: str | None, path: str | Path, overwrite: bool) -> Path:
    """Points or boxes as a file of another program."""
    marks = project.store.marks(None, level, image)
    if not isinstance(marks, PlacedLabels):
        raise WorkspaceError(f"level {level!r} holds classes of frames; ws.pictures({level!r}).table() has them")
    return marks.save(path, overwrite=overwrite)
