"""Strokes that label whole supervoxels: one edit, inside of the parent, beside what is locked, gone with one undo."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

import voxloop as vl
from voxloop.errors import ConfigError, LabelError

SHAPE = (12, 48, 48)
STROKE = {"index": 6, "points": [(12, 12), (12, 30)], "radius": 1}


@pytest.fixture(scope="module")
def picture():
    values = ndi.gaussian_filter(np.random.default_rng(1).normal(size=SHAPE), 1.5)
    return (255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


@pytest.fixture
def ws(tmp_path, picture):
    volume = vl.open_volume(picture, axes="zyx", spacing=0.01)
    with vl.Workspace.create(tmp_path / "ws", image=volume, classes=["a", "b"]) as made:
        yield made


def touched(ws, drawn, **settings):
    """Voxels of the supervoxels under what was drawn, in the pieces that hang together with it."""
    numbers = ws.supervoxels(**settings).to_numpy()
    pieces, _ = ndi.label(np.isin(numbers, np.unique(numbers[drawn])))
    return np.isin(pieces, np.unique(pieces[drawn]))


def test_a_stroke_labels_whole_supervoxels_and_is_undone_as_one(ws):
    labels = ws.labels()
    labels.paint(**STROKE, value="b")
    drawn = labels.read() > 0
    labels.undo()
    edit = labels.paint(**STROKE, value="b", unit="supervoxels", supervoxels={"size": 6})
    np.testing.assert_array_equal(labels.read() == 2, touched(ws, drawn, size=6))
    assert edit.voxels > drawn.sum()
    assert np.ptp(np.argwhere(labels.read())[:, 0]) > 2  # through the stack
    noted = labels.history(edit.sequence)["arguments"]
    assert (noted["unit"], noted["supervoxels"]) == ("supervoxels", {"size": 6.0})
    labels.erase(index=6, points=[(12, 12)], radius=0, unit="supervoxels", supervoxels={"size": 6})
    assert 0 < labels.counts()[2] < edit.voxels
    labels.undo()
    labels.undo()
    assert labels.counts() == {}


def test_locks_parents_and_planes_hold(ws):
    labels = ws.labels()
    labels.box(index=6, points=[(8, 8), (16, 20)], value="a")
    ws.levels.add("inner", ["x"], parent=("labels", "a"))
    inner = ws.labels("inner")
    inner.paint(**STROKE, value="x", unit="supervoxels")
    outside = (inner.read() > 0) & (labels.read() != 1)
    assert inner.counts()[1] > 0
    assert not outside.any()
    ws.levels.change_class("labels", "a", locked=True)
    labels.paint(**STROKE, value="b", unit="supervoxels")
    assert labels.counts()[1] == 9 * 13
    labels.undo()
    labels.paint(**STROKE, value="b", unit="supervoxels", supervoxels={"dimensions": "2d"})
    assert set(np.argwhere(labels.read() == 2)[:, 0]) == {6}


def test_shapes_are_made_of_them_too_from_a_channel_of_the_workspace(ws):
    labels = ws.labels()
    ws.channels.add("smooth", "gaussian", sigma_um=0.02)
    how = {"unit": "supervoxels", "supervoxels": {"size": 6, "channel": "smooth"}}
    labels.box(index=6, points=[(10, 10), (20, 30)], value="a", **how)
    drawn = np.zeros(SHAPE, bool)
    drawn[6, 10:21, 10:31] = True
    np.testing.assert_array_equal(labels.read() == 1, touched(ws, drawn, size=6, channel="smooth"))
    labels.box(index=6, points=[(10, 10), (20, 30)], value="a", mode="subtract", **how)
    assert labels.counts() == {}
    ws.channels.remove("smooth")
    with pytest.raises((LabelError, ConfigError), match="unknown channel 'smooth'"):
        labels.box(index=6, points=[(10, 10), (20, 30)], value="a", **how)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"unit": "regions"}, "unknown unit 'regions'"),
        ({"unit": "supervoxels", "supervoxels": {"size": 0}}, "size=0"),
        ({"unit": "supervoxels", "supervoxels": {"size": 60}}, "larger than the image"),
        ({"unit": "supervoxels", "supervoxels": {"channel": 4}}, "not one of the 1 channels"),
        ({"unit": "supervoxels", "supervoxels": 7}, "supervoxels=7"),
        ({"supervoxels": {"size": 8}}, "unit='supervoxels'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_changes(ws, arguments, words):
    labels = ws.labels()
    with pytest.raises((LabelError, ConfigError), match=words):
        labels.paint(**STROKE, **arguments)
    assert labels.sequence == 0


def test_a_run_makes_them_whole_and_they_are_written_as_labels_and_as_a_graph(ws, tmp_path):
    layer = ws.supervoxels(size=6)
    again = ws.supervoxels.compute(size=6).result
    np.testing.assert_array_equal(again.to_numpy(), layer.to_numpy())
    written = ws.supervoxels.save(tmp_path / "cut.tif", size=6)
    np.testing.assert_array_equal(vl.open_volume(written).to_numpy(), layer.to_numpy())
    graph = ws.supervoxels.graph(size=6)
    nodes, edges = graph.save(tmp_path / "cut.csv")
    assert nodes.read_text().startswith("label,voxels,volume_um3,mean")
    assert edges.read_text().startswith("a,b,faces,area_um2,contrast")
    assert graph.nodes.voxels.sum() == np.prod(SHAPE)
    ws.clean()
    np.testing.assert_array_equal(ws.supervoxels(size=6).to_numpy(), layer.to_numpy())
