"""Networks leave as ONNX and bioimage.io packages and come back saying the same."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from voxloop.deep.exchange import package as package_module
from voxloop.deep.exchange import runtime
from voxloop.deep.exchange.package import export_package, import_package
from voxloop.deep.exchange.torch_model import TorchModel
from voxloop.deep.networks import volumetric
from voxloop.deep.networks.convolution import hasten
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.errors import ConfigError, ModelError
from voxloop.model import ClassInfo, ModelSpec, Output, load_model

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("bioimageio.core")


class Small(nn.Module):
    """Somebody's network: nothing that voxloop knows how to build."""

    def __init__(self, dimensions=2, channels=1):
        super().__init__()
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        pool = nn.AvgPool2d if dimensions == 2 else nn.AvgPool3d
        self.first, self.pool, self.last = conv(channels, 4, 3, padding=1), pool(2), conv(4, 2, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, x):
        return self.up(self.last(self.pool(self.first(x).relu())))


def spec_of(dimensions=2, **extra):
    return ModelSpec(
        learner="deep",
        channels=1,
        dimensions=dimensions,
        stride=(1, 2, 2) if dimensions == 2 else (2, 2, 2),
        outputs=(Output(name="classes", kind="semantic", channels=2),),
        halo=None,
        spacing_um=(0.04, 0.01, 0.01),
        classes=(
            ClassInfo(value=1, name="background", background=True),
            ClassInfo(value=5, name="mito", color="#ff0000"),
        ),
        normalisation={"mean": [100.0], "deviation": [30.0]},
        extra={"title": "small", **extra},
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A network of ours, as a package."""
    torch.manual_seed(0)
    config = NetworkConfig(
        architecture="Unet", encoder="tu-mobilenetv4_conv_small", channels=1, outputs=2, decoder_width=0.25
    )
    spec = spec_of(network=config.to_json())
    cut = {"mean": [100.0], "deviation": [30.0], "low": [40.0], "high": [160.0]}
    spec = ModelSpec.from_json(spec.to_json() | {"stride": [1, 32, 32], "normalisation": cut})
    model = TorchModel(build(config).eval(), spec)
    path = tmp_path_factory.mktemp("package") / "mito.zip"
    return model, model.export(path, name="mito of cells", authors=["A. Student"])


@pytest.mark.slow(reason="traces a network twice and lets bioimageio.core try both kinds of weights")
def test_bioimageio_gets_the_same_from_both_kinds_of_weights(package):
    import bioimageio.core as core

    _, made = package
    assert set(made.difference) == {"onnx", "pytorch_state_dict"}
    assert max(made.difference.values()) < 1e-4
    assert made.problems == ()
    described = core.load_model_description(made.path)
    assert described.name == "mito of cells"
    assert [str(n) for n in described.outputs[0].axes[1].channel_names] == ["background", "mito"]
    assert described.inputs[0].axes[2].scale == pytest.approx(0.01)
    with pytest.raises(ModelError, match="overwrite=True"):
        package[0].export(made.path)
    assert "differs by" in str(made)


def test_a_program_of_torch_export_says_the_same(package):
    model, made = package
    assert made.program is not None, made.no_program
    loaded = torch.export.load(made.program).module()
    x = torch.randn(1, 1, 96, 160)
    with torch.inference_mode():
        assert torch.allclose(loaded(x), model.module().eval()(x), atol=1e-3)


def test_a_package_comes_back_with_its_classes_and_says_the_same(package, tmp_path):
    model, made = package
    found = import_package(made.path, tmp_path / "imported")
    assert [(c.value, c.name, c.color) for c in found.spec.classes] == [
        (1, "background", "#e69f00"),
        (5, "mito", "#ff0000"),
    ]
    assert found.spec.spacing_um == pytest.approx((0.04, 0.01, 0.01))
    assert found.spec.learner == "onnx"
    again = load_model(tmp_path / "imported")
    block = np.random.default_rng(0).integers(0, 255, (1, 2, 96, 128)).astype(np.uint8)
    assert np.abs(again.predict(block) - model.predict(block)).max() < 1e-4
    (tmp_path / "imported" / "model.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="truncated or changed"):
        load_model(tmp_path / "imported")


@pytest.mark.parametrize("dimensions", [2, 3])
def test_any_torch_module_can_be_saved_and_predicts_the_same(tmp_path, dimensions):
    torch.manual_seed(1)
    module = Small(dimensions)
    model = TorchModel(module, spec_of(dimensions))
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    block = np.random.default_rng(0).integers(0, 255, (1, 4, 34, 46)).astype(np.uint8)
    x = (torch.from_numpy(block.astype(np.float32)) - 100) / 30
    with torch.inference_mode():
        wanted = (
            module(x[None]).softmax(1)[0] if dimensions == 3 else module(x.transpose(0, 1)).softmax(1).transpose(0, 1)
        )
    assert np.abs(loaded.predict(block) - wanted.numpy()).max() < 1e-5
    with loaded.open() as predictor, pytest.raises(ModelError, match=r"of 1 channel\(s\), not shape"):
        predictor(np.zeros((1, 2, 4, 32, 32), np.uint8))


VOLUMETRIC = {
    "UNet3d": {},
    "DynUNet": {},
    "SegResNet": {"width": 8},
    "SwinUNETR": {"width": 12, "normalisation": "instance"},
}


def network_of_blocks(architecture):
    levels = {"kernels": ((1, 3, 3), (3, 3, 3)), "strides": ((1, 1, 1), (1, 2, 2)), "width": 4}
    torch.manual_seed(3)
    return NetworkConfig(architecture=architecture, channels=1, outputs=2, **levels | VOLUMETRIC[architecture])


@pytest.mark.parametrize("architecture", VOLUMETRIC)
def test_monai_builds_what_a_package_of_blocks_names(architecture):
    config = network_of_blocks(architecture)
    network = build(config).eval()
    name, arguments = volumetric.monai_arguments(config)
    plain = getattr(importlib.import_module("monai.networks.nets"), name)(**json.loads(json.dumps(arguments)))
    plain.load_state_dict(volumetric.monai_tensors(network.core, config))
    side = 32 if architecture != "SwinUNETR" else 64  # it normalises its coarsest level, which needs some voxels
    x = torch.randn(1, 1, side, side, side)
    with torch.inference_mode():
        assert torch.equal(plain.eval()(x), network.core(x))


@pytest.mark.slow(reason="traces a network of blocks and lets bioimageio.core try both kinds of weights")
def test_a_network_of_blocks_has_both_kinds_of_weights_and_plain_convolutions(tmp_path, monkeypatch):
    import onnx

    monkeypatch.setitem(package_module.TEST_SIZE, 3, (16, 32, 32))
    config = network_of_blocks("DynUNet")
    spec = replace(spec_of(3, network=config.to_json()), stride=(1, 2, 2))
    made = TorchModel(hasten(build(config).eval()), spec).export(tmp_path / "blocks.zip")
    assert set(made.difference) == {"onnx", "pytorch_state_dict"}
    assert made.problems == ()
    found = import_package(made.path, tmp_path / "imported")
    kinds = [node.op_type for node in onnx.load(str(found.folder / runtime.GRAPH)).graph.node]
    assert "Conv" in kinds
    assert not [kind for kind in kinds if "mkldnn" in kind.lower()]
    assert made.program is not None
    nodes = torch.export.load(made.program).graph.nodes
    assert [node for node in nodes if "conv3d" in str(node.target)]
    assert not [node for node in nodes if "mkldnn" in str(node.target)]


def test_files_are_replaced_only_when_asked_and_only_by_whole_ones(tmp_path, monkeypatch):
    model = TorchModel(Small(), spec_of())
    (tmp_path / "net.pt2").write_bytes(b"mine")
    with pytest.raises(ModelError, match=r"net\.pt2 exists already; overwrite=True"):
        model.export(tmp_path / "net.zip")
    (tmp_path / "net.zip").write_bytes(b"mine")
    monkeypatch.setattr(package_module, "_tried", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.export(tmp_path / "net.zip", overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"net.zip": b"mine", "net.pt2": b"mine"}


def test_a_network_that_sees_neighbouring_slices_comes_back(tmp_path):
    torch.manual_seed(2)
    model = TorchModel(Small(channels=3), spec_of(slices=3))
    made = model.export(tmp_path / "slices.zip")
    assert made.problems == ()
    found = import_package(made.path, tmp_path / "imported")
    block = np.random.default_rng(0).integers(0, 255, (1, 5, 34, 46)).astype(np.uint8)
    assert np.abs(found.predict(block) - model.predict(block)).max() < 1e-5


def test_a_package_has_the_sizes_of_the_network_not_of_the_volume(tmp_path):
    core = pytest.importorskip("bioimageio.core")
    spec = replace(spec_of(zoom=[1.0, 0.5, 0.5]), stride=(1, 4, 4))
    made = TorchModel(Small(), spec).export(tmp_path / "coarse.zip")
    found = core.load_model_description(made.path).inputs[0].axes[2]
    assert (found.size.step, found.scale) == (2, pytest.approx(0.02))
    imported = import_package(made.path, tmp_path / "imported").spec
    assert (imported.stride, imported.spacing_um) == ((1, 2, 2), pytest.approx((0.04, 0.02, 0.02)))


def test_a_device_or_precision_that_is_not_there_is_not_passed_over(tmp_path, monkeypatch, caplog):
    TorchModel(Small(), spec_of()).save(tmp_path / "model")
    model = load_model(tmp_path / "model")
    assert runtime.providers("cuda:1", [runtime.CUDA])[0] == (runtime.CUDA, {"device_id": 1})
    assert runtime.providers("cpu", [runtime.CUDA]) == ["CPUExecutionProvider"]
    for precision in ("float16", "bfloat16"):
        with pytest.raises(ConfigError, match="use 'float32' or 'auto'"), model.open(precision=precision):
            pass
    with pytest.raises(ConfigError, match="runs on 'cpu' or 'cuda'"), model.open(device="mps"):
        pass
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigError, match="onnxruntime-gpu"), model.open(device="cuda"):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with model.open(device="auto", precision="auto"):
        assert "runs on the processor" in caplog.text


def test_what_cannot_be_imported_is_said(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no bioimage"):
        import_package(tmp_path / "no.zip", tmp_path / "model")
    with pytest.raises(ModelError, match=r"is a \.zip file"):
        export_package(TorchModel(Small(), spec_of()), tmp_path / "package.tar")
