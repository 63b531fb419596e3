"""Model folders: loaded without torch, refused where damaged or changed, the same numbers however they are cut."""

from __future__ import annotations

import json
import pickle  # noqa: TID251
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import voxloop as vl
from voxloop.deep.exchange.torch_model import TorchModel, load
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.errors import ModelError
from voxloop.model import ClassInfo, Model, ModelSpec, Output, load_model


def a_model(slices: int = 1, channels: int = 1) -> TorchModel:
    torch.manual_seed(0)
    network = NetworkConfig(
        architecture="Unet", encoder="tu-test_resnet", channels=channels * slices, outputs=2, decoder_width=0.0625
    )
    spec = ModelSpec(
        learner="deep",
        channels=channels,
        outputs=(Output(name="classes", kind="semantic", channels=2),),
        classes=(ClassInfo(value=1, name="a"), ClassInfo(value=2, name="b")),
        stride=(1, 32, 32),
        halo=None,
        normalisation={"mean": [100.0] * channels, "deviation": [20.0] * channels},
        extra={"network": network.to_json(), "slices": slices, "scale": 1.0},
    )
    return TorchModel(build(network), spec)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model"
    a_model().save(path)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, tmp_path / "model"))


def block(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


def test_round_trip_gives_the_same_numbers(folder: Path) -> None:
    model = load_model(folder)
    assert isinstance(model, Model)
    data = block(1, 3, 70, 50)
    out = model.predict(data)
    assert out.dtype == np.float32
    assert np.array_equal(out, a_model().predict(data))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(data), out)


def test_any_dtype_and_what_is_no_number(folder: Path) -> None:
    data = block(1, 1, 64, 64)
    with load(folder).open(device="cpu", threads=1) as predictor:
        first = predictor(data[None])
        assert np.array_equal(predictor(data[None].astype(np.float64)), first)
        broken = data[None].astype(np.float32)
        broken[..., 5, 5] = np.nan
        assert np.isfinite(predictor(broken)).all()


def test_slices_see_their_neighbours() -> None:
    model = a_model(slices=3, channels=2)
    data = block(2, 5, 64, 64)
    out = model.predict(data)
    assert out.shape == (2, 5, 64, 64)
    assert np.allclose(model.predict(data[:, 1:4])[:, 1], out[:, 2], atol=1e-5)
    assert not np.allclose(model.predict(data[:, 2:3])[:, 0], out[:, 2], atol=1e-5)


def test_wrong_channels_are_said(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"1 channel\(s\).*\(1, 2, 1, 64, 64\)"):
        load(folder).predict(block(2, 1, 64, 64))


def test_threads_are_put_back(folder: Path) -> None:
    before = torch.get_num_threads()
    with load(folder).open(device="cpu", threads=before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_truncated_changed_and_missing_files(copy: Path) -> None:
    weights = copy / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(ModelError, match="truncated or changed"):
        load_model(copy)
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match="truncated or changed"):
        load_model(copy)
    weights.unlink()
    with pytest.raises(ModelError, match="missing"):
        load_model(copy)


def test_changed_spec_is_noticed(copy: Path) -> None:
    spec = json.loads((copy / "spec.json").read_text())
    spec["normalisation"]["mean"] = [0.0]
    (copy / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(ModelError, match="truncated or changed"):
        load_model(copy)


def test_loading_imports_no_torch(folder: Path) -> None:
    code = f"import sys, voxloop.model as m; m.load_model({str(folder)!r}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_of_ones_own() -> None:
    module = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    model = vl.TorchModel(module)
    assert model.spec.channels == 2
    assert model.predict(block(2, 2, 30, 40)).shape == (3, 2, 30, 40)
    with pytest.raises(ModelError, match="give a spec"):
        vl.TorchModel(nn.Linear(2, 2))


class Halving(nn.Module):
    """A small U-Net of somebody's: halves and doubles as often as it has levels; takes any size where it pads."""

    def __init__(self, dimensions: int = 2, levels: int = 2, outputs: int = 2, pads: bool = False) -> None:
        super().__init__()
        conv, self.pool = (nn.Conv2d, nn.MaxPool2d(2)) if dimensions == 2 else (nn.Conv3d, nn.MaxPool3d(2))
        self.levels, self.pads = levels, pads
        self.first, self.last = conv(1, 4, 3, padding=1), conv(8, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[2:]
        fine = deep = self.first(x).relu()
        for _ in range(self.levels):
            deep = self.pool(deep)
        scale = {"size": size} if self.pads else {"scale_factor": 2**self.levels}
        deep = nn.functional.interpolate(deep, **scale)
        return self.last(torch.cat([fine, deep], 1))


@pytest.mark.parametrize("pads", [False, True])
def test_stride_and_field_of_a_module_are_found(pads: bool) -> None:
    module = Halving(levels=3, pads=pads)
    with torch.no_grad():
        module.last.weight[:, 4:] *= 1e-5  # the deepest level says little, and counts
    spec = vl.TorchModel(module).spec
    assert spec.stride == (1, 8, 8)
    assert spec.halo is not None
    assert 8 <= spec.halo[1] <= 16
    assert vl.TorchModel(nn.Sequential(nn.Conv2d(1, 2, 5, padding=2))).spec.halo == (0, 2, 2)
    assert vl.TorchModel(nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.InstanceNorm2d(2))).spec.halo is None
    assert len({item.color for item in spec.classes}) == 2


def test_a_module_of_blocks() -> None:
    model = vl.TorchModel(Halving(dimensions=3, levels=2))
    assert (model.spec.dimensions, model.spec.stride) == (3, (4, 4, 4))
    assert model.predict(block(1, 8, 16, 24)).shape == (2, 8, 16, 24)


def test_one_output_is_inside_against_background(tmp_path: Path) -> None:
    module = nn.Conv2d(1, 1, 1)
    model = vl.TorchModel(module)
    assert [(item.name, item.background) for item in model.spec.classes] == [("background", True), ("inside", False)]
    data = block(1, 1, 64, 64)
    found = model.predict(data)
    with torch.inference_mode():
        wanted = module(torch.from_numpy(data.astype(np.float32))).sigmoid()[0].numpy()
    assert np.allclose(found[1], wanted, atol=1e-6)
    assert np.allclose(found.sum(0), 1, atol=1e-6)
    spec = ModelSpec(
        learner="deep",
        channels=1,
        outputs=(Output(name="classes", kind="semantic", channels=1),),
        classes=(ClassInfo(value=1, name="mito", color="#ff0000"),),
    )
    named = vl.TorchModel(module, spec)
    assert [(item.value, item.name) for item in named.spec.classes] == [(2, "background"), (1, "mito")]
    assert np.allclose(named.predict(data), found, atol=1e-6)
