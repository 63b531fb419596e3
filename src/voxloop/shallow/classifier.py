"""What a classifier is to the features, and which there are. No images, no files, no runs.

Which one: measured on FIB-SEM mitochondria, strokes on 5 of 32 slices (1.8 % of their voxels), IoU on the 17 slices at
least two away from them, two draws of strokes; seconds of one core to classify 1.1 Mvoxels whose features are there:

                                 within planes    through the stack    seconds
    extra trees 20 x depth 8       0.38  0.39       0.56  0.50           1.2
    extra trees 32 x depth 14      0.49  0.46       0.63  0.60           2.2
    perceptron 24-12               0.58  0.47       0.63  0.62           0.4

The perceptron on features of unlike resolution saves most of their interpolation besides. Distilling the forest into it
would cost a second fit to reach what the direct fit has already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from voxloop.config.classifiers import FORESTS
from voxloop.config.shallow import ShallowConfig
from voxloop.shallow.beside import Beside
from voxloop.shallow.estimators import fit_estimator
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.perceptron import Perceptron, Recipe, fit_perceptron
from voxloop.shallow.projection import Projection, fit_projection

#: classifiers that see nothing in features of unlike spread, and are given standardised ones in any case
STANDARDISED = ("svm", "linear")
#: samples of a class that a forest is shown at least, some again: its leaves are of several, and a stroke may be of one
LEAST = 32
#: supervoxels are few, and a perceptron takes hundreds of steps: a pass shows each as often as makes so many rows
PER_PASS = 10_000
#: labelled voxels that a blend is shown besides, as a share of those that nobody labelled
SURE = 0.25


class Classifier(Protocol):
    """Probabilities of classes from features, in the order of the classes fitted."""

    @property
    def classes(self) -> int: ...

    def rows(self, features: np.ndarray) -> np.ndarray:
        """(n, features) float32 to (n, classes) float32."""
        ...

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        """What :meth:`FeatureBank.pyramid` made to (classes, z, y, x) float32."""
        ...


@dataclass(frozen=True)
class Estimated:
    """A fitted classifier of scikit-learn."""

    estimator: Any

    @property
    def classes(self) -> int:
        return len(self.estimator.classes_)

    def rows(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.estimator.predict_proba(features), dtype=np.float32)

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        return _by_rows(self, bank, levels)


@dataclass(frozen=True)
class Projected:
    """A classifier that is shown a projection of the features."""

    projection: Projection
    within: Classifier

    @property
    def classes(self) -> int:
        return self.within.classes

    def rows(self, features: np.ndarray) -> np.ndarray:
        return self.within.rows(self.projection(features))

    def levels(self, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
        return _by_rows(self, bank, levels)


class Member(NamedTuple):
    """One of the classifiers that are blended; whether it sees filters within planes, or a network, instead."""

    kind: Literal["perceptron", "forest"]
    planes: bool
    network: bool = False

    def rows(self, features: np.ndarray, beside: Beside | None) -> np.ndarray | None:
        """What it sees of the labelled voxels; None where there is no such thing."""
        if self.network:
            return None if beside is None else beside.network
        if self.planes:
            return None if beside is None else beside.planes
        return features

    def rows_around(self, beside: Beside) -> np.ndarray | None:
        """What it sees of the voxels near the strokes."""
        if self.network:
            return beside.network_around
        return beside.planes_around if self.planes else beside.around


def _by_rows(classifier: Classifier, bank: FeatureBank, levels: list[np.ndarray]) -> np.ndarray:
    features = bank.merge(levels)
    rows = classifier.rows(np.ascontiguousarray(features.reshape(features.shape[0], -1).T))
    return np.ascontiguousarray(rows.T).reshape(-1, *features.shape[1:])


#: called after every pass over the samples with its number (from 1) and the classifier so far; False ends the fit
AfterPass = Callable[[int, Classifier], bool]


def fit_classifier(
    features: np.ndarray,
    targets: np.ndarray,
    config: ShallowConfig,
    threads: int = 1,
    after_pass: AfterPass = lambda number, classifier: True,
    beside: Beside | None = None,
) -> Classifier:
    """Fit ``config.projection`` and ``config.classifier`` to (n, features) float32 rows.

    ``targets`` are 0, 1, ... (every one present); ``beside`` is for the blend, which makes do with the rows alone
    where there is none.
    """
    kind = config.projection
    if kind == "none" and config.classifier in STANDARDISED:
        kind = "standard"
    # products are small, and the sum of two threads is not that of one
    with threadpool_limits(1, user_api="blas"):
        if kind == "none":
            return _fit(features, targets, config, threads, after_pass, beside)
        projection = fit_projection(kind, features, config.components, config.seed)

        def after(number: int, classifier: Classifier) -> bool:
            return after_pass(number, put_behind(projection, classifier))

        shown = None if beside is None else replace(beside, around=projection(beside.around))
        return put_behind(projection, _fit(projection(features), targets, config, threads, after, shown))


def put_behind(projection: Projection, classifier: Classifier) -> Classifier:
    """``classifier`` behind ``projection``; a perceptron takes the projection into its first layer."""
    if not isinstance(classifier, Perceptron):
        return Projected(projection, classifier)
    weights, bias = projection.before(classifier.weights[0], classifier.biases[0])
    return Perceptron((weights, *classifier.weights[1:]), (bias, *classifier.biases[1:]))


def _fit(
    features: np.ndarray,
    targets: np.ndarray,
    config: ShallowConfig,
    threads: int,
    after_pass: AfterPass,
    beside: Beside | None,
) -> Classifier:
    if config.classifier == "blend":
        members = fit_members(features, targets, config, threads, beside)
        return teach(members, features, targets, config, beside, after_pass)
    if config.classifier != "perceptron":
        shown = _repeated(targets) if config.classifier in FORESTS else np.arange(len(targets))
        estimated = Estimated(fit_estimator(features[shown], targets[shown], config, threads))
        after_pass(1, estimated)
        return estimated
    if config.unit == "supervoxels":
        again = np.resize(np.arange(len(targets)), max(len(targets), PER_PASS))
        features, targets = features[again], targets[again]
    return fit_perceptron(features, targets, _recipe(config), after_pass)


def fit_members(
    features: np.ndarray, targets: np.ndarray, config: ShallowConfig, threads: int, beside: Beside | None
) -> dict[Member, Classifier]:
    """Fit those classifiers that count in a blend with these settings."""
    members: dict[Member, Classifier] = {}
    for member, share in shares(config, beside).items():
        if share:
            rows = member.rows(features, beside)
            assert rows is not None
            members[member] = fit_member(rows, targets, member.kind, config, threads)
    return members


def fit_member(
    features: np.ndarray,
    targets: np.ndarray,
    kind: Literal["perceptron", "forest"],
    config: ShallowConfig,
    threads: int,
) -> Classifier:
    """Fit one classifier of a blend."""
    with threadpool_limits(1, user_api="blas"):
        if kind == "perceptron":
            return fit_perceptron(features, targets, _recipe(config))
        shown = _repeated(targets)
        forest = config.changed(classifier="forest", features="filters")
        return Estimated(fit_estimator(features[shown], targets[shown], forest, threads))


def teach(
    members: Mapping[Member, Classifier],
    features: np.ndarray,
    targets: np.ndarray,
    config: ShallowConfig,
    beside: Beside | None,
    after_pass: AfterPass = lambda number, classifier: True,
) -> Perceptron:
    """Fit one perceptron to what the members of a blend, averaged, say of the voxels near the strokes.

    Members err in different ways; and the image is not like what was painted on, since strokes keep away from borders
    and give rare classes as much as common ones. One perceptron in the end, since it is quick and a file of arrays
    (Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network").
    """
    around = features if beside is None or not len(beside.around) else beside.around
    believed = np.zeros((len(around), int(targets.max()) + 1), np.float32)
    counted = shares(config, beside)
    for member, classifier in members.items():
        seen: np.ndarray | None = around
        if beside is not None and len(beside.around):
            seen = member.rows_around(beside)
        elif member.planes or member.network:
            seen = member.rows(features, beside)
        assert seen is not None
        believed += counted[member] * classifier.rows(seen)
    rng = np.random.default_rng(config.seed)
    shown = _evened(believed.argmax(axis=1), rng)
    around, believed = around[shown], believed[shown]
    sure = rng.permutation(len(targets))[: max(1, int(SURE * len(around)))]
    painted = np.eye(believed.shape[1], dtype=np.float32)[targets[sure]]
    rows, soft = np.concatenate([around, features[sure]]), np.concatenate([believed, painted])
    return fit_perceptron(rows, soft, _recipe(config), after_pass)


def _repeated(targets: np.ndarray) -> np.ndarray:
    """Every row, and those of a class with few as often as makes :data:`LEAST`."""
    of_each = [np.flatnonzero(targets == value) for value in np.unique(targets)]
    few = [np.resize(rows, LEAST)[len(rows) :] for rows in of_each if len(rows) < LEAST]
    return np.concatenate([np.arange(len(targets)), *few])


def _evened(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many rows as there are, some again: a class by the root of how many there are, so that rare ones are learnt.

    What is learnt of a voxel are its probabilities, so this changes what is learnt well, and not what is believed.
    """
    odds = 1 / np.sqrt(np.maximum(np.bincount(classes), 1))[classes]
    return rng.choice(len(classes), len(classes), p=odds / odds.sum())


def shares(config: ShallowConfig, beside: Beside | None) -> dict[Member, float]:
    """How much each classifier counts in a blend with these settings; they sum to one."""
    flat = 0.0 if beside is None or beside.planes is None else config.planes_share
    forest = config.forest_share
    network = 0.0 if beside is None or beside.network is None else config.network_share
    parts = {(False, False): (1 - flat) * (1 - network), (True, False): flat * (1 - network)}
    if beside is not None and beside.network is not None:
        parts[False, True] = network
    counted: dict[Member, float] = {}
    for (planes, seen_by_network), part in parts.items():
        counted[Member("perceptron", planes, seen_by_network)] = part * (1 - forest)
        counted[Member("forest", planes, seen_by_network)] = part * forest
    return counted


def _recipe(config: ShallowConfig) -> Recipe:
    return Recipe(
        hidden=config.hidden,
        passes=config.passes,
        rate=config.learning_rate,
        decay=config.decay,
        balanced=config.class_weights == "balanced",
        seed=config.seed,
    )
