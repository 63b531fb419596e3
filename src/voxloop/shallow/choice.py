"""Which settings suit these labels: a few candidates, judged by strokes held out in turn. Knows no workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.errors import LabelError
from voxloop.model import ClassInfo
from voxloop.shallow.crossfit import Answers, CrossFit
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.model import ChannelNormalisation
from voxloop.shallow.table import Example, FeatureTable, Watch, gather, source_of

#: what is tried, in this order, and how it differs from what is set
CANDIDATES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without smoothing": {"smoothing": 0.0},
    "random forest, no weights, no smoothing": {
        "classifier": "random forest", "trees": 100, "depth": 32, "leaf": 1, "class_weights": "none", "smoothing": 0.0,
    },
    "forest": {"classifier": "forest"},
    "supervoxels, forest, edges": {"unit": "supervoxels", "classifier": "forest", "refine": "edge", "smoothing": 0.0},
}  # fmt: skip
#: a candidate must be better than what is set by so much, and by one standard error of the difference; one of another
#: unit by more, since strokes keep away from borders, and borders are where supervoxels are weakest
GAIN, UNIT_GAIN = 0.05, 0.12
_DRAWS = 200
#: voxels of supervoxels that are described in a second of one core, about (measured: 170,000 to 400,000)
_PER_SECOND = 250_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """What was chosen, and what held-out strokes said of it.

    Attributes
    ----------
    config : the settings to learn with.
    table : what is learned from, of their unit.
    name : of the candidate.
    tried : mean IoU of the foreground on held-out strokes, by candidate.
    left_out : candidates that there was no time for, or that the labels did not allow.
    answers : of the chosen settings, as they predict; None where no stroke could be held out.
    of_all : the same of all strokes, without smoothing.
    seconds : of CPU time that it took.
    """

    config: ShallowConfig
    table: FeatureTable
    name: str
    tried: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    answers: Answers | None = None
    of_all: Answers | None = None
    seconds: float = 0.0

    @property
    def words(self) -> str:
        """What was chosen and why, in a sentence or two."""
        if not self.tried:
            return "Settings as they are; there are too few strokes to hold some out."
        listed = ", ".join(f"{name} {iou:.2f}" for name, iou in sorted(self.tried.items(), key=lambda item: -item[1]))
        if len(self.tried) == 1:
            return f"Settings as they are (mean IoU {listed} by cross-validation on strokes)."
        untried = f" Not tried: {', '.join(self.left_out)}." if self.left_out else ""
        return f"Chosen: {self.name}. Mean IoU by cross-validation on strokes: {listed}.{untried}"

    def to_json(self) -> dict[str, Any]:
        """What the model's spec keeps of it; the seconds are left out, since the hash of equal models is equal."""
        return {
            "name": self.name,
            "tried": {name: round(iou, 4) for name, iou in self.tried.items()},
            "left_out": list(self.left_out),
            "words": self.words,
        }


def choose_settings(
    config: ShallowConfig,
    examples: Sequence[Example],
    bank: FeatureBank,
    normalisation: ChannelNormalisation,
    classes: Sequence[ClassInfo],
    threads: int,
    watch: Watch,
) -> Choice:
    """Judge the settings by strokes held out in turn and, where they say so, choose better ones.

    Candidates differ from ``config`` in what it has at its defaults alone; one that sets any of that itself is judged
    and kept. What is tried depends on the labels alone and never on how fast the machine is, so that equal labels
    give equal models: supervoxels are left out where describing them is estimated to take longer than
    ``config.choose_seconds`` of one core.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled.
    """
    began = time.process_time()
    table = gather(config, examples, bank, normalisation, classes, threads, watch)
    voxels = table
    if table.supervoxels:
        voxels = gather(config.changed(unit="voxels"), examples, bank, normalisation, classes, threads, Watch())
    sources = [source_of(example, normalisation) for example in examples]
    fit = CrossFit(sources, bank, voxels, threads, config.seed)
    if not fit.possible:
        return Choice(config=config, table=table, name="as it is")
    heard = _heard(watch, len(table.chosen))
    names = list(CANDIDATES) if config.choose == "auto" and free(config) else ["as it is"]
    describe = partial(
        gather, examples=examples, bank=bank, normalisation=normalisation, classes=classes, threads=threads
    )
    trials: dict[str, _Trial] = {}
    for name in names:
        trial = _try(config.changed(**CANDIDATES[name]), config, table, fit, describe, heard)
        if trial is not None:
            trials[name] = trial
    seconds = time.process_time() - began
    if not trials:
        return Choice(config=config, table=table, name="as it is", seconds=seconds)
    best = _best({name: trial.answers for name, trial in trials.items()}, table.classes)
    chosen = trials[best]
    return Choice(
        config=chosen.config,
        table=chosen.table,
        name=best,
        tried={name: mean_iou(trial.answers, table.classes) for name, trial in trials.items()},
        left_out=tuple(name for name in names if name not in trials),
        answers=chosen.answers,
        of_all=fit.of_all(chosen.config, chosen.table),
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """A candidate, what it learns from, and what it says of held-out strokes."""

    config: ShallowConfig
    table: FeatureTable
    answers: Answers


def _try(
    changed: ShallowConfig,
    config: ShallowConfig,
    table: FeatureTable,
    fit: CrossFit,
    describe: Callable[..., FeatureTable],
    heard: Callable[[], None],
) -> _Trial | None:
    """Judge a candidate; None where it would take too long, or the labels do not allow it.

    ``table`` is of the unit that ``config`` has; ``describe`` makes that of another one.
    """
    if changed.unit != config.unit:
        if fit.extent / _PER_SECOND > config.choose_seconds:
            return None
        try:
            table = describe(changed, watch=Watch())
        except LabelError:  # no supervoxel is mostly of one of the classes
            return None
    answers = fit.answers(changed, table, heard)
    return None if answers is None else _Trial(changed, table, answers)


def with_choice(config: ShallowConfig, name: str) -> ShallowConfig:
    """``config`` with the settings of a candidate, where it leaves them open; as it is where there is no such one."""
    return config.changed(**CANDIDATES.get(name, {})) if free(config) else config


def _best(answers: Mapping[str, Answers], classes: Sequence[ClassInfo]) -> str:
    """The candidate to take: the best of those that are better than what is set beyond doubt, else that."""
    scores = {name: mean_iou(one, classes) for name, one in answers.items()}
    first = next(iter(answers))
    better = [first]
    for name in list(answers)[1:]:
        gain = scores[name] - scores[first]
        least = UNIT_GAIN if "unit" in CANDIDATES[name] else GAIN
        if gain > max(least, _error_of_gain(answers[first], answers[name], classes)):
            better.append(name)
    return max(better, key=lambda name: scores[name])


def _error_of_gain(first: Answers, other: Answers, classes: Sequence[ClassInfo]) -> float:
    """Standard error of the difference of two scores: the same places drawn again and again."""
    chosen = [position for position, info in enumerate(classes) if not info.background] or list(range(len(classes)))
    cells, owners = np.unique(first.cells, return_inverse=True)
    often = np.random.default_rng(0).multinomial(len(cells), np.full(len(cells), 1 / len(cells)), size=_DRAWS)
    scores = []
    for answers in (first, other):
        tables = _tables(answers, owners.reshape(-1), len(cells))
        scores.append(np.nanmean(_iou(np.tensordot(often, tables, 1))[:, chosen], axis=1))
    return float(np.nanstd(scores[1] - scores[0]))


def _tables(answers: Answers, owners: np.ndarray, count: int) -> np.ndarray:
    """Weights (owners, true class, predicted class)."""
    classes = answers.probabilities.shape[1]
    tables = np.zeros((count, classes, classes))
    np.add.at(tables, (owners, answers.targets, answers.probabilities.argmax(axis=1)), answers.weights)
    return tables


def _iou(tables: np.ndarray) -> np.ndarray:
    """IoU (..., classes) of tables (..., true class, predicted class); nan where a class is in neither."""
    hit = np.diagonal(tables, axis1=-2, axis2=-1)
    union = tables.sum(axis=-2) + tables.sum(axis=-1) - hit
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(union > 0, hit / union, np.nan))


def free(config: ShallowConfig) -> bool:
    """Whether all that candidates differ in is at its default, so that nobody has said what it is to be."""
    default = ShallowConfig()
    settings = {name for changes in CANDIDATES.values() for name in changes}
    return all(getattr(config, name) == getattr(default, name) for name in settings)


def mean_iou(answers: Answers, classes: Sequence[ClassInfo]) -> float:
    """Mean IoU of the foreground on held-out voxels."""
    chosen = [position for position, info in enumerate(classes) if not info.background]
    return float(np.nanmean(iou_per_class(answers)[chosen or list(range(len(classes)))]))


def iou_per_class(answers: Answers) -> np.ndarray:
    """IoU (classes,) on held-out voxels, classes weighed as among all labels; nan where a class is in neither."""
    return _iou(_tables(answers, np.zeros(len(answers.targets), int), 1)[0])


def _heard(watch: Watch, total: int) -> Callable[[], None]:
    return lambda: watch.voxels(total, total)
