"""Predictions, objects and labels for other programs: from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from tests.objects.conftest import REGION

from voxloop.cli import main
from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.objects import Objects, decode_instances, segment
from voxloop.volumes import open_volume


def call(*args: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(a) for a in args])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("suffix", ["zarr", "ome.tif", "tif", "h5"])
@pytest.mark.parametrize("kind", ["labels", "probabilities", "uncertainty"])
def test_predictions_in_every_format(predicted, tmp_path, suffix, kind) -> None:
    path = predicted.export("p", tmp_path / f"out.{suffix}", kind=kind)
    back = open_volume(path)
    expected = np.asarray(getattr(predicted.predictions["p"], kind))
    np.testing.assert_array_equal(np.asarray(back), expected)
    assert back.attrs["spacing_um"] == pytest.approx((0.03, 0.01, 0.01))
    with pytest.raises(ValueError, match="overwrite=True"):
        predicted.export("p", path, kind=kind)


def test_the_command_line_exports_what_python_does(predicted, tmp_path) -> None:
    code, out, _ = call("export", predicted.path, "p", tmp_path / "labels.tif", "--json")
    assert code == 0
    assert Path(json.loads(out)["path"]) == tmp_path / "labels.tif"
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "labels.tif"), np.asarray(predicted.predictions["p"].labels)
    )
    code, _, error = call("export", predicted.path, "q", tmp_path / "q.tif")
    assert code == 2
    assert "'p', 'labels'" in error
    predicted.labels().paint(index=2, points=[(20, 20), (20, 60)], radius=4, value=2)
    predicted.labels().flush()
    assert call("export", predicted.path, "labels", tmp_path / "strokes.h5")[0] == 0
    assert np.asarray(open_volume(tmp_path / "strokes.h5"))[2, 20, 40] == 2


def test_objects_that_a_network_learnt_by_the_name_of_their_prediction(learnt, tmp_path) -> None:
    found = learnt.predictions["ob"].objects
    assert found.count
    everything = decode_instances(np.asarray(learnt.predictions["ob"].probabilities), ObjectsConfig(min_size=0))
    assert everything.max() > 3  # the smaller ones are flecks beside the largest
    table = pd.read_csv(learnt.export("ob", tmp_path / "ob.csv"), index_col="object")
    assert list(table.index) == list(range(1, found.count + 1))
    assert {"volume_um3", "mean"} <= set(table.columns)  # intensities, since the image is there
    assert learnt.export("ob", tmp_path / "ob.ply", number=1).stat().st_size > 100
    code, _, error = call("export", learnt.path, "ob", tmp_path / "ob.tif", "--kind", "objects")
    assert code == 0, error
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "ob.tif"), np.asarray(found.labels))
    labels = tifffile.imread(learnt.export("ob", tmp_path / "inside.tif"))
    assert set(np.unique(labels)) == {0, 1}


@pytest.mark.parametrize("kind", ["labels", "probabilities", "uncertainty"])
def test_a_predicted_region_is_exported_by_itself_and_knows_where_it_lies(of_a_region, tmp_path, kind) -> None:
    whole = np.asarray(getattr(of_a_region.predictions["r"], kind))
    part = open_volume(of_a_region.export("r", tmp_path / "part.zarr", kind=kind))
    np.testing.assert_array_equal(np.asarray(part), whole[(..., *REGION)])
    assert [float(part.coords[axis][0]) for axis in "zyx"] == pytest.approx([2 * 0.03, 30 * 0.01, 40 * 0.01])
    assert tifffile.imread(of_a_region.export("r", tmp_path / "part.tif", kind=kind)).size == whole[(..., *REGION)].size
    everything = (slice(None), slice(None), slice(None))
    path = of_a_region.export("r", tmp_path / "all.zarr", kind=kind, region=everything)
    np.testing.assert_array_equal(np.asarray(open_volume(path)), whole)
    code, _, error = call(
        "export", of_a_region.path, "r", tmp_path / "some.h5", "--kind", kind, "--region", "3:5,40:50,:"
    )
    assert code == 0, error
    assert np.asarray(open_volume(tmp_path / "some.h5")).shape == (*whole.shape[:-3], 2, 10, whole.shape[-1])


def test_a_region_is_of_predictions_alone(of_a_region, tmp_path) -> None:
    with pytest.raises(PredictionError, match="'labels' is none; leave it out"):
        of_a_region.export("labels", tmp_path / "l.tif", region=REGION)
    with pytest.raises(PredictionError, match="exported as they were made"):
        of_a_region.export("ob", tmp_path / "ob.csv", region=REGION)


def test_objects_of_a_predicted_region_are_of_it_alone(of_a_region, tmp_path) -> None:
    probability = np.asarray(of_a_region.predictions["r"].probabilities)[(1, *REGION)]
    config = ObjectsConfig(threshold=0.6, min_size=2e-5)
    run = of_a_region.objects("r", config, of="class 2", name="o")
    found = run.result
    assert found.region == REGION
    expected = np.zeros(of_a_region.images.open().shape, np.uint32)
    expected[REGION] = segment(probability, config, spacing_um=(0.03, 0.01, 0.01))
    np.testing.assert_array_equal(np.asarray(found.labels), expected)
    assert found.labels.attrs["spacing_um"] == pytest.approx((0.03, 0.01, 0.01))
    assert float(found.labels.coords["y"][0]) == pytest.approx(0)
    part = open_volume(of_a_region.export("o", tmp_path / "o.zarr"))
    np.testing.assert_array_equal(np.asarray(part), expected[REGION])
    assert float(part.coords["y"][0]) == pytest.approx(30 * 0.01)
    table = pd.read_csv(of_a_region.export("o", tmp_path / "o.csv"), index_col="object")  # the image is larger
    image = np.asarray(of_a_region.images.open())
    assert table["mean"][1] == pytest.approx(image[expected == 1].mean())
    box = tuple(slice(int(table[f"{axis}_from"][1]), int(table[f"{axis}_to"][1])) for axis in "zyx")
    assert (expected == 1).sum() == (expected[box] == 1).sum() == table["voxels"][1]
    assert table["y_um"][1] == pytest.approx(0.01 * np.nonzero(expected == 1)[1].mean())
    vertices, _ = found.mesh(1)
    assert vertices[:, 1].mean() == pytest.approx(table["y_um"][1], abs=0.03)
    smaller = of_a_region.objects("r", config, of="class 2", region=(slice(2, 5), slice(30, 90), slice(40, 90)))
    assert smaller.result.region == (slice(2, 5), slice(30, 90), slice(40, 90))
    assert open_volume(smaller.result.path).shape == (3, 60, 50)


def test_objects_that_a_network_learnt_of_a_region(of_a_region, tmp_path) -> None:
    found = of_a_region.predictions["ob"].objects
    channels = np.asarray(of_a_region.predictions["ob"].probabilities)[(slice(None), *REGION)]
    expected = decode_instances(channels, spacing_um=(0.03, 0.01, 0.01))
    np.testing.assert_array_equal(np.asarray(found.labels)[REGION], expected)
    assert found.region == REGION
    assert len(pd.read_csv(of_a_region.export("ob", tmp_path / "ob.csv"))) == found.count


def test_classes_have_no_objects_by_themselves(predicted, tmp_path) -> None:
    with pytest.raises(PredictionError, match=r"learnt classes, not objects; make objects of a class with ws.objects"):
        predicted.export("p", tmp_path / "p.csv")


def test_objects_from_the_command_line_to_table_and_mesh(predicted, tmp_path) -> None:
    predicted.close()  # the command line writes in this workspace
    options = ("--of", "class 2", "--set", "threshold=0.6", "--set", "min_size=2e-5", "--name", "o", "--json")
    code, out, _ = call("objects", predicted.path, "p", *options)
    assert (code, json.loads(out)["state"]) == (0, "finished")
    for name in ("o.csv", "o.tif", "o.h5"):
        assert call("export", predicted.path, "o", tmp_path / name)[0] == 0
    table = pd.read_csv(tmp_path / "o.csv", index_col="object")
    assert table.index.tolist() == np.unique(tifffile.imread(tmp_path / "o.tif"))[1:].tolist()
    assert (table["mean"] > 0).all()
    code, _, error = call("export", predicted.path, "o", tmp_path / "o.ply")
    assert (code, "say which object" in error) == (2, True)
    assert call("export", predicted.path, "o", tmp_path / "o.ply", "--object", 1)[0] == 0
    assert (tmp_path / "o.ply").read_bytes().startswith(b"ply")


def test_parquet_reads_back(balls, tmp_path) -> None:
    pytest.importorskip("pyarrow")
    objects = Objects(balls)
    path = objects.export(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path), objects.table())


def test_without_pyarrow_csv_is_named(balls, tmp_path, monkeypatch) -> None:
    def missing(*_: object, **_more: object) -> None:
        raise ImportError

    monkeypatch.setattr(pd.DataFrame, "to_parquet", missing)
    with pytest.raises(PredictionError, match=r"\.csv needs nothing"):
        Objects(balls).export(tmp_path / "t.parquet")


def test_what_is_not_kept_or_not_there(predicted, tmp_path) -> None:
    import shutil

    shutil.rmtree(predicted.predictions["p"].path / "uncertainty")
    with pytest.raises(PredictionError, match="made without uncertainty"):
        predicted.export("p", tmp_path / "u.tif", kind="uncertainty")
    with pytest.raises(PredictionError, match=r"objects, level, run or image 'labls'.*did you mean 'labels'"):
        predicted.export("labls", tmp_path / "u.tif")
