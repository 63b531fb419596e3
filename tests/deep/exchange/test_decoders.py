"""Networks of Cellpose and StarDist: their channels give the objects they were made from, also where these touch."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage as ndi

from voxloop.deep.exchange import decoders
from voxloop.errors import ModelError
from voxloop.objects.segmenting import decode_instances


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Cells (y, x) that touch: discs, each voxel of the nearest middle."""
    middles = np.array([(20, 20), (20, 38), (37, 29), (70, 25), (75, 70), (30, 75), (30, 90)])
    at = np.stack(np.indices((96, 110)))
    away = np.linalg.norm(at[None] - middles[:, :, None, None], axis=1)
    return np.where(away.min(0) < 11, away.argmin(0) + 1, 0).astype(np.int32)


def of_cellpose(truth: np.ndarray) -> np.ndarray:
    """(1, 3, 1, y, x): what a network of Cellpose that knows all would say."""
    cell = np.where(truth > 0, 6.0, -6.0)
    noise = np.random.default_rng(0).normal(0, 0.3, (2, *truth.shape))
    return np.concatenate([decoders.to_middles(truth) * 5 + noise, cell[None]])[None, :, None].astype(np.float32)


def of_stardist(truth: np.ndarray, rays: int = 32) -> np.ndarray:
    """(1, 1 + rays, 1, y, x): the depth of each voxel, and how far it is to the end of its object in each direction."""
    depth = np.zeros(truth.shape)
    for label in range(1, truth.max() + 1):
        inside = ndi.distance_transform_edt(truth == label)
        depth = np.maximum(depth, inside / inside.max())
    angles = np.linspace(0, 2 * np.pi, rays, endpoint=False)
    y, x = np.indices(truth.shape)
    length = np.zeros((rays, *truth.shape))
    for ray, step in zip(length, zip(np.sin(angles), np.cos(angles), strict=True), strict=True):
        going = truth > 0
        for far in range(1, 40):
            there = ndi.map_coordinates(truth, [y + step[0] * far, x + step[1] * far], order=0, cval=0)
            going &= there == truth
            ray[going] = far
    return np.concatenate([depth[None], length + 0.5])[None, :, None].astype(np.float32)


@pytest.mark.parametrize(("name", "made"), [("cellpose", of_cellpose), ("stardist", of_stardist)])
def test_what_touches_is_told_apart(truth, name, made):
    found = decode_instances(decoders.DECODERS[name](made(truth))[0])[0]
    assert found.max() == truth.max()
    for label in range(1, truth.max() + 1):
        wanted = truth == label
        best = np.bincount(found[wanted]).argmax()
        assert best > 0
        assert (wanted & (found == best)).sum() / (wanted | (found == best)).sum() > 0.8


def test_nothing_is_nothing():
    empty = np.zeros((1, 33, 1, 16, 16), np.float32)
    assert not decoders.stardist(empty)[:, 0].any()
    assert (decoders.cellpose(empty[:, :3] - 9)[:, 0] < 0.5).all()


@pytest.mark.parametrize(
    ("asked", "words"), [(("celpose", 3, 2), "not known"), (("cellpose", 3, 3), "planes"), (("cellpose", 2, 2), "3 ch"),
                         (("stardist", 3, 2), "rays")]
)  # fmt: skip
def test_other_networks_are_refused(asked, words):
    with pytest.raises(ModelError, match=words):
        decoders.check_decoder(*asked)


def test_a_package_of_cellpose_is_predicted_with(tmp_path):
    pytest.importorskip("bioimageio.core")
    import importlib.util
    from pathlib import Path

    from voxloop.deep.exchange.foreign import import_package
    from voxloop.prediction.decode import learnt_objects

    spec = importlib.util.spec_from_file_location("foreign_packages", Path(__file__).with_name("foreign.py"))
    others: SimpleNamespace = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(others)
    path = others.package(tmp_path / "net", names=("dy", "dx", "cell"), halo=4)
    model = import_package(path, tmp_path / "model", objects="cellpose")
    assert learnt_objects(model.spec)
    picture = np.random.default_rng(3).integers(40, 220, (1, 1, 32, 48)).astype(np.uint8)
    wanted = decoders.cellpose(others.expected(path, picture[0, 0])[None, :, None])[0]
    np.testing.assert_allclose(model.predict(picture), wanted, atol=1e-4)
    with pytest.raises(ModelError, match="rays"):
        import_package(path, tmp_path / "other", objects="stardist")
