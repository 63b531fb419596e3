"""What predicting from a workspace takes: where models come from, whose place a prediction takes. Computes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.errors import ConfigError, LabelError, ModelError, PredictionError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.runs import Run
from voxloop.runs.run import ALIVE
from voxloop.store.document import NamedRegion
from voxloop.store.teaching import constraint

if TYPE_CHECKING:
    from voxloop.model import Model, ModelSpec
    from voxloop.prediction import Prediction
    from voxloop.prediction.rehearsal import Estimate
    from voxloop.workspace.workspace import Workspace


class Predictions(Mapping[str, "Prediction"]):
    """The predictions of a workspace by name, oldest first; opening one computes nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._layout = workspace.layout

    def __getitem__(self, name: str) -> Prediction:
        from voxloop.prediction import Prediction

        if name not in self:
            raise PredictionError(unknown("prediction", name, self))
        return Prediction(self._layout.prediction(name))

    def __iter__(self) -> Iterator[str]:
        found = sorted(self._layout.predictions.glob("*.zarr"), key=lambda path: path.stat().st_mtime)
        return (path.stem for path in found)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        with suppress(WorkspaceError):
            return self._layout.prediction(name).exists()
        return False

    def __repr__(self) -> str:
        return f"<Predictions: {', '.join(self) or 'none'}>"


def giving_way(ws: Workspace, name: str, images: Sequence[str] | None, overwrite: bool) -> list[Run]:
    """The runs that a prediction of this name replaces, with all that they made. Removes nothing.

    Raises PredictionError where the name is taken and is to be kept, or who has it is at work, or no prediction.
    """
    there = [one for one in _names(name, images) if one in ws.predictions]
    if there and not overwrite:
        raise PredictionError(f"there is a prediction {there[0]!r} already; choose another name or overwrite=True")
    made_by = [ws.runs[one] for one in dict.fromkeys([name, *(_maker(ws, one) for one in there)]) if one in ws.runs]
    for run in made_by:
        if run.kind not in ("predict", "batch"):
            raise PredictionError(f"there is a run {run.name!r} already, and it is no prediction; choose another name")
        if not overwrite:
            raise PredictionError(f"there is a run {run.name!r} already; choose another name or overwrite=True")
        if run.state in ALIVE:
            raise PredictionError(
                f"run {run.name!r} is {run.state}; cancel it before it is overwritten, or choose another name"
            )
    return [run for run in made_by if run.name in (name, *there)]  # others made more than this


def _names(name: str, images: Sequence[str] | None) -> list[str]:
    """Of the predictions that a run makes."""
    return [f"{name}.{image}" for image in images] if images else [name]


def _maker(ws: Workspace, prediction: str) -> str:
    """Name of the run that made a prediction; the prediction's own where it does not say."""
    with suppress(PredictionError, KeyError):
        return str(ws.predictions[prediction].lineage["run"])
    return prediction


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a run; folders are relative to the workspace, or absolute.

    ``parent``: the run that made the first. ``saved``: folders that were made for this run, and go with it.
    """

    folders: tuple[str, ...]
    parent: str | None
    saved: tuple[str, ...]


@contextmanager
def gathered(
    ws: Workspace, given: Any, place: Path, replaced: Sequence[Run] = (), image: str | None = None
) -> Iterator[Models]:
    """The models that a run is to have, each in a folder; what was saved for it goes again where the run does not come.

    ``given``: a run, its name, a model, a model folder or a package, or a sequence of these. What has no folder is
    saved at ``place``, or next to it where there is something. What was saved for a run that is ``replaced`` and is
    wanted on is handed over. ``image``: what a package that measures each picture is to measure. Raises ModelError.
    """
    several = isinstance(given, Sequence) and not isinstance(given, str)
    sources: Any = given if several else [given]
    if not sources:
        raise ModelError("an empty list holds no model; name one run or model at least")
    saved: list[Path] = []
    try:
        found = [_model_folder(ws, source, place, saved, image) for source in sources]
        folders = [ws.layout.relative(folder) for folder, _ in found]
        taken = [folder for run in replaced for folder in run.config.get("saved", ()) if folder in folders]
        yield Models(tuple(folders), found[0][1], (*(ws.layout.relative(folder) for folder in saved), *taken))
    except BaseException:
        for folder in saved:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _model_folder(
    ws: Workspace, source: Run | Model | str | Path, place: Path, saved: list[Path], image: str | None
) -> tuple[Path, str | None]:
    """Where the model lies, and the run that made it; a folder that is made for it is noted in ``saved``."""
    if isinstance(source, str) and source in ws.runs:
        source = ws.runs[source]
    if isinstance(source, Run):
        folder = source.path / "model"
        if not (folder / "spec.json").exists():
            raise ModelError(f"run {source.name!r} has no model yet: it is {source.state}")
        return folder, source.name
    if isinstance(source, str | Path):
        if not Path(source).exists():
            raise ModelError(unknown("run or model folder", source, ws.runs))
        if Path(source).suffix in (".zip", ".yaml") or Path(source, "rdf.yaml").exists():
            from voxloop.deep.exchange.foreign import import_package

            saved.append(_free_folder(place))
            import_package(source, saved[-1], image=ws.images.open(image) if image else None)
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


def check_models(ws: Workspace, models: Models, config: PredictConfig, images: Sequence[str]) -> None:
    """Whether the models fit each other, the settings, and one of the images at least; loads none of them.

    Of several images those that do not fit are rows of the table, each with its reason. Raises PredictionError.
    """
    from voxloop.model import read_spec
    from voxloop.prediction.job import check_fit, check_kept
    from voxloop.prediction.resampled import asked

    closed: list[Any] = [_Closed(read_spec(ws.path / folder)) for folder in models.folders]
    refused: PredictionError | None = None
    for image in images:
        volume = ws.images.open(image)
        try:
            model = asked(closed, config, volume)
            check_kept(model.spec, config)
            check_fit(model.spec, volume)
        except PredictionError as error:
            refused = refused or error
        else:
            return
    assert refused is not None
    raise refused


def rehearsed(
    ws: Workspace, given: Any, images: Sequence[str] | None, image: str, box: Box, config: PredictConfig
) -> Estimate:
    """What a prediction will take, measured in a process of its own; writes nothing in the workspace."""
    import tempfile

    from voxloop.prediction.rehearsal import Rehearsal

    with (
        tempfile.TemporaryDirectory() as scratch,
        gathered(ws, given, Path(scratch) / "model", image=(images or [image])[0]) as models,
    ):
        check_models(ws, models, config, images or [image])
        folders = [ws.path / folder for folder in models.folders]
        asked = Rehearsal(ws.path, folders, images or image, config, None if images else box)
        try:
            return asked.wait()
        finally:
            asked.cancel()


def images_named(ws: Workspace, image: str | Sequence[str] | None, config: PredictConfig) -> list[str] | None:
    """The images that are to be predicted in one run: those listed, or all for ``"*"``; None where it is one image.

    Raises WorkspaceError where one of them is not there, PredictionError where they are to be predicted elsewhere.
    """
    if image is None or (isinstance(image, str) and image != "*"):
        return None
    names = list(ws.images.names) if image == "*" else list(dict.fromkeys(image))
    for name in names:
        if name not in ws.images.names:
            raise WorkspaceError(unknown("image", name, ws.images.names))
    if not names:
        raise WorkspaceError("there is no image to predict; add some with ws.images.add_folder(path)")
    if config.engine != "local":
        raise PredictionError(
            f"engine={config.engine!r}: many images in one run are predicted on this machine; use engine='local', or "
            "one run an image"
        )
    return names


def confined_to(
    ws: Workspace, config: PredictConfig, folder: Path, source: str | None, images: Sequence[str]
) -> dict[str, Any]:
    """``{"constrain": ...}`` where a prediction may say something only inside a class of another level."""
    from voxloop.model import read_spec

    text = config.constrain.strip()
    if text.lower() == "none":
        return {}
    if text.lower() == "auto":
        text = read_spec(folder).extra.get("constrain") or ""
    if not text:
        return {}
    level = ws.runs[source].config.get("level") if source else None
    try:
        found = constraint(ws.store, text, level or ws.levels.names[0], images)
    except (ConfigError, LabelError) as error:
        raise PredictionError(f"{error}; constrain='none' predicts everywhere") from error
    for image in images:
        counts = ws.labels(found["level"], image).counts()
        if not any(count for value, count in counts.items() if value and found["value"] in (None, value)):
            raise PredictionError(
                f"nothing is labelled as {text!r} on image {image!r}, so there is nowhere to predict; label it there, "
                "or predict everywhere with constrain='none'"
            )
    return {"constrain": found}


def part_of(ws: Workspace, prediction: Prediction, region: object = None) -> Box | None:
    """The region of a prediction that is meant: what was predicted where none is said; None for all of its image.

    Raises WorkspaceError or VolumeError where there is no such region in its image.
    """
    shape = prediction.plan.shape
    if region is None:
        box = prediction.box
    elif isinstance(region, str | NamedRegion):
        box = ws._region(region, str(prediction.image))
    else:
        box = Box.of(region, shape)
    return None if box == Box.whole(shape) else box
