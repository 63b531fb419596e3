"""The thread that owns the widgets."""

from __future__ import annotations

import asyncio
import threading

import ipywidgets as w
import pytest

from voxloop.panels.base.thin import make_thin
from voxloop.panels.base.ui import UiLoop, on_ui, serve_while_busy


@pytest.fixture
def loop():
    with UiLoop.using(UiLoop()) as made:
        yield made


def test_everything_posted_runs_in_order_on_one_thread(loop):
    seen = []
    for number in range(50):
        loop.post(lambda n: seen.append((n, threading.current_thread().name)), number)
    assert loop.call(lambda: "done") == "done"
    assert seen == [(n, "voxloop-ui") for n in range(50)]


def test_call_raises_here_and_runs_directly_when_already_there(loop):
    with pytest.raises(ZeroDivisionError):
        loop.call(lambda: 1 / 0)
    assert loop.call(lambda: loop.call(lambda: 7)) == 7


def test_a_failing_handler_is_reported_and_the_thread_lives_on(loop, caplog):
    errors = []
    loop.post(lambda: 1 / 0, report=errors.append)
    loop.post(lambda: [].pop(), report=lambda error: 1 / 0)
    assert loop.call(lambda: "alive") == "alive"
    assert isinstance(errors[0], ZeroDivisionError)
    assert "IndexError" in caplog.text


def test_tasks_are_kept_and_their_errors_reported(loop):
    arrived = threading.Event()
    errors = []

    async def work():
        await asyncio.sleep(0.01)
        raise ValueError("late")

    loop.create_task(work(), report=lambda error: (errors.append(error), arrived.set()))
    assert arrived.wait(5)
    assert str(errors[0]) == "late"


def test_work_runs_off_the_loop_and_answers_on_it(loop):
    answers = []
    done = threading.Event()
    loop.run_in_thread(
        lambda: threading.current_thread().name,
        lambda where: (answers.append((where, threading.current_thread().name)), done.set()),
    )
    assert done.wait(5)
    assert answers[0][0] != "voxloop-ui"
    assert answers[0][1] == "voxloop-ui"


def test_timer_fires_until_cancelled(loop):
    third = threading.Event()
    count = []

    def tick():
        count.append(1)
        if len(count) == 3:
            timer.cancel()
            third.set()

    timer = loop.every(0.01, tick)
    assert third.wait(5)
    loop.call(lambda: None)
    assert len(count) == 3


def update(widget, **state):
    """A message of the page, as the comm hands it over on whatever thread received it."""
    widget.comm._msg_callback({"content": {"data": {"method": "update", "state": state}}, "buffers": []})


def test_messages_of_widgets_made_on_the_loop_are_handled_on_it(loop, monkeypatch):
    monkeypatch.setattr(w.Widget, "_widget_construction_callback", None)
    with UiLoop._lock:
        from voxloop.panels.base.ui import _adopt_new_widgets

        _adopt_new_widgets()
    where = []
    slider = loop.call(w.IntSlider)
    slider.observe(lambda change: where.append((change["new"], threading.current_thread().name)), "value")
    update(slider, value=7)
    loop.call(lambda: None)
    assert where == [(7, "voxloop-ui")]


def test_serve_while_busy_adopts_a_widget_made_elsewhere_and_frees_it_from_its_shell(loop):
    button = w.Button()
    button.comm._reply_subshell_for = lambda data, default: "the shell that made it"
    where = []
    button.on_click(lambda _: where.append(threading.current_thread().name))
    serve_while_busy(button, button)
    button.comm._msg_callback({"content": {"data": {"method": "custom", "content": {"event": "click"}}}, "buffers": []})
    loop.call(lambda: None)
    assert where == ["voxloop-ui"]
    assert button.comm._reply_subshell_for({}, "as asked") == "as asked"


def test_on_ui_moves_a_constructor_to_the_thread(loop):
    class Thing:
        @on_ui
        def __init__(self):
            self.made_on = threading.current_thread().name

    assert Thing().made_on == "voxloop-ui"


def test_synchronous_mode_runs_at_once_and_tasks_when_settled(ui):
    seen = []
    ui.post(seen.append, 1)
    ui.run_in_thread(lambda: 2, seen.append)
    timer = ui.every(5, lambda: seen.append(3))
    timer.fire()

    async def work():
        await asyncio.sleep(0)
        seen.append(4)

    ui.create_task(work())
    assert seen == [1, 2, 3]
    ui.settle()
    assert seen == [1, 2, 3, 4]


def test_reloaded_pages_hear_of_all_widgets_from_the_ui_thread_each_on_its_own_comm(loop, monkeypatch):
    from comm import DummyComm

    from voxloop.panels.base.ui import _control_opened

    told = []

    def publish(self, kind, data=None, **rest):
        told.append((self, threading.current_thread().name))

    monkeypatch.setattr(DummyComm, "publish_msg", publish)
    pages = [DummyComm(target_name="jupyter.widget.control") for _ in range(2)]
    told.clear()  # that they were opened
    for page in pages:
        _control_opened(page, {"metadata": {"version": "1.0.0"}})
    for page in pages:
        page.handle_msg({"content": {"data": {"method": "request_states"}}})
    loop.call(lambda: None)
    assert told == [(page, "voxloop-ui") for page in pages]


def test_layouts_are_sent_with_what_was_set_and_take_it_back():
    made = w.Button(layout={"width": "5px"})
    for part, unset in ((made.layout, "height"), (made.style, "button_color")):
        make_thin(part)
        assert None not in part.get_state().values()
        assert part.get_state(unset) == {unset: None}
    assert made.layout.get_state()["width"] == "5px"
