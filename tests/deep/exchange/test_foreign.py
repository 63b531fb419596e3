"""Packages that others wrote are opened, or refused with what would help."""

from __future__ import annotations

import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

pytest.importorskip("bioimageio.core")
pytest.importorskip("onnxruntime")

from bioimageio.spec.model import v0_5 as b

from voxloop.deep.exchange import foreign
from voxloop.deep.exchange.package import import_package
from voxloop.errors import ModelError

YX = [b.AxisId("y"), b.AxisId("x")]


@pytest.fixture(scope="module")
def others() -> SimpleNamespace:
    """The helpers of foreign.py beside this file, which no package holds."""
    import importlib.util
    from pathlib import Path

    spec = importlib.util.spec_from_file_location("foreign_packages", Path(__file__).with_name("foreign.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(40, 220, (1, 32, 48)).astype(np.uint8)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(0))
    return powers / powers.sum(0)


def zmuv(**kwargs):
    return b.ZeroMeanUnitVarianceDescr(kwargs=b.ZeroMeanUnitVarianceKwargs(axes=YX, **kwargs))


def percentiles(low, high):
    return b.ScaleRangeDescr(kwargs=b.ScaleRangeKwargs(axes=YX, min_percentile=low, max_percentile=high))


CLIP = b.ClipDescr(kwargs=b.ClipKwargs(min=0.0, max=1.0))
FLOAT = b.EnsureDtypeDescr(kwargs=b.EnsureDtypeKwargs(dtype="float32"))


def by_mean(x):
    return (x - x.mean()) / x.std()


def by_range(x):
    low, high = np.percentile(x, [5, 99])
    return ((x - low) / (high - low)).clip(0, 1)


@pytest.mark.parametrize("named", ["http://127.0.0.1:9/w.onnx", "/etc/hostname", "../w.onnx", "linked.onnx"])
def test_weights_that_lie_elsewhere_are_neither_fetched_nor_read(tmp_path, others, monkeypatch, named):
    def asked(*args, **kwargs):
        raise AssertionError("the network was asked")

    folder = tmp_path / "net"
    with zipfile.ZipFile(others.package(tmp_path / "made", after=[b.SoftmaxDescr()])) as packed:
        packed.extractall(folder)
    (tmp_path / "w.onnx").write_bytes(b"secret")
    (folder / "linked.onnx").symlink_to(tmp_path / "w.onnx")
    described = yaml.safe_load((folder / "rdf.yaml").read_text())
    described["weights"]["onnx"] |= {"source": named}
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described))
    monkeypatch.setattr("socket.socket.connect", asked)
    with pytest.raises(ModelError, match="not in the package"):
        import_package(folder / "rdf.yaml", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("steps", "prepared", "words"),
    [
        ([FLOAT, zmuv()], by_mean, "mean .* and deviation"),
        ([percentiles(5, 99), CLIP, FLOAT], by_range, "percentiles 5 at .* and 99 at"),
        ([b.ScaleLinearDescr(kwargs=b.ScaleLinearKwargs(gain=0.5, offset=-20)), zmuv()], by_mean, "mean"),
        (
            [b.ClipDescr(kwargs=b.ClipKwargs(max_percentile=90, axes=YX)), zmuv()],
            lambda x: by_mean(np.minimum(x, np.percentile(x, 90))),
            "cut off at",
        ),
    ],
)
def test_what_a_package_measures_is_measured_once_and_kept(tmp_path, others, picture, steps, prepared, words):
    path = others.package(tmp_path / "net", before=steps, after=[b.SoftmaxDescr()])
    with pytest.raises(ModelError, match=rf"vl\.bioimageio\.import_package\('{path}', '.*model', image=volume\)"):
        import_package(path, tmp_path / "model")
    model = import_package(path, tmp_path / "model", image=picture)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(model.predict(picture[None] // 2), model.predict(picture[None]), atol=1e-3)
    found = model.predict(picture[None])[:, 0]
    np.testing.assert_allclose(found, softmax(others.expected(path, prepared(picture[0].astype(float)))), atol=1e-4)
    half = model.predict(picture[None, :, :, :24])[:, 0]
    np.testing.assert_allclose(half[..., :-1], found[..., :23], atol=1e-5)
    assert model.spec.extra["measured"] in repr(model)
    assert re.search(words, repr(model))


def test_a_workspace_lets_a_package_measure_the_image_that_is_predicted(tmp_path, others, picture):
    import voxloop as vl

    path = others.package(tmp_path / "net", before=[zmuv()], after=[b.SoftmaxDescr()])
    with vl.Workspace.create(tmp_path / "ws", image=picture[0], classes=["a", "b"]) as ws:
        found = ws.predict(path, threads=1).result
        wanted = import_package(path, tmp_path / "model", image=picture).predict(picture[None])
        assert np.abs(found.probabilities.values / 255 - wanted).max() < 0.01


def test_fixed_steps_need_no_image(tmp_path, others, picture):
    fixed = b.FixedZeroMeanUnitVarianceDescr(kwargs=b.FixedZeroMeanUnitVarianceKwargs(mean=110, std=25))
    path = others.package(tmp_path / "net", before=[FLOAT, fixed], after=[b.SoftmaxDescr()])
    found = import_package(path, tmp_path / "model").predict(picture[None])[:, 0]
    np.testing.assert_allclose(found, softmax(others.expected(path, (picture[0] - 110.0) / 25)), atol=1e-5)
    path = others.package(tmp_path / "other", before=[zmuv()], after=[b.SoftmaxDescr()])
    told = import_package(path, tmp_path / "told", statistics=(110, 25)).predict(picture[None])[:, 0]
    np.testing.assert_allclose(told, found, atol=1e-5)
    with pytest.raises(ModelError, match=r"statistics=3: .*\(mean, deviation\)"):
        import_package(path, tmp_path / "told", statistics=3)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([b.BinarizeDescr(kwargs=b.BinarizeKwargs(threshold=3))], "not known here: binarize; known are"),
        ([b.EnsureDtypeDescr(kwargs=b.EnsureDtypeKwargs(dtype="uint8"))], "rounds intensities to uint8"),
        ([b.ZeroMeanUnitVarianceDescr(kwargs=b.ZeroMeanUnitVarianceKwargs(axes=YX[:1]))], "along y of a picture alone"),
    ],
)
def test_steps_that_cannot_be_done_by_the_tile_are_refused(tmp_path, others, picture, steps, message):
    path = others.package(tmp_path / "net", before=steps, after=[b.SoftmaxDescr()])
    with pytest.raises(ModelError, match=message):
        import_package(path, tmp_path / "model", image=picture)


def test_a_large_image_is_measured_in_pieces_of_all_of_it(monkeypatch):
    monkeypatch.setattr(foreign, "MEASURED", 1000)
    monkeypatch.setattr(foreign, "PIECE", (2, 4, 4))
    image = np.arange(40 * 30)[None, :, None] + np.zeros((3, 1, 50))
    found = foreign._sample(image.astype(np.float32))
    assert found.shape == (1, 2 * 2 * 4 * 4 * 4 * 4)
    assert (found.min(), found.max()) == (image.min(), image.max())


SIGMOID, SOFTMAX = b.SigmoidDescr(), b.SoftmaxDescr()


def test_channels_by_themselves_become_classes_beside_a_background(tmp_path, others, picture):
    path = others.package(tmp_path / "net", after=[SIGMOID], names=("cell", "boundary"))
    model = import_package(path, tmp_path / "model")
    assert [(c.value, c.name, c.background) for c in model.spec.classes] == [
        (1, "background", True),
        (2, "cell", False),
        (3, "boundary", False),
    ]
    assert len({c.color for c in model.spec.classes}) == 3
    each = 1 / (1 + np.exp(-others.expected(path, picture[0])))
    wanted = np.concatenate([1 - each.max(0, keepdims=True), each])
    found = model.predict(picture[None])[:, 0]
    np.testing.assert_allclose(found, wanted / wanted.sum(0), atol=1e-5)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    alone = import_package(path, tmp_path / "alone", background=False)
    assert [c.name for c in alone.spec.classes] == ["cell", "boundary"]
    np.testing.assert_allclose(alone.predict(picture[None]).sum(0), 1, atol=1e-5)


def test_one_channel_is_inside_or_not(tmp_path, others, picture):
    path = others.package(tmp_path / "net", after=[SIGMOID], names=("nucleus",))
    model = import_package(path, tmp_path / "model")
    assert [c.name for c in model.spec.classes] == ["background", "nucleus"]
    each = 1 / (1 + np.exp(-others.expected(path, picture[0])))
    np.testing.assert_allclose(model.predict(picture[None])[:, 0], np.concatenate([1 - each, each]), atol=1e-5)
    with pytest.raises(ModelError, match="only class"):
        import_package(path, tmp_path / "other", background=False)


@pytest.mark.parametrize("ends", ["Sigmoid", "Softmax"])
def test_probabilities_that_the_graph_makes_itself_are_told_by_its_test_tensor(tmp_path, others, picture, ends):
    path = others.package(tmp_path / "net", ends=ends)
    model = import_package(path, tmp_path / "model")
    raw = others.expected(path, picture[0])
    assert len(model.spec.classes) == (3 if ends == "Sigmoid" else 2)
    found = model.predict(picture[None])[:, 0]
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    if ends == "Softmax":
        np.testing.assert_allclose(found, raw, atol=1e-6)


def test_halo_sizes_and_voxels_are_those_of_the_package(tmp_path, others, picture):
    path = others.package(tmp_path / "net", after=[SOFTMAX], halo=4)
    model = import_package(path, tmp_path / "model")
    spec = model.spec
    assert (spec.halo, spec.stride, spec.window, spec.dimensions) == ((0, 4, 4), (1, 8, 8), (1, 16, 16), 2)
    assert spec.spacing_um == pytest.approx((0.008, 0.008, 0.008))
    uneven = others.package(tmp_path / "uneven", after=[SOFTMAX], size=b.ParameterizedSize(min=20, step=8))
    odd = import_package(uneven, tmp_path / "odd")
    found = odd.predict(picture[None, :, :, :8])
    assert found.shape == (2, 1, 32, 8)
    np.testing.assert_allclose(found[..., :7], model.predict(picture[None])[..., :7], atol=1e-5)


@pytest.mark.parametrize("layout", ["byxc", "cyx", "xycb"])
def test_axes_in_another_order(tmp_path, others, picture, layout):
    plain = import_package(others.package(tmp_path / "plain", after=[SOFTMAX]), tmp_path / "a")
    turned = import_package(others.package(tmp_path / "net", after=[SOFTMAX], layout=layout), tmp_path / "b")
    stack = np.concatenate([picture, picture[:, ::-1]])[None]
    np.testing.assert_allclose(turned.predict(stack), plain.predict(stack), atol=1e-5)


def test_volumes(tmp_path, others):
    path = others.package(tmp_path / "net", after=[SOFTMAX], dimensions=3, unit="micrometer", halo=2)
    model = import_package(path, tmp_path / "model")
    assert (model.spec.dimensions, model.spec.halo, model.spec.spacing_um) == (3, (2, 2, 2), (8, 8, 8))
    block = np.random.default_rng(0).integers(0, 9, (16, 24, 32)).astype(np.uint8)
    np.testing.assert_allclose(model.predict(block[None]), softmax(others.expected(path, block)), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"offset": -2, "grown": 1}, "2 voxels less along y than it takes"),
        ({"zoom": 2, "ends": "AveragePool"}, "voxels 2 times as large along y"),
        ({"size": 32}, "of one size only along y, x"),
        ({"after": [b.BinarizeDescr(kwargs=b.BinarizeKwargs(threshold=0.5))]}, "ends in binarize.*sigmoid, softmax"),
        ({"after": [b.SoftmaxDescr(kwargs=b.SoftmaxKwargs(axis=b.AxisId("x")))]}, "softmax along x"),
    ],
)
def test_networks_that_cannot_be_predicted_with_say_why(tmp_path, others, settings, message):
    path = others.package(tmp_path / "net", **{"after": [SOFTMAX], **settings})
    with pytest.raises(ModelError, match=message):
        import_package(path, tmp_path / "model")
