"""What a network's logits are reduced to on the way out equals what would be made of its probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from voxloop.deep.exchange.torch_model import TorchModel
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.predict.focus import Focus
from voxloop.deep.predict.reduction import agrees, split_head
from voxloop.geometry import Box
from voxloop.model import ClassInfo, ModelSpec, Output
from voxloop.prediction.decode import semantic
from voxloop.prediction.memory import peak_memory


def spec_of(classes, **extra):
    return ModelSpec(
        learner="deep",
        channels=1,
        outputs=(Output(name="classes", kind="semantic", channels=classes),),
        classes=tuple(ClassInfo(value=i + 1, name=f"class {i + 1}") for i in range(classes)),
        stride=(1, 32, 32),
        halo=None,
        extra=extra,
    )


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return build(NetworkConfig(architecture="Unet", encoder="tu-mobilenetv4_conv_small", channels=1, outputs=3)).eval()


@pytest.mark.parametrize("measure", ["margin", "entropy"])
@pytest.mark.parametrize("size", [(2, 160, 192), (1, 64, 96)])
def test_reduced_equals_decoded_probabilities(unet, measure, size, monkeypatch):
    from voxloop.deep.predict import reduction

    monkeypatch.setitem(reduction.STRIP_BYTES, "cpu", 20_000)  # several strips
    model = TorchModel(unet, spec_of(3))
    batch = np.random.default_rng(0).normal(size=(2, 1, *size)).astype(np.float32)
    values = np.array([1, 2, 3], np.uint8)
    with model.open(threads=1) as predictor:
        probabilities = predictor(batch)
        reduced = predictor.reduce(batch, values=values, measure=measure, keep=True)
    for p, (labels, kept, unsure, broken) in zip(probabilities, reduced, strict=True):
        wanted = semantic(p, values, measure=measure)
        assert labels.shape == size
        assert broken == 0
        assert np.mean(labels != wanted.labels) < 1e-4  # ties
        assert np.abs(kept.astype(int) - wanted.probabilities).max() <= 1
        assert np.abs(unsure.astype(int) - wanted.uncertainty).max() <= 1


def test_what_is_not_finite_stays_unlabelled_and_unsure():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 1)

        def forward(self, x):
            out = self.layer(x)
            out[..., 5:7, :] = float("nan")
            return out

    model = TorchModel(Broken(), spec_of(2))
    with model.open(threads=1) as predictor:
        (found,) = predictor.reduce(
            np.zeros((1, 1, 1, 32, 32), np.float32), values=np.array([4, 9], np.uint8), measure="margin", keep=True
        )
    labels, kept, unsure, broken = found
    assert broken == 2 * 32
    assert not labels[0, 5:7].any()
    assert set(np.unique(labels[0, :5])) <= {4, 9}
    assert (unsure[0, 5:7] == 255).all()
    assert not kept[:, 0, 5:7].any()


def test_a_head_is_split_off_only_where_nothing_follows_it(unet):
    split = split_head(unet, 3)
    assert split is not None
    assert split.margin == 1
    sample = torch.randn(1, 1, 128, 128)
    with torch.inference_mode():
        assert agrees(split, unet, sample)

    class Squashed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 1)

        def forward(self, x):
            return self.out(self.body(x)).sigmoid()

    squashed = Squashed().eval()
    with torch.inference_mode():
        assert not agrees(split_head(squashed, 3), squashed, sample)
    assert split_head(nn.Conv2d(1, 3, 3), 3) is None


def test_a_hundred_classes_take_little_more_memory_than_two():
    """Labels and uncertainty of a small U-Net: what it holds itself decides, not the classes."""
    peaks = []
    for classes in (2, 100):
        torch.manual_seed(0)
        config = NetworkConfig(architecture="Unet", encoder="resnet18", channels=1, outputs=classes, decoder_width=0.5)
        net = build(config)
        batch = np.zeros((1, 1, 1, 768, 768), np.uint8)
        with TorchModel(net, spec_of(classes)).open(threads=1) as predictor:
            values = np.arange(1, classes + 1, dtype=np.uint8)
            predictor.reduce(batch, values=values, measure="margin", keep=False)
            with peak_memory() as peak:
                predictor.reduce(batch, values=values, measure="margin", keep=False)
        peaks.append(peak.bytes)
    assert peaks[1] < 1.3 * peaks[0] + 20e6


def test_a_part_of_a_large_block_is_what_the_whole_says_there_and_takes_little_more(unet):
    block = np.random.default_rng(0).normal(size=(1, 2, 384, 416)).astype(np.float32)
    for inner in (Box((1, 0, 10), (2, 40, 64)), Box((0, 340, 370), (2, 384, 416))):
        with TorchModel(unet, spec_of(3)).open(threads=1) as predictor:
            part = predictor.focused(block, inner)
            assert part is not None
            np.testing.assert_allclose(part, predictor(block[None])[0][:, *inner.slices], atol=1e-4)
            assert predictor.focused(block, Box((0, 0, 0), (2, 384, 320))) is None
    # what lies between two voxels of a coarse level depends on the size of all
    resized = build(NetworkConfig(architecture="Segformer", encoder="mit_b0", channels=1, outputs=3)).eval()
    assert Focus.of(resized, 1, 32) is None
    assert Focus.of(nn.Sequential(unet, nn.Conv2d(3, 3, 3, padding=1)), 1, 32) is None, "something comes behind it"
