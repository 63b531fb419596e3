"""``run.result`` and ``await run``: one rule for everything that takes time."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
import threading

import pytest

from voxloop.errors import RunError


class Screen(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def test_the_result_is_waited_for_behind_a_bar(make, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    run = make(name="r", steps=30).launch()
    assert run.result == "30"
    assert "100%" in screen.getvalue()
    drawn = screen.getvalue()
    assert run.result == "30"  # at once
    assert screen.getvalue() == drawn
    again = make(name="again", steps=30).launch()
    assert asyncio.run(again.finished()) == "finished"
    assert "again" in screen.getvalue()


def test_whoever_asked_is_told_that_a_run_has_ended(make, until, caplog):
    told = []
    run = make(steps=5).launch()
    run.on_finished(lambda ended: told.append((ended.name, ended.state)))
    run.on_finished(lambda ended: 1 / 0)  # no reason not to tell the others
    until(lambda: told and "on_finished" in caplog.text)
    assert told == [(run.name, "finished")]


def test_no_bar_is_drawn_in_a_thread_or_where_nobody_looks(make, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    run, results = make(steps=30).launch(), []
    thread = threading.Thread(target=lambda: results.append(run.result))
    thread.start()
    thread.join()
    assert (results, screen.getvalue()) == (["30"], "")
    monkeypatch.setattr(screen, "isatty", lambda: False)
    assert make(steps=5).launch().result == "5"
    assert screen.getvalue() == ""


def test_a_run_can_be_awaited(make):
    async def one_after_the_other():
        first, second = make(steps=10, name="a").launch(), make(steps=20, name="b").launch()
        return [await first, await second, await first]

    assert asyncio.run(one_after_the_other()) == ["10", "20", "10"]


@pytest.mark.timeout(60)
def test_ctrl_c_ends_the_waiting_and_leaves_the_run_running(make, until):
    run = make(name="r", steps=100_000).launch()
    until(lambda: run.state == "running")
    main = threading.main_thread().ident
    timer = threading.Timer(0.5, lambda: signal.pthread_kill(main, signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt, match=r"run 'r' goes on .* run\.cancel\(\) ends it") as caught:
            _ = run.result
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value._render_traceback_() == [str(caught.value)]
    assert run.state == "running"
    run.stop()
    assert int(run.result) > 0  # what was kept


def test_the_result_of_a_run_that_came_to_nothing_says_why(make, until):
    failed = make("fails", how="config").launch()
    with pytest.raises(RunError, match="failed: window_shape=3 is too small"):
        _ = failed.result

    async def wait_for(run):
        return await run

    with pytest.raises(RunError, match="failed: window_shape=3 is too small"):
        asyncio.run(wait_for(failed))
    ended = make("hard_exit").launch()
    with pytest.raises(RunError, match=r"was interrupted: .*stdout\.log"):
        _ = ended.result
    paused = make(steps=100_000).launch()
    until(lambda: paused.history.checkpoints)
    paused.pause()
    with pytest.raises(RunError, match=r"is paused: run\.resume\(\)"):
        _ = paused.result
    paused.cancel()
    with pytest.raises(RunError, match="was cancelled"):
        _ = paused.result
