"""OpenVINO says what torch says, at any size, or torch goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.deep.predict.test_model import a_model, block
from torch import nn

import voxloop as vl
from voxloop.deep.predict import engine
from voxloop.errors import ConfigError, ModelError

pytest.importorskip("openvino")


def test_a_network_of_slices_says_the_same_at_other_sizes() -> None:
    model = a_model(slices=3)
    batch = block(1, 1, 3, 96, 160)
    values = np.array([1, 2], np.uint8)
    with model.open() as predictor:
        exact = predictor(batch)
        fast = predictor.hasten("openvino", batch[..., :64, :64])
        assert "OpenVINO" in fast
        assert "times as fast" in fast
        assert np.allclose(predictor(batch), exact, atol=1e-4)
        ((labels, probabilities, _, broken),) = predictor.reduce(batch, values=values, measure="margin", keep=True)
        assert predictor.hasten("openvino", batch) == ""  # once is enough
    assert (labels == values[exact[0].argmax(0)]).mean() > 0.999
    assert np.abs(probabilities / 255.0 - exact[0]).max() < 0.003
    assert broken == 0


class OfOneSize(nn.Module):
    """What comes out depends on a number that tracing takes for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.convolution(x) * (float(x.shape[-1]) / 1e5)
        return out


def test_what_cannot_be_handed_over_stays_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = block(1, 1, 1, 64, 64)
    with vl.TorchModel(OfOneSize()).open() as predictor:
        exact = predictor(batch)
        assert predictor.hasten("auto", batch) == ""
        assert np.array_equal(predictor(batch), exact)
        with pytest.raises(ModelError, match="backend='torch'"):
            predictor.hasten("openvino", batch)
        monkeypatch.setattr(engine, "is_there", lambda: False)
        assert predictor.hasten("auto", batch) == ""
        with pytest.raises(ConfigError, match="pip install"):
            predictor.hasten("openvino", batch)
