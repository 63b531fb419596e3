"""The frame every panel shares."""

from __future__ import annotations

import ipywidgets as w
import pytest

from voxloop.errors import LabelError
from voxloop.panels.base.panel import CopyCode, Panel, button, row, section
from voxloop.panels.base.ui import on_ui


class Counter(Panel):
    @on_ui
    def __init__(self) -> None:
        super().__init__("Counter")
        self.count = 0
        self.add = button("Add", self.handler(self._add), kind="primary")
        self.fail = button("Fail", self.handler(self._fail))
        self.break_ = button("Break", self.handler(self._break))
        self.body(section("Things", row(self.add, self.fail, self.break_)), CopyCode(code="1"))
        self.timer = self.every(1.0, self._add)

    def _add(self) -> None:
        self.count += 1
        self.say(f"{self.count}")

    def _fail(self) -> None:
        raise LabelError("nothing is labelled; paint <two> strokes")

    def _break(self) -> None:
        raise ZeroDivisionError("oops")


def test_error_is_shown_as_it_stands_and_taken_back_by_the_next_word(ui, no_leak):
    panel = Counter()
    panel.fail.click()
    assert panel.message.words == "nothing is labelled; paint <two> strokes"
    assert "&lt;two&gt;" in panel.message.widget.value
    assert "vx-failed" in panel.widget._dom_classes
    panel.add.click()
    assert panel.message.words == "1"
    assert "vx-failed" not in panel.widget._dom_classes


def test_unexpected_error_is_shown_and_logged(ui, caplog):
    panel = Counter()
    panel.break_.click()
    assert "ZeroDivisionError: oops" in panel.message.words
    assert "ZeroDivisionError" in caplog.text
    panel.close()


def test_close_leaves_no_comm_no_timer_and_works_twice(ui, no_leak):
    panel = Counter()
    assert no_leak.left()
    panel.timer.fire()
    assert panel.count == 1
    panel.close()
    panel.close()
    assert no_leak.left() == []
    panel.timer.fire()
    assert panel.count == 1
    assert "closed" in panel._repr_mimebundle_()["text/plain"]


def test_work_that_ends_after_the_panel_is_dropped(ui):
    panel = Counter()
    panel.in_thread(lambda: panel.close(), lambda _: pytest.fail("the panel is closed"))


def test_children_of_a_panel_begin_with_its_style(ui):
    panel = Counter()
    assert isinstance(panel.widget.children[0], w.HTML)
    assert "--jp-layout-color1" in panel.widget.children[0].value
    panel.close()
