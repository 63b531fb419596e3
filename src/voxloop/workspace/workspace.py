"""The workspace that users hold: one object, one verb for each thing the loop needs. Delegates; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from voxloop.config import Config, ObjectsConfig, PredictConfig, ShallowConfig
from voxloop.config.learners import learner_of
from voxloop.errors import LabelError, PredictionError, RunError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.runs import Run, Runs
from voxloop.runs.names import checked_name, free_name
from voxloop.store import Store
from voxloop.store.document import NamedRegion
from voxloop.workspace.export import exported, exported_model
from voxloop.workspace.predict import (
    Predictions,
    check_models,
    confined_to,
    gathered,
    giving_way,
    images_named,
    part_of,
    rehearsed,
)
from voxloop.workspace.train import log_round, settled

if TYPE_CHECKING:
    from voxloop.deep.exchange.package import Package
    from voxloop.model import Model
    from voxloop.prediction import Prediction
    from voxloop.prediction.rehearsal import Estimate
    from voxloop.review import Report, Rounds, Suggestion
    from voxloop.store import Edit, Labels

_OBJECTS = ("voxloop.objects.task:run", "voxloop.objects.task:open_result", "voxloop.objects.task:discard")
_BATCH = (
    "voxloop.prediction.batch:run",
    "voxloop.prediction.batch:open_result",
    "voxloop.prediction.batch:discard",
)
_PREDICT = ("voxloop.prediction.task:run", "voxloop.prediction:open_result", "voxloop.prediction:discard")


class Workspace:
    """A folder that holds everything about one segmentation project.

    Use :meth:`create` or :meth:`open`, best as a context manager. Every verb has a panel that calls it, and every
    panel shows the line of Python that it runs.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.images = store.images
        self.levels = store.levels
        self.regions = store.regions
        self.sets = store.sets
        self.layout = store.layout
        self.runs = Runs(store.layout.runs)
        self.predictions = Predictions(self)

    @classmethod
    def create(
        cls,
        path: str | Path,
        image: Any = None,
        classes: Sequence[Any] | None = None,
        *,
        exist_ok: bool = False,
        **settings: Any,
    ) -> Self:
        """Make a new workspace folder.

        Parameters
        ----------
        path
            A folder that does not exist yet, or is empty.
        image
            The first image: anything :func:`open_volume` opens (a path stays where it is, an array is copied into the
            workspace), or None to add images later.
        classes
            Names, dicts or ``LabelClass`` of the first level; values count from 1. A class named ``background`` (or
            ``other``, ``rest``, ``nothing``) counts as background in scores.
        exist_ok
            Open the workspace where there is one already, as it is; so that a cell may be run again.
        **settings
            ``image_name``, ``level``, ``kind`` ("semantic" or "instances"), ``copy``, and what :func:`open_volume`
            takes.

        Raises
        ------
        WorkspaceError
            The folder is in use.
        VolumeError
            The image cannot be opened; nothing is left behind.
        """
        if exist_ok and (Path(path).expanduser() / "workspace.json").exists():
            return cls.open(path)
        return cls(Store.create(path, image=image, classes=classes, **settings))

    @classmethod
    def open(cls, path: str | Path, read_only: bool | None = None) -> Self:
        """Open a workspace. Where another process holds it, it opens read-only and ``ws.writer`` says who.

        Read-only are images, levels, labels, regions and sets; runs can be started all the same.
        """
        return cls(Store.open(path, read_only=read_only))

    @property
    def rounds(self) -> Rounds:
        """The log of the loop: a line a training, with how the prediction before it fared on the corrections."""
        from voxloop.review import Rounds

        return Rounds(self.path)

    @property
    def path(self) -> Path:
        return self.store.path

    @property
    def name(self) -> str:
        return self.store.path.name

    @property
    def read_only(self) -> bool:
        return self.store.read_only

    @property
    def writer(self) -> dict[str, Any] | None:
        """Who may write this workspace (host, pid, since), None where it is this process or nobody."""
        return self.store.writer

    def labels(self, level: str | None = None, image: str | None = None) -> Labels:
        """The label array of one level on one image; None stands for the only one there is. Raises LabelError."""
        return self.store.labels(level=level, image=image)

    # ---------------------------------------------------------------------------------------------- train, predict

    def train(
        self,
        config: Config | None = None,
        name: str | None = None,
        wait: bool = False,
        queue: bool = True,
        *,
        then_predict: str | Sequence[str] | None = None,
        note: str = "",
    ) -> Run:
        """Train a model on the labels as they are now, in a process of its own.

        Parameters
        ----------
        config
            :class:`ShallowConfig` (seconds) or :class:`DeepConfig` (minutes); a preset is one of these.
        name
            Name of the run; ``shallow-1``, ``deep-2``, ... where not given.
        wait
            Return only when the run has ended; raises RunError where it failed.
        queue
            Wait in line where another run uses the device; False: refuse.
        then_predict
            The image, or several, that is predicted once the run has finished, or was stopped and kept: a name, a list
            of names, ``"learnt"`` for those that it learns from, ``"*"`` for all. The run itself starts that, so no
            notebook has to be open by then; ``run.followed_by`` is the name of the prediction.
        note
            Words on what the run is for; ``run.note`` changes them later.

        Returns
        -------
        Run
            Training goes on when the notebook is interrupted, restarted or closed.

        Raises
        ------
        LabelError
            Nothing is labelled, or only one class is.
        """
        config = ShallowConfig() if config is None else config
        learner = learner_of(config)
        if getattr(config, "tensorboard", False):
            from voxloop.runs import tensorboard

            tensorboard.check()
        settings, facts = settled(self, config, then_predict)
        run = self._create_run(
            name,
            learner.name,
            learner.task,
            settings,
            kind="train",
            learner=learner.name,
            device=_device(config),
            parent=getattr(config, "start_from", None),
            **facts,
        )
        if note:
            run.note = note
        run.launch(queue=queue)
        log_round(self, run)
        return _waited(run) if wait else run

    def predict(
        self,
        run_or_model: Run | Model | str | Path | Sequence[Run | Model | str | Path],
        image: str | Sequence[str] | None = None,
        region: object = None,
        name: str | None = None,
        wait: bool = True,
        config: PredictConfig | None = None,
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
            Slices (z, y, x) in voxels, a region of ``ws.regions`` or its name, or None for all.
        name
            Name of the run and of the prediction; ``predict-1``, ... where not given.
        config, **settings
            A :class:`PredictConfig`, or its fields by name. ``overwrite=True`` removes the run and the prediction of
            this name first, with the model that was saved for it.

        Returns
        -------
        Run
            ``run.result`` is the :class:`Prediction`, readable while the run is still going; of several images a
            ``Batch`` with ``.predictions`` by image and a ``.table``.
        """
        config = PredictConfig(**settings) if config is None else config.changed(**settings) if settings else config
        self.store.check_open_to_runs()
        images, one, box = self._images_and_region(image, region, config)
        many = images is not None
        name = self._run_name(name, "batch" if many else "predict")
        replaced = giving_way(self, name, images, config.overwrite)
        task, result, discard = _BATCH if many else _PREDICT
        of = {"images": images} if many else {"image": one, "region": box.to_json()}
        with gathered(self, run_or_model, self.layout.model(name), replaced, (images or [one])[0]) as models:
            check_models(self, models, config, images or [one])
            first = self.path / models.folders[0]
            confined = confined_to(self, config, first, models.parent, images or [one])
            for old in replaced:
                old.delete(keep=models.folders)
            run = self._create_run(
                name,
                "predict",
                task,
                config.to_json(),
                kind="batch" if many else "predict",
                result=result,
                discard=discard,
                device=_device(config) if config.engine == "local" else config.engine,
                parent=models.parent,
                model=models.folders[0],
                models=models.folders[1:],
                saved=models.saved,
                **of,
                **confined,
            )
        run.launch()
        return _waited(run) if wait else run

    def forecast(
        self,
        run_or_model: Run | Model | str | Path | Sequence[Run | Model | str | Path],
        image: str | Sequence[str] | None = None,
        region: object = None,
        config: PredictConfig | None = None,
        **settings: Any,
    ) -> Estimate:
        """What :meth:`predict` would take with the same arguments: time, memory, disk. Predicts and writes nothing.

        The model is measured on a piece of the image, in a process of its own; of several images time and disk are
        those of all. Raises PredictionError where it cannot be done, with the setting that would help.
        """
        config = PredictConfig(**settings) if config is None else config.changed(**settings) if settings else config
        return rehearsed(self, run_or_model, *self._images_and_region(image, region, config), config)

    def objects(
        self,
        prediction: Prediction | Run | str,
        config: ObjectsConfig | None = None,
        *,
        of: str | int | None = None,
        region: object = None,
        name: str | None = None,
        wait: bool = True,
        **settings: Any,
    ) -> Run:
        """Make objects of a prediction, in a process of its own.

        Parameters
        ----------
        config, **settings
            An :class:`ObjectsConfig`, or its fields by name.
        of
            Name or value of the class; the only one that is not background where not given. Networks that learnt
            objects have none.
        region
            Slices (z, y, x) in voxels, a region of ``ws.regions`` or its name; what was predicted where not given.
        name
            Name of the run; ``objects-1``, ... where not given.

        Returns
        -------
        Run
            ``run.result`` is the :class:`Objects`: label image, table in micrometres, meshes.
        """
        from voxloop.objects.task import class_value

        config = ObjectsConfig(**settings) if config is None else config.changed(**settings) if settings else config
        found = self._prediction(prediction)
        if found.done < 1:
            raise PredictionError(f"prediction {found.name!r} is {found.done:.0%} done; make objects when it is whole")
        box = part_of(self, found, region)
        run = self._create_run(
            name,
            "objects",
            _OBJECTS[0],
            config.to_json(),
            kind="objects",
            result=_OBJECTS[1],
            discard=_OBJECTS[2],
            parent=found.name,
            image=found.image,
            prediction=self.layout.relative(found.path),
            of=class_value(found.path, of),
            region=box and box.to_json(),
        )
        run.launch()
        return _waited(run) if wait else run

    # ------------------------------------------------------------------------------------------------------ review

    def accept(
        self,
        prediction: Prediction | Run | str,
        region: object = None,
        classes: Sequence[str | int] | None = None,
        above: float = 0.9,
    ) -> Edit | None:
        """Turn confident voxels of a prediction into labels: one edit that undo takes back.

        Voxels that are labelled already stay as they are. ``above`` is a probability; ``classes`` names or values,
        None for all. None where no voxel was confident enough.
        """
        from voxloop.review import accept

        found = self._prediction(prediction)
        labels = self.labels(found.level, found.image)
        return accept(labels, found, region=self._region(region, labels.image), classes=classes, above=above)

    def suggest(self, prediction: Prediction | Run | str, n: int = 8, **settings: Any) -> list[Suggestion]:
        """Where to correct next, best first, each with its reason."""
        from voxloop.review import suggest

        found = self._prediction(prediction)
        with suppress(LabelError):
            settings.setdefault("labels", self.labels(found.level, found.image))
        return suggest(found, n, **settings)

    def evaluate(self, prediction: Prediction | Run | str, truth: Any, **settings: Any) -> Report:
        """Score a prediction against the truth: an array, a volume, a level's name, or Labels; streams over chunks."""
        from voxloop.review import evaluate

        found = self._prediction(prediction)
        if isinstance(truth, str) and truth in self.levels.names:
            truth = self.labels(truth, found.image)
        return evaluate(found, truth, **settings)

    # ----------------------------------------------------------------------------------------------------- export

    def export(
        self,
        what: str,
        path: str | Path,
        *,
        kind: Literal["labels", "probabilities", "uncertainty", "objects"] = "labels",
        image: str | None = None,
        region: object = None,
        number: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write a prediction, objects, labels or a trained network for other programs.

        Parameters
        ----------
        what
            Name of a prediction, of a run that made objects or trained a network, or of a label level.
        path
            The suffix decides: ``.zarr`` (OME-Zarr), ``.ome.tif``, ``.tif``, ``.h5``. Objects, those of a prediction
            whose network learnt them included, also as a table (``.csv``, ``.parquet``; with intensities where the
            image is there) and, one of them, as a mesh (``.ply``, ``.obj``); labels also as ``.npy`` and ImageJ ROI
            set (``.zip``). Networks as bioimage.io package (``.zip``).
        kind
            What of a prediction; ``"objects"`` where its network learnt them.
        image
            Whose labels of a level; the only one where not given.
        region
            What of a prediction: slices (z, y, x) in voxels, a region of ``ws.regions`` or its name; what was predicted
            where not given. The file knows where in the image it lies, where its format can say so.
        number
            Which object is to be a mesh.

        Raises
        ------
        PredictionError, VolumeError, LabelError
            There is no such thing, or the path exists and ``overwrite`` is false.
        """
        return exported(self, what, path, kind=kind, image=image, region=region, number=number, overwrite=overwrite)

    def export_model(self, run: Run | str, path: str | Path, *, overwrite: bool = False, **settings: Any) -> Package:
        """Write the network of a run as a bioimage.io package (``.zip``) that other programs open.

        Its test tensors are a piece of the first image; bioimageio.core computes them again from the package.
        See :func:`voxloop.deep.exchange.package.export_package` for ``settings``. Raises
        ModelError where the model is no network.
        """
        return exported_model(self, run, path, overwrite=overwrite, **settings)

    # ----------------------------------------------------------------------------------------------------- upkeep

    def size(self) -> dict[str, int]:
        """Bytes on disk, by part."""
        return self.store.size()

    def clean(self) -> int:
        """Delete caches that come back by themselves; bytes freed."""
        return self.store.clean()

    def close(self) -> None:
        """Flush labels and give the writer lock back. Runs go on. Safe to call twice."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        images, levels = ", ".join(self.images.names), ", ".join(self.levels.names)
        state = " read-only" if self.read_only else ""
        return f"<Workspace {str(self.path)!r}{state}: images {images or 'none'}; levels {levels or 'none'}>"

    # ---------------------------------------------------------------------------------------------------- helpers

    def _create_run(self, name: str | None, stem: str, task: str, settings: dict[str, Any], **facts: Any) -> Run:
        self.store.check_open_to_runs()
        return self.runs.create(self._run_name(name, stem), task, settings, **facts)

    def _run_name(self, name: str | None, stem: str) -> str:
        if name is not None:
            return checked_name(name)
        return free_name(stem, [*self.runs, *self.predictions])

    def _one_image(self, image: str | None, region: object = None) -> str:
        names = self.images.names
        if image is None and (named := self._named(region)) is not None:
            image = named.image
        if image is None:
            if len(names) != 1:
                raise WorkspaceError(f"say which image: there are {', '.join(map(repr, names)) or 'none'}")
            return names[0]
        if image not in names:
            raise WorkspaceError(unknown("image", image, names))
        return image

    def _images_and_region(
        self, image: str | Sequence[str] | None, region: object, config: PredictConfig
    ) -> tuple[list[str] | None, str, Box]:
        """The images of a run of many, None of one; the first or only one; and what of it is meant."""
        images = images_named(self, image, config)
        if images is not None and region is not None:
            raise PredictionError("a region is of one image; predict several images whole, or one by one")
        one = self._one_image(image, region) if images is None else images[0]  # type: ignore[arg-type]
        return images, one, self._region(region, one)

    def _region(self, region: object, image: str) -> Box:
        named = self._named(region)
        if named is None:
            return Box.of(region, self.images.info(image).shape)
        if named.image != image:
            raise WorkspaceError(
                f"region {named.name!r} is of image {named.image!r}, not of {image!r}; use image={named.image!r}, or "
                "say the region as slices (z, y, x)"
            )
        return named.box

    def _named(self, region: object) -> NamedRegion | None:
        """The named region that is meant, None where it is said in voxels."""
        return self.regions[region] if isinstance(region, str) else region if isinstance(region, NamedRegion) else None

    def _prediction(self, prediction: Prediction | Run | str) -> Prediction:
        if isinstance(prediction, Run):
            prediction = prediction.name
        return self.predictions[prediction] if isinstance(prediction, str) else prediction


def _device(config: Config) -> str:
    return str(getattr(config, "device", "cpu"))


def _waited(run: Run) -> Run:
    run.wait()
    if run.state == "failed":
        raise RunError(f"run {run.name!r} failed: {run.history.error}")
    if run.state == "interrupted":
        raise RunError(f"run {run.name!r} ended unexpectedly; its stdout.log in {run.path} says more")
    return run
