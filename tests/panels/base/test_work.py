"""Work off the UI thread: guards that let go, buttons that come back, errors that are shown and taken back."""

from __future__ import annotations

import pytest
from tests.panels.later import Later
from tests.panels.screen import Screen

from voxloop.errors import RunError
from voxloop.panels.base.panel import Panel, button
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Attempt, Debounce, Latest, Poll


class Lot(Panel):
    """Numbers looked at now and then, and one that is bought by a click; both fail while ``trouble`` is set."""

    @on_ui
    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.seen: list[int] = []
        self.bought: list[int] = []
        self.poll = Poll(self, self._look, self.seen.append, seconds=2.0)
        self.buy = button("Buy", self.handler(lambda: self.attempt()))
        self.attempt = Attempt(self, self._look, self.bought.append, button=self.buy)
        self.body(self.buy)

    def _look(self) -> int:
        if self.trouble is not None:
            raise self.trouble
        return len(self.seen)


@pytest.fixture
def lot(ui):
    made = Lot()
    yield made
    made.close()


def test_a_look_that_fails_is_said_and_the_next_one_shows(lot):
    screen = Screen(lot)
    lot.trouble = RunError("run 'a' was deleted")
    screen.wait()
    assert (screen.message, screen.failed) == ("run 'a' was deleted", True)
    lot.trouble = None
    screen.wait()
    assert lot.seen == [0]
    assert (screen.message, screen.failed) == ("", False)


def test_a_look_that_succeeds_leaves_the_errors_of_others(lot):
    screen = Screen(lot)
    lot.show_error(RunError("the name is taken"))
    screen.wait()
    assert screen.message == "the name is taken"


def test_nobody_looks_twice_at_a_time(lot, monkeypatch):
    later = Later(lot, monkeypatch)
    Screen(lot).wait(3)
    assert len(later.begun) == 1
    assert lot.poll.busy
    later.end()
    assert not lot.poll.busy
    Screen(lot).wait()
    assert len(later.begun) == 1


def test_a_button_rests_while_its_work_is_under_way_and_comes_back_either_way(lot, monkeypatch):
    screen, later = Screen(lot), Later(lot, monkeypatch)
    screen.click("Buy")
    assert screen.buttons == []
    lot.attempt()
    assert len(later.begun) == 1
    later.end()
    assert screen.buttons == ["Buy"]
    lot.trouble = RunError("sold out")
    screen.click("Buy")
    later.end()
    assert (screen.buttons, screen.message) == (["Buy"], "sold out")
    assert lot.bought == [0]


def test_an_error_leaves_with_the_next_thing_that_succeeds(lot):
    screen = Screen(lot)
    lot.trouble = RunError("sold out")
    screen.click("Buy")
    assert (screen.message, screen.failed) == ("sold out", True)
    lot.trouble = None
    screen.click("Buy")
    assert (screen.message, screen.failed) == ("", False)


def test_only_the_newest_question_is_answered(lot, monkeypatch):
    later = Later(lot, monkeypatch)
    answers: list[str] = []
    latest = Latest(lot, answers.append)
    for name in ("first", "second"):
        latest.ask(lambda name=name: name)
    later.end(1)
    assert (answers, latest.busy) == (["second"], False)
    later.end()
    assert answers == ["second"]
    latest.ask(lambda: 1 / 0)
    latest.ask(lambda: "third")
    later.end()
    assert lot.message.words == ""
    latest.forget()
    later.end()
    assert answers == ["second"]
    latest.ask(lambda: 1 / 0)
    later.end()
    assert "ZeroDivisionError" in lot.message.words


def test_what_is_asked_for_often_is_done_once_when_the_hand_rests(lot):
    done: list[str] = []
    debounce = Debounce(lot, lambda: done.append("done"), seconds=600)
    for _ in range(3):
        debounce.ask()
    assert debounce.pending
    Screen(lot).wait(3)
    assert (done, debounce.pending) == (["done"], False)
    debounce.ask()
    debounce.forget()
    Screen(lot).wait()
    assert done == ["done"]


def test_the_newest_question_takes_back_its_own_complaint_and_no_other(lot):
    answers: list[str] = []
    latest = Latest(lot, answers.append)

    def fail() -> str:
        raise RunError("cannot be read")

    latest.ask(fail)
    assert Screen(lot).message == "cannot be read"
    latest.ask(lambda: "read")
    assert (answers, Screen(lot).message) == (["read"], "")
    latest.ask(fail)
    lot.show_error(RunError("the name is taken"))
    latest.ask(lambda: "read")
    assert Screen(lot).message == "the name is taken"
