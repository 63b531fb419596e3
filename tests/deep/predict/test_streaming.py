"""Networks fed with rows: the same as the whole, whatever the layers and however many rows come at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from voxloop.deep.exchange.torch_model import TorchModel
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.predict import feeding, rows
from voxloop.deep.predict.streaming import stream
from voxloop.model import ClassInfo, ModelSpec, Output


def lively(module: nn.Module) -> nn.Module:
    """In evaluation mode, with norms that do something."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.eval()


def network(architecture: str = "Unet", encoder: str = "resnet18", channels: int = 1) -> nn.Module:
    config = NetworkConfig(
        architecture=architecture, encoder=encoder, channels=channels, outputs=3, decoder_width=0.0625
    )
    return lively(build(config))


@st.composite
def layers(draw: st.DrawFn) -> list[nn.Module]:
    made: list[nn.Module] = [nn.Conv2d(2, 2, 1)]
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "max", "mean", "nearest", "linear", "transposed", "norm"]))
        size, step, wide = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        pad = draw(st.integers(0, size // 2))
        if kind == "conv":
            made.append(nn.Conv2d(2, 2, size, step, draw(st.integers(0, 2)), wide))
        elif kind == "max":
            made.append(nn.MaxPool2d(size, step, pad))
        elif kind == "mean":
            made.append(nn.AvgPool2d(size, step))
        elif kind == "transposed":
            more = draw(st.integers(0, max(step, wide) - 1)) if wide * (size - 1) + 1 > step else 0
            made.append(nn.ConvTranspose2d(2, 2, size, step, min(pad, wide * (size - 1) // 2), more, dilation=wide))
        elif kind == "norm":
            made += [nn.BatchNorm2d(2), nn.ReLU()]
        else:
            mode = "nearest" if kind == "nearest" else "bilinear"
            made.append(nn.Upsample(scale_factor=draw(st.integers(1, 3)), mode=mode))
    return made


@settings(max_examples=25, deadline=None)
@given(layers(), st.integers(128, 150), st.integers(1, 90))
def test_any_chain_of_layers_equals_the_whole(chain, height, rows):
    module = lively(nn.Sequential(*chain))
    picture = torch.randn(1, 2, height, 128)
    with torch.inference_mode():
        try:
            whole = module(picture)
        except RuntimeError:  # nothing would come out
            return
        if not whole.numel():
            return
        fed = stream(module, 2, 2, 12)
        assert fed is not None
        found = torch.cat(list(fed(picture, rows)), 2)
    assert found.shape == whole.shape
    torch.testing.assert_close(found, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("Unet", "tu-mobilenetv4_conv_small"), ("UnetPlusPlus", "resnet18"), ("Linknet", "resnet18")],
)
def test_networks_of_plain_convolutions_equal_the_whole(architecture, encoder):
    module = network(architecture, encoder)
    fed = stream(module, 1, 2, 32)
    assert fed is not None
    picture = torch.randn(2, 1, 320, 128)
    with torch.inference_mode():
        whole = module(picture)
        for rows in (32, 96):
            found = torch.cat(list(fed(picture, rows)), 2)
            torch.testing.assert_close(found, whole, atol=1e-4 * float(whole.abs().max()), rtol=0)


def test_a_volume_is_fed_with_planes():
    torch.manual_seed(1)

    class Volumetric(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU())
            self.deep = nn.Sequential(nn.MaxPool3d(2), nn.Conv3d(4, 6, 3, padding=1), nn.ReLU())
            self.up = nn.ConvTranspose3d(6, 4, 2, 2)
            self.last = nn.Conv3d(8, 3, 1)

        def forward(self, volume):
            near = self.down(volume)
            return self.last(torch.cat([near, self.up(self.deep(near))], 1))

    module = lively(Volumetric())
    fed = stream(module, 1, 3, 2)
    assert fed is not None
    volume = torch.randn(1, 1, 22, 12, 10)
    with torch.inference_mode():
        found = torch.cat(list(fed(volume, 4)), 2)
        torch.testing.assert_close(found, module(volume), atol=1e-5, rtol=1e-5)


def test_padding_that_adds_nothing_is_no_hindrance():
    from monai.networks.nets.basic_unet import BasicUNet

    module = lively(BasicUNet(3, 1, 2, features=(4, 4, 4, 8, 8, 4), norm="batch"))
    fed = stream(module, 1, 3, 16)
    assert fed is not None
    volume = torch.randn(1, 1, 64, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(torch.cat(list(fed(volume, 16)), 2), module(volume), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["FPN", "DeepLabV3Plus", "MAnet"])
def test_what_looks_at_the_whole_image_is_not_fed(architecture):
    assert stream(network(architecture), 1, 2, 32) is None
    assert stream(network(architecture).train(), 1, 2, 32) is None


def test_what_is_held_does_not_grow_with_the_image(monkeypatch):
    fed = stream(network(), 1, 2, 32)
    held = []
    join = feeding._join
    monkeypatch.setattr(feeding, "_join", lambda pieces: pytest.fail("copied") if nothing(pieces) else join(pieces))
    for height in (512, 1536):
        peak = 0

        def seen(taken):
            nonlocal peak
            peak = max(peak, taken)

        with torch.inference_mode():
            for _ in fed(torch.zeros(1, 1, height, 128), 32, seen):
                pass
        held.append(peak)
    assert held[1] == held[0]
    said = fed.bytes_per_column(1, 2, 32, torch.device("cpu"))
    assert said * 128 == pytest.approx(held[0], rel=0.02)


def nothing(pieces):
    """Whether something is joined to no rows, which copies it."""
    return len(pieces) > 1 and not all(piece.shape[2] for piece in pieces)


def test_what_does_not_fit_in_blocks_is_fed_with_rows(monkeypatch):
    from voxloop.config import PredictConfig
    from voxloop.prediction.job import make_job
    from voxloop.prediction.lazy import predict
    from voxloop.prediction.memory import Cost
    from voxloop.prediction.plan import Plan
    from voxloop.volumes import as_volume

    classes = tuple(ClassInfo(value=value, name=f"class {value}") for value in (1, 2, 5))
    spec = ModelSpec(
        learner="deep",
        channels=1,
        outputs=(Output(name="classes", kind="semantic", channels=3),),
        classes=classes,
        stride=(1, 32, 32),
        halo=None,
        window=(1, 64, 64),
    )
    picture = np.random.default_rng(0).normal(size=(1, 1300, 500)).astype(np.float32)
    with TorchModel(network(), spec).open() as predictor:
        job = make_job(spec, predictor, as_volume(picture), PredictConfig(memory_gb=1, tile_seconds=60))
        plan = job.forecast(Cost(seconds_per_voxel=1e-7, bytes_per_voxel=4000, base_bytes=0)).plan
        assert plan.by_rows
        assert plan.block[1:] == (1312, 512)
        assert Plan.from_json(plan.to_json()) == plan
        written = {}
        list(job.run(plan, plan.tiles(), lambda tile, made: written.update({tile.index: made})))
        whole = job.predict(plan.block_of(plan.box).outer)[:, :, :1300, :500]
        monkeypatch.setattr(rows, "_LARGE", 2**19)
        sliced = predict(TorchModel(predictor._module, spec), picture, max_voxels=2**17).values
        asked = iter([False] * 4)  # before the tile, before its block, and between the first rows
        given_up = list(job.run(plan, plan.tiles(), lambda *_: pytest.fail("written"), lambda: next(asked, True)))
    assert not given_up
    assert next(asked, None) is None
    (made,) = written.values()
    assert np.abs(sliced - whole).max() < 1e-3
    told = np.array([1, 2, 5], np.uint8)[whole.argmax(0)]
    assert np.mean(made.labels != told) < 1e-3
    assert np.abs(made.probabilities.astype(float) - 255 * whole).max() <= 1.1


@pytest.mark.parametrize("extra", [{}, {"scale": 0.5}, {"slices": 3}])
def test_a_predictor_keeps_the_same(extra, monkeypatch):
    channels = extra.get("slices", 1)
    module = network(channels=channels)
    step = 64 if "scale" in extra else 32
    spec = ModelSpec(
        learner="deep",
        channels=1,
        outputs=(Output(name="classes", kind="semantic", channels=3),),
        classes=tuple(ClassInfo(value=value, name=f"class {value}") for value in (1, 2, 5)),
        stride=(1, step, step),
        halo=None,
        window=(1, 64, 64),
        extra=extra,
    )
    block = np.random.default_rng(0).normal(size=(1, 1, 3, 384, 256)).astype(np.float32)
    asked = {"values": np.array([1, 2, 5], np.uint8), "measure": "margin", "keep": True}
    with TorchModel(module, spec).open() as predictor:
        assert predictor.bytes_per_column() > 100
        (whole,) = predictor.reduce(block, **asked)
        (fed,) = predictor.reduce(block, **asked, by_rows=True)
        probabilities = predictor(block)
        monkeypatch.setattr(rows, "_LARGE", 2**10)
        (large,) = predictor.reduce(block, **asked)
        np.testing.assert_allclose(predictor(block), probabilities, atol=1e-4)
    for one, other in zip(large, fed, strict=True):
        assert np.array_equal(one, other)
    assert np.mean(whole[0] != fed[0]) < 1e-3
    for one, other in zip(whole[1:3], fed[1:3], strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
