"""Zip files of others: what would fill a disk or the memory is not unpacked, whoever opens it."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxloop import Workspace, bioimageio, load_model
from voxloop.archives import check_archive
from voxloop.errors import LabelError, ModelError, VoxloopError
from voxloop.shallow import record, storage

ZEROS = bytes(1 << 20)


def bomb(path: Path, *names: str, megabytes: int = 90, first: str = "", content: str = "") -> Path:
    """A zip file whose members unpack to so much, and have next to nothing in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        if first:
            packed.writestr(first, content)
        for name in names:
            with packed.open(name, "w") as member:
                for _ in range(megabytes):
                    member.write(ZEROS)
    return path


NML = '<things><volume id="0" name="V" location="data.zip"/></things>'
OPENERS: dict[str, tuple[dict[str, Any], Any]] = {
    "rois.zip": ({}, lambda path, labels: labels.load(path)),
    "annotation.zip": ({"first": "a.nml", "content": NML}, lambda path, labels: labels.load(path)),
    "classifier.skops": ({}, lambda path, labels: storage._read_estimator(path.parent)),
    "perceptron.npz": ({}, lambda path, labels: storage._read_perceptron(path.parent)),
    record.NAME: ({}, lambda path, labels: record.load(path.parent)),
    "package.zip": ({}, lambda path, labels: bioimageio.import_package(path, path.parent / "model")),
}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("archives") / "ws"
    with Workspace.create(path, image=np.zeros((2, 20, 20), np.uint8), classes=["a"]) as ws:
        yield ws.labels()


@pytest.mark.parametrize("name", OPENERS)
def test_a_zip_bomb_is_not_unpacked(labels: Any, tmp_path: Path, name: str) -> None:
    how, opened = OPENERS[name]
    path = bomb(tmp_path / name, "data.zip", **how)
    assert path.stat().st_size < 120_000
    with pytest.raises(VoxloopError, match=r"would unpack to 0\.1 GB"):
        opened(path, labels)
    assert labels.sequence == 0


#: what may be wrong with an archive; bioimageio.core opens packages itself, and takes minutes for the other ones
HARMS = ("cut", "twice", "outside", "link", "empty", "no zip")
HARMED = [(name, harm) for name in OPENERS for harm in (HARMS[:2] if name == "package.zip" else HARMS)]


@pytest.mark.parametrize(("name", "harm"), HARMED)
def test_what_no_program_packs_is_a_sentence(labels: Any, tmp_path: Path, name: str, harm: str) -> None:
    how, opened = OPENERS[name]
    folder = tmp_path / "in"
    folder.mkdir()
    path = bomb(folder / name, "data.zip", megabytes=1, **how)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as packed:
        warnings.simplefilter("ignore")
        if harm == "twice":
            packed.writestr("data.zip", "other")
        elif harm == "outside":
            packed.writestr("../../outside.txt", "x")
            packed.writestr("/tmp/voxloop-outside.txt", "x")
        elif harm == "link":
            link = zipfile.ZipInfo("link.npy")
            link.external_attr = 0o120777 << 16
            packed.writestr(link, "/etc/passwd")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "no zip":
        path.write_bytes(b"PK\5\6" + b"\xff" * 40)
    with pytest.raises((LabelError, ModelError)) as said:
        opened(path, labels)
    assert "\n" not in str(said.value)
    assert {one.name for one in tmp_path.iterdir()} == {"in"}
    assert not Path("/tmp/voxloop-outside.txt").exists()
    assert labels.sequence == 0


def test_an_honest_archive_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros((40, 512, 512), np.float32))
    check_archive(path, error=ModelError)
    with pytest.raises(ModelError, match="would unpack"):
        check_archive(path, error=ModelError, most=1000)


def test_arrays_that_claim_more_than_there_is(tmp_path: Path) -> None:
    """The header of an array says 10^14 numbers; nobody makes room for them."""
    there, claimed = tmp_path / "perceptron.npz", tmp_path / "claimed"
    np.savez(there, weights_0=np.zeros((2, 10), np.float32), biases_0=np.zeros(2, np.float32))
    claimed.mkdir()
    with zipfile.ZipFile(there) as packed, zipfile.ZipFile(claimed / there.name, "w") as new:
        for name in packed.namelist():
            new.writestr(name, packed.read(name).replace(b"(2, 10), }         ", b"(99999999,9999999)}"))
    assert b"9999999" in (claimed / there.name).read_bytes()
    with pytest.raises(ModelError):
        storage._read_perceptron(claimed)
    with pytest.raises(ModelError):
        load_model(claimed)
