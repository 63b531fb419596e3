"""Several people in one project: who did what, what each of them said, and their copies brought together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import voxloop as vl
from voxloop.cli import main
from voxloop.errors import LabelError

SHAPE = (6, 64, 80)


@pytest.fixture(autouse=True)
def nobody_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXLOOP_AUTHOR", "")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[vl.Workspace]:
    image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    with vl.Workspace.create(tmp_path / "ws", image=image, classes=["background", "cell"], spacing=0.01) as made:
        yield made


def test_who_did_how_much_and_what_each_said(ws: vl.Workspace) -> None:
    labels = ws.labels()
    assert not len(ws.authors())
    vl.author("Ada")
    first = labels.paint(index=1, points=[(20, 10), (20, 60)], radius=4, value=2)
    labels.paint(index=1, points=[(20, 60), (20, 70)], radius=4, value=2, joined=True)
    labels.paint(index=2, points=[(50, 10)], radius=4, value=2)
    labels.undo()
    vl.author("Bob")
    labels.paint(index=1, points=[(20, 30), (20, 70)], radius=4, value=1)
    ws.levels.add("spots", kind="points")
    ws.points("spots").add(None, {"point": (1, 5, 5)})
    vl.author("Ada")
    ws.points("spots").add(None, {"point": (1, 9, 9)})
    table = ws.authors().set_index(["level", "author"])
    ada = table.loc[("labels", "Ada")]
    assert ada.edits == 1, "what was joined is one, what was taken back is none"
    assert ada.voxels > first.voxels
    assert table.loc[("spots", "Bob")].marks == 1
    assert (table.seconds > 0).all()
    assert len(ws.authors(level="labels", author="Bob")) == 1
    with pytest.raises(LabelError, match="unknown author 'Eve'"):
        ws.authors(author="Eve")

    assert len(ws.points("spots").arrays(author="Bob")["id"]) == 1
    found = ws.agreement("labels by Ada", labels.by("Bob"), boundaries=False)
    assert found.names == ("labels by Ada", "labels by Bob")
    assert found.kappa != found.kappa or found.kappa <= 0, "where both said something they never agree"
    assert found.voxels == ((labels.by("Ada").read() > 0) & (labels.by("Bob").read() > 0)).sum()
    assert found.differences[0].one == "cell"
    with pytest.raises(LabelError, match="unknown author 'Eve'"):
        ws.agreement("labels by Eve", "labels")

    told = CliRunner().invoke(main, ["authors", str(ws.path), "--json"])
    assert {row["author"] for row in json.loads(told.stdout)["authors"]} == {"Ada", "Bob"}
    done = CliRunner().invoke(main, ["evaluate", str(ws.path), "labels by Ada", "labels by Bob", "--json"])
    assert json.loads(done.stdout)["voxels"] == found.voxels
