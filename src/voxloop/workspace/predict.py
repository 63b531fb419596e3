"""The verb ``predict``, and ``forecast``, which says what it would take. The work is done by the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.errors import ConfigError, LabelError, PredictionError
from voxloop.geometry import Box
from voxloop.runs import Run
from voxloop.runs.run import ALIVE
from voxloop.store.teaching import constraint
from voxloop.workspace import places
from voxloop.workspace.choices import one_image, region_in, region_or_active, run_name, several_images
from voxloop.workspace.models import Models, check_models, gather_models
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.model import Model
    from voxloop.prediction.rehearsal import Estimate

#: what predicts one image, and what predicts several; by name, since it runs in a process of its own
_ONE = {
    "kind": "predict",
    "task": "voxloop.prediction.task:run",
    "result": "voxloop.prediction:open_result",
    "discard": "voxloop.prediction:discard",
}
_SEVERAL = {
    "kind": "batch",
    "task": "voxloop.prediction.batch:run",
    "result": "voxloop.prediction.batch:open_result",
    "discard": "voxloop.prediction.batch:discard",
}


def predict(
    project: Project,
    run_or_model: Run | Model | str | Path | Sequence[Run | Model | str | Path],
    image: str | Sequence[str] | None = None,
    region: object = None,
    name: str | None = None,
    config: PredictConfig | None = None,
    *,
    frames: object = None,
    tiles: str | None = None,
    objects: Any = None,
    level: str | None = None,
    threshold: float | None = None,
    on_finished: Callable[[Run], object] | None = None,
    **settings: Any,
) -> Run:
    """Predict an image, or a region of it, in a process of its own.

    Parameters
    ----------
    run_or_model
        A run, its name, a model, a model folder, or a bioimage.io package; several are an ensemble: their mean.
    image
        Its name, where there are several and no named region tells; a list of names, or ``"*"`` for all, predicts
        them one after the other.
    region
        Slices (z, y, x) in voxels, a region of ``ws.regions`` or its name. None: the region that is active, all where
        none is.
    name
        Name of the run and of the prediction; ``predict-1``, ... where not given.
    config, **settings
        A :class:`PredictConfig`, or its fields by name. ``overwrite=True`` removes the run and the prediction of
        this name first, with the model that was saved for it.
    tiles
        Of models that tell classes of pictures: the grid whose tiles are looked at (None: the one that they learned).
    objects
        Of models that tell classes of objects: which ones are looked at, by name, run or themselves (None: those that
        they learned).
    frames, level, threshold
        Of models that find animals, points or boxes: frame numbers, a range or ``"unlabelled"`` (None: all); where
        what is found belongs (None: the level that was learned); below which a peak is nothing (None: the model's).
    on_finished
        Called with the run once it has ended, however (``run.state`` says so), while this process lives: the place for
        an e-mail or a message to a channel.

    Returns
    -------
    Run
        At once. ``run.result`` waits and is the :class:`Prediction`; ``ws.predictions[run.name]`` shows it while it
        fills. Of several images the result is a ``Batch`` with ``.predictions`` by image and a ``.table``. Of a model
        that finds places it is a ``FoundPlaces`` (of several images a ``FoundBatch``), which ``ws.accept`` turns into
        predicted labels.

    Examples
    --------
    >>> run = ws.predict("shallow-1", region=(slice(2, 4),))
    >>> prediction = run.result
    >>> prediction.labels.shape
    (6, 64, 64)
    """
    config = PredictConfig.of(config, **settings)
    if places.finds_places(project, run_or_model):
        if region is not None:
            raise PredictionError("animals, points and boxes are looked for in whole frames; leave region out")
        return places.find(
            project, run_or_model, image, frames, name, level, threshold, config, on_finished, tiles, objects
        )
    if any(given is not None for given in (frames, tiles, objects, level, threshold)):
        raise PredictionError(
            "frames, tiles, objects, level and threshold are for models that find animals, points, boxes or classes; "
            "this one says something of each voxel: use region"
        )
    project.store.check_open_to_runs()
    images, one, box = _images_and_region(project, image, region, config)
    facts: dict[str, Any] = dict(_ONE if images is None else _SEVERAL)
    name = run_name(project, name, facts["kind"])
    facts |= {"image": one, "region": box.to_json()} if images is None else {"images": images}
    facts |= _within(project, images or [one], region)
    replaced = _replaced_runs(project, name, images, config.overwrite)
    shown = images or [one]
    with gather_models(project, run_or_model, project.layout.model(name), replaced, shown[0], config.which) as models:
        check_models(project, models, config, shown)
        facts |= _confinement(project, config, models, shown) | _words_on_model(project, config, models)
        for old in replaced:
            old.delete(keep=models.folders)
        run = project.runs.create(
            name,
            settings=config.to_json(),
            device=config.device if config.engine == "local" else config.engine,
            parent=models.parent,
            model=models.folders[0],
            models=models.folders[1:],
            saved=models.saved,
            **facts,
        )
    run.launch()
    if on_finished is not None:
        run.on_finished(on_finished)
    return run


def forecast(
    project: Project,
    run_or_model: Run | Model | str | Path | Sequence[Run | Model | str | Path],
    image: str | Sequence[str] | None = None,
    region: object = None,
    config: PredictConfig | None = None,
    **settings: Any,
) -> Estimate:
    """What :meth:`predict` would take with the same arguments: time, memory, disk. Predicts and writes nothing.

    The model is measured on a piece of the image, in a process of its own; of several images time and disk are
    those of all. Raises PredictionError where it cannot be done, with the setting that would help.

    Examples
    --------
    The model is measured in a process of its own, which takes seconds:

    >>> ws.forecast("shallow-1").words  # doctest: +SKIP
    'about 4 s, 0.38 of 1.9 GB of memory, 0.0002 GB on disk where 44 GB are free, 1 tile in blocks of ...'
    """
    from voxloop.prediction.rehearsal import Rehearsal

    config = PredictConfig.of(config, **settings)
    images, one, box = _images_and_region(project, image, region, config)
    shown = images or [one]
    with (
        TemporaryDirectory() as scratch,
        gather_models(project, run_or_model, Path(scratch) / "model", image=shown[0], which=config.which) as models,
    ):
        check_models(project, models, config, shown)
        folders = [project.layout.named(folder) for folder in models.folders]
        part = None if images else box
        rehearsal = Rehearsal(project.path, folders, images or one, config, part)
        try:
            return rehearsal.wait()
        finally:
            rehearsal.cancel()


def _images_and_region(
    project: Project, image: str | Sequence[str] | None, region: object, config: PredictConfig
) -> tuple[list[str] | None, str, Box]:
    """The images of a run of many, None of one; the first or only one; and what of it is meant."""
    images = several_images(project.store, image, config)
    if images is not None and region is not None:
        raise PredictionError("a region is of one image; predict several images whole, or one by one")
    one = one_image(project.store, image, region) if images is None else images[0]  # type: ignore[arg-type]
    return images, one, region_in(project.store, region, one)


def _within(project: Project, images: Sequence[str], region: object) -> dict[str, Any]:
    """``{"within": ...}`` by image the region outside of which nothing is said, where it is more than a box."""
    meant = {image: region_or_active(project.store, region, image) for image in images}
    within = {
        image: one.model_dump(mode="json")
        for image, one in meant.items()
        if one is not None and (one.outline or len(images) > 1)
    }
    return {"within": within} if within else {}


def _replaced_runs(project: Project, name: str, images: Sequence[str] | None, overwrite: bool) -> list[Run]:
    """The runs that a prediction of this name replaces, with all that they made. Removes nothing.

    Raises PredictionError where the name is taken and is to be kept, or who has it is at work, or no prediction.
    """
    names = [f"{name}.{image}" for image in images] if images else [name]
    there = [one for one in names if one in project.predictions]
    if there and not overwrite:
        raise PredictionError(f"there is a prediction {there[0]!r} already; choose another name or overwrite=True")
    makers = dict.fromkeys([name, *(_maker(project, one) for one in there)])
    runs = [project.runs[one] for one in makers if one in project.runs]
    for run in runs:
        if run.kind not in ("predict", "batch"):
            raise PredictionError(f"there is a run {run.name!r} already, and it is no prediction; choose another name")
        if not overwrite:
            raise PredictionError(f"there is a run {run.name!r} already; choose another name or overwrite=True")
        if run.state in ALIVE:
            raise PredictionError(
                f"run {run.name!r} is {run.state}; cancel it before it is overwritten, or choose another name"
            )
    return [run for run in runs if run.name in (name, *there)]  # others made more than this


def _maker(project: Project, prediction: str) -> str:
    """Name of the run that made a prediction; the prediction's own where it does not say."""
    with suppress(PredictionError, KeyError):
        return str(project.predictions[prediction].lineage["run"])
    return prediction


def _words_on_model(project: Project, config: PredictConfig, models: Models) -> dict[str, Any]:
    """``{"model_words": ...}`` where the run that made the model has another one beside it."""
    outcome = project.runs[models.parent].outcome if models.parent else None
    if outcome is None:
        return {}
    if config.which == "better":
        return {"model_words": outcome.words}
    other = "" if config.which == outcome.kept else f", though the run keeps the {outcome.kept}"
    return {"model_words": f"the {config.which} of run {models.parent!r} predicts, as asked for{other}"}


def _confinement(project: Project, config: PredictConfig, models: Models, images: Sequence[str]) -> dict[str, Any]:
    """``{"constrain": ...}`` where a prediction may say something only inside a class of another level."""
    from voxloop.model import read_spec

    text = config.constrain.strip()
    if text.lower() == "auto":
        text = read_spec(project.layout.named(models.folders[0])).extra.get("constrain") or ""
    if not text or text.lower() == "none":
        return {}
    level = project.runs[models.parent].config.get("level") if models.parent else None
    try:
        inside = constraint(project.store, text, level or project.levels.painted[0], images)
    except (ConfigError, LabelError) as error:
        raise PredictionError(f"{error}; constrain='none' predicts everywhere") from error
    for image in images:
        counts = project.labels(inside["level"], image).counts()
        if not any(count for value, count in counts.items() if value and inside["value"] in (None, value)):
            raise PredictionError(
                f"nothing is labelled as {text!r} on image {image!r}, so there is nowhere to predict; label it there, "
                "or predict everywhere with constrain='none'"
            )
    return {"constrain": inside}
