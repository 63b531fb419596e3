"""The classifiers of scikit-learn that settings name, fitted. Knows no images, no features of images, no files."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.config.shallow import ShallowConfig

#: learning rates that scikit-learn takes where none is given
RATES = {"adaboost": 1.0, "gradient boosting": 0.1}
#: parts into which the samples of a support vector machine are cut to find out how sure it may be
_FOLDS = 3


def fit_estimator(features: np.ndarray, targets: np.ndarray, config: ShallowConfig, threads: int = 1) -> Any:
    """Fit the estimator that ``config.classifier`` names, one that gives probabilities and starts no threads later on.

    ``features`` are (n, features) float32, ``targets`` 0, 1, ... (every one present).
    """
    balanced = config.class_weights == "balanced"
    if config.classifier in ("forest", "random forest"):
        return _fit_forest(features, targets, config, balanced, threads)
    if config.classifier == "svm":
        picks = _thinned(targets, config.svm_samples, np.random.default_rng(config.seed))
        features, targets = features[picks], targets[picks]
    from sklearn.utils.class_weight import compute_sample_weight

    weights = compute_sample_weight("balanced", targets) if balanced else np.ones(len(targets))
    return _unfitted(config).fit(features, targets, sample_weight=weights)


def _fit_forest(features: np.ndarray, targets: np.ndarray, config: ShallowConfig, balanced: bool, threads: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    kind = ExtraTreesClassifier if config.classifier == "forest" else RandomForestClassifier
    estimator = kind(
        n_estimators=config.trees,
        max_depth=config.depth,
        min_samples_leaf=config.leaf,
        class_weight="balanced" if balanced else None,
        random_state=config.seed,
        n_jobs=threads,
    ).fit(features, targets)
    # trees must not start threads of their own where a predictor runs several tiles at once
    return estimator.set_params(n_jobs=1)


def _unfitted(config: ShallowConfig) -> Any:
    rate = RATES.get(config.classifier, 0.0) if config.boosting_rate == "auto" else config.boosting_rate
    if config.classifier == "adaboost":
        from sklearn.ensemble import AdaBoostClassifier
        from sklearn.tree import DecisionTreeClassifier

        tree = DecisionTreeClassifier(max_depth=config.boosting_depth, min_samples_leaf=config.leaf)
        return AdaBoostClassifier(tree, n_estimators=config.trees, learning_rate=rate, random_state=config.seed)
    if config.classifier == "gradient boosting":
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(
            n_estimators=config.trees,
            max_depth=config.boosting_depth,
            min_samples_leaf=config.leaf,
            learning_rate=rate,
            subsample=config.subsample,
            random_state=config.seed,
        )
    if config.classifier == "svm":
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC

        machine = SVC(kernel=config.svm_kernel, C=config.svm_c, gamma=config.svm_gamma, random_state=config.seed)
        return CalibratedClassifierCV(machine, ensemble=False, cv=_FOLDS)  # Platt 1999
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(
        loss="log_loss" if config.linear_loss == "log" else config.linear_loss,
        penalty=None if config.penalty == "none" else config.penalty,
        alpha=config.alpha,
        max_iter=config.iterations,
        tol=None,
        random_state=config.seed,
    )


def _thinned(targets: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of about ``most`` samples, alike in number for each class, and never fewer than can be cut into folds."""
    classes = np.unique(targets)
    share = max(_FOLDS, most // len(classes))
    own = [np.flatnonzero(targets == value) for value in classes]
    picks = [rng.choice(rows, share, replace=False) if rows.size > share else rows for rows in own]
    return np.concatenate([np.resize(rows, max(rows.size, _FOLDS)) for rows in picks])
