"""Two processes on a processor learn what one learns, hear the same orders, and leave one log and one model."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from voxloop.config.deep import DeepConfig
from voxloop.deep.learner import train
from voxloop.errors import ConfigError, RunError


@pytest.fixture
def begin(context: Any, tiny: DeepConfig) -> Any:
    """Makes a run with the settings given, and a context to run it in this process."""

    def make(name: str, **changes: Any) -> Any:
        settings = tiny.changed(
            teacher="none",
            optimiser="SGD",
            learning_rate=0.05,
            batch_size=4,
            epochs=2,
            steps_per_epoch=3,
            workers=0,
            samples=0,
            patience=0,
            average_weights=0.5,
            **changes,
        )
        path = context.path.parent / name
        path.mkdir(exist_ok=True)
        config = {"name": name, "task": "-", "settings": settings.to_json(), "labels": context.config["labels"]}
        (path / "config.json").write_text(json.dumps(config))
        return type(context)(path=path, config=config, workspace=context.workspace)

    return make


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "weights.safetensors")


def assert_close(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.allclose(tensor.float(), second[name].float(), rtol=1e-3, atol=2e-4), name


@pytest.mark.parametrize("settings", [{}, {"levels": 3}, {"architecture": "PSPNet"}])
def test_a_team_knows_which_networks_leave_weights_without_a_gradient(settings: dict[str, Any]) -> None:
    from voxloop.deep.networks.network import NetworkConfig, build
    from voxloop.deep.training.team import leaves_weights_alone

    config = DeepConfig(encoder="resnet18", **settings)
    description = NetworkConfig(
        architecture=config.architecture, encoder=config.encoder, channels=1, outputs=2, depth=config.levels
    )
    network = build(description).train()
    network(torch.zeros(2, 1, 64, 64)).sum().backward()
    alone = any(parameter.grad is None for parameter in network.parameters())
    assert leaves_weights_alone(config) == alone


@pytest.mark.slow(reason="starts two processes that import torch")
@pytest.mark.timeout(240)
def test_two_processes_equal_one_and_go_on_where_they_were_paused(begin: Any) -> None:
    alone, two = begin("alone"), begin("two", devices=2)
    assert train(alone) == "finished"
    two.at_step[4] = SimpleNamespace(kind="pause", name="p", values={})
    assert train(two) == "paused"
    again = begin("two", devices=2)
    assert train(again) == "finished"
    losses, epochs = ([*two.of(kind), *again.of(kind)] for kind in ("step", "epoch"))
    expected = [event["loss"] for event in alone.of("step")]
    assert len(expected) == 6
    assert [event["loss"] for event in losses] == pytest.approx(expected, rel=1e-3)
    assert [event["train"]["iou"] for event in epochs] == [
        pytest.approx(event["train"]["iou"], abs=1e-3) for event in alone.of("epoch")
    ]
    assert_close(alone.path, two.path)


def test_shared_norms_keep_their_tensors_and_what_they_do_once_trained() -> None:
    from voxloop.deep.networks.network import NetworkConfig, build
    from voxloop.deep.training.team import share_norms

    network = build(
        NetworkConfig(architecture="Unet", encoder="tu-test_efficientnet", channels=1, outputs=2, decoder_width=0.0625)
    ).eval()
    x = torch.randn(1, 1, 64, 64)
    before, names = network(x), list(network.state_dict())
    share_norms(network)
    share_norms(network)  # a second time does nothing
    assert torch.equal(network(x), before)
    assert list(network.state_dict()) == names
    assert sum(type(module).__name__.startswith("Shared") for module in network.modules()) == sum(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()
    )


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(ConfigError, match="nearest are 3 and 6"):
        DeepConfig(batch_size=4, devices=3)
    assert DeepConfig(batch_size=6, devices=3).devices == 3
    with pytest.raises((ConfigError, RunError)):
        DeepConfig(devices=0)
