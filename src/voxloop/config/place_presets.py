"""Presets of the learners of animals, points and pictures: ours, SLEAP's training profiles, MIA's windows. Pure."""

from __future__ import annotations

from typing import Any

from voxloop.config.base import Config
from voxloop.config.detect import DetectConfig
from voxloop.config.pictures import PictureConfig
from voxloop.config.pose import PoseConfig

#: what SLEAP's profiles share: Adam, plateau, early stop, frames that are turned and not changed otherwise
_SLEAP: dict[str, Any] = {
    "loss": "mse",
    "normalisation": "none",
    "sigma": 2.5,
    "batch_size": 4,
    "epochs": 200,
    "steps_per_epoch": 200,
    "learning_rate": 1e-4,
    "optimiser": "Adam",
    "weight_decay": 0.0,
    "gradient_clip": 0.0,
    "average_weights": 0.0,
    "warmup_steps": 0,
    "schedule": "plateau",
    "drop_factor": 0.5,
    "plateau_patience": 5,
    "plateau_cooldown": 3,
    "lowest_rate": 1e-8,
    "patience": 10,
    "min_delta": 1e-8,
    "validation_share": 0.1,
    "rotation": 15.0,
    "magnify": (1.0, 1.0),
    "shift": 0.0,
    "contrast": (1.0, 1.0),
    "brightness": 0.0,
    "noise": 0.0,
    "flip": "none",
}
#: the profile baseline.centroid, as the first of the two networks of a top-down one
_CENTROID: dict[str, Any] = {
    "pipeline": "top-down",
    "centroid_scale": 0.5,
    "centroid_filters": 16,
    "centroid_filters_rate": 2.0,
    "centroid_max_stride": 16,
    "centroid_output_stride": 2,
    "centroid_sigma": 2.5,
}
_FIELDS: dict[str, Any] = {"pipeline": "bottom-up", "edge_sigma": 75.0, "edge_stride": 8, "plateau_patience": 8}
_ENCODER: dict[str, Any] = {
    "encoder": "efficientnet-b0",
    "encoder_weights": "imagenet",
    "encoder_rate": 1.0,
    "filters": 256,
    "filters_rate": 1.0,
    "max_stride": 32,
    "learning_rate": 1e-3,
}


def _sleap(kind: type[Config] = PoseConfig, **settings: Any) -> Config:
    """A profile: what all share, and what it says of its own."""
    return kind(**{**_SLEAP, "input_scale": 1.0, **settings})


def _unet(filters: int, rate: float, max_stride: int, output_stride: int) -> dict[str, Any]:
    return {"filters": filters, "filters_rate": rate, "max_stride": max_stride, "output_stride": output_stride}


_BOTH = "; the network that finds animals is that of baseline.centroid, and both are learned in one run"
_HEADS = "; fields along edges of sigma 75 at stride 8"
_PRETRAINED = "EfficientNet-B0 with weights of ImageNet (downloaded), decoder of 256 filters: SLEAP's pretrained."

#: name -> settings, and one line on where they come from
PLACE_PRESETS: dict[str, tuple[Config, str]] = {
    "animals": (
        PoseConfig(),
        "what we recommend: a small U-Net, hard cells count most, normalised batches; minutes on a CPU",
    ),
    "quick animals": (
        PoseConfig(filters=8),
        "the same with half the channels: a quarter of the time a step and a frame, for a first look and long videos",
    ),
    "count": (
        DetectConfig(),
        "what we recommend for points and boxes: windows around labelled things, the threshold chosen on what is held "
        "out",
    ),
    "kinds": (
        PictureConfig(),
        "what we recommend for classes of pictures: EfficientNet-Lite0 with installed weights of ImageNet",
    ),
    "baseline.centroid": (
        _sleap(DetectConfig, encoder="", input_scale=0.5, filters=16, max_stride=16, peak_threshold=0.2),
        "one point an animal, at half size, U-Net of 16 filters: SLEAP's baseline.centroid by itself; top-down "
        "profiles hold it too",
    ),
    "baseline_medium_rf.single": (
        _sleap(pipeline="single", **_unet(16, 2.0, 16, 4)),
        "one animal a frame, U-Net of 16 filters, rate 2, max stride 16, output stride 4: SLEAP's profile",
    ),
    "baseline_large_rf.single": (
        _sleap(pipeline="single", **_unet(32, 1.5, 32, 4)),
        "one animal a frame, 32 filters, rate 1.5, max stride 32, output stride 4, sees further: SLEAP's profile",
    ),
    "baseline_medium_rf.topdown": (
        _sleap(**_CENTROID, **_unet(24, 2.0, 16, 4)),
        f"animals, then nodes in crops; 24 filters, rate 2, max stride 16, output stride 4: SLEAP's profile{_BOTH}",
    ),
    "baseline_large_rf.topdown": (
        _sleap(**_CENTROID, **_unet(24, 1.5, 32, 4)),
        f"the same with rate 1.5 and max stride 32, which sees further: SLEAP's profile{_BOTH}",
    ),
    "baseline_medium_rf.bottomup": (
        _sleap(**_FIELDS, **_unet(16, 2.0, 32, 4)),
        f"all nodes at once; 16 filters, rate 2, max stride 32, output stride 4{_HEADS}: SLEAP's profile",
    ),
    "baseline_large_rf.bottomup": (
        _sleap(**_FIELDS, **_unet(32, 1.5, 64, 4)),
        f"all nodes at once; 32 filters, rate 1.5, max stride 64, output stride 4{_HEADS}: SLEAP's profile",
    ),
    "pretrained.single": (
        _sleap(pipeline="single", output_stride=4, **_ENCODER),
        f"{_PRETRAINED}single",
    ),
    "pretrained.topdown": (
        _sleap(**_CENTROID | {"centroid_filters": None, "centroid_filters_rate": None, "centroid_max_stride": None},
               output_stride=2, **_ENCODER),
        f"{_PRETRAINED}topdown; here both networks have this encoder",
    ),
    "pretrained.bottomup": (
        _sleap(**_FIELDS, output_stride=4, **_ENCODER),
        f"{_PRETRAINED}bottomup{_HEADS}",
    ),
    "mia-detection": (
        DetectConfig(
            encoder="resnet50", encoder_weights="imagenet", encoder_rate=1.0, loss="mse", sigma=3.0, output_stride=1,
            max_stride=32, filters=16, window=224, batch_size=8, epochs=100, learning_rate=1e-3, optimiser="Adam",
            weight_decay=0.0, gradient_clip=0.0, average_weights=0.0, warmup_steps=0, schedule="plateau",
            drop_factor=0.2, plateau_patience=5, lowest_rate=1e-6, patience=0, validation_share=0.15, rotation=45.0,
            magnify=(0.8, 1.2), shift=0.2, flip="both", peak_threshold=0.5,
        ),
        "ResNet-50 with weights of ImageNet (downloaded), peaks of 3 pixels, squared difference, windows of 224: MIA's "
        "object counting; its intensity of 125 is a threshold of 0.5 here",
    ),
    "mia-classification": (
        PictureConfig(
            network="resnet50", size=224, batch_size=8, epochs=100, learning_rate=1e-3, optimiser="Adam",
            encoder_rate=1.0, weight_decay=0.0, gradient_clip=0.0, average_weights=0.0, warmup_steps=0,
            schedule="plateau", drop_factor=0.2, plateau_patience=5, lowest_rate=1e-6, patience=0,
            validation_share=0.15, rotation=45.0, magnify=(0.8, 1.2), shift=0.2, class_weights="none",
            label_smoothing=0.0,
        ),
        "ResNet-50 with weights of ImageNet (downloaded), cross entropy, pictures of 224, plateau: MIA's",
    ),
}  # fmt: skip
#: what those of ours are for
PLACE_PURPOSES = {
    "animals": "Recommended",
    "quick animals": "Recommended",
    "count": "Recommended",
    "kinds": "Recommended",
}
