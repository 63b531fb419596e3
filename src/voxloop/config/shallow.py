"""Settings of the shallow learner: filter features and a small classifier. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from voxloop.config.base import Config, constrain, setting, training_set, validation_set
from voxloop.errors import ConfigError

#: settings that switch a kind of feature, in the order in which a bank computes them
FEATURE_KINDS = ("gaussian", "log", "gradient", "dog", "hessian", "structure")


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
        "auto", "sigmas themselves; auto: doubling from 0.8 voxels of the finest in-plane axis",
        group="Features", unit="µm", advanced=True,
    )  # fmt: skip
    context: Literal["auto"] | int = setting(
        "auto", "with filters within planes: neighbouring slices to either side that are smoothed over; auto: 8, and "
        "none for frames",
        group="Features", unit="slices",
    )  # fmt: skip
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

    classifier: Literal["network", "forest"] = setting(
        "network", "network: a small perceptron; forest: extremely randomised trees", group="Classifier"
    )
    hidden: tuple[int, ...] = setting(
        (24, 12), "widths of the perceptron's hidden layers", group="Classifier", unit="units", advanced=True
    )
    passes: int = setting(
        10, "times the perceptron sees the samples", group="Classifier", ge=1, le=1000, log=True, advanced=True
    )
    learning_rate: float = setting(
        3e-3, "step of the perceptron's optimiser (Adam)", group="Classifier", gt=0, le=0.1, log=True, advanced=True
    )
    decay: float = setting(
        1.0, "L2 penalty on the perceptron's weights; more is smoother", group="Classifier", ge=0, le=10, log=True,
        advanced=True,
    )  # fmt: skip
    trees: int = setting(32, "trees of the forest", group="Classifier", ge=1, le=500, log=True, advanced=True)
    depth: int = setting(14, "greatest depth of a tree", group="Classifier", ge=1, le=32, advanced=True)
    leaf: int = setting(4, "fewest samples in a leaf", group="Classifier", ge=1, le=1000, log=True, advanced=True)

    samples: int = setting(
        20_000, "labelled voxels used, all classes together; spread over strokes, not piled up in the longest",
        group="Samples", unit="voxels", ge=100, le=2_000_000, log=True,
    )  # fmt: skip
    class_weights: Literal["balanced", "none"] = setting(
        "balanced", "every class counts the same, or every sample does", group="Samples"
    )
    validation: float = setting(
        0.2, "share of labelled blocks held out to measure IoU; the model kept learns from all", group="Samples", ge=0,
        le=0.5, step=0.05,
    )  # fmt: skip

    validation_set: str | None = validation_set()

    smoothing: float = setting(
        2.0, "sigma of the smoothing of probabilities, in voxels of the finest in-plane axis; 0: none",
        group="Output", unit="voxels", ge=0, le=20, step=0.5,
    )  # fmt: skip
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
        if value != "auto" and (not value or min(value) <= 0):
            raise ConfigError(f"{value} µm; use 'auto' or one or more sigmas above 0")
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
