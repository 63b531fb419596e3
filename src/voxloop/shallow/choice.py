"""What suits these labels: classifiers blended as far as each tells strokes held out in turn. Knows no workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig
from voxloop.model import ClassInfo
from voxloop.shallow.classifier import Member
from voxloop.shallow.consensus import near_forests, overrated
from voxloop.shallow.contradicted import LeftOut, contradicted
from voxloop.shallow.crossfit import Answers, CrossFit
from voxloop.shallow.encoded import Encoder
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.likeness import likeness
from voxloop.shallow.model import ChannelNormalisation
from voxloop.shallow.samples import APART, LabelledVoxels
from voxloop.shallow.table import Example, FeatureTable, Watch, gather, source_of
from voxloop.shallow.thin import thin_classes
from voxloop.shallow.worth import counts, iou_of, iou_of_members, noise_of

#: shares are rounded to this
STEP = 0.05
#: share of labelled planes that is labelled, from which on labels say how common classes are
FILLED = 0.4


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """What was chosen, and what held-out strokes said of it.

    Attributes
    ----------
    config : the settings to learn with; training with them again chooses nothing.
    table : what is learned from.
    scores : mean IoU of the foreground on held-out strokes, by classifier that may be blended.
    noise : standard error of what the best of these is ahead; the more there is, the less the scores count.
    answers : of the chosen settings, as they predict; None where no stroke could be held out.
    of_all : the same of all strokes, without smoothing.
    thin : names of classes that are nowhere three voxels wide.
    strokes : how many strokes there are; 0 where nobody knows.
    left_out : those that are not learned, since the others contradict them.
    doubted : classifiers that count less than their scores say, since they differ from the others by more than these
        allow.
    open : whether there was something to choose.
    seconds : of CPU time that it took.
    """

    config: ShallowConfig
    table: FeatureTable
    scores: Mapping[str, float] = field(default_factory=dict)
    noise: float = 0.0
    answers: Answers | None = None
    of_all: Answers | None = None
    thin: tuple[str, ...] = ()
    strokes: int = 0
    left_out: tuple[LeftOut, ...] = ()
    doubted: tuple[str, ...] = ()
    open: bool = False
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """``"as it is"`` where the settings were kept, else of what was chosen."""
        return self.config.classifier if self.open else "as it is"

    @property
    def words(self) -> str:
        """What was chosen and why, in a few sentences."""
        parts = []
        if not self.open:
            parts.append("Settings as they are.")
        else:
            parts.append(f"Chosen: {_blend_words(self.config, self.table)}.")
            if self.config.class_weights == "none":
                parts.append("Planes are labelled whole, so classes are not evened out.")
        if self.scores:
            listed = ", ".join(f"{name} {iou:.2f}" for name, iou in self.scores.items())
            known = f"; so many strokes tell these apart to {self.noise:.2f}" if len(self.scores) > 1 else ""
            parts.append(f"Mean IoU by cross-validation on strokes, as common as in the image: {listed}{known}.")
        elif self.answers is not None:
            parts.append(f"Mean IoU by cross-validation on strokes: {mean_iou(self.answers, self.table.classes):.2f}.")
        else:
            parts.append("There are too few strokes to hold some out.")
        if self.doubted:
            parts.append(self.doubted_words)
        if self.thin:
            parts.append(_thin_words(self.thin, self.config))
        return " ".join(parts)

    @property
    def doubted_words(self) -> str:
        """Which classifiers count less than held-out strokes say, and what helps; empty where none does."""
        if not self.doubted:
            return ""
        verb = "counts" if len(self.doubted) == 1 else "count"
        return (
            f"{' and '.join(self.doubted).capitalize()} {verb} less, or not at all: off the strokes it says something "
            "else than the others, by more than can be right. Paint where nothing is painted yet, above all what looks "
            "unlike your strokes."
        )

    @property
    def left_out_words(self) -> str:
        """Which strokes are not learned, and why; empty where all are."""
        if not self.left_out:
            return ""
        names = [info.name for info in self.table.classes]
        listed = "; ".join(
            f"painted {names[one.painted]}, but models that had not learned it say {names[one.said]} "
            f"({one.confidence:.0%} sure)"
            for one in self.left_out
        )
        verb = "was" if len(self.left_out) == 1 else "were"
        counted = "1 stroke" if len(self.left_out) == 1 else f"{len(self.left_out)} strokes"
        return f"{counted} of {self.strokes} {verb} left out, which all others contradict: {listed}."

    def to_json(self) -> dict[str, Any]:
        """What the model's spec keeps of it; the seconds are left out, since the hash of equal models is equal."""
        return {
            "name": self.name,
            "settings": differing(self.config),
            "scores": {name: round(iou, 4) for name, iou in self.scores.items()},
            "thin": list(self.thin),
            "left_out": self.left_out_words,
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
    encoder: Encoder | None = None,
) -> Choice:
    """Judge the settings by strokes held out in turn and, where they are open, choose what is blended.

    A perceptron and a forest, each on filters through the stack and, where voxels are not nearly cubic, within planes:
    all are blended, and the better one tells held-out strokes the more it counts. Picking the best one instead was
    worse on average and far worse on single stacks. What is chosen depends on the labels alone and never on how fast
    the machine is, so that equal labels give equal models.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled.
    """
    began = time.process_time()
    if config.is_open and _fill_planes(examples):
        # strokes give rare classes as much as common ones, and say nothing of how common they are
        config = config.changed(class_weights="none")
    table = gather(config, examples, bank, normalisation, classes, threads, watch, encoder)
    voxels = table
    if table.supervoxels:
        voxels = gather(config.changed(unit="voxels"), examples, bank, normalisation, classes, threads, Watch())
    thin = thin_classes(examples, table.classes)
    fit = CrossFit([source_of(example, normalisation) for example in examples], bank, voxels, threads, config.seed)
    strokes = table.chosen.strokes
    scores: dict[Member, float] = {}
    doubted: list[Member] = []
    counted: dict[Member, float] = {}
    noise = 0.0
    if config.is_open:
        foreground = _foreground(table.classes)
        said = fit.of_surroundings(config, watch.heard)
        near = near_forests(said, foreground)
        counted = near
        charges: dict[Member, float] = {}
        if fit.possible:
            joints = _judge(config, table, fit, watch.heard)
            scores = iou_of_members(joints, foreground)
            charges = overrated(scores, said, foreground) if said else {}
            worth = {member: score - charges.get(member, 0.0) for member, score in scores.items()}
            noise = noise_of(joints, worth, foreground)
            counted = {member: count * near.get(member, 1.0) for member, count in counts(worth, noise).items()}
        doubted = [member for member in counted if charges.get(member, 0.0) > 0 or near.get(member, 1.0) < 1]
    settings = _blended(config, table, counted) if config.is_open else config
    answers = fit.answers(settings, table, watch.heard) if fit.possible else None
    of_all = None if answers is None else fit.of_all(settings, table)
    left_out: list[LeftOut] = []
    if config.leave_out and of_all is not None and strokes is not None and not table.supervoxels:

        def without(some: Sequence[LeftOut]) -> Answers | None:
            return fit.of_all_without(_rows_of(table, some), settings, watch.heard)

        left_out = contradicted(of_all, strokes[fit.taught], _said_right(examples), without)
        table = table.without(_rows_of(table, left_out))
    return Choice(
        config=settings,
        table=table,
        scores={_name(member, table): score for member, score in scores.items()},
        noise=noise,
        doubted=tuple(_name(member, table) for member in doubted),
        answers=answers,
        of_all=of_all,
        thin=thin,
        strokes=0 if strokes is None else _count(strokes, table.chosen),
        left_out=tuple(left_out),
        open=config.is_open,
        seconds=time.process_time() - began,
    )


def _said_right(examples: Sequence[Example]) -> frozenset[tuple[int, int]]:
    """Image and edit of the strokes that somebody looked at and kept."""
    return frozenset((number, sequence) for number, example in enumerate(examples) for sequence in example.said_right)


def _rows_of(table: FeatureTable, left_out: Sequence[LeftOut]) -> np.ndarray:
    """Mask of the chosen voxels of strokes."""
    rows = np.zeros(len(table.chosen), bool)
    for one in left_out:
        assert table.chosen.strokes is not None
        rows |= (table.chosen.strokes == one.sequence) & (table.chosen.at[:, 0] // APART == one.image)
    return rows


def _count(strokes: np.ndarray, chosen: LabelledVoxels) -> int:
    """How many strokes the voxels are of, over all images."""
    drawn = strokes > 0
    return len(np.unique(np.column_stack([chosen.at[drawn, 0] // APART, strokes[drawn]]), axis=0))


def _judge(
    config: ShallowConfig, table: FeatureTable, fit: CrossFit, heard: Callable[[], None]
) -> dict[Member, np.ndarray]:
    """Weights (strokes, true class, class said) of held-out voxels by classifier, as common as in the image."""
    asked, answers = fit.of_members(config, heard)
    targets, units = table.targets[asked], fit.units
    common = table.shares / np.maximum(np.bincount(targets, minlength=len(table.classes)) / len(targets), 1e-9)
    weights = common[targets]
    if table.beside is not None:
        weights = weights * likeness(table.features[asked], table.beside.around, config.seed)
    joints = {}
    for member, probabilities in answers.items():
        joint = np.zeros((int(units.max()) + 1, len(table.classes), len(table.classes)))
        np.add.at(joint, (units, targets, probabilities.argmax(axis=1)), weights)
        joints[member] = joint
    return joints


def _blended(config: ShallowConfig, table: FeatureTable, counted: Mapping[Member, float]) -> ShallowConfig:
    """Settings with the shares by how much each classifier counts; all alike where nothing is known."""
    planes = table.beside is not None and table.beside.planes is not None
    forest, flat = 0.5, 0.5 if planes else 0.0
    network = {"filters": 0.0, "both": 0.5, "network": 1.0}[config.features]
    if counted:
        total = sum(counted.values())
        forest = sum(count for member, count in counted.items() if member.kind == "forest") / total
        network = sum(count for member, count in counted.items() if member.network) / total
        by_filters = total * (1 - network)
        flat = sum(count for member, count in counted.items() if member.planes) / by_filters if network < 1 else 0.0
    through = config.dimensions == "auto" and table.through
    return config.changed(
        choose="fixed",
        classifier="blend",
        forest_share=_rounded(forest),
        planes_share=_rounded(flat),
        network_share=_rounded(network),
        dimensions="3d" if through else config.dimensions,
    )


def _fill_planes(examples: Sequence[Example]) -> bool:
    """Whether labels are no strokes but planes, or much of them, labelled whole."""
    labelled = area = 0
    for example in examples:
        if not example.judges:
            planes = len(np.unique(example.labelled.at[:, 0]))
            labelled += len(example.labelled)
            area += planes * example.shape[1] * example.shape[2]
    return labelled >= FILLED * area > 0


def _rounded(share: float) -> float:
    return round(round(share / STEP) * STEP, 2)


def differing(config: ShallowConfig) -> dict[str, Any]:
    """What of these settings is not as they open with."""
    default = ShallowConfig().to_json()
    return {name: value for name, value in config.to_json().items() if value != default[name]}


def mean_iou(answers: Answers, classes: Sequence[ClassInfo]) -> float:
    """Mean IoU of the foreground on held-out voxels."""
    return float(np.nanmean(iou_per_class(answers)[_foreground(classes)]))


def iou_per_class(answers: Answers) -> np.ndarray:
    """IoU (classes,) on held-out voxels, classes weighed as among all labels; nan where a class is in neither."""
    classes = answers.probabilities.shape[1]
    joint = np.zeros((classes, classes))
    np.add.at(joint, (answers.targets, answers.probabilities.argmax(axis=1)), answers.weights)
    return iou_of(joint)


def _foreground(classes: Sequence[ClassInfo]) -> list[int]:
    chosen = [position for position, info in enumerate(classes) if not info.background]
    return chosen or list(range(len(classes)))


def _name(member: Member, table: FeatureTable) -> str:
    """A classifier as words name it; where all see the same filters, these are not named."""
    if member.network:
        return f"{member.kind} on the network"
    if table.beside is None or table.beside.planes is None:
        return member.kind
    return f"{member.kind} {'within planes' if member.planes else 'through the stack'}"


def _blend_words(config: ShallowConfig, table: FeatureTable) -> str:
    parts = [f"perceptron {1 - config.forest_share:.0%} and forest {config.forest_share:.0%}"]
    if config.features == "network":
        pass  # no filter counts
    elif table.beside is not None and table.beside.planes is not None:
        flat = config.planes_share
        parts.append(f"filters through the stack {1 - flat:.0%} and within planes {flat:.0%}")
    else:
        parts.append("filters through the stack" if table.through else "filters within planes")
    if table.beside is not None and table.beside.network is not None:
        parts.append(f"the network {config.network_share:.0%} and filters {1 - config.network_share:.0%}")
    parts.append(f"smoothing {config.smoothing:g}" if config.smoothing else "no smoothing")
    return "; ".join(parts)


def _thin_words(thin: Sequence[str], config: ShallowConfig) -> str:
    listed = ", ".join(thin)
    text = f"Thin, nowhere three voxels wide where painted: {listed}; kept at full resolution"
    if config.smoothing > 1:
        return f"{text}, but a smoothing of {config.smoothing:g} voxels takes it away: set smoothing=0."
    return f"{text} and not smoothed."
