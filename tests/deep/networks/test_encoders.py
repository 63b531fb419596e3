"""Encoders that are offered for an architecture really build in it."""

from __future__ import annotations

import random
import warnings

import pytest
import timm
import torch
from packaging.version import Version

from voxloop.config.network import PLANAR, VOLUMETRIC
from voxloop.deep.networks.encoders import fitting
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.helper.handlers import Job, handler

#: of the names that are offered, these are small enough to be built many times
SMALL = (
    "atto",
    "femto",
    "pico",
    "nano",
    "_050",
    "_035",
    "xxs",
    "xx_small",
    "tinynet",
    "mobilenet",
    "resnet18",
    "vgg11",
    "lcnet",
    "regnetx_002",
    "regnety_002",
    "mobileone_s0",
    "mit_b0",
    "dla46",
    "ghostnet",
    "fbnet",
    "mnasnet",
    "hardcore",
    "patch16",
)


#: one of each kind that takes other encoders than the rest
KINDS = ("Unet", "Linknet", "PSPNet", "PAN", "DPT")


@pytest.mark.parametrize("architecture", ["Unet", "PAN", "DPT"])
def test_a_sample_of_what_is_offered_builds(architecture):
    names = [name for name in fitting(architecture) if any(part in name for part in SMALL)]
    small = sorted(name for name in names if not any(part in name for part in ("large", "huge", "giant", "gigantic")))
    for name in random.Random(0).sample(small, 15):
        with warnings.catch_warnings(), torch.device("meta" if not name.startswith("mit_b") else "cpu"):
            warnings.simplefilter("ignore")  # smp marks some names of its own as old
            build(NetworkConfig(architecture=architecture, channels=1, outputs=2, encoder=name, decoder_width=0.25))


def test_what_cannot_be_built_is_not_offered():
    assert {tuple(fitting(name)) for name in PLANAR} == {tuple(fitting(name)) for name in KINDS}
    plain, dilated, transformers = (set(fitting(name)) for name in ("Unet", "PAN", "DPT"))
    assert len(plain) > len(dilated) > 300
    assert "mit_b0" in plain - set(fitting("Linknet")) - transformers
    assert "vgg16_bn" in plain - dilated
    assert "tu-vit_small_patch16_224" in transformers - plain
    assert not {"tu-eva02_tiny_patch14_224", "resnet18"} & transformers  # a patch of 14 voxels, and no transformer
    assert "tu-swin_tiny_patch4_window7_224" not in plain | dilated | transformers  # planes of 224 voxels only
    assert not [name for name in plain if name.startswith("tu-test_")]
    assert {fitting(name) == [] for name in VOLUMETRIC} == {True}


@pytest.mark.skipif(Version(timm.__version__) < Version("1.0.31"), reason="lacks families that came later")
def test_the_families_that_are_known_by_name_are_families_of_timm():
    from voxloop.deep.networks import encoders

    known = set(timm.list_modules())
    assert known >= encoders._DILATING | encoders._FLAT | encoders._ONE_SIZE | encoders._TRANSFORMERS


def test_the_helper_answers_with_those_that_are_suggested_first(tmp_path):
    job = Job(tmp_path, {"architecture": "DeepLabV3"}, {}, lambda: False, lambda _: None)
    assert handler("encoders")(job)["encoders"][:2] == ["tu-mobilenetv4_conv_small", "tu-tf_efficientnet_lite0"]
