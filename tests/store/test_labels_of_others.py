"""Labels of ilastik and webKnossos: projects and downloads made as those programs write them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from voxloop.errors import LabelError
from voxloop.store import Store
from voxloop.store.exchange import survey

from .conftest import SHAPE, make

BLOCK = np.zeros((2, 10, 12), np.uint8)
BLOCK[0, 2:5, 3:9], BLOCK[1, 6:, :4] = 1, 2
START = (3, 20, 30)


def expected() -> np.ndarray:
    whole = np.zeros(SHAPE, np.uint8)
    whole[tuple(slice(start, start + size) for start, size in zip(START, BLOCK.shape, strict=True))] = BLOCK
    return whole


def project(path: Path, keys: str, *, tagged: bool = False, files: tuple[str, ...] = ("image.h5/volume",)) -> Path:
    """An ilastik project with a block of labels in the first lane, and another in each further one."""
    tags = json.dumps({"axes": [{"key": key, "typeFlags": 2} for key in keys]})
    order = [key for key in keys if key in "zyx"]
    block = BLOCK.transpose(["zyx".index(key) for key in order])
    starts = dict(zip("zyx", START, strict=True))
    for place, key in enumerate(keys):
        if key not in "zyx":
            block = np.expand_dims(block, place)
    spans = [(starts.get(key, 0), starts.get(key, 0) + size) for key, size in zip(keys, block.shape, strict=True)]
    with h5py.File(path, "w") as file:
        file["PixelClassification/LabelNames"] = np.array([b"object", b"background"])
        for lane, name in enumerate(files):
            info = file.create_group(f"Input Data/infos/lane{lane:04d}/Raw Data")
            info["filePath"], info["axistags"] = name.encode(), tags.encode()
            data = file.create_dataset(f"PixelClassification/LabelSets/labels{lane:03d}/block0000", data=block)
            data.attrs["blockSlice"] = "[" + ",".join(f"{low}:{high}" for low, high in spans) + "]"
            if tagged:
                data.attrs["axistags"] = tags
    return path


@pytest.mark.parametrize(("keys", "tagged"), [("zyxc", False), ("tzyxc", True), ("zyx", False), ("xyzc", True)])
def test_labels_of_ilastik_lie_where_they_were_painted(store: Store, tmp_path: Path, keys: str, tagged: bool) -> None:
    labels = store.labels()
    labels.load(project(tmp_path / "a.ilp", keys, tagged=tagged))
    np.testing.assert_array_equal(labels.read(), expected())
    assert labels.sequence == 1
    assert survey(labels, tmp_path / "a.ilp") == []


def test_lanes_of_ilastik_are_told_apart_and_classes_found_by_name(tmp_path: Path) -> None:
    path = project(tmp_path / "a.ilp", "zyxc", files=("a.h5/data", "b.h5/data"))
    with make(tmp_path / "ws", classes=["background", "cell"]) as store:
        with pytest.raises(LabelError, match=r"several images; name one with dataset=: 'labels000' \(a\.h5/data\)"):
            store.labels().load(path)
        with pytest.raises(LabelError, match=r"calls 1 'object'.*values=\{1"):
            store.labels().load(path, dataset="labels001")
        store.labels().load(path, dataset="labels001", values={1: "cell", 2: "unlabelled"})
        np.testing.assert_array_equal(store.labels().read(), np.where(expected() == 1, 2, 0))
    small = np.zeros((4, 22, 33), "u1")
    with Store.create(tmp_path / "small", image=small, classes=["object", "background"]) as store:
        labels = store.labels()
        with pytest.raises(LabelError, match="is it another's"):
            labels.load(path, dataset="labels000")
    (tmp_path / "empty.ilp").write_bytes(b"nothing")
    with make(tmp_path / "more") as store:
        with pytest.raises(LabelError, match="no project of ilastik"):
            store.labels().load(tmp_path / "empty.ilp")
        with h5py.File(tmp_path / "other.ilp", "w") as file:
            file["Input Data/x"] = 1
        with pytest.raises(LabelError, match="no labels of pixel classification"):
            store.labels().load(tmp_path / "other.ilp")
        with h5py.File(path, "r+") as file:
            file["PixelClassification/LabelSets/labels000/block0000"].attrs["blockSlice"] = "[0:1]"
        with pytest.raises(LabelError, match="not as they should be"):
            store.labels().load(path, dataset="labels000")


NML = """<things><parameters/>
<thing id="1" name="object"><nodes><node id="1" radius="9" x="30" y="20" z="3"/></nodes></thing>
<thing id="2" name="object b"><nodes><node id="2" x="41.5" y="50" z="4"/></nodes></thing>
<volume id="0" name="Volume" location="data_0_Volume.zip"><segments>
<segment id="1" name="object"/><segment id="2" name="background"/></segments></volume></things>"""


def download(path: Path, array: np.ndarray, nml: str = NML, kind: str = "zarr") -> Path:
    """A download of webKnossos: an nml, and a zip of the painted volume (c, x, y, z)."""
    folder = path.parent / f"{path.stem}-volume" / "1"
    if kind == "wkw":
        wkw = pytest.importorskip("wkw")
        header = wkw.Header(array.dtype, block_len=8, file_len=2)
        with wkw.Dataset.create(str(folder), header) as dataset:
            dataset.write((0, 0, 0), np.asfortranarray(array))
    else:
        zarr.create_array(folder, data=array, chunks=(1, 32, 32, 32))
    inner = path.with_name("data_0_Volume.zip")
    with zipfile.ZipFile(inner, "w") as packed:
        for file in folder.parent.rglob("*"):
            packed.write(file, file.relative_to(folder.parent))
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(inner, inner.name)
        packed.writestr("annotation.nml", nml)
    return path


@pytest.mark.parametrize("kind", ["zarr", "wkw"])
def test_painted_volumes_of_webknossos(store: Store, tmp_path: Path, kind: str) -> None:
    painted = expected()[:18, :64, :]  # the annotation ends before the image does
    path = download(tmp_path / "a.zip", painted.T[None].astype(np.uint32), kind=kind)
    labels = store.labels()
    labels.load(path)
    np.testing.assert_array_equal(labels.read(), expected())
    with make(tmp_path / "other", classes=["cell"]) as other, pytest.raises(LabelError, match="values="):
        other.labels().load(path)
    with make(tmp_path / "objects", classes=[], kind="instances") as objects:
        objects.labels().load(download(tmp_path / "b.zip", painted.T[None].astype(np.uint32) * 7, kind=kind))
        assert sorted(np.unique(objects.labels().read())) == [0, 7, 14]


def test_what_is_no_annotation_of_webknossos(store: Store, tmp_path: Path) -> None:
    labels = store.labels()
    path = download(tmp_path / "a.zip", expected().T[None])
    with zipfile.ZipFile(tmp_path / "gone.zip", "w") as packed:
        packed.writestr("a.nml", NML)
    with pytest.raises(LabelError, match="cannot be read"):
        labels.load(tmp_path / "gone.zip")
    with pytest.raises(LabelError, match="unknown dataset 'other'"):
        labels.load(path, dataset="other")
    for nml, says in (
        ("<things/>", "no painted volume"),
        ("<things", "cannot be read"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "entities"),
    ):
        with pytest.raises(LabelError, match=says):
            labels.load(download(tmp_path / f"{says[:3]}.zip", expected().T[None], nml))
    assert labels.sequence == 0


def test_nodes_of_a_skeleton_are_points(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.nml").write_text(NML)
    labels = store.labels()
    with pytest.raises(LabelError, match="line_width=3"):
        labels.load(tmp_path / "a.nml")
    for value in ("far", "inf", ""):
        (tmp_path / "bad.nml").write_text(NML.replace('z="3"', f'z="{value}"'))
        with pytest.raises(LabelError, match="without a place"):
            labels.load(tmp_path / "bad.nml", line_width=3)
    labels.load(tmp_path / "a.nml", line_width=3)
    found = labels.read() == 1
    assert found[3, 20, 30]
    assert found[4, 50, 41]
    assert found.any(axis=(1, 2)).nonzero()[0].tolist() == [3, 4]
