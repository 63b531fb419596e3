"""What presets share with the programs that they are named after, and what not: for people, docs and tests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxloop.config.base import Config, flat


@dataclass(frozen=True, slots=True)
class Origin:
    """Where settings come from.

    Attributes
    ----------
    system
        The program.
    same
        Names of the settings that are as there.
    differs
        What is not as there, one thing a sentence, without full stop.
    """

    system: str
    same: tuple[str, ...]
    differs: tuple[str, ...]


_EPOCH = "an epoch is {} steps, not one pass over the pictures"
_ANATOMICS = (
    "optimiser", "momentum", "learning_rate", "weight_decay", "warmup_steps", "iterations", "batch_size",
    "steps_per_epoch", "keep_every", "validation_share",
)  # fmt: skip
_BLOCKS = "shortcuts without squeeze and excitation, ReLU where theirs has ELU"
_FOREGROUND = "Dice looks at the foreground alone, and depth within objects is learnt beside mask and contour"
_GRID = "planes of 256 voxels where theirs has 257: sides are multiples of 32"
_PLAIN_2D = "U-Net on ResNet-18 where theirs is a U-Net of 28 to 80 filters"

ORIGINS: Mapping[str, Origin] = {
    "studio-upernet": Origin(
        "Studio AI",
        ("architecture", "encoder", "batch_size", "epochs", "window", "scale"),
        (
            "the encoder begins with weights of ImageNet, the decoder with random ones, where theirs begins with a "
            "whole network trained on photographs",
            "learning rate, loss, schedule, augmentation and split are not on record there: the rate that the screen "
            "shows, cross-entropy, a constant rate, none, and ours",
            _EPOCH.format(25),
        ),
    ),
    "sleap-unet": Origin(
        "SLEAP",
        (
            "optimiser", "learning_rate", "batch_size", "epochs", "steps_per_epoch", "schedule", "drop_factor",
            "plateau_patience", "plateau_cooldown", "lowest_rate", "patience", "min_delta", "best_by",
            "validation_share", "levels",
        ),
        (
            "it learns classes of voxels, not places: SLEAP's own networks are the presets baseline_*",
            "U-Net on ResNet-18 where theirs has two plain convolutions a level, from 16 or 32 filters on",
        ),
    ),
    "mia-unet": Origin(
        "MIA",
        (
            "architecture", "encoder", "encoder_weights", "window", "batch_size", "epochs", "learning_rate",
            "optimiser", "schedule", "drop_factor", "plateau_patience", "lowest_rate", "focal", "focal_gamma",
            "validation_share", "prefer_labelled", "scale",
        ),
        (
            "the rate drops when the validation stands still, where theirs looks at the training, and the best epoch "
            "is kept, where theirs keeps the last",
            "windows are drawn anywhere around labels instead of moved by a fifth",
            _EPOCH.format(25),
        ),
    ),
    "survos-multi-axis": Origin(
        "SuRVoS2",
        (
            "architecture", "encoder", "encoder_weights", "window", "batch_size", "freeze_encoder_epochs", "epochs",
            "schedule", "dice", "patience", "validation_share", "clip_deviations", "axes", "optimiser",
        ),
        (
            "each phase has one rise and fall of the rate, as there, but up to 1e-3 and a tenth of it, where theirs "
            "looks for the rate before each phase, in a range a 500th as high for the second",
            "the second phase goes on from the last weights, where theirs goes on from the best",
            "the encoder's normalisation is held with it",
            "no grid and optical distortion; a batch of 12 is theirs on GPUs of 8 GB and more, else it has 2",
            _EPOCH.format(25),
        ),
    ),
    "survos-supervoxels": Origin(
        "SuRVoS",
        ("unit", "supervoxel_size", "compactness", "descriptor", "classifier", "trees", "depth", "refine"),
        ("supervoxels begin on a fixed grid, so that tiles equal the whole volume",),
    ),
    "anatomics-semantic3d": Origin(
        "Anatomics MLT",
        (*_ANATOMICS, "schedule", "filters", "window", "bce", "dice"),
        (
            "classes are learnt without a contour beside them, which only objects have here",
            _BLOCKS,
        ),
    ),
    "anatomics-instance3d": Origin(
        "Anatomics MLT",
        (*_ANATOMICS, "schedule", "filters", "window", "cross_entropy", "dice"),
        (_FOREGROUND, _BLOCKS),
    ),
    "anatomics-semantic2d": Origin(
        "Anatomics MLT",
        (*_ANATOMICS, "cross_entropy"),
        (
            _PLAIN_2D,
            "classes weigh by how rare they are, where theirs weigh 1, 2, 3",
            "the rate drops to a tenth once, at 40,000 steps, where theirs drops again at 45,000",
            _GRID,
        ),
    ),
    "anatomics-instance2d": Origin(
        "Anatomics MLT",
        (*_ANATOMICS, "cross_entropy", "dice"),
        (
            _PLAIN_2D,
            _FOREGROUND,
            "the rate drops to a tenth every 40,000 steps, where theirs drops at steps that its program sets",
            "windows of 256: theirs has none set",
        ),
    ),
}  # fmt: skip


def table(presets: Mapping[str, Config]) -> str:
    """All origins as a table of Markdown; values are those that presets have."""
    lines = ["| preset | as there | not as there |", "|---|---|---|"]
    for name, origin in ORIGINS.items():
        values = flat(presets[name].model_dump())
        same = ", ".join(f"{setting} {_text(values[setting])}" for setting in origin.same)
        lines.append(f"| `{name}` ({origin.system}) | {same} | {'; '.join(origin.differs)} |")
    return "\n".join(lines)


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return " x ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
