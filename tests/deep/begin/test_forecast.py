"""Memory from shapes, and the nearest setting that fits where one does not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin import memory as module
from voxloop.deep.begin.forecast import forecast
from voxloop.deep.begin.memory import advise, check_memory, memory_of
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.errors import ConfigError
from voxloop.helper.handlers import Job, handler

CONFIG = DeepConfig(device="cpu", batch_size=16, window="1,256,256")
NETWORK = build(NetworkConfig(architecture="Unet", encoder="tu-test_resnet", channels=1, outputs=2, decoder_width=0.5))
WINDOW = (1, 256, 256)


def test_memory_grows_with_batch_and_window() -> None:
    memory = memory_of(NETWORK, CONFIG, WINDOW)
    steps = {memory(size + 1) - memory(size) for size in (1, 5, 40)}
    assert max(steps) - min(steps) <= 1
    small = memory_of(NETWORK, CONFIG, (1, 128, 128))
    assert memory(2) - memory(1) == pytest.approx(4 * (small(2) - small(1)), rel=0.1)


def test_what_is_kept_for_backward_is_counted() -> None:
    """Of a convolution and a ReLU: the input and the output, once each."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU())
    counted = module._Activations(net, (1, 32, 32))
    assert counted(4) == 4 * 32 * 32 * 4 * (3 + 8)


@pytest.mark.parametrize("gigabytes", [0.9, 1.2, 1.6, 40.0])
def test_the_advice_fits(gigabytes: float) -> None:
    available = int(gigabytes * 1e9)
    words = advise(NETWORK, CONFIG, WINDOW, available)
    if not words:
        return
    found = re.search(r"batch_size=(\d+), with accumulation=(\d+)", words)
    window = re.search(r"use window=1,(\d+),\d+ with batch_size=1", words)
    if found:
        batch, more = int(found[1]), int(found[2])
        assert batch * more >= CONFIG.batch_size > batch
        assert not advise(NETWORK, CONFIG.changed(batch_size=batch), WINDOW, available)
        assert advise(NETWORK, CONFIG.changed(batch_size=batch + 1), WINDOW, available)
    elif window:
        side = int(window[1])
        assert not advise(NETWORK, CONFIG.changed(batch_size=1), (1, side, side), available)
    else:
        assert "taken whatever the window: free some memory, or use a smaller encoder" in words


def test_a_training_that_cannot_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_memory", lambda: int(1.6e9))
    with pytest.raises(ConfigError, match=r"needs about .* GB and 1\.6 GB are free.*use batch_size="):
        check_memory(NETWORK, CONFIG.changed(batch_size=2000), WINDOW, torch.device("cpu"))


def test_forecast_of_a_workspace(workspace: Any, tiny: DeepConfig) -> None:
    found = forecast(workspace[0], tiny.changed(epochs=7))
    assert found.fits
    assert found.steps == 35
    assert found.step_seconds is not None
    assert found.minutes is not None
    assert found.minutes >= 35 * found.step_seconds / 60
    assert found.memory > 5e8
    limited = tiny.changed(epochs=10_000, max_minutes=1.0)
    job = Job(workspace[0], {"config": limited.to_json()}, {}, stale=lambda: False, tell=lambda _: None)
    answer = handler("forecast")(job)
    assert answer["minutes"] == 1.0
    assert answer["steps"] < 50_000
    json.dumps(answer)
