"""The verb ``train``: from the labels as they are to a run that learns from them. The work is done by the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from voxloop.config import Config, DetectConfig, PictureConfig, PoseConfig, ShallowConfig
from voxloop.config.learners import learner_of
from voxloop.errors import LabelError, RunError, VoxloopError, WorkspaceError, unknown
from voxloop.extras import require
from voxloop.given import flag
from voxloop.runs import Run, sinks
from voxloop.store.kept_strokes import kept_strokes
from voxloop.store.mark_teaching import freeze_marks
from voxloop.store.teaching import freeze
from voxloop.store.values import as_list, text
from voxloop.workspace.channels import Channels
from voxloop.workspace.choices import run_name
from voxloop.workspace.object_classes import taught_objects
from voxloop.workspace.project import Project
from voxloop.workspace.tile_classes import taught_tiles

#: what predicts when a run has ended; by name, since the run calls it
_THEN = "voxloop.workspace.follow:predict"
#: what opens the network that a pixel classifier asks for features; by name, since that learner knows no torch
_ENCODER = "voxloop.deep.networks.frozen:open_encoder"
#: stands for the images that a run learns from
LEARNT = "learnt"


def train(
    project: Project,
    config: Config | None = None,
    name: str | None = None,
    *,
    queue: bool = True,
    start: bool = True,
    then_predict: str | Sequence[str] | None = None,
    note: str = "",
    on_finished: Callable[[Run], object] | None = None,
) -> Run:
    """Train a model on the labels as they are now, in a process of its own.

    Parameters
    ----------
    config
        :class:`ShallowConfig` (seconds) or :class:`DeepConfig` (minutes); a preset is one of these.
    name
        Name of the run; ``shallow-1``, ``deep-2``, ... where not given.
    queue
        Wait in line where another run uses the device; False: refuse.
    start
        False: the run is made and not started; ``python -m voxloop.runs PATH`` does that, in the job of a cluster.
    then_predict
        The image, or several, that is predicted once the run has finished, or was stopped and kept: a name, a list
        of names, ``"learnt"`` for those that it learns from, ``"*"`` for all. The run itself starts that, so no
        notebook has to be open by then; ``run.followed_by`` is the name of the prediction.
    note
        Words on what the run is for; ``run.note`` changes them later.
    on_finished
        Called with the run once it has ended, however (``run.state`` says so), while this process lives: the place for
        an e-mail or a message to a channel.

    Returns
    -------
    Run
        At once. Training goes on when the notebook is interrupted, restarted or closed; ``run.result`` waits and is
        the model.

    Raises
    ------
    LabelError
        Nothing is labelled, or only one class is.
    ConfigError
        Settings name a channel that there is not, or other channels than the samples that are started from.
    ModelError
        What is started from kept no samples.
    MissingPackageError
        A network is asked for, and torch is not installed.
    RunError
        The device is busy, and ``queue`` is False; no run is left behind.

    Examples
    --------
    >>> run = ws.train(vl.ShallowConfig(trees=8), note="first strokes")
    >>> run.name, run.state
    ('shallow-2', 'finished')
    >>> run.result
    <ShallowModel ...: cell, background>
    """
    run = prepare(project, ShallowConfig() if config is None else config, name, then_predict=then_predict, note=note)
    try:
        if flag("start", start, error=RunError):
            run.launch(queue=queue)
    except RunError:
        run.delete()  # it never began: nothing of it is worth a name
        raise
    if on_finished is not None:
        run.on_finished(on_finished)
    _log_round(project, run)
    return run


def prepare(
    project: Project,
    config: Config,
    name: str | None = None,
    *,
    then_predict: str | Sequence[str] | None = None,
    note: str = "",
) -> Run:
    """The run of a training, with the labels as they are now; not started yet. Raises what :func:`train` raises."""
    note = text("note", note, error=RunError)
    learner = learner_of(config)
    require("networks need", *learner.packages)
    if isinstance(config, ShallowConfig) and config.features != "filters":
        require("features of a network need", "torch", "timm", "safetensors")
    sinks.check(config.to_json())
    facts = _freeze(project, config)
    if beside := getattr(config, "channels", ()):
        facts["beside"] = Channels(project).facts(beside)
    if isinstance(config, ShallowConfig) and config.features != "filters":
        facts["encoder"] = _ENCODER
    if isinstance(config, ShallowConfig) and config.start_from:
        facts |= _channels_of_start(project, config.start_from, facts.get("beside"))
    if said_right := _said_right(project, facts):
        facts["said_right"] = said_right
    settings = _settle(config, facts)
    if then_predict is not None:
        facts |= {"then": _THEN, "then_predict": _images_after(project, then_predict, facts)}
    project.store.check_open_to_runs()
    run = project.runs.create(
        run_name(project, name, learner.name),
        learner.task,
        settings,
        kind="train",
        learner=learner.name,
        device=str(getattr(config, "device", "cpu")),
        parent=getattr(config, "start_from", None),
        **facts,
    )
    if note:
        run.note = note
    return run


def _channels_of_start(project: Project, start: str, asked: dict[str, Any] | None) -> dict[str, Any]:
    """The channels that samples of an earlier model are of, as facts; said now, not once the run has begun."""
    from voxloop.runs.outcome import model_named
    from voxloop.shallow import kept

    beside = kept.channels_of_samples(kept.load(model_named(project.layout, start)), asked)
    return {"beside": dict(beside)} if beside else {}


def _said_right(project: Project, facts: dict[str, Any]) -> dict[str, list[int]]:
    """Strokes that somebody looked at and kept, by ``level/image``: what a run learns whatever the others say."""
    found: dict[str, list[int]] = {}
    for level, image, sequence in sorted(kept_strokes(project.layout.kept_strokes)):
        key = f"{level}/{image}"
        if sequence <= facts["labels"].get(key, 0):
            found.setdefault(key, []).append(sequence)
    return found


def _freeze(project: Project, config: Config) -> dict[str, Any]:
    """What is learned from, as the labels are now. Raises LabelError."""
    if isinstance(config, PoseConfig):
        return freeze_marks(project.store, config, "points")
    if isinstance(config, DetectConfig):
        return freeze_marks(project.store, config, "points", "boxes")
    if isinstance(config, PictureConfig) and config.objects:
        return taught_objects(project, config)
    if isinstance(config, PictureConfig) and config.tiles:
        return taught_tiles(project, config)
    if isinstance(config, PictureConfig):
        if config.training_set or config.validation_set:
            raise LabelError(
                "training_set and validation_set name tiles here; say which grid, PictureConfig(tiles=...)"
            )
        return freeze_marks(project.store, config, "pictures")
    return freeze(project.store, config)


def _settle(config: Config, facts: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, as JSON with the level and the versions of sets that they mean now."""
    pinned = {"training_set": "set", "validation_set": "validation_set"}
    named = {key: "{name}@{version}".format(**facts[of]) for key, of in pinned.items() if of in facts}
    if "constrain" in facts:
        inside = facts["constrain"]
        named["constrain"] = f"{inside['level']}/{inside['class']}" if inside["class"] else inside["level"]
    return config.changed(level=facts["level"], **named).to_json()


def _images_after(project: Project, meant: str | Sequence[str], facts: dict[str, Any]) -> str | list[str]:
    """What ``ws.predict`` takes as image: a name, several names, or ``"*"``. Raises WorkspaceError."""
    if not isinstance(meant, str):
        meant = as_list("then_predict", meant, error=WorkspaceError)
    elif meant == "*":
        return "*"
    if meant == LEARNT and meant not in project.images.names:
        rows = facts.get("rows") or [{"image": key.partition("/")[2]} for key in facts["labels"]]
        meant = [row["image"] for row in rows]
    if isinstance(meant, str):
        meant = [meant]
    for name in meant:
        if name not in project.images:
            raise WorkspaceError(f"then_predict: {unknown('image', name, project.images.names)}")
    names = list(dict.fromkeys(meant))
    if not names:
        raise WorkspaceError("then_predict: an empty list names no image; name one, or leave it out")
    return names[0] if len(names) == 1 else names


def _log_round(project: Project, run: Run) -> None:
    """A line of the rounds: what a run learns from, how the last prediction fared on the new labels."""
    level = str(run.config["level"])
    if not project.levels[level].raster:
        return  # rounds are of painted labels
    learnt: dict[str, int] = run.config["labels"]
    labelled = sum(sum(project.labels(*key.split("/", 1)).counts().values()) for key in learnt)
    facts: dict[str, Any] = {
        "run": run.name,
        "level": level,
        "labels": learnt,
        "learner": run.learner,
        "labelled": labelled,
    }
    newest = reversed(list(project.predictions.values()))
    last = next((one for one in newest if one.level == level and one.done == 1), None)
    if last is not None and last.image in project.images.names:
        facts["prediction"] = last.name
        with suppress(VoxloopError):  # a prediction that has no score is no reason not to train
            facts["score"] = project.scores.compute(last.name).to_json()
    project.rounds.log.append(**facts)
