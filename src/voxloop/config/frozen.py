"""Settings of features that a network sees which learns nothing any more. Pure."""

from __future__ import annotations

from typing import Literal

from voxloop.config.base import Config, setting

_GROUP = "Features of a network"
_ON = {"features": ["network", "both"]}


class FrozenNetworkSettings(Config):
    """What a trained network sees, as one more thing that the classifiers of a blend may go by."""

    features: Literal["filters", "network", "both"] = setting(
        "filters",
        "what the classifiers that are blended go by: filters; what a network of yours sees in the planes; or both, "
        "each as far as it tells strokes that were held out. The model that is taught, and the live overlay, go by "
        "filters in any case: what it takes from the network it must find in them",
        group=_GROUP,
    )
    network: str = setting(
        "tf_efficientnet_lite0",
        "which network of timm the weights are of, like vit_small_patch16_224 (DINO), samvit_base_patch16 (micro-sam)",
        group=_GROUP,
        when=_ON,
    )
    network_weights: str = setting(
        "",
        "its weights: a .safetensors file, or a .pth or .pt of tensors alone; 'imagenet': those that are installed "
        "for tf_efficientnet_lite0. There are none by default, and nothing is downloaded",
        group=_GROUP,
        when=_ON,
    )
    network_share: float = setting(
        0.0,
        "how much the features of the network count in the blend; filters have the rest",
        group=_GROUP,
        ge=0,
        le=1,
        step=0.05,
        advanced=True,
        when=_ON,
    )
