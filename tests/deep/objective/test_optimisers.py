"""Every optimiser lowers a loss; an encoder that is held stays bit for bit as it was."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch

from voxloop.config.deep import DeepConfig
from voxloop.config.optimisation import Optimiser
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.objective.optimisers import hold_encoder, optimiser
from voxloop.deep.training import checkpoint
from voxloop.errors import ConfigError


@pytest.mark.parametrize("name", get_args(Optimiser))
def test_every_optimiser_goes_downhill(name: str) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    x = torch.randn(64, 3)
    y = x.sum(1, keepdim=True)
    steps = optimiser(DeepConfig(optimiser=name, learning_rate=1.0 if name == "Adadelta" else 1e-2), network)
    losses = []
    for _ in range(40):
        steps.zero_grad()
        loss = torch.nn.functional.mse_loss(network(x), y)
        loss.backward()
        steps.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", get_args(Optimiser))
def test_every_optimiser_goes_on_exactly_where_it_was_put_down(name: str, tmp_path: Path) -> None:
    config = DeepConfig(optimiser=name, learning_rate=1e-2)

    def begin() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 1, 3))
        network = network.to(memory_format=torch.channels_last)
        return network, optimiser(config, network)

    def steps(network: torch.nn.Module, moves: torch.optim.Optimizer, numbers: range) -> None:
        for number in numbers:
            moves.zero_grad(set_to_none=True)
            generator = torch.Generator().manual_seed(number)
            network(torch.randn(2, 1, 12, 12, generator=generator)).square().mean().backward()
            moves.step()

    whole, moves = begin()
    steps(whole, moves, range(8))
    broken, moves = begin()
    steps(broken, moves, range(3))
    tensors, groups = checkpoint.pack(broken, broken, moves)
    checkpoint.save(tmp_path / "last", tensors, {"groups": groups})
    resumed, moves = begin()
    tensors, saved = checkpoint.load(tmp_path / "last")
    checkpoint.unpack(tensors, saved["groups"], resumed, resumed, moves)
    steps(resumed, moves, range(3, 8))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_biases_and_norms_do_not_decay() -> None:
    wide, flat = optimiser(DeepConfig(weight_decay=0.3), torch.nn.Conv2d(1, 4, 3)).param_groups
    assert (wide["weight_decay"], flat["weight_decay"]) == (0.3, 0.0)
    assert {p.ndim for p in flat["params"]} == {1}


def test_an_optimiser_that_this_torch_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Adafactor", raising=False)
    with pytest.raises(ConfigError, match="'Adafactor' is not in torch"):
        optimiser(DeepConfig(optimiser="Adafactor"), torch.nn.Linear(2, 2))


def test_a_held_encoder_stays_as_it_is_and_learns_when_let_go() -> None:
    network = build(NetworkConfig(architecture="Unet", encoder="tu-test_efficientnet", channels=1, outputs=2)).train()
    steps = optimiser(DeepConfig(), network)

    def moved() -> set[bool]:
        before = {name: value.clone() for name, value in network.state_dict().items()}
        network(torch.randn(2, 1, 64, 64)).square().mean().backward()
        steps.step()
        steps.zero_grad(set_to_none=True)
        after = network.state_dict()
        return {".encoder." in name for name, value in before.items() if not torch.equal(value, after[name])}

    hold_encoder(network, True)
    assert moved() == {False}
    network.train()  # as after a validation
    hold_encoder(network, True)
    assert moved() == {False}
    network.train()
    hold_encoder(network, False)
    assert moved() == {True, False}


def test_a_network_without_encoder_cannot_be_frozen() -> None:
    with pytest.raises(ConfigError, match="no encoder"):
        hold_encoder(torch.nn.Linear(2, 2), True)
    hold_encoder(torch.nn.Linear(2, 2), False)
