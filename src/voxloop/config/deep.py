"""Settings of the deep learner: network, windows, augmentation, loss, optimisation, validation. Pure."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import ValidationInfo, field_validator, model_validator

from voxloop.config.augment import Augmentation
from voxloop.config.base import Config, constrain, setting, training_set, validation_set
from voxloop.config.parsing import parse_block, parse_class_weights, parse_scale, parse_window
from voxloop.errors import ConfigError

Architecture = Literal[
    "Unet",
    "UnetPlusPlus",
    "FPN",
    "PAN",
    "PSPNet",
    "Linknet",
    "MAnet",
    "DeepLabV3",
    "DeepLabV3Plus",
    "UPerNet",
    "Segformer",
    "DPT",
    "UNet3d",
    "DynUNet",
    "SegResNet",
    "SwinUNETR",
]

#: those of them that see blocks of voxels; the others see planes
VOLUMETRIC = ("UNet3d", "DynUNet", "SegResNet", "SwinUNETR")
PLANAR = tuple(name for name in get_args(Architecture) if name not in VOLUMETRIC)

#: the first three are what most use; LBFGS, SparseAdam and Muon of torch do not fit every network and are left out
Optimiser = Literal[
    "AdamW",
    "Adam",
    "SGD",
    "NAdam",
    "RAdam",
    "Adamax",
    "Adafactor",
    "Adadelta",
    "Adagrad",
    "RMSprop",
    "Rprop",
    "ASGD",
]

#: settings that are weights of losses; the loss is their sum
LOSSES = ("cross_entropy", "dice", "focal", "tversky", "generalised_dice", "lovasz", "bce")

#: suggestions for the form; any encoder that segmentation-models-pytorch or timm ("tu-...") knows is accepted
ENCODERS = (
    "tu-mobilenetv4_conv_small", "tu-mobilenetv4_conv_medium", "mobilenet_v2", "resnet18", "resnet34", "resnet50",
    "resnext50_32x4d", "efficientnet-b0", "efficientnet-b3", "efficientnet-b4", "densenet121", "se_resnext50_32x4d",
    "tu-convnext_tiny", "tu-convnext_base", "tu-convnextv2_tiny", "tu-tf_efficientnetv2_s", "mit_b0", "mit_b2",
    "tu-vit_small_patch16_224", "vgg16_bn", "xception", "inceptionv4",
)  # fmt: skip


#: fewest and most levels of networks of planes
SHALLOWEST, DEEPEST = 3, 5

_FLAT = {"architecture": PLANAR}
_DEEP = {"architecture": VOLUMETRIC}
_CLASSES = {"target": ("semantic",)}
_OBJECTS = {"target": ("instances", "flow")}


class DeepConfig(Config):
    """A network trained on windows around labelled voxels.

    The defaults are those that most systems begin with; what learns more a minute on a CPU is ``presets["auto"]``.
    """

    level: str | None = setting(None, "label level to learn; the only one where there is one")
    training_set: str | None = training_set()
    images: tuple[str, ...] | None = setting(None, "images whose labels are used; all where empty", advanced=True)
    constrain: str | None = constrain()
    start_from: str | None = setting(
        None, "an earlier run, or a model folder, whose weights are the start; its network must be the same"
    )

    target: Literal["semantic", "instances", "flow"] = setting(
        "semantic",
        "what is learnt: the class of each voxel, or, on a level of instances, separate objects: instances, by their "
        "foreground, boundary and depth; flow, by arrows that lead to the middle of each, for dense touching objects "
        "that are about convex",
    )

    architecture: Architecture = setting(
        "Unet",
        "shape of the network; UNet3d (the fastest), DynUNet, SegResNet and SwinUNETR see in 3-D, in kernels "
        "and levels that follow the voxel size; the others see planes",
        group="Network",
    )
    encoder: str = setting(
        "tu-mobilenetv4_conv_small",
        "the half of the network that looks; small ones train faster",
        group="Network",
        choices=ENCODERS,
        when=_FLAT,
    )
    encoder_weights: str | None = setting(
        None,
        "what the encoder knows at the start: nothing, 'imagenet' (downloaded), what that of an earlier run "
        "learnt, whatever its classes, or a local .safetensors file",
        group="Network",
        choices=("imagenet",),
        when=_FLAT,
    )
    decoder_width: float = setting(
        0.25,
        "channels of the decoder, 1 as published; less is faster",
        group="Network",
        unit="times",
        ge=0.0625,
        le=4,
        advanced=True,
        when=_FLAT,
    )
    slices: int = setting(
        1,
        "neighbouring slices that a network of planes sees at once (2.5-D); odd",
        group="Network",
        ge=1,
        le=31,
        step=2,
        when=_FLAT,
    )
    axes: Literal["z", "y", "x", "zyx"] = setting(
        "z",
        "axis across which a network of planes is shown slices, in training and prediction; zyx: along all three "
        "in one training, for volumes whose voxels are about cubes; prediction then takes the mean over three votes",
        group="Network",
        when=_FLAT,
    )
    levels: int = setting(
        5,
        "resolutions at which the network looks, at most, each half the one before (max stride 2^levels): fewer see "
        "less far, and find small things sooner; 3 to 5 for planes (PSPNet has 3, DPT 4); in 3-D fewer where windows "
        "are small",
        group="Network",
        ge=1,
        le=8,
    )
    width: int = setting(
        16,
        "channels of a 3-D network at full resolution, doubled with each level; SwinUNETR takes multiples of 12",
        group="Network",
        unit="channels",
        ge=4,
        le=256,
        step=4,
        when=_DEEP,
    )
    residual: bool = setting(
        True,
        "shortcuts around the convolutions of a 3-D network, with which deep ones learn faster",
        group="Network",
        advanced=True,
        when={"architecture": ("UNet3d", "DynUNet")},
    )
    normalisation: Literal["batch", "instance"] = setting(
        "batch",
        "what 3-D features are scaled by: batch, statistics of the training, so that tiles equal the whole; instance, "
        "those of each block, which suits images of varying contrast but ties the result to the block",
        group="Network",
        advanced=True,
        when=_DEEP,
    )

    window: str | tuple[int, int, int] = setting(
        "auto",
        "size zyx of the windows as the network sees them: 'auto', or like 1,256,256 (y and x multiples of 32) "
        "for planes and 32,96,96 in 3-D",
        group="Windows",
        unit="voxels",
    )
    scale: str | float = setting(
        1.0,
        "in-plane size at which the network works: 0.5 sees twice as far at a quarter of the cost, in half the detail; "
        "'auto' halves planes of 384 voxels or more; stored in the model",
        group="Windows",
        unit="times",
        choices=("auto", "0.25", "0.5", "1"),
    )
    intensities: Literal["deviation", "percentiles", "range", "imagenet"] = setting(
        "deviation",
        "what intensities are scaled by, measured once and stored in the model: their mean and standard "
        "deviation; their 1st and 99th percentile (outliers do not count); lowest to highest as 0 to 1; or that as "
        "encoders with imagenet weights saw it",
        group="Windows",
        advanced=True,
    )
    clip_deviations: float = setting(
        0.0,
        "intensities further than so many standard deviations from the mean are cut off there; 0: none",
        group="Windows",
        unit="standard deviations",
        ge=0,
        le=100,
        advanced=True,
    )
    balance: bool = setting(True, "centre windows on every class equally often", group="Windows", advanced=True)
    match_spacing: bool = setting(
        True,
        "images whose voxels differ in size are shown at the voxel size of the first, so that windows hold the "
        "same micrometres",
        group="Windows",
        advanced=True,
    )
    prefer_labelled: int = setting(
        1,
        "of so many windows drawn, the one with most labels in its surroundings is taken",
        group="Windows",
        unit="windows",
        ge=1,
        le=64,
        advanced=True,
    )
    negatives: float = setting(
        0.0,
        "share of the windows that lie where background is labelled and nothing else, so that the network learns "
        "where there is nothing",
        group="Windows",
        ge=0,
        le=0.9,
        step=0.05,
        advanced=True,
    )
    hard_examples: float = setting(
        0.0,
        "share of the windows that are those of the epoch before which the network did worst on",
        group="Windows",
        ge=0,
        le=0.9,
        step=0.05,
        advanced=True,
    )

    teacher: str = setting(
        "auto",
        "who says what unlabelled voxels are, where it is sure; auto: a pixel classifier fitted to the strokes, if "
        "these are sparse; none; or an earlier run, or a model folder",
        group="Unlabelled voxels",
        choices=("auto", "none"),
    )
    teacher_weight: float = setting(
        1.0,
        "weight of what the teacher says beside the strokes' 1",
        group="Unlabelled voxels",
        ge=0,
        le=10,
        advanced=True,
    )
    teacher_confidence: float = setting(
        0.5, "probability from which the teacher is believed", group="Unlabelled voxels", ge=0.5, lt=1, advanced=True
    )
    teacher_windows: int = setting(
        64, "windows that the teacher labels", group="Unlabelled voxels", ge=1, le=4096, log=True, advanced=True
    )

    augmentation: Augmentation = setting(Augmentation, "random changes of the windows", group="Augmentation")

    cross_entropy: float = setting(1.0, "weight of the cross-entropy", group="Loss", ge=0, le=100)
    dice: float = setting(0.5, "weight of the Dice loss", group="Loss", ge=0, le=100)
    focal: float = setting(
        0.0,
        "weight of the focal loss: cross-entropy that dwells on voxels that are still wrong",
        group="Loss",
        ge=0,
        le=100,
        when=_CLASSES,
    )
    focal_gamma: float = setting(
        2.0,
        "how little the focal loss minds what is right already",
        group="Loss",
        ge=0,
        le=10,
        advanced=True,
        when=_CLASSES,
    )
    tversky: float = setting(
        0.0,
        "weight of the Tversky loss: Dice that tells false alarms from misses",
        group="Loss",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    tversky_alpha: float = setting(
        0.3,
        "what a false alarm costs in the Tversky loss",
        group="Loss",
        ge=0,
        le=1,
        advanced=True,
        when=_CLASSES,
    )
    tversky_beta: float = setting(
        0.7,
        "what a miss costs in the Tversky loss",
        group="Loss",
        ge=0,
        le=1,
        advanced=True,
        when=_CLASSES,
    )
    generalised_dice: float = setting(
        0.0,
        "weight of the generalised Dice loss, in which rare classes count most",
        group="Loss",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    lovasz: float = setting(
        0.0,
        "weight of the Lovász loss, which follows the IoU itself; for the end of a training, from earlier weights",
        group="Loss",
        label="Lovász",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    bce: float = setting(
        0.0,
        "weight of the binary cross-entropy of each class against the rest",
        group="Loss",
        label="BCE",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    class_weights: str = setting(
        "auto",
        "none; auto: a rare class counts as much as a frequent one; or numbers in the order of the classes "
        "like 1, 2, 5, or by name like mito=5; for cross-entropy, focal loss and BCE",
        group="Loss",
        choices=("none", "auto"),
        when=_CLASSES,
    )
    boundary_weight: float = setting(
        0.0,
        "how many times more voxels count where two classes touch, which keeps neighbours apart; for "
        "cross-entropy, focal loss and BCE",
        group="Loss",
        unit="times",
        ge=0,
        le=50,
        when=_CLASSES,
    )
    boundary_distance: int = setting(
        5,
        "how far from there that reaches, falling to nothing",
        group="Loss",
        unit="voxels",
        ge=1,
        le=50,
        advanced=True,
        when=_CLASSES,
    )
    object_weight: float = setting(
        1.0,
        "how much the depth within objects, or the arrows to their middle, count beside cross-entropy and Dice of "
        "object and boundary",
        group="Loss",
        unit="times",
        ge=0,
        le=100,
        advanced=True,
        when=_OBJECTS,
    )
    ignore_border: int = setting(
        0,
        "labels this close to the edge of a window do not count: the network sees half of their surroundings",
        group="Loss",
        unit="voxels",
        ge=0,
        le=100,
        advanced=True,
    )

    batch_size: int = setting(8, "windows per step", group="Optimisation", ge=1, le=2048)
    accumulation: int = setting(
        1,
        "batches whose gradients are added up to one optimiser step",
        group="Optimisation",
        ge=1,
        le=1024,
        advanced=True,
    )
    epochs: int = setting(100, "rounds; each ends with a validation", group="Optimisation", ge=1, le=100_000, live=True)
    steps_per_epoch: int = setting(25, "optimiser steps in an epoch", group="Optimisation", ge=1, le=100_000)
    iterations: int | None = setting(
        None,
        "optimiser steps in all, instead of a number of epochs; empty: epochs x steps per epoch",
        group="Optimisation",
        unit="steps",
        ge=1,
        le=100_000_000,
        advanced=True,
    )
    max_minutes: float | None = setting(
        None,
        "fit the number of epochs into this time; empty: all of them",
        group="Optimisation",
        unit="minutes",
        gt=0,
        le=100_000,
    )
    learning_rate: float = setting(
        1e-3,
        "highest size of a step; a tenth of it suits a network that has learnt before",
        group="Optimisation",
        gt=0,
        le=1,
        log=True,
        live=True,
    )
    schedule: Literal["cosine", "constant", "plateau", "step", "one-cycle", "polynomial"] = setting(
        "cosine", "how the learning rate falls over the run", group="Optimisation"
    )
    warmup_steps: int = setting(
        20,
        "steps over which the learning rate rises at the start, with any schedule; at most a tenth of the run",
        group="Optimisation",
        ge=0,
        le=100_000,
        advanced=True,
    )
    drop_factor: float = setting(
        0.5,
        "schedules plateau and step: what the learning rate is multiplied with at each drop",
        group="Optimisation",
        unit="times",
        gt=0,
        lt=1,
        advanced=True,
    )
    plateau_patience: int = setting(
        5,
        "schedule plateau: epochs without improvement before the learning rate drops",
        group="Optimisation",
        unit="epochs",
        ge=1,
        le=100_000,
        advanced=True,
    )
    plateau_cooldown: int = setting(
        0,
        "schedule plateau: epochs after a drop that do not count as waiting",
        group="Optimisation",
        unit="epochs",
        ge=0,
        le=100_000,
        advanced=True,
    )
    step_epochs: int = setting(
        15,
        "schedule step: epochs between drops of the learning rate",
        group="Optimisation",
        unit="epochs",
        ge=1,
        le=100_000,
        advanced=True,
    )
    lowest_rate: float = setting(
        1e-6, "no schedule goes below this learning rate", group="Optimisation", ge=0, le=1, log=True, advanced=True
    )
    optimiser: Optimiser = setting(
        "AdamW",
        "rule that turns gradients into steps; SGD is with Nesterov momentum; AdamW, Adam and SGD are what most use",
        group="Optimisation",
        advanced=True,
    )
    momentum: float = setting(
        0.9, "share of the last step that SGD and RMSprop go on with", group="Optimisation", ge=0, lt=1, advanced=True
    )
    freeze_encoder_epochs: int = setting(
        0,
        "epochs at the start in which the encoder, which knows something already, stays as it is",
        group="Optimisation",
        unit="epochs",
        ge=0,
        le=100_000,
    )
    unfrozen_rate: float = setting(
        1.0,
        "learning rate after that phase, as a share of the one before",
        group="Optimisation",
        unit="times",
        gt=0,
        le=1,
        log=True,
        advanced=True,
    )
    weight_decay: float = setting(
        0.01, "pull of the weights towards zero", group="Optimisation", ge=0, le=1, log=True, advanced=True
    )
    gradient_clip: float = setting(
        1.0, "largest norm of the gradient; 0: not limited", group="Optimisation", ge=0, le=1000, advanced=True
    )
    average_weights: float = setting(
        0.98,
        "share of the running average of the weights that a step keeps; it is what is saved; 0: none",
        group="Optimisation",
        ge=0,
        lt=1,
        advanced=True,
    )

    validation_share: float = setting(
        0.15, "share of the labels held out to judge the network", group="Validation", ge=0, le=0.5, step=0.05
    )
    validation_set: str | None = validation_set()
    split: Literal["block", "slice", "image"] = setting(
        "block",
        "what is held out as a whole where no set is named; neighbours never fall on both sides",
        group="Validation",
    )
    test_share: float = setting(
        0.0,
        "share of the labels kept apart until the end, for the score in the run's report; 0: the report says what "
        "the validation said",
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
    patience: int = setting(
        15,
        "epochs without improvement that end the run; 0: never",
        group="Validation",
        ge=0,
        le=100_000,
        live=True,
    )
    min_delta: float = setting(
        0.0,
        "smallest change of measure or loss that counts as an improvement",
        group="Validation",
        ge=0,
        le=1,
        advanced=True,
    )

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
    samples: int = setting(3, "validation windows shown as they are learnt", group="Saving", ge=0, le=16, advanced=True)
    sample_every: int = setting(
        1, "epochs from one picture of them to the next", group="Saving", unit="epochs", ge=1, le=100_000, advanced=True
    )

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
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "number format of the forward pass; auto: float32 on a CPU, bfloat16 on a GPU that has it",
        group="Compute",
    )
    threads: int | None = setting(None, "CPU threads; empty: all cores", group="Compute", ge=1, le=1024, advanced=True)
    workers: int | None = setting(
        None,
        "threads that prepare batches ahead; 0: none; empty: one beside a GPU, none where all cores compute, "
        "which a further thread slows down by more than it prepares",
        group="Compute",
        ge=0,
        le=64,
        advanced=True,
    )
    seed: int = setting(0, "seed of everything random", group="Compute", ge=0, lt=2**31, advanced=True)

    @field_validator("slices")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ConfigError(
                f"slices={value} must be odd, the slice itself in the middle; nearest are {value - 1} and {value + 1}"
            )
        return value

    @field_validator("class_weights", mode="before")
    @classmethod
    def _parse_class_weights(cls, value: Any) -> Any:
        found = parse_class_weights(value)
        if isinstance(found, dict):
            return ", ".join(f"{name}={weight:g}" for name, weight in found.items())
        return found if isinstance(found, str) else ", ".join(f"{weight:g}" for weight in found)

    @field_validator("scale", mode="before")
    @classmethod
    def _parse_scale(cls, value: Any) -> Any:
        return parse_scale(value)

    @field_validator("window", mode="before")
    @classmethod
    def _parse_window(cls, value: Any, info: ValidationInfo) -> Any:
        return parse_block(value) if info.data.get("architecture") in VOLUMETRIC else parse_window(value)

    @model_validator(mode="after")
    def _consistent(self) -> DeepConfig:
        if not any(getattr(self, name) for name in LOSSES):
            raise ConfigError(
                f"{', '.join(LOSSES[:-1])} and {LOSSES[-1]} are all 0: there is nothing to learn from; set one of them "
                f"above 0"
            )
        if self.target != "semantic" and (odd := [name for name in LOSSES[2:] if getattr(self, name)]):
            raise ConfigError(
                f"{' and '.join(odd)}: target={self.target!r} learns by cross_entropy and dice, beside object_weight; "
                f"set {'it' if len(odd) == 1 else 'them'} to 0"
            )
        if self.target == "flow" and self.across != (0,):
            raise ConfigError(f"axes={self.axes!r}: arrows point along y and x of planes across z; use axes='z'")
        if self.best_by in ("ap50", "pq") and self.target == "semantic":
            raise ConfigError(
                f"best_by={self.best_by!r} counts separate objects, and target='semantic' learns classes; use 'iou'"
            )
        if not self.volumetric and not SHALLOWEST <= self.levels <= DEEPEST:
            raise ConfigError(
                f"levels={self.levels}: {self.architecture} looks at {SHALLOWEST} to {DEEPEST} resolutions; nearest is "
                f"{min(DEEPEST, max(SHALLOWEST, self.levels))}"
            )
        if self.tversky and self.tversky_alpha + self.tversky_beta == 0:
            raise ConfigError("tversky_alpha and tversky_beta are both 0: no mistake costs anything; try 0.3 and 0.7")
        thinnest = None if isinstance(self.window, str) else min(size for size in self.window if size > 1)
        if thinnest is not None and 2 * self.ignore_border >= thinnest:
            raise ConfigError(
                f"ignore_border={self.ignore_border} leaves nothing of a window of "
                f"{' x '.join(map(str, self.window))}; nearest is {thinnest // 4}"
            )
        if self.freeze_encoder_epochs and self.volumetric:
            raise ConfigError(
                f"freeze_encoder_epochs={self.freeze_encoder_epochs}: {self.architecture} has no encoder to freeze; "
                f"use 0"
            )
        if self.freeze_encoder_epochs and not (self.encoder_weights or self.start_from):
            raise ConfigError(
                f"freeze_encoder_epochs={self.freeze_encoder_epochs} would keep random weights as they are; name "
                f"encoder_weights or start_from, or use 0"
            )
        if self.batch_size % self.devices:
            below = self.batch_size // self.devices * self.devices
            near = [size for size in (below, below + self.devices) if size]
            raise ConfigError(
                f"batch_size={self.batch_size} cannot be shared out among {self.devices} devices; nearest "
                f"{'is' if len(near) == 1 else 'are'} {' and '.join(map(str, near))}"
            )
        if self.training_set and self.images:
            raise ConfigError("training_set and images both say what is learnt from; use one of them")
        if self.split == "image" and self.images is not None and len(self.images) < 2 and not self.validation_set:
            raise ConfigError("split='image' needs at least two images; use split='block'")
        return self

    @property
    def volumetric(self) -> bool:
        """Whether the network sees blocks of voxels instead of planes."""
        return self.architecture in VOLUMETRIC

    @property
    def neighbours(self) -> int:
        """Slices that go in together as channels; 1 in 3-D, where the block itself is deep."""
        return 1 if self.volumetric else self.slices

    @property
    def across(self) -> tuple[int, ...]:
        """The axes that windows are cut across."""
        return (0,) if self.volumetric else tuple("zyx".index(axis) for axis in self.axes)
