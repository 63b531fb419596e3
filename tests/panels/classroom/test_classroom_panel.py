"""The room on one screen: rows by need, the last answers of one, and what is left when it closes."""

from __future__ import annotations

import json

import pytest

from voxloop.panels.classroom.classroom_panel import Classroom
from voxloop.teaching.answers import AnswerLog


@pytest.fixture
def room(tmp_path):
    for name in ("ada", "bob<b>"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "workspace.json").write_text(json.dumps({"images": []}))
    for _ in range(3):
        AnswerLog(tmp_path / "bob<b>").append(2, "count", False, "there are <i>more</i>.", of=7, noted={})
    return tmp_path


def test_rows_follow_and_those_in_need_come_first(room, ui, no_leak):
    panel = Classroom(room)
    ui.settle()
    assert [row.key for row in panel._list.rows] == ["ada", "bob<b>"]
    panel._list.sort()
    assert [row.key for row in panel._list.rows] == ["bob<b>", "ada"]
    (row, _) = panel._list.rows
    assert row.cells[0].startswith("<b>bob&lt;b&gt;</b>")
    assert "exercise 2: 3 wrong answers" in row.cells[-1]
    panel._list.do("open", "bob<b>")
    assert "there are &lt;i&gt;more&lt;/i&gt;." in panel._detail.value
    assert "read_only=True" in panel._detail.value
    (room / "ada" / "workspace.json").write_text("torn")
    (room / "cy").mkdir()
    panel.refresh()
    ui.settle()
    assert "broken" in panel._list.rows[0].cells[-1]
    assert "1 broken" in panel._words.value
    assert panel.code == f"vl.Classroom({str(room)!r}).table"
    assert panel.table["name"].tolist() == ["ada", "bob<b>"]
    panel.close()
    assert no_leak.left() == []
