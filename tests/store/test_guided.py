"""Objects found from hints become edits that can be undone, also by networks made here; bad input loses nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import voxloop as vl
from voxloop.errors import LabelError, ModelError, WorkspaceError

SHAPE = (5, 100, 120)


def disc(row: float, column: float, radius: float) -> np.ndarray:
    y, x = np.ogrid[: SHAPE[1], : SHAPE[2]]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2)


@pytest.fixture
def ws(tmp_path):
    picture = np.random.default_rng(0).integers(80, 100, SHAPE, np.uint8)
    for z in range(SHAPE[0]):
        picture[z][disc(40, 40 + z, 15)] += 90
        picture[z][disc(70, 90, 12)] += 90
    volume = vl.open_volume(picture, axes="zyx", spacing=(0.04, 0.02, 0.02))
    with vl.Workspace.create(tmp_path / "ws", image=volume, classes=["background", "cell"]) as made:
        yield made


def iou(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(((labels == 2) & truth).sum() / ((labels == 2) | truth).sum())


def test_a_click_paints_the_object_through_slices_and_is_one_edit(ws):
    lab = ws.labels()
    edit = lab.prompt(index=2, positive=[(40, 42)], value="cell", slices=2)
    found = lab.read()
    assert all(iou(found[z], disc(40, 40 + z, 15)) > 0.85 for z in range(SHAPE[0]))
    noted = lab.history(edit.sequence)["arguments"]
    assert (edit.tool, noted["by"], noted["slices"]) == ("prompt", "edges", 2)
    lab.undo()
    assert not lab.read().any()


def test_the_live_model_answers_once_two_classes_are_painted(ws):
    lab = ws.labels()
    with pytest.raises(LabelError, match="paint two classes first"):
        lab.prompt(index=0, positive=[(40, 40)], value="cell", by="live")
    lab.paint(index=0, points=[(10, 10), (10, 100)], radius=3, value="background")
    lab.paint(index=0, points=[(70, 88), (70, 92)], radius=3, value="cell")
    edit = lab.prompt(index=0, positive=[(40, 40)], value="cell")
    assert lab.history(edit.sequence)["arguments"]["by"] == "live"
    assert iou(lab.read()[0], disc(40, 40, 15) | (lab.read()[0] == 2) & disc(70, 90, 12)) > 0.75


def test_the_other_tools_paint_and_take_away(ws):
    lab = ws.labels()
    lab.grabcut(index=0, box=[(22, 22), (58, 58)], value="cell")
    assert iou(lab.read()[0], disc(40, 40, 15)) > 0.85
    lab.scissors(index=0, points=[(40, 25), (25, 40), (40, 55), (55, 40)], value="cell", mode="subtract")
    assert (lab.read()[0] == 2).sum() < 150
    lab.random_walker(index=0, scribble=[(70, 86), (70, 94)], against=[(50, 80), (50, 100)], value="cell", mode="add")
    assert iou(lab.read()[0], disc(70, 90, 12)) > 0.7


def test_bad_hints_change_nothing(ws):
    lab = ws.labels()
    for wrong, words in (
        ({}, "point at the object"),
        ({"positive": [(5, 5)], "by": "magic"}, "magic"),
        ({"positive": [(5, 5)], "by": "pair"}, "needs the networks"),
        ({"positive": [(5, 5)], "index": 99}, "lies outside"),
        ({"positive": [(5, 5)], "slices": -1}, "less than 0"),
        ({"positive": [(5, 5)], "channel": 7}, "channel 7"),
        ({"positive": [(5, 5)], "value": "nobody"}, "nobody"),
    ):
        with pytest.raises(LabelError, match=words):
            lab.prompt(**wrong)
    with pytest.raises(LabelError, match="at least 3 anchors"):
        lab.scissors(points=[(1, 1), (5, 5)])
    assert lab.sequence == 0


# --------------------------------------------------------------------------------------- a pair of networks, made here


@pytest.fixture
def pair(tmp_path) -> tuple[Path, Path]:
    """An encoder that halves a picture of 64 x 64, and a decoder that says: where it is as bright as at the middle."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto

    def save(name: str, nodes: list, inputs: list, outputs: list, constants: tuple = ()) -> Path:
        graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, tmp_path / f"{name}.onnx")
        return tmp_path / f"{name}.onnx"

    value = helper.make_tensor_value_info
    encoder = save(
        "encoder",
        [helper.make_node("AveragePool", ["image"], ["embedding"], kernel_shape=[2, 2], strides=[2, 2])],
        [value("image", kinds.FLOAT, [1, 3, 64, 64])],
        [value("embedding", kinds.FLOAT, [1, 3, 32, 32])],
    )
    # the mean of points is no prompt that a network would take, but every input must count for something
    nodes = [
        helper.make_node("ReduceMean", ["image_embeddings"], ["gray"], axes=[1], keepdims=1),
        helper.make_node("ReduceMean", ["point_labels"], ["sign"], axes=[1], keepdims=0),
        helper.make_node("ReduceMean", ["point_coords"], ["where"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["where", "nothing"], ["unsaid"]),
        helper.make_node("Add", ["gray", "unsaid"], ["low_res_masks"]),
        helper.make_node("Identity", ["sign"], ["iou_predictions"]),
    ]
    inputs = [
        value("image_embeddings", kinds.FLOAT, [1, 3, 32, 32]),
        value("point_coords", kinds.FLOAT, [1, "n", 2]),
        value("point_labels", kinds.FLOAT, [1, "n"]),
    ]
    outputs = [
        value("low_res_masks", kinds.FLOAT, [1, 1, 32, 32]),
        value("iou_predictions", kinds.FLOAT, [1]),
    ]
    decoder = save("decoder", nodes, inputs, outputs, (helper.make_tensor("nothing", kinds.FLOAT, [], [0.0]),))
    return encoder, decoder


def test_a_pair_of_networks_answers_and_what_fits_no_pair_is_named(ws, pair):
    lab = ws.labels()
    edit = lab.prompt(index=0, positive=[(40, 40)], value="cell", model=pair)
    assert lab.history(edit.sequence)["arguments"]["by"] == "pair"
    assert iou(lab.read()[0], disc(40, 40, 15) | disc(70, 90, 12)) > 0.8
    lab.undo()
    assert lab.prompt(index=0, positive=[(40, 40)], value="cell", model=pair[0].parent, slices=1).voxels
    lab.undo()
    with pytest.raises(ModelError, match=r"no encoder that fits.*\(1, 3, side, side\)"):
        lab.prompt(index=0, positive=[(40, 40)], value="cell", model=(pair[1], pair[1]))
    with pytest.raises(ModelError, match="it takes image; expected are image_embeddings, point_coords, point_labels"):
        lab.prompt(index=0, positive=[(40, 40)], value="cell", model=(pair[0], pair[0]))
    (pair[0].parent / "torn.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be opened"):
        lab.prompt(index=0, positive=[(40, 40)], value="cell", model=(pair[0].parent / "torn.onnx", pair[1]))
    assert not lab.read().any()


# ------------------------------------------------------------------------------------------------ copies, selections


def test_labels_are_copied_to_slices_and_to_other_images(ws):
    lab = ws.labels()
    lab.box(index=0, points=[(10, 10), (29, 39)], value="cell")
    lab.box(index=0, points=[(10, 60), (29, 69)], value="background")
    lab.box(index=2, points=[(10, 10), (14, 14)], value="background")
    edit = lab.copy(source=0, to=[1, 2], values=["cell"])
    found = lab.read()
    assert [int((found[z] == 2).sum()) for z in range(5)] == [600, 600, 575, 0, 0]
    assert lab.history(edit.sequence)["arguments"]["to"] == [1, 2]
    lab.undo()
    outlines = lab.outline_at(index=0, point=(20, 20))
    lab.copy(source=0, to=4, points=outlines, overwrite=True)
    np.testing.assert_array_equal(lab.read()[4], np.where(found[0] == 2, 2, 0))
    ws.images.add("b", np.zeros((2, *SHAPE[1:]), np.uint8))
    other = lab.copy(source=0, to=1, image="b")
    assert other.voxels == 800
    np.testing.assert_array_equal(ws.labels(image="b").read()[1], lab.read()[0])
    ws.labels(image="b").undo()
    assert not ws.labels(image="b").read().any()
    ws.images.add("small", np.zeros((2, 50, 50), np.uint8))
    before = lab.sequence
    for wrong, words in (
        ({"image": "small", "to": 0}, "50 x 50 voxels, these 100 x 120"),
        ({"image": "none", "to": 0}, "none"),
        ({"to": 99}, "lies outside"),
        ({"to": 1, "points": [(1, 1)]}, "at least 3 corners"),
    ):
        with pytest.raises((LabelError, WorkspaceError), match=words):
            lab.copy(source=0, **wrong)
    with pytest.raises(LabelError, match="nothing is labelled"):
        lab.outline_at(index=3, point=(50, 50))
    assert lab.sequence == before


def test_an_outline_with_a_hole_is_painted_as_it_was(ws):
    lab = ws.labels()
    lab.ellipse(index=0, points=[(10, 10), (60, 70)], value="cell")
    lab.ellipse(index=0, points=[(25, 30), (45, 50)], value="cell", mode="cut")
    lab.polygon(index=3, points=lab.outline_at(index=0, point=(12, 40)), value="cell")
    np.testing.assert_array_equal(lab.read()[3], lab.read()[0])
