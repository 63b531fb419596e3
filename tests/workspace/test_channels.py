"""Channels of a workspace: added, chained, changed, saved for the next volume, computed whole."""

import json

import numpy as np
import pytest
from tests.in_process import in_process

import voxloop as vl
from voxloop.errors import ConfigError, VoxloopError
from voxloop.helper import Helper


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (6, 40, 50), np.uint8)


@pytest.fixture
def ws(tmp_path, picture):
    volume = vl.open_volume(picture, axes="zyx", spacing=(0.05, 0.02, 0.02))
    with vl.Workspace.create(tmp_path / "ws", image=volume, classes=["a"]) as workspace:
        yield workspace


def test_channels_chain_and_stay(ws, tmp_path):
    smooth = ws.channels.add("smooth", "gaussian", sigma_um=0.04)
    assert smooth.dims == ("z", "y", "x")
    assert smooth.dtype == np.float32
    edges = ws.channels.add("edges", "gradient", source="smooth", low=0.0)
    assert ws.channels.names == ["smooth", "edges"]
    assert repr(ws.channels) == "<Channels: smooth, edges>"
    before = edges[2, 5:20, 5:20].to_numpy()
    ws.channels.add("smooth", "gaussian", sigma_um=0.1)  # the cell is run again with another number
    after = ws.channels["edges"][2, 5:20, 5:20].to_numpy()
    assert after.std() < before.std()
    ws.close()
    with vl.Workspace.open(ws.path) as again:
        np.testing.assert_array_equal(again.channels["edges"][2, 5:20, 5:20].to_numpy(), after)


def test_a_recipe_goes_to_the_next_volume(ws, tmp_path, picture):
    ws.channels.add("smooth", "gaussian", sigma_um=0.04)
    ws.channels.add("z", "zscore", source="smooth")
    ws.channels.add("other", "median")
    file = ws.channels.save(tmp_path / "recipes" / "edges.json", ["z"])
    bright = vl.open_volume(picture.astype(np.uint16) * 3 + 1000, axes="zyx", spacing=(0.05, 0.02, 0.02))
    with vl.Workspace.create(tmp_path / "next", image=bright) as following:
        assert following.channels.load(file) == ["smooth", "z"]
        assert following.channels.load(file) == ["smooth", "z"]  # the same again is no harm
        # what is measured is measured anew
        here, there = (one.channels["z"].to_numpy() for one in (ws, following))
        np.testing.assert_allclose(here, there, atol=1e-3)
        following.channels.add("smooth", "median")
        with pytest.raises(ConfigError, match="is there already"):
            following.channels.load(file)
        assert following.channels.recipes["smooth"].filter == "median"
        following.channels.load(file, replace=True)
        assert following.channels.recipes["smooth"].filter == "gaussian"


def test_computed_whole_they_are_read(ws):
    ws.channels.add("smooth", "gaussian")
    ws.channels.add("edges", "gradient", source="smooth")
    expected = ws.channels["edges"].to_numpy()
    run = ws.channels.compute("edges")
    (edges,) = run.result
    np.testing.assert_allclose(edges.to_numpy(), expected, atol=1e-4)
    place = ws.layout.channel("edges", ws.images.names[0])
    assert place.is_dir()
    chain = ws.channels.chain()
    assert list(chain.kept) == ["edges"]
    np.testing.assert_array_equal(ws.channels["edges"].to_numpy(), edges.to_numpy())
    ws.channels.add("smooth", "gaussian", sigma_um=0.1)  # what lies there is of another channel now
    assert not ws.channels.chain().kept
    ws.clean()
    assert not place.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filter": "gausian"}, "did you mean 'gaussian'"),
        ({"sigma": 2}, "sigma_um"),
        ({"sigma_um": -1.0}, "greater than 0"),
        ({"sigma_um": float("nan")}, "sigma_um"),
        ({"sigma_um": "wide"}, "sigma_um"),
        ({"source": "smoth"}, "did you mean 'smooth'"),
        ({"source": "edges"}, "made in a circle: edges from edges"),
        ({"source": True}, "number from 0"),
        ({"source": -1}, "number from 0"),
        ({"other": "smooth"}, "takes one channel"),
        ({"low": 2.0, "high": 1.0}, "not below"),
        ({"low": "low"}, "low"),
        ({"filter": None}, "filter"),
        ({"sigma_um": float("inf")}, "finite"),
        ({"sigma_um": 5.0}, "sigma_um=5 is wider than the image 'image', which is 1 µm"),
        ({"filter": "median", "radius_um": 1e9}, "wider than the image"),
        ({"source": 3}, "'image' has 1, counted from 0"),
        ({"filter": "threshold", "low": 9, "high": 3}, "low=9 lies above high=3"),
    ],
)
def test_bad_channels_are_refused_in_a_sentence(ws, arguments, words):
    ws.channels.add("smooth")
    ws.channels.add("edges", "gradient", source="smooth")
    before = (ws.path / "workspace.json").read_text()
    with pytest.raises(ConfigError, match=words) as caught:
        ws.channels.add("edges", **arguments)
    assert "\n" not in str(caught.value)
    assert (ws.path / "workspace.json").read_text() == before


def test_circles_and_sources_that_are_used(ws):
    ws.channels.add("a")
    ws.channels.add("b", source="a")
    with pytest.raises(ConfigError, match=r"in a circle: [ab] from [ab] from [ab]"):
        ws.channels.add("a", source="b")
    with pytest.raises(ConfigError, match="'b' is made of"):
        ws.channels.remove("a")
    ws.channels.rename("a", "first")
    assert ws.channels.recipes["b"].source == "first"
    ws.channels.remove("b")
    ws.channels.remove("first")
    assert not ws.channels.names
    with pytest.raises(ConfigError, match="unknown channel"):
        ws.channels["first"]
    with vl.Workspace.create(ws.path.parent / "empty") as empty:
        with pytest.raises(VoxloopError, match="say which image"):
            empty.channels.add("a")
        assert not empty.channels.names


def test_the_last_change_is_taken_back(ws):
    ws.channels.add("a")
    ws.channels.add("b", source="a")
    ws.channels.remove("b")
    ws.channels.add("a", "median")
    assert ws.channels.undo()
    assert ws.channels.recipes["a"].filter == "gaussian"
    assert ws.channels.undo()
    assert ws.channels.names == ["a", "b"]
    assert ws.channels.undo()
    assert ws.channels.undo()
    assert not ws.channels.undo()
    assert not ws.channels.names


def test_a_range_is_what_filters_of_ranges_look_for(ws, picture):
    inside = ws.channels.add("inside", "threshold", low=100, high=200).to_numpy()
    np.testing.assert_array_equal(inside, (picture >= 100) & (picture <= 200))
    away = ws.channels.add("away", "distance", low=100, side="inside", up_to_um=0.1).to_numpy()
    assert (away[picture < 100] == 0).all()
    assert (away[picture >= 100] > 0).all()
    assert ws.channels.recipes["inside"].low is None


def test_damaged_files_are_named(ws, tmp_path):
    for number, text in enumerate(("", "[]", "{}", '{"format": "voxloop channels", "channels": [3]}')):
        file = tmp_path / f"{number}.json"
        file.write_text(text)
        with pytest.raises(ConfigError, match=f"{number}.json"):
            ws.channels.load(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        ws.channels.load(tmp_path / "gone.json")
    document = json.loads((ws.path / "workspace.json").read_text())
    ws.close()
    document["channels"] = [{"name": "a", "filter": "rm"}]
    (ws.path / "workspace.json").write_text(json.dumps(document))
    with vl.Workspace.open(ws.path) as again:
        with pytest.raises(ConfigError, match="unknown filter 'rm'"):
            again.channels["a"]
        assert again.images.names  # all else is as it was


def test_a_sigma_as_wide_as_the_image_is_no_trouble(ws, picture):
    wide = ws.channels.add("wide", "gaussian", sigma_um=1.0).to_numpy()
    assert np.isfinite(wide).all()
    assert abs(wide.mean() - picture.mean()) < 2


def test_a_classifier_learns_from_channels_and_takes_them_along(ws, tmp_path):
    rng = np.random.default_rng(0)
    truth = np.zeros((6, 60, 60), np.uint8)
    truth[:, :, 30:] = 1
    # rough against smooth: the same intensity everywhere, which a mean alone cannot tell apart
    picture = np.where(truth, rng.normal(0, 40, truth.shape), 0) + 120
    volume = vl.open_volume(picture.clip(0, 255).astype(np.uint8), axes="zyx", spacing=(0.05, 0.02, 0.02))
    made = vl.Workspace.create(tmp_path / "rough", image=volume, classes=["background", "rough"])
    with in_process(), made as rough:
        rough.channels.add("spread", "local_deviation", radius_um=0.08)
        for value, x in ((1, 10), (2, 50)):
            rough.labels().paint(axis="z", index=2, points=[(5, x), (50, x)], radius=3, value=value)
        smooth = vl.ShallowConfig(scales=1, log=False, gradient=False, dog=False, hessian=False, structure=False)
        run = rough.train(smooth.changed(channels=("spread",), choose="fixed"))
        model = run.result
        assert model.spec.channels == 2
        assert model.spec.extra["beside"]["names"] == ["spread"]
        with Helper(rough.path) as helper:
            parts = []
            config = smooth.changed(channels=("spread",)).to_json()
            view = {"axis": "z", "index": 4, "box": [[0, 60], [0, 60]]}
            asked = {"image": rough.images.names[0], "level": "labels", "config": config, "view": view}
            assert helper.request("live", **asked, on_part=parts.append).result(60)["learnt"]
        shown = np.zeros((60, 60), np.uint8)
        for part in parts:
            shown[part.rows, part.columns] = part.values
        assert (shown == truth[4] + 1)[8:-8, 8:-8].mean() > 0.9
        rough.channels.add("spread", "gaussian")  # the model keeps what it was taught on
        found = rough.predict(run).result
        right = (found.labels.to_numpy() == truth + 1)[:, 8:-8, 8:-8]
        assert right.mean() > 0.9
        lazy = vl.predict(model, volume)
        np.testing.assert_array_equal(lazy[:, 3].to_numpy().argmax(0) + 1, found.labels[3].to_numpy())
        with pytest.raises(ConfigError, match="unknown channel 'sread'"):
            rough.train(vl.ShallowConfig(channels=("sread",)))
