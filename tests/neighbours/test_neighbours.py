"""Workspaces in napari and in Fiji: layers as napari takes them, files as the libraries of others read them."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from click.testing import CliRunner
from npe2 import PluginManager, PluginManifest
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import v04, v05
from tests.workspace.test_bad_values import made  # noqa: F401

import voxloop as vl
import voxloop.napari as plugin
from voxloop.cli import main
from voxloop.errors import LabelError, PredictionError, VolumeError, WorkspaceError

ROOT = Path(__file__).parents[2]


def layer(kind: str, data: Any, **how: Any) -> Any:
    """What napari makes of layer data, as far as the plugin looks."""
    colors = how.pop("colormap", None)
    facts = {"name": kind, "scale": [1.0] * 3, "translate": [0.0] * 3, "metadata": {}, "multiscale": False, **how}
    one = type(kind.capitalize(), (SimpleNamespace,), {})(data=data, **facts)
    if kind == "labels":
        one.selected_label = 1
        rgb = {value: [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for value, color in (colors or {}).items()}
        one.get_color = lambda value: [*rgb[value], 1.0] if value in rgb else None
    return one


def test_the_manifest_is_valid_and_claims_workspaces_alone(made: Path) -> None:  # noqa: F811
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, file = project["entry-points"]["napari.manifest"]["voxloop"].partition(":")
    assert module == "voxloop.napari"
    manifest = PluginManifest.from_file(Path(plugin.__file__).parent / file)
    manifest.validate_imports()
    assert manifest.name == project["name"]
    manager = PluginManager()
    manager.register(manifest)
    assert [one.command for one in manager.iter_compatible_readers(str(made))] == ["voxloop.read"]
    assert not list(manager.iter_compatible_readers("picture.tif"))
    assert plugin.get_reader(str(made)) is not None
    assert plugin.get_reader(str(made / "workspace.json")) is not None
    assert plugin.get_reader(str(made / "runs")) is None  # a folder, and no workspace


def test_layers_lie_where_they_should_and_what_is_painted_goes_back(made: Path, tmp_path: Path) -> None:  # noqa: F811
    shutil.copytree(made, tmp_path / "ws")
    with vl.Workspace.open(tmp_path / "ws") as ws:
        ws.levels.add("spots", kind="points", skeleton=["head", "tail"])
        ws.points("spots").add(None, {"head": (1, 10, 20), "tail": (1, 30, 40)})
        known, spacing = ws.labels("labels").read(), ws.labels("labels").spacing_um
        before, predicted = ws.labels("labels").sequence, ws.predictions["p"].labels.values
    reader = plugin.get_reader(str(tmp_path / "ws"))
    assert reader is not None
    layers = {how["name"]: (data, how, kind) for data, how, kind in reader(str(tmp_path / "ws"))}
    assert [kind for _, _, kind in layers.values()].count("labels") == 4
    data, how, _ = layers["image: labels"]
    np.testing.assert_array_equal(data, known)
    assert tuple(how["scale"]) == spacing
    assert how["units"] == ["um", "um", "um"]
    assert how["features"] == {"index": [1, 2], "class": ["outside", "disc"]}
    assert how["colormap"][None].endswith("00")  # what is no class is seen through
    found, shown, _ = layers["p"]
    assert not isinstance(found, np.ndarray)  # nothing of a prediction is read before it is looked at
    finest = found[0] if shown["multiscale"] else found
    np.testing.assert_array_equal(np.asarray(finest), predicted)
    assert (shown["scale"], shown["translate"]) == (how["scale"], how["translate"])
    np.testing.assert_array_equal(layers["image: spots"][0], [(1, 10, 20), (1, 30, 40)])

    painted = layer("labels", data.copy(), **{**how, "metadata": dict(how["metadata"])})
    assert "nothing was painted" in plugin.keep_labels(painted)
    painted.data[2, 5:9, 7:30] = 2
    count = int((painted.data != known).sum())
    assert f"{count:,} voxels" in plugin.keep_labels(painted)
    with vl.Workspace.open(tmp_path / "ws") as ws:
        labels = ws.labels("labels")
        np.testing.assert_array_equal(labels.read(), painted.data)
        assert labels.sequence == before + 1
        labels.undo()
        np.testing.assert_array_equal(labels.read(), known)
    with pytest.raises(LabelError, match="edited in the workspace since"):
        plugin.keep_labels(painted)
    with pytest.raises(LabelError, match="of no workspace"):
        plugin.keep_labels(layer("labels", known))


def test_layers_of_a_viewer_become_a_workspace(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dapi, actin = rng.integers(0, 255, (2, 3, 20, 30), np.uint8)
    grid = {"scale": [400.0, 100.0, 100.0], "units": ["nanometer"] * 3}
    mask = np.zeros((3, 20, 30), np.int64)
    mask[1, 5:9, 5:9], mask[1, 10:12, 5:9] = 3, 7
    table = pd.DataFrame({"index": [3], "class": ["cell"]})
    viewer = SimpleNamespace(
        layers=[
            layer("image", [dapi, dapi[:, ::2, ::2]], multiscale=True, **{**grid, "name": "dapi"}),
            layer("image", actin, **{**grid, "name": "actin"}),
            layer("labels", mask, **{**grid, "name": "my: cells", "features": table, "colormap": {3: "#00ff00"}}),
            layer("labels", np.arange(1800).reshape(3, 20, 30), **{**grid, "name": "objects"}),
            layer(
                "points", np.array([(400.0, 500, 600)]), name="spots"
            ),  # without a scale: where they are in the world
            layer("shapes", [np.array([(1, 2, 3), (1, 2, 9), (1, 8, 9), (1, 8, 3)])], shape_type=["rectangle"], **grid),
        ]
    )
    with vl.from_napari(viewer, tmp_path / "ws") as ws:
        image = ws.images.open("dapi")
        np.testing.assert_array_equal(image.values, [dapi, actin])
        assert image.attrs["channel_names"] == ["dapi", "actin"]
        assert ws.labels("my- cells").spacing_um == pytest.approx((0.4, 0.1, 0.1))
        classes = ws.levels["my- cells"].classes
        assert [(one.value, one.name) for one in classes] == [(3, "cell"), (7, "label 7")]
        assert classes[0].color == "#00ff00"
        np.testing.assert_array_equal(ws.labels("my- cells").read(), mask)
        assert ws.levels["objects"].kind == "instances"
        assert ws.points("spots").read()[0].points == {"point": pytest.approx((1, 5, 6))}
        start, stop = ws.boxes("shapes").read()[0].box
        assert (start, stop) == ((0.5, 2, 3), (1.5, 8, 9))
    with pytest.raises(WorkspaceError, match="no image layer"):
        vl.from_napari(SimpleNamespace(layers=[]), tmp_path / "none")
    with pytest.raises(WorkspaceError, match="4 dimensions"):
        vl.from_napari(SimpleNamespace(layers=[layer("image", np.zeros((2, 2, 2, 2)))]), tmp_path / "four")
    assert not (tmp_path / "four").exists()


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_an_image_goes_out_with_labels_and_predictions(made: Path, tmp_path: Path, ngff: str) -> None:  # noqa: F811
    path = tmp_path / "image.zarr"
    typed = ["export", str(made), "image", str(path), "--ngff", ngff, "--prediction", "p"]
    done = CliRunner().invoke(main, typed)
    assert done.exit_code == 0, done.output
    models = v04 if ngff == "0.4" else v05
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == (2 if ngff == "0.4" else 3)
    models.Image.from_zarr(group)
    with vl.Workspace.open(made, read_only=True) as ws:
        wanted = {"": ws.images.open("image").values, "labels": ws.labels("labels").read()}
        wanted |= {"things": ws.labels("things").read(), "p": ws.predictions["p"].labels.values}
        spacing = ws.labels("labels").spacing_um
        for name in ("labels", "p"):
            models.ImageLabel.from_zarr(group[f"labels/{name}"])
        with pytest.raises(VolumeError, match="of OME-Zarr"):
            ws.export("image", tmp_path / "a.tif", ngff="0.4")
        with pytest.raises(PredictionError, match="unknown prediction"):
            ws.export("image", tmp_path / "b.zarr", predictions=["nothing"])
    for name, expected in wanted.items():
        again = vl.open_volume(path / "labels" / name if name else path)
        np.testing.assert_array_equal(again.values, expected)
        assert tuple(again.attrs["spacing_um"]) == pytest.approx(spacing)
    facts = group["labels/p"].attrs.asdict()
    label = facts["image-label"] if ngff == "0.4" else facts["ome"]["image-label"]
    assert [one["class"] for one in label["properties"]] == ["outside", "disc"]
    assert label["colors"][0]["rgba"][3] == 255
    location = parse_url(str(path), mode="r")
    assert location is not None
    nodes = list(Reader(location)())
    assert {"labels", "things", "p"} <= {Path(str(node.zarr)).name for node in nodes} | {
        node.zarr.basename() for node in nodes
    }
    if ngff == "0.4":  # as the readers of Java want it: JSON in .zattrs, gzip, keys with slashes
        array = json.loads((path / "labels" / "p" / "0" / ".zarray").read_text())
        assert array["compressor"]["id"] == "gzip"
        assert array["dimension_separator"] == "/"
        assert "multiscales" in json.loads((path / ".zattrs").read_text())
