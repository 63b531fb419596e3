"""Predictions, objects and labels for other programs: from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

from voxloop.cli import main
from voxloop.errors import PredictionError
from voxloop.objects import Objects
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
    assert found.count > 3
    table = pd.read_csv(learnt.export("ob", tmp_path / "ob.csv"), index_col="object")
    assert list(table.index) == list(range(1, found.count + 1))
    assert {"volume_um3", "mean"} <= set(table.columns)  # intensities, since the image is there
    assert learnt.export("ob", tmp_path / "ob.ply", number=1).stat().st_size > 100
    code, _, error = call("export", learnt.path, "ob", tmp_path / "ob.tif", "--kind", "objects")
    assert code == 0, error
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "ob.tif"), np.asarray(found.labels))
    labels = tifffile.imread(learnt.export("ob", tmp_path / "inside.tif"))
    assert set(np.unique(labels)) == {0, 1}


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
    def missing(*_: object) -> None:
        raise ImportError

    monkeypatch.setattr(pd.DataFrame, "to_parquet", missing)
    with pytest.raises(PredictionError, match=r"\.csv needs nothing"):
        Objects(balls).export(tmp_path / "t.parquet")


def test_what_is_not_kept_or_not_there(predicted, tmp_path) -> None:
    import shutil

    shutil.rmtree(predicted.predictions["p"].path / "uncertainty")
    with pytest.raises(PredictionError, match="made without uncertainty"):
        predicted.export("p", tmp_path / "u.tif", kind="uncertainty")
    with pytest.raises(PredictionError, match=r"objects, level or run 'labls'.*did you mean 'labels'"):
        predicted.export("labls", tmp_path / "u.tif")
