"""The task of a shallow training run: labels of a workspace in, a model folder out. Speaks by its context alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.errors import LabelError
from voxloop.machine import machine
from voxloop.model import ClassInfo, resolve
from voxloop.runs.outcome import file_of_weights, model_named
from voxloop.shallow.fitting import Fitted, fit_examples
from voxloop.shallow.kept import load as load_samples
from voxloop.shallow.model import ShallowModel, load
from voxloop.shallow.picture import draw
from voxloop.shallow.record import LearningRecord
from voxloop.shallow.samples import APART, in_block, join
from voxloop.shallow.strokes import with_strokes
from voxloop.shallow.table import Example, Watch
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.runs.context import TaskContext
    from voxloop.shallow.choice import Choice
    from voxloop.shallow.encoded import Encoder

#: seconds between two progress events
_TELL = 0.25


class _Ended(Exception):
    """An order ends the run before there is a model; its word is the argument."""


def train(context: TaskContext) -> str:
    """Train a pixel classifier on the labels that ``context.config`` names, and leave it in ``model/``.

    Ends with ``"finished"``; with ``"stopped"`` where Stop came while passes were going on (the model of that moment is
    kept); with ``"cancelled"`` or ``"paused"`` as ordered. A run takes seconds, so a paused one starts afresh.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled, or the level holds instances.
    """
    config = ShallowConfig.from_json(context.settings)
    earlier = None
    if config.start_from:
        earlier = load_samples(model_named(context.layout, config.start_from))
        context.emit("log", text=f"starts from {len(earlier.values):,} samples of {config.start_from!r}")
    examples, classes = open_examples(context.workspace, context.config)
    progress = _Progress(context)
    try:
        fitted = fit_examples(
            config,
            examples,
            classes,
            threads=machine().cores,
            watch=Watch(voxels=progress.voxels, heard=progress.heard, epoch=progress.epoch),
            judge=True,
            earlier=earlier,
            encoder=_encoder(context, config),
        )
    except _Ended as end:
        return str(end)
    fitted.model.taught_beside(context.config.get("beside")).save(RunPlace(context.path).model)
    if fitted.samples is not None:
        fitted.samples.save(RunPlace(context.path).model)
    if fitted.choice:
        words = fitted.choice.words
        context.emit("log", text=f"{words} It took {fitted.choice.seconds:.0f} s of CPU time.", choice=words)
        if fitted.choice.doubted:
            context.emit("warning", text=fitted.choice.doubted_words)
        if fitted.choice.left_out:
            context.emit("warning", text=fitted.choice.left_out_words, left_out=len(fitted.choice.left_out))
        _keep_record(context.path, fitted.choice, examples)
    context.emit("checkpoint", iteration=progress.passes, path="model")
    _sample(context, examples, fitted, progress.passes)
    return "stopped" if progress.stopping else "finished"


def _encoder(context: TaskContext, config: ShallowConfig) -> Encoder | None:
    """The network that features are asked of; the run names who opens it, since this learner knows none."""
    if config.features == "filters":
        return None
    context.emit("log", text=f"opens the network {config.network} for its features")
    weights = file_of_weights(context.layout, config.network_weights)
    opened: Encoder = resolve(str(context.config["encoder"]))(config.network, weights)
    return opened


def result(path: str | Path) -> ShallowModel:
    """The model of a run folder. Raises ModelError."""
    return load(RunPlace(Path(path)).model)


def fit_teacher(
    workspace: Path,
    facts: Mapping[str, Any],
    *,
    keep: Callable[[str, np.ndarray], np.ndarray],
    heard: Callable[[], None],
    settings: Mapping[str, Any],
    threads: int = 1,
    judge: bool = False,
) -> Fitted:
    """A pixel classifier beside a network: it teaches where nobody painted, and predicts where it is the better one.

    Parameters
    ----------
    facts
        As for :func:`open_examples`.
    keep
        Given the name of an example and voxels (n, 3) zyx, which of them may be learnt from.
    heard
        Called now and then; may raise to end the fit.
    settings
        Fields of a :class:`ShallowConfig` that are not to be as they are by default.
    judge
        Hold strokes out in turn first, as a run of this learner does.

    Raises
    ------
    LabelError
        Fewer than two classes are left, or the level holds instances.
    """
    examples, classes = open_examples(workspace, facts)
    teaching = [example for example in examples if not example.judges]
    teaching = [replace(e, labelled=e.labelled.take(keep(e.name, e.labelled.at))) for e in teaching]
    watch = Watch(voxels=lambda done, total: heard(), heard=heard)
    config = ShallowConfig(**{"validation": 0.0, **settings})
    return fit_examples(config, teaching, classes, threads, watch, judge=judge)


def open_examples(workspace: Path, facts: Mapping[str, Any]) -> tuple[list[Example], tuple[ClassInfo, ...]]:
    """What is labelled, as ``facts`` of :func:`voxloop.store.teaching.freeze` mean it; those that judge come last."""
    from voxloop.channels.beside import with_channels
    from voxloop.store import Store
    from voxloop.store.teaching import open_portions
    from voxloop.volumes import channels_of, read_block

    portions, classes = open_portions(workspace, facts)
    examples: list[Example] = []
    with Store.open(workspace, read_only=True) as store:
        for portion in portions:
            labels = portion.labels
            if labels.level.kind != "semantic":
                raise LabelError(
                    f"level {labels.level.name!r} holds instances; the shallow learner tells classes apart: choose a "
                    "semantic level"
                )
            volume = with_channels(store.images.open(portion.image), facts.get("beside"))
            labelled = join([in_block(labels.read(chunk.box), chunk.box) for chunk in labels.touched()])
            said_right = facts.get("said_right", {}).get(f"{labels.level.name}/{portion.image}", ())
            examples.append(
                Example(
                    name=portion.name,
                    read=partial(read_block, volume),
                    shape=labels.shape,
                    channels=channels_of(volume),
                    spacing_um=labels.spacing_um,
                    labelled=with_strokes(labelled, labels),
                    frames=volume.attrs.get("z_kind") == "frame",
                    judges=portion.judges,
                    said_right=tuple(int(sequence) for sequence in said_right),
                )
            )
    return examples, classes


def _keep_record(folder: Path, choice: Choice, examples: list[Example]) -> None:
    """Keep what held-out strokes were said to be, for whoever looks for strokes on the wrong thing."""
    answers = choice.of_all
    if answers is None:
        return
    values = np.array([info.value for info in choice.table.classes])
    image, z = np.divmod(answers.at[:, 0], APART)
    LearningRecord(
        at=np.column_stack([z, answers.at[:, 1:]]),
        image=image,
        images=tuple(example.name for example in examples),
        painted=values[answers.targets],
        probabilities=np.round(answers.probabilities * 255).astype(np.uint8),
        values=values,
        left_out=np.array([(one.image, one.sequence) for one in choice.left_out], np.int64).reshape(-1, 2),
    ).save(folder)


class _Progress:
    """Turns what the fit says into events, and orders into its end."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._told = self._began = time.monotonic()
        self.passes = 0
        self.stopping = False

    def voxels(self, done: int, total: int) -> None:
        self._obey(fitting=False)
        now = time.monotonic()
        if now - self._told >= _TELL or done == total:
            self._told = now
            left = (now - self._began) / done * (total - done) if done else None
            # features are most of the work; fitting is told as the last tenth
            self._context.emit("progress", done=0.9 * done, total=total, unit="voxels", eta_s=left)

    def heard(self) -> None:
        self._obey(fitting=False)

    def epoch(self, number: int, of: int, train: dict[str, Any], val: dict[str, Any] | None) -> bool:
        self._obey(fitting=True)
        now = time.monotonic()
        self.passes = number
        self._context.emit(
            "epoch",
            epoch=number,
            iteration=number,
            train=train,
            val=val,
            seconds=now - self._told,
            eta_s=(of - number) * (now - self._told),
        )
        self._told = now
        return not self.stopping

    def _obey(self, fitting: bool) -> None:
        for order in self._context.orders():
            if order.kind == "update":
                self._context.emit(
                    "warning",
                    text="a shallow run takes seconds and is not changed on the way; train again",
                    order=order.name,
                )
            elif order.kind == "stop" and fitting:
                self.stopping = True
            else:  # nothing is learnt before the passes begin, so there Stop keeps nothing either
                raise _Ended("paused" if order.kind == "pause" else "cancelled")


def _sample(context: TaskContext, examples: list[Example], fitted: Fitted, passes: int) -> None:
    """One picture for the monitor: where most is labelled."""
    example = max(examples, key=lambda one: len(one.labelled))
    name = f"samples/{passes:04d}.png"
    draw(context.path / name, fitted.model, example)
    context.emit("sample", path=name, name=example.name, epoch=passes, iteration=passes)
