"""Settings of the shallow learner: filter features and a small classifier. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from voxloop.config.base import LABELS, Config, constrain, setting, training_set, validation_set
from voxloop.config.classifiers import ClassifierSettings
from voxloop.config.features import FEATURE_KINDS, FeatureSettings
from voxloop.config.frozen import FrozenNetworkSettings
from voxloop.errors import ConfigError

#: choose, classifier, unit, projection and refine where the run chooses
_OPEN = ("auto", "perceptron", "voxels", "none", "none")

#: settings that runs on disk may name and nothing reads any more
_GONE = ("choose_seconds",)


class ShallowLabelSettings(Config):
    """Which labels are learned from."""

    level: str | None = setting(None, "label level to learn; the only one where there is one", group=LABELS)
    training_set: str | None = training_set()
    images: tuple[str, ...] | None = setting(
        None, "images whose labels are used; all where empty", group=LABELS, advanced=True
    )
    constrain: str | None = constrain()


class SampleSettings(Config):
    """Which voxels teach, what becomes of the answers, and who chooses the settings."""

    samples: int = setting(
        20_000,
        "labelled voxels used, all classes together; spread over strokes, not piled up in the longest",
        group="Which voxels teach",
        unit="voxels",
        ge=100,
        le=2_000_000,
        log=True,
    )
    class_weights: Literal["balanced", "none"] = setting(
        "balanced", "every class counts the same, or every sample does", group="Which voxels teach"
    )
    validation: float = setting(
        0.2,
        "share of labelled blocks held out to measure IoU; the model kept learns from all",
        group="Which voxels teach",
        ge=0,
        le=0.5,
        step=0.05,
    )

    leave_out: bool = setting(
        True,
        "a stroke that models which had not learned it are sure is of another class is not learned, where they know "
        "the other strokes of its class; one in twenty at most. The run says which; keep or drop it in Review",
        group="Which voxels teach",
        label="leave out contradicted strokes",
    )

    validation_set: str | None = validation_set()

    smoothing: float = setting(
        0.0,
        "sigma of the smoothing of probabilities, in voxels of the finest in-plane axis; 0: none. Above 1 it takes "
        "walls of a voxel or two away",
        group="Smoothing",
        unit="voxels",
        ge=0,
        le=20,
        step=0.5,
    )
    refine: Literal["none", "potts", "appearance", "edge"] = setting(
        "none",
        "make neighbours agree: potts, all alike; appearance, those that look alike; edge, those without an "
        "edge between them. Voxels or supervoxels, whichever are classified; the live overlay shows what comes before",
        group="Smoothing",
    )
    refine_strength: float = setting(
        2.0,
        "how much neighbours count: where all agree, they multiply the odds of their class by 2.7 at 1, by 7 at "
        "2, by 20 at 3; a scale of its own, not that of a graph cut",
        group="Smoothing",
        ge=0,
        le=20,
        step=0.5,
        when={"refine": ["potts", "appearance", "edge"]},
    )
    choose: Literal["auto", "fixed"] = setting(
        "auto",
        "auto: before it learns, the run holds strokes out in turn, and blends a perceptron and a forest, on filters "
        "through the stack and within planes, as far as each tells them; of what is set here to something else than "
        "it opens with, nothing is changed. fixed: settings as they are. The live overlay shows what the last run "
        "chose",
        group="Choice of settings",
        label="choose settings",
    )
    start_from: str | None = setting(
        None,
        "an earlier run, or a model folder (also of another workspace), that kept its samples: these teach together "
        "with the strokes painted here; features, channels and normalisation are those of that model",
        group="Samples of other volumes",
        label="start from the samples of",
    )
    keep_samples: bool = setting(
        False,
        "keep what was learnt from beside the model (features of at most 50,000 voxels, some 10 MB), so that the next "
        "volume can start from it; whoever gets the model gets these as well",
        group="Samples of other volumes",
    )
    seed: int = setting(0, "seed of everything random", group="Choice of settings", ge=0, advanced=True)


# of several bases the fields of the last come first
class ShallowConfig(SampleSettings, ClassifierSettings, FrozenNetworkSettings, FeatureSettings, ShallowLabelSettings):
    """A pixel classifier that answers in seconds. Sigmas are physical; the spacing of the volume does the rest.

    Examples
    --------
    >>> config = vl.ShallowConfig(trees=20, sigmas_um=(0.02, 0.05))
    >>> config.code()
    'vl.ShallowConfig(sigmas_um=(0.02, 0.05), trees=20)'
    """

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The settings that a file or a form gives; runs on disk may name one that is gone. Raises ConfigError."""
        if isinstance(data, Mapping):
            data = {name: value for name, value in data.items() if name not in _GONE}
        return super().from_json(data)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of features that are on."""
        return tuple(name for name in FEATURE_KINDS if getattr(self, name))

    @property
    def is_open(self) -> bool:
        """Whether a run chooses what is blended: nobody said which classifier, of what, seen how."""
        return (self.choose, self.classifier, self.unit, self.projection, self.refine) == _OPEN

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

    @model_validator(mode="after")
    def _network_can_be_asked(self) -> ShallowConfig:
        if self.features == "filters":
            return self
        if not self.network_weights:
            raise ConfigError(
                f"features={self.features!r} needs network_weights: a file of yours, or 'imagenet' for the installed "
                "ones of tf_efficientnet_lite0"
            )
        if not self.is_open and self.classifier != "blend":
            raise ConfigError(
                "features of a network are blended with others; leave classifier, unit, projection and refine as they "
                "open, or use classifier='blend'"
            )
        return self
