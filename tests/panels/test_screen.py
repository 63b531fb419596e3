"""A panel read and used as a user would."""

from __future__ import annotations

import ipywidgets as w
import pytest
from tests.panels.screen import Screen

from voxloop.panels.base.panel import CopyCode, Panel, button, heading, labelled, row, section, show
from voxloop.panels.base.rows import Action, Row, RowList
from voxloop.panels.base.ui import on_ui


class Shop(Panel):
    """Things in a list, a few controls, one of them hidden."""

    @on_ui
    def __init__(self) -> None:
        super().__init__("Shop")
        self.done: list[str] = []
        self.list = RowList(lambda action, key: self.done.append(f"{action} {key}"))
        self.list.show([Row("a", ("<b>Apple</b>", "3"), (Action("eat", "Eat"),)), Row("b", ("Bread &amp; salt", "1"))])
        self.count = w.Text(**labelled("How many", "A whole number"))
        self.size = w.Dropdown(options=[("small", 1), ("large", 2)], tooltip="Size")
        undo = button("", self.handler(lambda: self.done.append("undo")), icon="undo", tooltip="Undo (Ctrl Z)")
        buy = button("Buy", self.handler(lambda: self.say("bought", "good")))
        self.closed_counter = button("Complain")
        self.closed_counter.disabled = True
        self.back_room = row(button("Secret"), heading("nobody reads this"))
        show(self.back_room, False)
        things = row(undo, buy, self.closed_counter)
        self.body(
            section("Things", self.list.widget, self.count, self.size, things, self.back_room), CopyCode(code="1")
        )
        self.every(1.0, lambda: self.done.append("tick"))


@pytest.fixture
def shop(ui):
    made = Shop()
    yield made
    made.close()


def test_what_is_on_show_is_read_as_words(shop):
    screen = Screen(shop)
    assert "Apple 3" in screen.text
    assert "Bread & salt 1" in screen.text
    assert "nobody reads this" not in screen.text
    assert "--jp" not in screen.text
    assert screen.buttons == ["Undo", "Buy"]
    assert screen.fields == ["How many", "Size"]
    assert screen.code == "1"


def test_buttons_are_pressed_by_name_and_only_where_they_can_be(shop):
    screen = Screen(shop)
    screen.click("Undo")
    screen.click("Buy")
    assert shop.done == ["undo"]
    assert (screen.message, screen.failed) == ("bought", False)
    with pytest.raises(AssertionError, match="disabled"):
        screen.click("Complain")
    with pytest.raises(AssertionError, match="no button 'Secret' in sight"):
        screen.click("Secret")


def test_fields_are_filled_in_and_rows_used_as_the_page_does(shop):
    screen = Screen(shop)
    screen.field("How many").value = "4"
    screen.field("Size").value = 2
    assert (shop.count.value, shop.size.value, screen.field("Size").options) == ("4", 2, ["small", "large"])
    screen.row("a").click("Eat")
    screen.row("b").click()
    screen.wait(2)
    assert shop.done == ["eat a", "open b", "tick", "tick"]
    with pytest.raises(AssertionError, match="offers no 'Eat'"):
        screen.row("b").click("Eat")
