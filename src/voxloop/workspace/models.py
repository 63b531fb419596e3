"""Where the models of a prediction come from: runs, folders, packages, objects in memory. Predicts nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.config.learners import LEARNERS
from voxloop.errors import ModelError, PredictionError, unknown
from voxloop.exchange.pulled import known
from voxloop.extras import require
from voxloop.given import path_of
from voxloop.model import read_spec
from voxloop.runs import Run
from voxloop.runs.history import TERMINAL
from voxloop.runs.outcome import Which, model_folder
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.model import Model, ModelSpec

#: the ending of packages that other programs made, and the file that describes one
_PACKAGES, _DESCRIPTION = (".zip", ".yaml"), "rdf.yaml"


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a run; folders are relative to the workspace, or absolute.

    ``parent``: the run that made the first. ``saved``: folders that were made for this run, and go with it.
    """

    folders: tuple[str, ...]
    parent: str | None
    saved: tuple[str, ...]


@contextmanager
def gather_models(
    project: Project,
    model: Any,
    place: Path,
    replaced: Sequence[Run] = (),
    image: str | None = None,
    which: Which = "better",
) -> Iterator[Models]:
    """The models that a run is to have, each in a folder; what was saved for it goes again where the run does not come.

    Parameters
    ----------
    wanted
        A run, its name, a model, a model folder or a package, or a sequence of these.
    place
        Where a model is saved that has no folder; next to it where something lies there.
    replaced
        Runs that go: what was saved for them and is wanted on is handed over.
    image
        What a package that measures each picture is to measure.
    which
        Model of a run: the one it kept, its network, or the pixel classifier beside that.

    Raises
    ------
    ModelError
        One of them is no model, or a run has none yet.
    """
    several = isinstance(model, Sequence) and not isinstance(model, str)
    sources: Any = model if several else [model]
    if not sources:
        raise ModelError("an empty list holds no model; name one run or model at least")
    saved_before = chain.from_iterable(run.config.get("saved", ()) for run in replaced)
    saved: list[Path] = []
    try:
        placed = [_folder_of(project, source, place, saved, image, which) for source in sources]
        for folder, _ in placed:
            _check_packages(folder)
        folders = [project.layout.relative(folder) for folder, _ in placed]
        taken = [folder for folder in saved_before if folder in folders]
        new = [project.layout.relative(folder) for folder in saved]
        yield Models(tuple(folders), placed[0][1], (*new, *taken))
    except BaseException:
        for folder in saved:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_packages(folder: Path) -> None:
    """Raises MissingPackageError where a model cannot be used here: said now, not once the run has begun."""
    learner = LEARNERS.get(read_spec(folder).learner)
    if learner is not None:
        require("networks need", *learner.packages)


def _folder_of(
    project: Project,
    source: Run | Model | str | os.PathLike[str],
    place: Path,
    saved: list[Path],
    image: str | None,
    which: Which,
) -> tuple[Path, str | None]:
    """Where the model lies, and the run that made it; a folder that is made for it is noted in ``saved``."""
    if isinstance(source, str) and source in project.runs:
        source = project.runs[source]
    if isinstance(source, Run):
        folder = model_folder(source.path, which)
        if not (folder / "spec.json").exists():
            raise ModelError(_without_model(source))
        return folder, source.name
    if isinstance(source, str | os.PathLike):
        if not path_of(source, error=ModelError).exists():
            raise ModelError(unknown("run or model folder", source, project.runs))
        if pulled := known(Path(source)):
            source = pulled.opened
        if Path(source).suffix in _PACKAGES or Path(source, _DESCRIPTION).exists():
            from voxloop.deep.exchange.foreign import import_package

            saved.append(_free_folder(place))
            sample = project.images.open(image) if image else None
            import_package(Path(source), saved[-1], image=sample)
            return saved[-1], None
        return Path(source), None
    save = getattr(source, "save", None)
    if save is None:
        raise ModelError(
            f"{type(source).__name__} cannot be saved, so no process of its own can load it; use vl.predict"
        )
    saved.append(_free_folder(place))
    save(saved[-1])
    return saved[-1], None


def _without_model(run: Run) -> str:
    """That a run has no model, and what to do where one will come."""
    said = f"run {run.name!r} has no model yet: it is {run.state}"
    if run.state in TERMINAL:
        return said
    return f"{said}; run.wait() waits for it"


def _free_folder(place: Path) -> Path:
    """A folder for a model in which nothing lies: the model of a prediction that is there stays what it is."""
    folder, number = place, 1
    while folder.exists():
        folder, number = place.with_name(f"{place.name}-{number}"), number + 1
    return folder


@dataclass(frozen=True, slots=True)
class _Closed:
    """A model of which only the spec is read: what it can see is known before a process is started."""

    spec: ModelSpec


def check_models(project: Project, models: Models, config: PredictConfig, images: Sequence[str]) -> None:
    """Whether the models fit each other, the settings, and one of the images at least; loads none of them.

    Of several images those that do not fit are rows of the table, each with its reason. Raises PredictionError.
    """
    from voxloop.model import read_spec
    from voxloop.prediction.job import check_fit, check_output
    from voxloop.prediction.resampled import beside, prepare_model

    closed: list[Any] = [_Closed(read_spec(project.layout.named(folder))) for folder in models.folders]
    refused: PredictionError | None = None
    for image in images:
        volume = project.images.open(image)
        try:
            model = prepare_model(closed, config, volume)
            check_output(model.spec, config)
            check_fit(model.spec, beside(model.spec, volume))
        except PredictionError as error:
            refused = refused or error
        else:
            return
    assert refused is not None
    raise refused
