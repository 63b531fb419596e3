"""Settings of the shallow learner: filter features and a small classifier. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from voxloop.config.base import Config, constrain, setting, training_set, validation_set
from voxloop.errors import ConfigError

#: settings that switch a kind of feature, in the order in which a bank computes them
FEATURE_KINDS = (
    "gaussian", "log", "gradient", "dog", "hessian", "structure", "deviation", "determinant", "vesselness",
)  # fmt: skip

Classifiers = Literal["network", "forest", "random forest", "adaboost", "gradient boosting", "svm", "linear"]
#: those that average many deep trees, and those that add up many shallow ones
FORESTS, BOOSTED = ("forest", "random forest"), ("adaboost", "gradient boosting")


class ShallowConfig(Config):
    """A pixel classifier that answers in seconds. Sigmas are physical; the spacing of the volume does the rest."""

    level: str | None = setting(None, "label level to learn; the only one where there is one")
    training_set: str | None = training_set()
    images: tuple[str, ...] | None = setting(None, "images whose labels are used; all where empty", advanced=True)
    constrain: str | None = constrain()

    dimensions: Literal["auto", "2d", "3d"] = setting(
        "auto",
        "filters within planes or through the stack; auto: through the stack where voxels are nearly cubic (training "
        "runs), within planes for frames, flat stacks and the live overlay",
        group="Features",
    )
    scales: int = setting(
        5, "how many sigmas, each twice the last; more see wider surroundings", group="Features", ge=1, le=8
    )
    sigmas_um: Literal["auto"] | tuple[float, ...] = setting(
        "auto",
        "sigmas themselves; auto: doubling from 0.8 voxels of the finest in-plane axis",
        group="Features",
        unit="µm",
        advanced=True,
    )
    context: Literal["auto"] | int = setting(
        "auto",
        "with filters within planes: neighbouring slices to either side that are smoothed over; auto: 8, and "
        "none for frames",
        group="Features",
        unit="slices",
    )
    gaussian: bool = setting(True, "smoothed intensity", group="Features")
    log: bool = setting(True, "Laplacian of Gaussian: blobs, bright or dark", group="Features", label="Laplacian")
    gradient: bool = setting(True, "gradient magnitude: edges", group="Features")
    dog: bool = setting(
        True, "difference of Gaussians: blobs and bands", group="Features", label="difference of Gaussians"
    )
    hessian: bool = setting(True, "eigenvalues of the Hessian: sheets and tubes", group="Features")
    structure: bool = setting(
        True, "eigenvalues of the structure tensor: texture", group="Features", label="structure tensor"
    )
    deviation: bool = setting(
        False, "standard deviation around: smooth or rough", group="Features", label="local deviation", advanced=True
    )
    determinant: bool = setting(
        False,
        "determinant of the Hessian: blobs and saddles",
        group="Features",
        label="determinant of the Hessian",
        advanced=True,
    )
    vesselness: bool = setting(
        False, "Frangi's measure of how much like a tube, bright or dark", group="Features", advanced=True
    )

    unit: Literal["voxels", "supervoxels"] = setting(
        "voxels",
        "what is classified: every voxel by itself, or supervoxels, small compact pieces of alike intensity "
        "that are decided as a whole; a stroke then labels every supervoxel that is mostly under it. The live overlay "
        "stays with voxels",
        group="Unit",
    )
    supervoxel_size: int = setting(
        10,
        "width of a supervoxel, in voxels of the finest in-plane axis and alike in micrometres along the others; "
        "up to a tenth more or less, so that the pieces repeat with the filters' grid",
        group="Unit",
        unit="voxels",
        ge=3,
        le=64,
        log=True,
        when={"unit": ["supervoxels"]},
    )
    compactness: float = setting(
        20.0,
        "how round supervoxels are: a distance of one supervoxel counts as much as a step of so many percent of "
        "the image's range of intensities; less follows edges, more makes cubes",
        group="Unit",
        unit="%",
        gt=0,
        le=1000,
        log=True,
        when={"unit": ["supervoxels"]},
    )
    descriptor: Literal["mean", "mean and deviation", "quantised", "textons", "covariance", "sigma set"] = setting(
        "mean",
        "what a supervoxel is known by: the mean of each feature over it; also how much each varies; a "
        "histogram of each; how often each of a few typical textures occurs; how features vary together; that and the "
        "mean. Histograms and what varies together make many numbers of many features",
        group="Unit",
        when={"unit": ["supervoxels"]},
    )
    bins: int = setting(
        10,
        "bins of a histogram, or typical textures",
        group="Unit",
        ge=2,
        le=100,
        when={"unit": ["supervoxels"], "descriptor": ["quantised", "textons"]},
    )
    neighbours: int = setting(
        0,
        "also what the supervoxels around are like: 1, those that touch; 2, those beyond as well",
        group="Unit",
        ge=0,
        le=2,
        when={"unit": ["supervoxels"]},
    )

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
        "network",
        "network: a small perceptron; forest: extremely randomised trees; random forest, adaboost and "
        "gradient boosting: other ensembles of trees; svm: a support vector machine, slow, for few samples; linear: "
        "straight borders between classes. The live overlay takes the network for all but the forests",
        group="Classifier",
    )
    hidden: tuple[int, ...] = setting(
        (24, 12),
        "widths of the perceptron's hidden layers",
        group="Classifier",
        unit="units",
        advanced=True,
        when={"classifier": ["network"]},
    )
    passes: int = setting(
        10,
        "times the perceptron sees the samples",
        group="Classifier",
        ge=1,
        le=1000,
        log=True,
        advanced=True,
        when={"classifier": ["network"]},
    )
    learning_rate: float = setting(
        3e-3,
        "step of the perceptron's optimiser (Adam)",
        group="Classifier",
        gt=0,
        le=0.1,
        log=True,
        advanced=True,
        when={"classifier": ["network"]},
    )
    decay: float = setting(
        1.0,
        "L2 penalty on the perceptron's weights; more is smoother",
        group="Classifier",
        ge=0,
        le=10,
        log=True,
        advanced=True,
        when={"classifier": ["network"]},
    )
    trees: int = setting(
        32,
        "trees of the ensemble; 100 (adaboost: 50) are usual elsewhere, and take three times as long",
        group="Classifier",
        ge=1,
        le=500,
        log=True,
        advanced=True,
        when={"classifier": [*FORESTS, *BOOSTED]},
    )
    depth: int = setting(
        14, "greatest depth of a tree", group="Classifier", ge=1, le=32, advanced=True, when={"classifier": FORESTS}
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
        when={"classifier": [*FORESTS, *BOOSTED]},
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

    samples: int = setting(
        20_000,
        "labelled voxels used, all classes together; spread over strokes, not piled up in the longest",
        group="Samples",
        unit="voxels",
        ge=100,
        le=2_000_000,
        log=True,
    )
    class_weights: Literal["balanced", "none"] = setting(
        "balanced", "every class counts the same, or every sample does", group="Samples"
    )
    validation: float = setting(
        0.2,
        "share of labelled blocks held out to measure IoU; the model kept learns from all",
        group="Samples",
        ge=0,
        le=0.5,
        step=0.05,
    )

    validation_set: str | None = validation_set()

    smoothing: float = setting(
        2.0,
        "sigma of the smoothing of probabilities, in voxels of the finest in-plane axis; 0: none",
        group="Output",
        unit="voxels",
        ge=0,
        le=20,
        step=0.5,
    )
    refine: Literal["none", "potts", "appearance", "edge"] = setting(
        "none",
        "make neighbours agree: potts, all alike; appearance, those that look alike; edge, those without an "
        "edge between them. Voxels or supervoxels, whichever are classified; the live overlay shows what comes before",
        group="Output",
    )
    refine_strength: float = setting(
        2.0,
        "how much neighbours count: where all agree, they multiply the odds of their class by 2.7 at 1, by 7 at "
        "2, by 20 at 3; a scale of its own, not that of a graph cut",
        group="Output",
        ge=0,
        le=20,
        step=0.5,
        when={"refine": ["potts", "appearance", "edge"]},
    )
    choose: Literal["auto", "fixed"] = setting(
        "fixed",
        "auto: before it learns, the run holds strokes out in turn and takes, of a few candidates (no smoothing, two "
        "kinds of forests, supervoxels), those settings that tell them best, as long as nothing of that was set here; "
        "fixed: settings as they are. The live overlay shows what the last run chose",
        group="Choice",
        label="choose settings",
    )
    choose_seconds: float = setting(
        20.0,
        "seconds of CPU time for that; candidates that do not fit are left out, and the run says which",
        group="Choice",
        unit="s",
        ge=1,
        le=600,
        log=True,
        advanced=True,
        when={"choose": ["auto"]},
    )
    seed: int = setting(0, "seed of everything random", ge=0, advanced=True)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of features that are on."""
        return tuple(name for name in FEATURE_KINDS if getattr(self, name))

    @field_validator("sigmas_um", mode="before")
    @classmethod
    def _sigmas_from_text(cls, value: Any) -> Any:
        if isinstance(value, str) and value != "auto":
            try:
                return tuple(float(part) for part in value.replace(",", " ").split())
            except ValueError:
                raise ConfigError(f"{value!r}; use 'auto' or sigmas like 0.005, 0.01, 0.02") from None
        return value

    @field_validator("context")
    @classmethod
    def _context_within_bounds(cls, value: Any) -> Any:
        if value != "auto" and not 0 <= value <= 64:
            raise ConfigError(f"{value} slices; use 'auto' or 0 to 64")
        return value

    @field_validator("sigmas_um")
    @classmethod
    def _sigmas_positive(cls, value: Any) -> Any:
        if value != "auto" and not (value and all(0 < sigma < float("inf") for sigma in value)):
            raise ConfigError(f"{value} µm; use 'auto' or one or more sigmas above 0")
        return value

    @field_validator("boosting_rate", "svm_gamma")
    @classmethod
    def _auto_or_positive(cls, value: Any) -> Any:
        if value != "auto" and not 0 < value <= 100:
            raise ConfigError(f"{value}; use 'auto' or a number above 0, up to 100")
        return value

    @field_validator("hidden")
    @classmethod
    def _layers_sensible(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(value) <= 3 or not all(2 <= width <= 256 for width in value):
            raise ConfigError(f"{value}; use one to three layers of 2 to 256 units")
        return value

    @model_validator(mode="after")
    def _some_feature(self) -> ShallowConfig:
        if self.training_set and self.images:
            raise ConfigError("training_set and images both say what is learnt from; use one of them")
        if not self.kinds:
            raise ConfigError(f"no feature is on; switch on at least one of {', '.join(FEATURE_KINDS)}")
        return self
