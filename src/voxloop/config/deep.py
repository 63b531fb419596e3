"""Settings of the deep learner: labels, network, windows, augmentation, loss, optimisation, validation. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from voxloop.config import deep_rules
from voxloop.config.augment import Augmentation
from voxloop.config.base import LABELS, Config, constrain, setting, training_set, validation_set
from voxloop.config.loss import LossSettings
from voxloop.config.network import NetworkSettings
from voxloop.config.optimisation import OptimisationSettings
from voxloop.config.windows import WindowSettings


class LabelSettings(Config):
    """Which labels are learnt, and as what."""

    level: str | None = setting(None, "label level to learn; the only one where there is one", group=LABELS)
    training_set: str | None = training_set()
    images: tuple[str, ...] | None = setting(
        None, "images whose labels are used; all where empty", group=LABELS, advanced=True
    )
    constrain: str | None = constrain()
    start_from: str | None = setting(
        None,
        "an earlier run, or a model folder, whose weights are the start; its network must be the same",
        group=LABELS,
        label="weights of a run or folder",
        advanced=True,
    )

    target: Literal["auto", "semantic", "instances", "flow"] = setting(
        "auto",
        "what is learnt: semantic, the class of each voxel; or, on a level of instances, separate objects: instances, "
        "by their foreground, boundary and depth; flow, by arrows that lead to the middle of each, for touching "
        "objects that are about convex; auto: what the level holds, and of objects what gives the labelled ones back "
        "(with it an encoder that knows pictures, and in stacks slices beside the plane, where these are as they come)",
        group=LABELS,
        label="what is learnt",
    )


class AugmentationSettings(Config):
    """How windows are varied."""

    augmentation: Augmentation = setting(Augmentation, "random changes of the windows", group="Augmentation")


class ValidationSettings(Config):
    """What the network is validated and tested on, and which epoch is kept."""

    validation_share: float = setting(
        0.15, "share of the labels held out for validation", group="Validation", ge=0, le=0.5, step=0.05
    )
    validation_set: str | None = validation_set()
    split: Literal["block", "slice", "image", "apart"] = setting(
        "block",
        "what is held out as a whole where no validation set is named; neighbouring voxels never fall on both sides. "
        "apart: the labels at one end, and none teaches that lies within what the network sees of them, which leaves "
        "labels out: the forecast says how many",
        group="Validation",
    )
    test_share: float = setting(
        0.0,
        "share of the labels kept apart as a test set until the end, for the score in the run's report; 0: the "
        "report shows the score of the validation",
        group="Validation",
        ge=0,
        le=0.3,
        step=0.05,
    )
    best_by: Literal["iou", "dice", "accuracy", "ap50", "pq", "loss"] = setting(
        "iou",
        "measure of the validation by which the best epoch is chosen and kept, mean of the classes; ap50 and pq "
        "are of separate objects",
        group="Validation",
        label="best by",
        advanced=True,
    )
    strict_best: bool = setting(
        False,
        "keep the epoch with the highest measure; off: of epochs whose difference the held-out labels cannot tell from "
        "chance, the newest, which has seen most",
        group="Validation",
        label="only the very best",
        advanced=True,
    )
    patience: int = setting(
        15,
        "epochs without improvement that end the run; 0: never",
        group="Validation",
        ge=0,
        le=100_000,
        live=True,
    )
    compare_with: Literal["classifier", "none"] = setting(
        "classifier",
        "what the network is put beside at the end, on the labels held out; classifier: the pixel classifier that the "
        "same labels teach within seconds, which predicts wherever the network is not better beyond doubt",
        group="Validation",
        label="compare with",
    )
    min_delta: float = setting(
        0.0,
        "smallest change of measure or loss that counts as an improvement",
        group="Validation",
        ge=0,
        le=1,
        advanced=True,
    )


class SavingSettings(Config):
    """What is written while a run is running."""

    checkpoint_minutes: float = setting(
        2.0, "time between checkpoints", group="Saving", unit="minutes", gt=0, le=10_000
    )
    keep_every: int = setting(
        0,
        "keep the checkpoint of every n-th epoch for good; 0: only best and last",
        group="Saving",
        ge=0,
        le=100_000,
        advanced=True,
    )
    tensorboard: bool = setting(
        False,
        "write numbers and samples for TensorBoard as well, into the run's folder; needs TensorBoard installed",
        group="Saving",
        label="TensorBoard",
        advanced=True,
    )
    sinks: tuple[str, ...] | None = setting(
        None,
        "where numbers go besides the run's own log: tensorboard, mlflow, wandb (written here, sent nowhere), or what "
        "a plugin offers; each needs its package installed",
        group="Saving",
        label="further logs",
        advanced=True,
    )
    samples: int = setting(3, "validation windows shown as they are learnt", group="Saving", ge=0, le=16, advanced=True)
    sample_every: int = setting(
        1, "epochs from one picture of them to the next", group="Saving", unit="epochs", ge=1, le=100_000, advanced=True
    )


class ComputeSettings(Config):
    """Where and how it is computed."""

    device: str = setting(
        "auto", "where to train: auto, cpu, cuda, cuda:1, mps", group="Compute", choices=("auto", "cpu", "cuda", "mps")
    )
    devices: int = setting(
        1,
        "GPUs, from the one named on, that share every batch; on a CPU, processes that share its cores. What is "
        "learnt is what one device learns, up to rounding and the draw of augmentations",
        group="Compute",
        ge=1,
        le=64,
        advanced=True,
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto",
        "number format of the forward pass; auto: float32 on a CPU, on a GPU bfloat16 or, where it has none, float16 "
        "with gradients scaled, and TF32 for the rest; float32 is float32 throughout",
        group="Compute",
    )
    compile_network: bool = setting(
        False,
        "have torch compile the network: minutes at the start, then faster steps on a GPU; numbers differ in their "
        "last digits",
        group="Compute",
        label="compile",
        advanced=True,
    )
    threads: int | None = setting(None, "CPU threads; empty: all cores", group="Compute", ge=1, le=1024, advanced=True)
    workers: int | None = setting(
        None,
        "threads that prepare batches ahead; 0: none; empty: up to four beside a GPU, eight where objects are learnt; "
        "none where all cores compute, which a further thread slows down by more than it prepares",
        group="Compute",
        ge=0,
        le=64,
        advanced=True,
    )
    seed: int = setting(0, "seed of everything random", group="Compute", ge=0, lt=2**31, advanced=True)


# of several bases the fields of the last come first
class DeepConfig(
    ComputeSettings,
    SavingSettings,
    ValidationSettings,
    OptimisationSettings,
    LossSettings,
    AugmentationSettings,
    WindowSettings,
    NetworkSettings,
    LabelSettings,
):
    """A network trained on windows around labelled voxels.

    The defaults are those that most systems begin with; what learns more a minute on a CPU is ``presets["auto"]``.

    Examples
    --------
    >>> config = vl.DeepConfig(epochs=20, batch_size=4)
    >>> config.changed(learning_rate=3e-4).code()
    'vl.DeepConfig(batch_size=4, epochs=20, learning_rate=0.0003)'
    >>> vl.DeepConfig(epochs=0)
    Traceback (most recent call last):
    ...
    voxloop.errors.ConfigError: epochs=0 should be greater than or equal to 1
    """

    @model_validator(mode="after")
    def _consistent(self) -> DeepConfig:
        deep_rules.check(self)
        return self
