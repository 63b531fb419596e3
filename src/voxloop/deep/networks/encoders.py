"""Which encoders fit an architecture, as far as names and families tell. Builds no network and downloads nothing.

What was found by building every encoder is kept by family of timm (its module), for all of a family behave alike. A
family that came to timm later is offered wherever nothing speaks against it: whether it fits shows when it is built.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import segmentation_models_pytorch as smp
import timm

from voxloop.config.network import ENCODERS, VOLUMETRIC

if TYPE_CHECKING:
    from voxloop.helper.handlers import Job

#: architectures that look closely and far at once: their encoder is told to keep a higher resolution
_DILATED = ("DeepLabV3", "DeepLabV3Plus", "PAN")
#: families of timm that can do that
_DILATING = frozenset({
    "byobnet", "convnext", "cspnet", "cspnext", "efficientnet", "hardcorenas", "inception_next",
    "mobilenetv3", "mobilevit", "nfnet", "regnet", "res2net", "resnest", "resnet", "resnetv2", "rexnet",
    "sknet", "xception_aligned",
})  # fmt: skip
#: encoders of smp, by the beginnings of their names, that cannot
_NOT_DILATING = ("vgg", "densenet", "inception", "xception")
#: families of timm without features at every power of two
_FLAT = frozenset({
    "beit", "cait", "convit", "convmixer", "crossvit", "csatv2", "deepseek_vit", "deit", "efficientvim",
    "efficientvit_msra", "eva", "gemma4_vit", "levit", "mlp_mixer", "naflexvit", "nest", "pit", "qwen3_vit",
    "sequencer", "shvit", "tnt", "visformer", "vision_transformer", "vision_transformer_hybrid",
    "vision_transformer_relpos", "vision_transformer_sam", "vitamin", "volo", "xcit",
})  # fmt: skip
#: families of timm that take planes of one size only, which windows and tiles are not, or that trim planes at the edge
_ONE_SIZE = frozenset({
    "byoanet", "coat", "efficientformer", "efficientformer_v2", "gcvit", "hiera", "maxxvit",
    "swin_transformer", "swin_transformer_v2", "swin_transformer_v2_cr", "inception_v3", "inception_v4",
    "inception_resnet_v2", "nasnet", "pnasnet",
})  # fmt: skip
#: vision transformers, the only encoders of DPT: families, and patches that the network's stride is a multiple of
_TRANSFORMERS, _PATCHES = frozenset({"vision_transformer", "deit", "eva"}), re.compile(r"patch(8|16|32)(_|$)")
#: encoders, by the beginnings of their names, that an architecture refuses, or whose features it cannot take
_REFUSED = {"UnetPlusPlus": ("mit_b",), "Linknet": ("mit_b",), "PSPNet": ("tu-rexnet",)}


def answer(job: Job) -> dict[str, Any]:
    """``encoders`` that fit the ``architecture``, those that are suggested first."""
    return {"encoders": fitting(str(job.fields["architecture"]))}


def fitting(architecture: str) -> list[str]:
    """Names of encoders for an architecture; none for those of blocks, which have no encoder by name."""
    if architecture in VOLUMETRIC:
        return []
    names = [*smp.encoders.get_encoder_names(), *(f"tu-{name}" for name in timm.list_models(exclude_filters="test_*"))]
    that_fit = {name for name in names if _fits(architecture, name)}
    first = [name for name in ENCODERS if name in that_fit]
    return [*first, *(name for name in names if name in that_fit and name not in first)]


def _fits(architecture: str, name: str) -> bool:
    if name.startswith(_REFUSED.get(architecture, ())):
        return False
    family = _family(name)
    if architecture == "DPT":
        return family in _TRANSFORMERS and _PATCHES.search(name) is not None
    if family is None:
        return architecture not in _DILATED or not name.startswith(_NOT_DILATING)
    if family in _FLAT | _ONE_SIZE:
        return False
    return architecture not in _DILATED or family in _DILATING


def _family(name: str) -> str | None:
    """The module of timm that an encoder is from; None where it is smp's own."""
    if not name.startswith("tu-"):
        return None
    return str(timm.model_entrypoint(name.removeprefix("tu-")).__module__).rpartition(".")[2]
