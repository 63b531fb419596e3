"""Who edited what: the name with every edit, and the labels of one author as something to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import LabelError
from voxloop.store import Store, author, open_labels


@pytest.fixture(autouse=True)
def nobody_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("VOXLOOP_AUTHOR", "JUPYTERHUB_USER"):
        monkeypatch.setenv(variable, "")


def test_the_name_is_what_was_said_else_what_the_machine_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    system = author()
    assert system
    monkeypatch.setenv("JUPYTERHUB_USER", "hub")
    assert author() == "hub"
    assert author(" Ada ") == "Ada"
    for wrong in ("", "two\nlines", "x" * 101, 7):
        with pytest.raises(LabelError, match="no name of an author"):
            author(wrong)
    assert author() == "Ada"
    assert author(None) == "hub"


def test_labels_of_one_author_are_what_their_edits_last_said(store: Store, tmp_path: Path) -> None:
    labels = store.labels()

    def paint(who: str, row: int, value: int, z: int = 3) -> None:
        author(who)
        labels.paint(index=z, points=[(row, 20), (row, 140)], radius=6, value=value)

    assert labels.authors == []
    paint("Ada", 40, 1)
    paint("Bob", 46, 2)
    ada, bob = labels.by("Ada"), labels.by("Bob")
    first = ada.read()
    assert (first == 1).sum() > (labels.read() == 1).sum(), "what Bob painted over is Ada's all the same"
    assert (bob.read() == 2).sum() == (labels.read() == 2).sum()
    paint("Ada", 40, 2)
    assert (ada.read() == 2).sum() == (first > 0).sum() - ((first > 0) & (bob.read() == 2)).sum(), (
        "where Bob had said the same already, nothing was said again"
    )
    labels.undo()
    np.testing.assert_array_equal(ada.read(), first, "what was taken back is not said")
    author("Ada")
    labels.erase(index=3, points=[(40, 20)], radius=5)
    assert ada.read((slice(3, 4), slice(40, 41), slice(20, 21))).item() == 0
    for row in (100, 104, 108, 112):  # enough to be kept on disk
        paint("Ada", row, 1, z=10)
    np.testing.assert_array_equal(ada.plane("z", 10, (slice(90, 120), slice(10, 150)), 2), ada[10, 90:120:2, 10:150:2])
    assert sum(ada.counts().values()) == (ada.read() > 0).sum()
    assert list((store.path / "derived" / "authors").rglob("*.z"))
    with open_labels(store.path, "labels", "image") as elsewhere:
        np.testing.assert_array_equal(elsewhere.by("Ada").read(), ada.read())
        assert elsewhere.authors == ["Ada", "Bob"]
    saved = np.load(ada.save(tmp_path / "ada.npy"))
    np.testing.assert_array_equal(saved, ada.read())
    for file in (store.path / "derived" / "authors").rglob("*.z"):
        file.write_bytes(file.read_bytes()[:-3])
    np.testing.assert_array_equal(labels.by("Ada").read(), saved, "a damaged cache is made again")
    with pytest.raises(LabelError, match=r"unknown author 'ada'.*did you mean 'Ada'"):
        labels.by("ada")
