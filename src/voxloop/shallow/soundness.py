"""What a classifier from a file must be before it is applied, and what of it decides the output. Knows no files.

Compiled code follows the indices of trees and the counts of support vectors without looking: where they point outside,
the process would crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Fits = Callable[[Any, int, int], bool]
Arrays = Callable[[Any], list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class EstimatorKind:
    """How estimators of one type are checked: ``fits(estimator, features, classes)``; ``arrays`` decide the output."""

    fits: Fits
    arrays: Arrays


def kinds() -> dict[type, EstimatorKind]:
    """Every type of estimator that a model may hold."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import (
        AdaBoostClassifier,
        ExtraTreesClassifier,
        GradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import SGDClassifier

    forest = EstimatorKind(_forest_fits, lambda estimator: _trees_arrays(estimator.estimators_))
    return {
        ExtraTreesClassifier: forest,
        RandomForestClassifier: forest,
        AdaBoostClassifier: EstimatorKind(_adaboost_fits, _adaboost_arrays),
        GradientBoostingClassifier: EstimatorKind(_gradient_fits, _gradient_arrays),
        CalibratedClassifierCV: EstimatorKind(_machine_fits, _machine_arrays),
        SGDClassifier: EstimatorKind(_linear_fits, _linear_arrays),
    }


def fits(estimator: Any, features: int, classes: int) -> bool:
    """Whether an estimator of a known type can be applied to so many features and tells so many classes apart."""
    try:
        return (
            list(estimator.classes_) == list(range(classes))
            and estimator.n_features_in_ == features
            and kinds()[type(estimator)].fits(estimator, features, classes)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        return False


def arrays(estimator: Any) -> list[np.ndarray]:
    """All numbers that decide what an estimator of a known type says."""
    return kinds()[type(estimator)].arrays(estimator)


def _forest_fits(estimator: Any, features: int, classes: int) -> bool:
    return _trees_fit(estimator.estimators_, features, classes)


def _adaboost_fits(estimator: Any, features: int, classes: int) -> bool:
    own = all(list(tree.classes_) == list(range(classes)) for tree in estimator.estimators_)
    return own and _trees_fit(estimator.estimators_, features, classes)


def _adaboost_arrays(estimator: Any) -> list[np.ndarray]:
    return [*_trees_arrays(estimator.estimators_), np.asarray(estimator.estimator_weights_)]


def _gradient_fits(estimator: Any, features: int, classes: int) -> bool:
    from sklearn.dummy import DummyClassifier
    from sklearn.tree import DecisionTreeRegressor

    stages, columns = estimator.estimators_, 1 if classes == 2 else classes
    return bool(
        type(stages) is np.ndarray
        and stages.ndim == 2
        and stages.shape[1] == columns
        and all(type(tree) is DecisionTreeRegressor for tree in stages.flat)
        and _trees_fit(stages.ravel(), features, 1)
        and type(estimator.init_) is DummyClassifier
        and np.shape(estimator.init_.class_prior_) == (classes,)
        and np.isfinite(float(estimator.learning_rate))
    )


def _gradient_arrays(estimator: Any) -> list[np.ndarray]:
    rate = np.array([estimator.learning_rate], dtype=float)
    return [*_trees_arrays(estimator.estimators_.ravel()), np.asarray(estimator.init_.class_prior_), rate]


def _machine_fits(estimator: Any, features: int, classes: int) -> bool:
    """A support vector machine with one sigmoid a class (one for two classes) upon it."""
    from sklearn.svm import SVC

    (calibrated,) = estimator.calibrated_classifiers_
    machine = calibrated.estimator
    pairs = classes * (classes - 1) // 2
    counts = np.asarray(machine._n_support)
    vectors = machine.support_vectors_
    return bool(
        type(machine) is SVC
        and not machine._sparse
        and machine.kernel in ("linear", "poly", "rbf", "sigmoid")
        and list(machine.classes_) == list(calibrated.classes) == list(range(classes))
        and machine.n_features_in_ == features
        and vectors.dtype == np.float64
        and vectors.shape == (counts.sum(), features)
        and machine.support_.shape == (counts.sum(),)
        and counts.shape == (classes,)
        and (counts >= 0).all()
        and all(coef.shape == (classes - 1, counts.sum()) for coef in (machine.dual_coef_, machine._dual_coef_))
        and all(size.shape == (pairs,) for size in (machine.intercept_, machine._intercept_))
        and machine._probA.size == machine._probB.size == 0
        and len(calibrated.calibrators) == (1 if classes == 2 else classes)
        and all(np.isfinite((c.a_, c.b_)).all() for c in calibrated.calibrators)
    )


def _machine_arrays(estimator: Any) -> list[np.ndarray]:
    (calibrated,) = estimator.calibrated_classifiers_
    machine = calibrated.estimator
    shape = np.array([machine._gamma, machine.coef0, machine.degree], dtype=float)
    return [
        np.frombuffer(machine.kernel.encode(), dtype=np.uint8),
        shape,
        machine.support_vectors_,
        machine._dual_coef_,
        machine._intercept_,
        np.asarray(machine._n_support),
        np.array([(c.a_, c.b_) for c in calibrated.calibrators]),
    ]


def _linear_fits(estimator: Any, features: int, classes: int) -> bool:
    rows = 1 if classes == 2 else classes
    return (
        estimator.loss in ("log_loss", "modified_huber")
        and estimator.coef_.shape == (rows, features)
        and estimator.intercept_.shape == (rows,)
    )


def _linear_arrays(estimator: Any) -> list[np.ndarray]:
    return [np.frombuffer(estimator.loss.encode(), dtype=np.uint8), estimator.coef_, estimator.intercept_]


def _trees_fit(trees: Any, features: int, outputs: int) -> bool:
    return len(trees) > 0 and all(
        tree.n_features_in_ == features
        and tree.tree_.value.shape[1:] == (1, outputs)
        and _tree_is_sound(tree.tree_, features)
        for tree in trees
    )


def _tree_is_sound(tree: Any, features: int) -> bool:
    """Children come after their parent and exist; so every walk from the root ends in a leaf."""
    index = np.arange(tree.node_count)
    left, right = tree.children_left, tree.children_right
    inner = left != -1
    return bool(
        tree.node_count > 0
        and (inner == (right != -1)).all()
        and all(((side > index) & (side < tree.node_count))[inner].all() for side in (left, right))
        and ((tree.feature >= 0) & (tree.feature < features))[inner].all()
    )


def _trees_arrays(trees: Any) -> list[np.ndarray]:
    found = [tree.tree_ for tree in trees]
    return [part for t in found for part in (t.children_left, t.children_right, t.feature, t.threshold, t.value)]
