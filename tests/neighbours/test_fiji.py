"""An image with labels and predictions as OME-Zarr of either version: valid, and read by the libraries of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import v04, v05
from tests.workspace.test_bad_values import made  # noqa: F401

import voxloop as vl
from voxloop.cli import main
from voxloop.errors import PredictionError, VolumeError


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
