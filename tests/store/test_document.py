"""``workspace.json`` from anywhere: believed only where all of it agrees, and then nothing it names lies elsewhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voxloop.errors import WorkspaceError
from voxloop.store import Store

from .conftest import make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with make(tmp_path / "ws") as store:
        store.levels.add("inside", ["a", "b"], parent=("labels", "object"))
        store.regions.add("part", (slice(0, 5), slice(0, 50), slice(0, 50)))
        store.labels("labels").paint(index=1, points=[(5, 5)])
        return store.path


def put(document: dict[str, Any], *where: Any) -> None:
    """``where`` is a path into the document, and the value to put there."""
    *keys, last, value = where
    inside: Any = document
    for key in keys:
        inside = inside[key]
    inside[last] = value


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "image .. out": lambda d: put(d, "images", 0, "name", "../../../home/x"),
    "image absolute": lambda d: put(d, "images", 0, "name", "/home/x"),
    "image hidden": lambda d: put(d, "images", 0, "name", ".x"),
    "image with a zero": lambda d: put(d, "images", 0, "name", "a\0b"),
    "image without name": lambda d: put(d, "images", 0, "name", ""),
    "folder of a level": lambda d: put(d, "levels", 0, "folder", "../../home"),
    "name of a level": lambda d: put(d, "levels", 0, "name", "a/b"),
    "two images": lambda d: d["images"].append(copy.deepcopy(d["images"][0])),
    "two levels": lambda d: put(d, "levels", 1, "name", "labels"),
    "two folders": lambda d: put(d, "levels", 1, "folder", "labels"),
    "no spacing": lambda d: put(d, "images", 0, "spacing_um", [0, 1, 1]),
    "negative spacing": lambda d: put(d, "images", 0, "spacing_um", [1, -1, 1]),
    "endless spacing": lambda d: put(d, "images", 0, "spacing_um", [1, float("inf"), 1]),
    "spacing that is none": lambda d: put(d, "images", 0, "spacing_um", [1, float("nan"), 1]),
    "no voxels": lambda d: put(d, "images", 0, "shape", [0, 10, 10]),
    "two axes": lambda d: put(d, "images", 0, "shape", [10, 10]),
    "class 0": lambda d: put(d, "levels", 0, "classes", 0, "value", 0),
    "class 256": lambda d: put(d, "levels", 0, "classes", 0, "value", 256),
    "two values": lambda d: put(d, "levels", 0, "classes", 0, "value", 2),
    "two names": lambda d: put(d, "levels", 0, "classes", 0, "name", "background"),
    "no parent": lambda d: put(d, "levels", 1, "parent", ["nothing", "a"]),
    "no class of the parent": lambda d: put(d, "levels", 1, "parent", ["labels", "nothing"]),
    "its own parent": lambda d: put(d, "levels", 1, "parent", ["inside", "a"]),
    "a circle": lambda d: put(d, "levels", 0, "parent", ["inside", "a"]),
    "a region on no image": lambda d: put(d, "regions", 0, "image", "nothing"),
    "a region out of its image": lambda d: put(d, "regions", 0, "box", [[0, 500], [0, 5], [0, 5]]),
    "a region of no voxel": lambda d: put(d, "regions", 0, "box", [[3, 3], [0, 5], [0, 5]]),
    "a region below zero": lambda d: put(d, "regions", 0, "box", [[-3, 3], [0, 5], [0, 5]]),
    "schema 0": lambda d: put(d, "schema_version", 0),
    "no schema": lambda d: d.pop("schema_version"),
    "schema of text": lambda d: put(d, "schema_version", "newest"),
    "levels of text": lambda d: put(d, "levels", "labels"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_agree_is_refused_in_one_sentence(path: Path, tmp_path: Path, name: str) -> None:
    file = path / "workspace.json"
    document = json.loads(file.read_text())
    WRONG[name](document)
    file.write_text(json.dumps(document))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WorkspaceError, match=r"workspace\.json is damaged \(.+\); put back an earlier copy") as caught:
        Store.open(path)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["[]", "{}", "null", "5", '"text"', "[" * 100_000, "", "\ufeff{", "NaN"])
def test_a_file_that_is_no_document_is_no_workspace(path: Path, text: str) -> None:
    (path / "workspace.json").write_text(text)
    with pytest.raises(WorkspaceError, match="is damaged"):
        Store.open(path)
    assert (path / "workspace.json").read_text() == text


def test_bytes_that_are_no_text(path: Path) -> None:
    (path / "workspace.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkspaceError, match="is damaged"):
        Store.open(path)


@pytest.mark.parametrize("name", ["x" * 500, "ä" * 99, "", " ", "..", "a/b", "\0", "-", "a\nb"])
def test_a_name_that_files_cannot_have_is_refused_before_anything_is_kept(path: Path, name: str) -> None:
    with Store.open(path) as store:
        before = store.document
        for add in (
            lambda: store.levels.add(name, ["a"]),
            lambda: store.regions.add(name, None),
            lambda: store.levels.rename("labels", name),
            lambda: store.images.add(name, "nowhere.tif"),
            lambda: store.sets.add(name),
        ):
            with pytest.raises(WorkspaceError, match="name"):
                add()
        assert store.document == before


def test_a_renamed_level_keeps_its_children(path: Path) -> None:
    with Store.open(path) as store:
        store.levels.rename("labels", "other")
    with Store.open(path) as store:
        assert store.levels["inside"].parent == ("other", "object")
        assert store.labels("other").counts()
