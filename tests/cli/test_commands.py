"""The command line: results as JSON, bad input as one line and exit code 2."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from voxloop.cli import main


def call(*args: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(a) for a in args])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A small stack and its mask (0 and 255) as TIFF files."""
    rng = np.random.default_rng(1)
    mask = np.zeros((6, 80, 80), np.uint8)
    mask[:, 20:50, 24:60] = 255
    image = (np.where(mask, 160, 90) + rng.normal(0, 20, mask.shape)).clip(0, 255).astype(np.uint8)
    folder = tmp_path_factory.mktemp("stack")
    tifffile.imwrite(folder / "image.tif", image)
    tifffile.imwrite(folder / "mask.tif", mask)
    tifffile.imwrite(folder / "small.tif", mask[:, :40])
    for name, text in (("list", "[1]"), ("text", '"epochs"'), ("inner", '{"settings": [1]}')):
        (folder / f"{name}.json").write_text(text)
    return folder


def test_demo_prints_one_json_object_and_nothing_else(stack, tmp_path):
    code, out, _ = call(
        "demo",
        "--image",
        stack / "image.tif",
        "--truth",
        stack / "mask.tif",
        "--learner",
        "shallow",
        "--rounds",
        2,
        "--strokes",
        8,
        "--workspace",
        tmp_path / "ws",
        "--json",
    )
    assert code == 0
    report = json.loads(out)
    assert [r["round"] for r in report["rounds"]] == [1, 2]
    last = report["rounds"][-1]
    facts = "round learner kept words strokes labelled_share annotation_seconds iou iou_per_class compute_seconds"
    assert list(last) == [*facts.split(), "offered", "offered_iou"]
    assert last["iou"] > 0.8
    assert 0 < last["labelled_share"] < 0.2
    assert last["offered_iou"] >= report["rounds"][0]["offered_iou"] - 0.02
    assert (tmp_path / "ws" / "rounds.png").stat().st_size > 10_000

    code, out, _ = call("info", tmp_path / "ws", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["runs"]["shallow-1"] == "finished"
    assert call("runs", tmp_path / "ws")[0] == 0

    code, out, _ = call("evaluate", tmp_path / "ws", facts["predictions"][-1], stack / "mask.tif", "--json")
    assert code == 2, "a mask of 0 and 255 does not say which class is which"


def test_new_train_predict_evaluate(stack, tmp_path):
    ws = tmp_path / "ws"
    code, _, error = call("new", ws, "--image", stack / "image.tif", "--class", "background", "--class", "box")
    assert code == 0, error
    from voxloop.workspace.workspace import Workspace

    truth = (tifffile.imread(stack / "mask.tif") > 0).astype(np.uint8) + 1
    tifffile.imwrite(tmp_path / "truth.tif", truth)
    with Workspace.open(ws) as opened:
        opened.labels().write((slice(2, 3), slice(10, 60), slice(10, 70)), truth[2:3, 10:60, 10:70])
    code, out, error = call("train", ws, "--set", "seed=3", "--name", "first", "--json")
    assert (code, json.loads(out)["state"]) == (0, "finished"), error
    code, out, error = call("train", ws, "--set", "scales=2", "--then-predict", "*", "--note", "two scales", "--json")
    then = json.loads(out)["then"]
    assert (code, then["run"], then["state"]) == (0, "batch-1", "finished"), error
    assert "two scales" in call("runs", ws)[1]
    code, out, error = call("predict", ws, "first", "--forecast", "--json")
    assert code == 0, error
    assert json.loads(out)["disk_bytes"] > 0
    assert "GB on disk" in call("predict", ws, "first", "--forecast")[1]
    code, out, error = call("predict", ws, "first", "--region", "0:6,:,:", "--name", "all", "--json")
    assert (code, json.loads(out)["state"]) == (0, "finished"), error
    code, out, error = call("predict", ws, "first", "--name", "all", "--json")
    assert (code, out) == (2, "")
    assert "'all' already; choose another name or overwrite=True" in error
    code, out, error = call("predict", ws, "first", "--name", "all", "--overwrite", "--json")
    assert (code, json.loads(out)["state"]) == (0, "finished"), error
    code, out, error = call("evaluate", ws, "all", tmp_path / "truth.tif", "--json")
    assert code == 0, error
    assert json.loads(out)["iou_per_class"]["box"] > 0.8
    code, out, error = call("suggest", ws, "all", "-n", 3, "--json")
    assert code == 0, error
    places = json.loads(out)["places"]
    assert 1 <= len(places) <= 3
    assert all(place["prediction"] == "all" and place["reason"] for place in places)
    code, out, error = call("suggest", ws, "--strategy", "random", "--images", "*", "--region", "0:6,0:40,:")
    assert code == 0, error
    assert "drawn by chance" in out
    assert call("suggest", ws, "--strategy", "rnadom")[0] == 2
    tifffile.imwrite(tmp_path / "cut.tif", tifffile.imread(stack / "image.tif"))
    with Workspace.open(ws) as opened:
        opened.images.add("cut short", tmp_path / "cut.tif", spacing=(1, 1, 1))
    os.truncate(tmp_path / "cut.tif", 9000)
    code, out, error = call("predict", ws, "first", "--all", "--name", "both", "--json")
    assert (code, json.loads(out)["state"], list(json.loads(out)["failed"])) == (1, "finished", ["cut short"]), error


def test_two_labelings_are_held_against_each_other(stack, tmp_path):
    from voxloop.workspace.workspace import Workspace

    image = tifffile.imread(stack / "image.tif")
    mask = (tifffile.imread(stack / "mask.tif") > 0).astype(np.uint8)
    tifffile.imwrite(tmp_path / "theirs.tif", mask * 9, photometric="minisblack")
    with Workspace.create(tmp_path / "ws", image=image, classes=["box", "rest"]) as ws:
        ws.labels().write(None, np.where(mask, 1, 2))
    args = "evaluate", tmp_path / "ws", "labels", tmp_path / "theirs.tif"
    code, out, error = call(*args, "--map", "9=box", "--map", "0=rest", "--json")
    assert code == 0, error
    facts = json.loads(out)
    assert (facts["kappa"], facts["dice"]) == (1.0, {"box": 1.0, "rest": 1.0})
    assert facts["boundaries"]["box"]["mean_um"] == 0.0
    code, out, _ = call(*args, "--map", "9=box")
    assert (code, "labels and theirs.tif agree on" in out) == (0, True)
    for wrong in (["--map", "9"], ["--map", "9=bxo"], ["--region", "0:900"]):
        assert call(*args, *wrong)[0] == 2
    assert call(*args[:2], "labels", "nothing.tif")[0] == 2


def test_info_says_what_is_assumed_and_what_is_not_shown(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((10, 12), np.uint8), metadata=None)
        file.write(np.zeros((5, 16, 20), np.uint16), metadata=None, contiguous=False, photometric="minisblack")
    code, out, error = call("info", tmp_path / "a.tif", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["axes_from"] == "assumed"
    assert facts["spacing_from"] == "assumed assumed assumed"
    assert "left out: 0 (10, 12)" in facts["remarks"][0]
    assert "Warning" not in error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["info", "{stack}/imag.tif"], "imag.tif"),
        (["demo", "--image", "{stack}/image.tif"], "belong together"),
        (["demo", "--image", "{stack}/image.tif", "--truth", "{stack}/small.tif"], "shape"),
        (["train", "{tmp}/nowhere"], "nowhere"),
        (["new", "{stack}", "--image", "{stack}/image.tif"], "{stack}"),
        (["train", "{tmp}", "--set", "epochs"], "NAME=VALUE"),
        (["train", "{tmp}", "--preset", "autoo"], "did you mean 'auto'"),
        (["train", "{tmp}", "--config", "{stack}/list.json"], "holds a list where settings by name"),
        (["train", "{tmp}", "--config", "{stack}/text.json"], "holds a str where settings by name"),
        (["train", "{tmp}", "--config", "{stack}/inner.json"], "holds a list where settings by name"),
        (["train", "{tmp}", "--config", "{stack}/image.tif"], "is no text"),
        (["train", "{tmp}", "--config", "{stack}/no.json"], "no.json"),
        (["demo", "--slices", "a,b"], "write for example 4,12,20"),
        (["info", "{stack}/a\0b"], "NUL"),
        (["new", "{tmp}/ws", "--image", "a\0b"], "NUL"),
        (["lab", "{tmp}/no.ipynb"], "no notebook"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(stack, tmp_path, args, message):
    fill = {"stack": stack, "tmp": tmp_path}
    code, out, error = call(*(arg.format(**fill) for arg in args))
    assert code == 2
    assert out == ""
    assert len(error.strip().splitlines()) == 1, error
    assert message.format(**fill) in error


def test_unknown_options_and_choices_are_usage_errors():
    assert call("demo", "--learner", "magic")[0] == 2
    assert call("demo", "--seed", "-1")[0] == 2
    assert call("nonsense")[0] == 2


def test_supervoxels_from_a_terminal(stack, tmp_path):
    ws = tmp_path / "ws"
    assert call("new", ws, "--image", stack / "image.tif", "--spacing", "0.02,0.01,0.01")[0] == 0
    code, out, _ = call("supervoxels", "compute", ws, "--set", "size=6", "--json")
    assert (code, json.loads(out)["state"]) == (0, "finished")
    assert call("supervoxels", "save", ws, tmp_path / "cut.npy", "--set", "size=6")[0] == 0
    assert len(np.unique(np.load(tmp_path / "cut.npy"))) > 10
    code, out, _ = call("supervoxels", "graph", ws, tmp_path / "cut.csv", "--set", "size=6", "--region", "0:2,:,:")
    assert code == 0
    assert "edges.csv" in out
    code, _, err = call("supervoxels", "save", ws, tmp_path / "no.npy", "--set", "image=a")
    assert (code, "unknown setting 'image'" in err) == (2, True)


def test_channels_from_a_terminal(stack, tmp_path):
    ws, recipe = tmp_path / "ws", tmp_path / "recipe.json"
    assert call("new", ws, "--image", stack / "image.tif", "--spacing", "0.02,0.01,0.01")[0] == 0
    assert call("channels", "list", ws) == (0, "no channels yet\n", "")
    assert call("channels", "add", ws, "smooth", "--set", "sigma_um=0.02")[0] == 0
    code, out, _ = call("channels", "add", ws, "edges", "--filter", "gradient", "--of", "smooth", "--low", 0, "--json")
    assert code == 0
    assert [(one["name"], one["source"]) for one in json.loads(out)["channels"]] == [
        ("smooth", None),
        ("edges", "smooth"),
    ]
    code, _, err = call("channels", "add", ws, "smooth", "--of", "edges")
    assert code == 2
    assert "circle" in err
    assert call("channels", "save", ws, recipe)[0] == 0
    code, out, _ = call("channels", "compute", ws, "edges", "--json")
    assert (code, json.loads(out)["state"]) == (0, "finished")
    assert call("channels", "remove", ws, "edges")[0] == 0
    code, out, _ = call("channels", "load", ws, recipe)
    assert [line.split()[0] for line in out.splitlines()] == ["smooth", "edges"]
    assert "gradient" in call("channels", "filters")[1]


def test_a_workspace_of_pictures_and_masks(tmp_path):
    folder, ws = tmp_path / "in", tmp_path / "ws"
    folder.mkdir()
    for name, value in (("a", 9), ("a_seg", 1), ("b", 8)):
        tifffile.imwrite(folder / f"{name}.tif", np.full((16, 20), value, np.uint8))
    masked = ("new", ws, "--images", folder, "--masks", folder, "--class", "ground")
    code, _, err = call(*masked, "--spacing", "0,1,1")
    assert (code, ws.exists()) == (2, False), err
    code, out, _ = call(*masked, "--zero", "unlabelled")
    assert code == 0
    assert "1 pairs, such as a.tif with a_seg.tif; 1 pictures without a mask: b.tif" in out
    assert json.loads(call("new", tmp_path / "all", "--images", folder, "--json")[1])["images"] == ["a", "a_seg", "b"]
    assert call("new", tmp_path / "no", "--masks", folder)[0] == 2
