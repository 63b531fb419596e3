"""Exercises that judge answers, and rooms of workspaces read from outside."""

from __future__ import annotations

import json
import os
import shutil
import time

import numpy as np
import pytest

from voxloop.errors import WorkspaceError
from voxloop.teaching import Exercise, Reply, Roster, Workshop, seat
from voxloop.volumes.samples import em

SHAPE = (8, 96, 96)


@pytest.fixture
def small(monkeypatch):
    make = em.make
    monkeypatch.setattr(em, "make", lambda seed=0: make(seed, SHAPE))


def test_a_wrong_answer_is_told_what_it_is_and_hints_grow(small, tmp_path):
    shop = Workshop(tmp_path / "lesson")
    width = SHAPE[2] * 0.008
    assert "is voxels" in shop.check(1, 96).words
    assert "is nanometres" in shop.check(1, width * 1000).words
    hints = [shop.check(1, answer).hint for answer in (5, 6, None, "wide")]
    assert hints[0] == hints[1] == shop.exercises[0].hints[2]
    assert shop.check(1, width).right
    assert [shop.check(2, n).right for n in range(12)].count(True) in (2, 3)
    assert "nothing is painted as background, mitochondria" in shop.check(3).words
    assert "no finished prediction" in shop.check(4).words
    assert "exercise 4 comes first" in shop.check(5, (0, 1)).words
    with pytest.raises(WorkspaceError, match="1 to 7"):
        shop.check(8, 1)
    shop.ws.close()
    again = Workshop(tmp_path / "lesson")
    assert repr(again).startswith("x 1. size")
    assert again.noted(1) == {}
    again.ws.close()
    with pytest.raises(WorkspaceError, match="no lesson with seed 3"):
        Workshop(tmp_path / "lesson", seed=3)


def test_wrong_strokes_are_named_by_plane_and_class(small, tmp_path):
    shop = Workshop(tmp_path / "lesson")
    labels = shop.ws.labels()
    for z in (1, 3, 5):
        said = np.where(shop.truth[z, :40] == 3, 3, 1)
        if z == 3:
            said[:] = 2  # all of it
        labels.write((slice(z, z + 1), slice(0, 40)), said[None])
    judged = shop.check(3)
    assert not judged.right
    assert "most is wrong in plane 3" in judged.words
    assert "in plane 3 something painted as mitochondria is" in judged.hint
    labels.write((slice(0, 6),), shop.truth[:6])
    assert shop.check(3).right


def test_questions_of_ones_own(small, tmp_path):
    asked = Exercise(name="edits", question="Make an edit.", check=_edited, hints=("Paint.",))
    shop = Workshop(tmp_path / "lesson", exercises=[asked])
    assert repr(shop.check(1)) == "Not yet: 0 edits. Hint: Paint."
    shop.ws.labels().paint(axis="z", index=1, points=[(5, 5), (9, 9)], radius=2, value=1)
    assert shop.check(1).right
    assert (Roster(tmp_path).read()[0].of, Roster(tmp_path).read()[0].finished) == (1, True)


def _edited(shop, answer):
    edits = shop.ws.labels().sequence
    return Reply(right=edits > 0, words=f"{edits} edits.")


@pytest.fixture
def room(tmp_path):
    """Four learners as their files tell, one whose workspace is damaged, one who may not be looked at, and clutter."""
    now = time.time()
    for name, solved, wrong, age in (("ada", 2, 0, 5), ("bob", 1, 3, 60), ("cy", 0, 0, 3600), ("di", 7, 0, 3600)):
        folder = tmp_path / name / "workspaces" / "lesson"
        (folder / "journal").mkdir(parents=True)
        (folder / "workspace.json").write_text(json.dumps({"images": []}))
        edit = {"v": 2, "seq": 12, "author": name, "time": "2026-01-01T00:00:00"}
        (folder / "journal" / "labels.image.jsonl").write_text(f"{json.dumps(edit)}\n" + '{"seq": 13, "to')
        answers = [(number, True) for number in range(1, solved + 1)] + [(solved + 1, False)] * wrong
        lines = [
            {
                "time": now,
                "exercise": n,
                "of": 7,
                "name": "x",
                "right": right,
                "words": "w",
                "author": name,
                "noted": {},
            }
            for n, right in answers
        ]
        text = "".join(f"{json.dumps(one)}\n" for one in lines)
        (folder / "exercises.jsonl").write_text(f'{text}no json\n{{"exercise": "1"}}\n[]\n')
        for path in folder.rglob("*"):
            os.utime(path, (now - age, now - age))
    (tmp_path / "eve" / "workspaces" / "lesson" / "workspace.json").mkdir(parents=True)
    shutil.copytree(tmp_path / "ada", tmp_path / "flo")
    (tmp_path / "flo" / "workspaces" / "lesson" / "workspace.json").write_text("{ torn")
    (tmp_path / "notes.txt").write_text("clutter")
    (tmp_path / "gus").mkdir()
    (tmp_path / "round").symlink_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize("within", ["", "workspaces/lesson"])
def test_who_is_where(room, within):
    roster = Roster(room, within=within)
    seats = roster.read()
    assert [one.path.parts[-3] for one in seats] == ["ada", "bob", "cy", "di", "eve", "flo"]
    ada, _, _, di, eve, flo = seats
    assert (ada.author, ada.step, ada.solved, ada.edits) == ("ada", "painting", (1, 2), 12)
    now = time.time()
    troubles = [one.trouble(now, roster.quiet_s) for one in seats]
    assert troubles == ["", "exercise 2: 3 wrong answers", "quiet", "", "broken", "broken"]
    assert di.finished
    assert "Is a directory" in eve.broken
    assert "damaged" in flo.broken
    words = roster.words(seats, now)
    assert words == (
        "6 workspaces, 1 done, 1 quiet for 10 min or more, 2 broken. Help: bob (exercise 2: 3 wrong answers)."
    )
    table = roster.table.set_index("name")
    assert table["edits"].tolist() == [12, 12, 12, 12, 0, 0]


def test_files_that_did_not_change_are_read_once(room, monkeypatch):
    shutil.rmtree(room / "eve")
    roster = Roster(room)
    roster.read()
    read: list[str] = []
    for name in ("_whole", "_last_edit"):
        monkeypatch.setattr(seat, name, lambda path: read.append(path.name))
    before = {path: path.stat().st_mtime_ns for path in room.rglob("*")}
    roster.read()
    assert read == []
    assert {path: path.stat().st_mtime_ns for path in room.rglob("*")} == before  # nothing is written
    (room / "ada" / "workspaces" / "lesson" / "workspace.json").write_text("{}")
    roster.read()
    assert read == ["workspace.json"]


def test_a_room_that_is_none(tmp_path):
    with pytest.raises(WorkspaceError, match="is no folder"):
        Roster(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError, match="must lie inside"):
        Roster(tmp_path, within="../elsewhere")
    assert Roster(tmp_path).words(Roster(tmp_path).read(), 0.0).startswith("No workspace is to be seen")
