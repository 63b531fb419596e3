"""The verbs ``pack`` and ``unpack``: a training that is done on another machine, and comes home. Trains nothing.

A pack is a small workspace: the labels that the run learns from as they were frozen, what training can touch of
their images, its settings, and the models that it starts from. So who trains it does there what would have been done
here.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from voxloop.config import Config, DeepConfig, ShallowConfig
from voxloop.errors import ConfigError, RunError, VoxloopError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.given import flag, path_of
from voxloop.runs import Run
from voxloop.runs.outcome import model_named
from voxloop.runs.runner import package_versions
from voxloop.store.atomic import walk
from voxloop.store.document import write_document
from voxloop.store.layout import Layout, RunPlace
from voxloop.workspace.pack_file import SUFFIX, PackFacts, content_key, extract, read_facts, write_pack
from voxloop.workspace.project import Project
from voxloop.workspace.reach import BoxesByImage, parts_of
from voxloop.workspace.train import prepare

#: learners whose trainings can be packed: those of painted labels
PACKED = ("shallow", "deep")
#: settings that may name an earlier run or a model
_NAMES_OF_MODELS = ("start_from", "teacher", "encoder_weights")
#: settings that may name a file of weights
_FILES = ("encoder_weights", "network_weights")
#: what a run says of home, and what follows it there
_OF_HOME = ("then", "then_predict", "discard")
#: what training makes and who unpacks takes: nothing that says what is to be done
_MADE = ("model", "classifier", "checkpoints", "samples", "exports")
_MADE_FILES = ("events.jsonl", "outcome.json", "stdout.log", "crossfit.npz")
#: states in which a run at home has nothing that would be lost
_EMPTY = ("created", "cancelled", "failed", "interrupted", "paused")


def pack(
    project: Project,
    training: Config | Run | str,
    path: str | Path | None = None,
    *,
    name: str | None = None,
    whole: bool = False,
) -> Path:
    """Write a training into one file, to be done on another machine: ``voxloop train FILE`` there, ``unpack`` here.

    Parameters
    ----------
    training
        :class:`ShallowConfig` or :class:`DeepConfig`: a new run, which waits here for its result. Or a run of this
        workspace, or its name, to be trained anew from what it learnt from.
    path
        Where to write; default: ``<run>.vxl`` beside the workspace.
    name
        Name of the new run.
    whole
        Carry images as a whole, not only those parts that training can touch.

    Returns
    -------
    Path
        Of the pack. It holds the labels, the settings, and of the images that are learnt from what training can touch,
        on whatever machine.

    Raises
    ------
    RunError
        The run is at work, or no training of painted labels; the file cannot be written.
    WorkspaceError
        An image, or a model that the run starts from, cannot be had.
    LabelError
        Nothing is labelled, or only one class is.

    Examples
    --------
    >>> path = ws.pack(vl.ShallowConfig(trees=8), "first.vxl")
    >>> path.name, ws.runs["shallow-2"].state
    ('first.vxl', 'created')
    """
    made = None
    if isinstance(training, Config):
        if not isinstance(training, ShallowConfig | DeepConfig):
            raise RunError(f"{type(training).__name__} cannot be packed: packs hold trainings on painted labels")
        run = made = prepare(project, training, name)
    elif name is not None:
        raise RunError("name= is for a new run; a run that there is has one")
    else:
        run = _run_of(project, training)
    try:
        target, whole = _target(project, run, path), flag("whole", whole, error=RunError)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
            root = Path(scratch)
            carried = _small_workspace(project, run, root, whole=whole)
            facts = PackFacts(run.name, project.name, config_key(run.config), False, package_versions(), carried)
            write_pack(target, facts, root, _files(root))
    except BaseException:
        if made is not None:
            made.delete()  # a run that nobody can train is worth no name
        raise
    return target


def unpack(project: Project, path: str | Path, *, name: str | None = None) -> Run:
    """Take what was trained elsewhere into the run that it was packed from; as if it had been trained here.

    Parameters
    ----------
    name
        Of another run that is made for it, where the one it was packed from has a model by now.

    Raises
    ------
    RunError
        The file is no trained pack, or of another workspace or run; or the run has a model already.

    Examples
    --------
    >>> path = ws.pack(vl.ShallowConfig(trees=8, sigmas_um=(0.02,)), "first.vxl")
    >>> home = ws.unpack(vl.train_pack(path))
    >>> home.name, home.state
    ('shallow-2', 'finished')
    """
    place = path_of(path, error=RunError)
    facts = read_facts(place)
    if not facts.trained:
        raise RunError(
            f"{place} has not been trained yet: 'voxloop train {place}' does that, and writes what to unpack"
        )
    project.store.check_open_to_runs()
    home = _home(project, facts, place)
    if name is not None:
        home = _another(project, home, name)
    elif home.state not in _EMPTY:
        raise RunError(f"run {home.name!r} is {home.state}; name=... takes the pack into a new run")
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=project.layout.runs) as scratch:
        fresh = Path(scratch)
        extract(place, fresh, f"runs/{facts.run}")
        for made in (*_MADE, *_MADE_FILES):
            _move(fresh / made, home.path / made)
    return Run(home.path)


def _move(source: Path, target: Path) -> None:
    if not source.exists():
        return
    if target.is_dir():
        shutil.rmtree(target)
    shutil.move(source, target)


def _run_of(project: Project, training: Run | str) -> Run:
    if not isinstance(training, Run | str):
        raise RunError("pack takes a ShallowConfig, a DeepConfig, a run or the name of one")
    name = training if isinstance(training, str) else training.name
    if name not in project.runs:
        raise RunError(unknown("run", name, project.runs))
    run = project.runs[name]
    if run.learner not in PACKED or run.kind != "train":
        raise RunError(f"run {name!r} cannot be packed: packs hold trainings on painted labels, shallow and deep")
    if run.state in ("queued", "running", "stopping"):
        raise RunError(f"run {name!r} is {run.state} here; run.cancel() ends it, then it can be packed")
    return run


def _target(project: Project, run: Run, path: str | Path | None) -> Path:
    if path is None:
        return project.path.absolute().parent / f"{run.name}{SUFFIX}"
    target = path_of(path, error=RunError).expanduser().absolute()
    if target.is_dir():
        target = target / f"{run.name}{SUFFIX}"
    if target.suffix != SUFFIX:
        raise RunError(f"a pack ends in {SUFFIX}: {target.with_suffix(SUFFIX).name}")
    if not target.parent.is_dir():
        raise RunError(f"there is no folder {target.parent}; make it first")
    return target


def config_key(config: dict[str, Any]) -> str:
    """What stands for the settings and labels of a run: the same at home and away."""
    return content_key({name: value for name, value in config.items() if name not in _OF_HOME})


def _small_workspace(project: Project, run: Run, root: Path, *, whole: bool) -> dict[str, str]:
    """Write into ``root`` all that the run reads; returns how much of each image that is, in words."""
    labels: dict[str, int] = {**run.config["labels"]}
    if inside := run.config.get("constrain"):
        labels |= {f"{inside['level']}/{image}": at for image, at in inside["labels"].items()}
    for key in labels:
        level, _, image = key.partition("/")
        _copy_labels(project, level, image, root)
    images = list(dict.fromkeys(key.split("/", 1)[1] for key in labels))
    parts, why = (dict.fromkeys(images), "whole: as asked for") if whole else parts_of(project.path, run)
    carried = _copy_images(project, images, parts, root, exposed=_is_exposed(run))
    for given in _files_of_weights(run):
        _copy(given, Layout(root).weights / given.name)
    for model in _models(project, run):
        _copy_model(project, model, root)
    target = Layout(root).run(run.name)
    target.mkdir(parents=True)
    kept = {name: value for name, value in _plain_config(run).items() if name not in _OF_HOME}
    (target / "config.json").write_text(json.dumps(kept, indent=1))
    all_of_it = why if why.startswith("whole") else f"whole: {why} are all of it"
    return {name: f"{share:.1%}, {why}" if share < 1 else all_of_it for name, share in carried.items()}


def _is_exposed(run: Run) -> bool:
    """Whether a training may bring pictures to one exposure, which is measured of each as a whole."""
    return run.learner == "deep" and run.config["settings"].get("exposure") != "common"


def _files_of_weights(run: Run) -> Iterator[Path]:
    """Files that settings name. Raises WorkspaceError where one is not there."""
    for setting in _FILES:
        given = run.config["settings"].get(setting)
        if isinstance(given, str) and Path(given).suffix:
            if not Path(given).is_file():
                raise WorkspaceError(f"{setting} names {given}, and there is no such file to go along")
            yield Path(given)


def _plain_config(run: Run) -> dict[str, Any]:
    """``config.json`` as it stands there."""
    said: dict[str, Any] = json.loads(RunPlace(run.path).config.read_bytes())
    return said


def _copy_labels(project: Project, level: str, image: str, root: Path) -> None:
    folder = project.levels[level].folder or level
    project.labels(level, image).flush()
    here, there = project.layout.labels(folder, image), Layout(root).labels(folder, image)
    # the array before the journal: what is beyond it in the journal is applied when it is opened
    pairs = [(here.array, there.array), (here.index, there.index), (here.marks, there.marks)]
    pairs += [(one, there.journal.parent / one.name) for one in here.journal.parent.glob(f"{here.journal.stem}.*")]
    blobs = here.journal.parent / "blobs"
    pairs += [(one, there.journal.parent / "blobs" / one.name) for one in blobs.glob(f"{here.journal.stem}.*.zarr")]
    for source, target in pairs:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _copy_images(
    project: Project, names: Sequence[str], parts: BoxesByImage, root: Path, *, exposed: bool
) -> dict[str, float]:
    """The images as zarr in the small workspace, whatever they are here, and its document; the share that is there."""
    from voxloop.volumes.exposure import measure_exposure
    from voxloop.volumes.part_writer import write_parts
    from voxloop.volumes.parts import chunks_under

    infos, shares = [], {}
    Layout(root).images.mkdir(parents=True)
    for name in names:
        info, boxes = project.images.info(name), parts.get(name)
        there = chunks_under(info.shape, [Box.whole(info.shape)] if boxes is None else boxes)
        try:
            volume = project.images.open(name)
            exposure = measure_exposure(volume) if exposed and not there.all() else None
            write_parts(volume, Layout(root).image(name), there, exposure)
        except (VoxloopError, OSError) as error:
            raise WorkspaceError(f"the pack cannot be made without image {name!r}: {error}") from error
        place = {"source": f"images/{name}.zarr", "beside": "", "arguments": {}, "stamp": "", "own": True}
        infos.append(info.model_copy(update=place))
        shares[name] = float(there.mean())
    bare = {"images": tuple(infos), "regions": (), "active_regions": {}, "sets": {}, "tiles": (), "reuse": ()}
    write_document(root, project.store.document.model_copy(update=bare))
    return shares


def _models(project: Project, run: Run) -> Iterator[Path]:
    """Folders of the models that a run starts from. Raises WorkspaceError for one that lies elsewhere."""
    settings: dict[str, Any] = run.config["settings"]
    for setting in _NAMES_OF_MODELS:
        given = settings.get(setting)
        if not isinstance(given, str) or not given:
            continue
        if setting in _FILES and Path(given).suffix:
            continue  # a file, which goes along as one
        try:
            folder = model_named(project.layout, given, setting)
        except ConfigError:
            continue  # a word of the setting's own, such as "auto"
        if given not in project.runs:
            raise WorkspaceError(
                f"{setting}={given!r} names a model by its folder, which another machine does not have; name a run of "
                "this workspace"
            )
        yield folder.parent


def _copy_model(project: Project, folder: Path, root: Path) -> None:
    target = Layout(root).run(folder.name)
    for part in ("config.json", "events.jsonl", "outcome.json", "model", "classifier"):
        _copy(folder / part, target / part)


def _files(root: Path) -> list[Path]:
    found = [Path(entry.path) for entry in walk(root)]
    return sorted(path for path in found if not path.name.endswith((".lock", ".tmp")) and path.name != "lock")


def _home(project: Project, facts: PackFacts, place: Path) -> Run:
    """The run that a pack was made from. Raises RunError where it is another one, or gone."""
    if facts.run not in project.runs:
        raise RunError(f"{place} was packed from run {facts.run!r} of workspace {facts.workspace!r}, which is not here")
    home = project.runs[facts.run]
    if config_key(home.config) != facts.config:
        raise RunError(
            f"{place} was packed from another run {facts.run!r}, with other settings or labels; its workspace is "
            f"{facts.workspace!r}"
        )
    return home


def _another(project: Project, home: Run, name: str) -> Run:
    """A new run with the settings and labels of one that has its model."""
    config = _plain_config(home)
    for key in ("v", "name", "created", *_OF_HOME):
        config.pop(key, None)
    task, settings = config.pop("task"), config.pop("settings")
    return project.runs.create(name, task, settings, **config)


def seal(run: Run, target: Path, facts: PackFacts) -> Path:
    """Write what a training made into a pack, for :func:`unpack`."""
    root = run.path.parent.parent
    parts = [run.path / part for part in (*_MADE, *_MADE_FILES)]
    files = [file for part in parts for file in ([part] if part.is_file() else _files(part))]
    done = PackFacts(facts.run, facts.workspace, facts.config, True, package_versions(), facts.carried)
    write_pack(target, done, root, files)
    return target
