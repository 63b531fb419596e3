"""Settings of the classifiers that learn from features. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from voxloop.config.base import Config, setting

Classifiers = Literal[
    "perceptron", "blend", "forest", "random forest", "adaboost", "gradient boosting", "svm", "linear"
]
#: those that average many deep trees, and those that add up many shallow ones
FORESTS, BOOSTED = ("forest", "random forest"), ("adaboost", "gradient boosting")


class ClassifierSettings(Config):
    """Which classifier learns, and how."""

    @field_validator("classifier", mode="before", check_fields=False)
    @classmethod
    def _as_named_before(cls, value: Any) -> Any:
        """Runs on disk may name the perceptron as it was called before."""
        return "perceptron" if value == "network" else value

    projection: Literal["none", "standard", "pca", "random"] = setting(
        "none",
        "what the classifier is shown of the features: all as they are (svm and linear standardise them "
        "anyway); standard: each by its mean and spread; pca: the few directions that vary most; random: a few random "
        "mixtures",
        group="Classifier",
    )
    components: int = setting(
        16,
        "how many directions or mixtures; no more than there are features",
        group="Classifier",
        ge=1,
        le=500,
        log=True,
        when={"projection": ["pca", "random"]},
    )
    classifier: Classifiers = setting(
        "perceptron",
        "perceptron: small and fast; blend: a perceptron that learns what another and a forest, averaged, say of the "
        "image around the strokes; forest: extremely randomised trees; random forest, adaboost and "
        "gradient boosting: other ensembles of trees; svm: a support vector machine, slow, for few samples; linear: "
        "straight borders between classes. The live overlay takes the perceptron for all but the forests",
        group="Classifier",
    )
    forest_share: float = setting(
        0.5,
        "how much the forest counts in the blend; the perceptron has the rest",
        group="Classifier",
        ge=0,
        le=1,
        step=0.05,
        when={"classifier": ["blend"]},
    )
    planes_share: float = setting(
        0.0,
        "how much filters within planes count in the blend, beside those through the stack; these have the rest",
        group="Classifier",
        ge=0,
        le=1,
        step=0.05,
        when={"classifier": ["blend"]},
    )
    hidden: tuple[int, ...] = setting(
        (24, 12),
        "widths of the perceptron's hidden layers",
        group="Classifier",
        unit="units",
        advanced=True,
        when={"classifier": ["perceptron", "blend"]},
    )
    passes: int = setting(
        10,
        "times the perceptron sees the samples",
        group="Classifier",
        ge=1,
        le=1000,
        log=True,
        advanced=True,
        when={"classifier": ["perceptron", "blend"]},
    )
    learning_rate: float = setting(
        3e-3,
        "step of the perceptron's optimiser (Adam)",
        group="Classifier",
        gt=0,
        le=0.1,
        log=True,
        advanced=True,
        when={"classifier": ["perceptron", "blend"]},
    )
    decay: float = setting(
        1.0,
        "L2 penalty on the perceptron's weights; more is smoother",
        group="Classifier",
        ge=0,
        le=10,
        log=True,
        advanced=True,
        when={"classifier": ["perceptron", "blend"]},
    )
    trees: int = setting(
        32,
        "trees of the ensemble; 100 (adaboost: 50) are usual elsewhere, and take three times as long",
        group="Classifier",
        ge=1,
        le=500,
        log=True,
        advanced=True,
        when={"classifier": ["blend", *FORESTS, *BOOSTED]},
    )
    depth: int | None = setting(
        14,
        "greatest depth of a tree; empty: until its leaves are pure, or as small as they may be",
        group="Classifier",
        ge=1,
        le=32,
        advanced=True,
        when={"classifier": ["blend", *FORESTS]},
    )
    boosting_depth: int = setting(
        3,
        "greatest depth of a tree; boosting adds up many shallow ones",
        group="Classifier",
        label="depth",
        ge=1,
        le=16,
        advanced=True,
        when={"classifier": BOOSTED},
    )
    leaf: int = setting(
        4,
        "fewest samples in a leaf",
        group="Classifier",
        ge=1,
        le=1000,
        log=True,
        advanced=True,
        when={"classifier": ["blend", *FORESTS, *BOOSTED]},
    )
    boosting_rate: Literal["auto"] | float = setting(
        "auto",
        "how much each further tree counts; auto: 1 for adaboost, 0.1 for gradient boosting",
        group="Classifier",
        label="learning rate",
        advanced=True,
        when={"classifier": BOOSTED},
    )
    subsample: float = setting(
        1.0,
        "share of the samples that each tree is shown; below 1 trees differ more",
        group="Classifier",
        gt=0,
        le=1,
        step=0.05,
        advanced=True,
        when={"classifier": ["gradient boosting"]},
    )
    svm_kernel: Literal["linear", "poly", "rbf", "sigmoid"] = setting(
        "rbf",
        "shape of borders between classes: straight, a polynomial, around samples, sigmoid",
        group="Classifier",
        label="kernel",
        when={"classifier": ["svm"]},
    )
    svm_c: float = setting(
        1.0,
        "how hard single samples are fitted; less gives smoother borders",
        group="Classifier",
        label="C",
        gt=0,
        le=1000,
        log=True,
        when={"classifier": ["svm"]},
    )
    svm_gamma: Literal["auto"] | float = setting(
        "auto",
        "how near a sample must be to count, for all kernels but the linear one; auto: one by the number of features",
        group="Classifier",
        label="gamma",
        advanced=True,
        when={"classifier": ["svm"]},
    )
    svm_samples: int = setting(
        1_000,
        "samples used, all classes together: the time grows with their square, and every voxel predicted is "
        "compared with most of them",
        group="Classifier",
        label="samples of the machine",
        ge=20,
        le=20_000,
        log=True,
        when={"classifier": ["svm"]},
    )
    linear_loss: Literal["log", "modified_huber"] = setting(
        "log",
        "what is minimised: log, the logistic loss; modified_huber forgives samples far on the wrong side",
        group="Classifier",
        label="loss",
        when={"classifier": ["linear"]},
    )
    penalty: Literal["none", "l1", "l2", "elasticnet"] = setting(
        "l2",
        "on the weights: l2 keeps all small, l1 leaves few, elasticnet is between",
        group="Classifier",
        when={"classifier": ["linear"]},
    )
    alpha: float = setting(
        1e-4,
        "strength of the penalty, and what the steps are derived from",
        group="Classifier",
        gt=0,
        le=1,
        log=True,
        when={"classifier": ["linear"]},
    )
    iterations: int = setting(
        20,
        "times the linear classifier sees the samples",
        group="Classifier",
        ge=1,
        le=1000,
        log=True,
        advanced=True,
        when={"classifier": ["linear"]},
    )
