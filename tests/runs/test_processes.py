"""Real processes: what a user does to a run, and what happens to the machine under it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from click.testing import CliRunner

from voxloop import locks
from voxloop.cli import main
from voxloop.errors import RunError
from voxloop.runs import EventReader, Run, Runs, spare


def iterations(run: Run) -> list[float]:
    return run.history.steps.iteration.tolist()


def test_a_run_from_beginning_to_end(make):
    run = make(steps=25)
    assert run.state == "created"
    with pytest.raises(RunError, match=r"run\.launch\(\) starts it"):
        run.wait()
    run.launch()
    assert run.state in ("queued", "running")
    with pytest.raises(RunError, match="already"):
        run.launch()
    assert asyncio.run(run.finished(30)) == "finished"
    assert iterations(run) == list(range(1, 26))
    assert (run.result, run.progress, run.history.best["epoch"]) == ("25", 1.0, 2)
    assert run.history.started["versions"]["voxloop"]
    with pytest.raises(RunError, match="start_from"):
        run.resume()
    run.delete()
    assert not run.path.exists()


def test_stop_keeps_the_model_and_cancel_leaves_none(make, until):
    for verb, state, kept in (("stop", "stopped", True), ("cancel", "cancelled", False)):
        run = make(steps=10_000).launch()
        until(lambda run=run: len(run.history.checkpoints) > 1)
        getattr(run, verb)()
        assert run.state in ("stopping", state)
        assert run.wait(30) == state
        assert (run.path / "model").exists() is kept
        assert (run.path / "checkpoints").exists() is kept
        (order,) = (run.path / "control").iterdir()
        assert run.events()[-1]["orders"] == [order.stem]  # answered, so a resumed process does not obey it again


@pytest.mark.parametrize("order", ["stop", "cancel", "pause", None])
def test_another_run_follows_one_that_was_kept(runs, until, order):
    settings = {"steps": 4000 if order else 10}
    run = runs.create("first", "fake_tasks:train", settings, then="fake_tasks:follow").launch()
    if order:
        until(lambda: run.history.iteration > 3)
        getattr(run, order)()
    run.wait(30)
    assert run.followed_by == ("next-1" if order in ("stop", None) else None)
    assert (run.path / "followed").exists() == (run.followed_by is not None)


def test_a_run_has_ended_well_whatever_comes_of_what_follows(runs):
    settings = {"steps": 10, "nothing_follows": True}
    run = runs.create("first", "fake_tasks:train", settings, then="fake_tasks:follow").launch()
    assert run.wait(30) == "finished"
    assert run.followed_by is None
    assert "nothing to follow with" in run.history.warnings[-1]["text"]


def test_pause_frees_everything_and_resume_goes_on_exactly_there(make, until):
    run = make(steps=60).launch()
    until(lambda: len(iterations(run)) > 12)
    run.pause()
    assert run.wait(30) == "paused"
    assert run.holder is None
    with pytest.raises(RunError, match=r"run\.resume\(\)"):
        run.update(learning_rate=1.0)
    at = run.history.iteration
    assert run.resume().wait(30) == "finished"
    assert iterations(run) == list(range(1, 61))
    resumed = next(event for event in run.events() if event["kind"] == "resumed")
    assert resumed["step"] == at > 12


def test_a_paused_run_can_still_be_stopped_or_cancelled(make, until):
    for verb, state in (("stop", "stopped"), ("cancel", "cancelled")):
        run = make(steps=10_000).launch()
        until(lambda run=run: len(iterations(run)) > 3)
        run.pause()
        run.wait(30)
        getattr(run, verb)()
        assert run.wait(30) == state
        assert (run.path / "model").exists() is (verb == "stop")
        assert not (verb == "cancel" and (run.path / "checkpoints").exists())


def test_an_update_is_recorded_with_the_order_it_answers(make, until, monkeypatch):
    run = make(steps=10_000, learning_rate=0.5).launch()
    until(lambda: iterations(run))
    run.update(learning_rate=0.25)
    until(lambda: run.history.updates)
    (event,) = run.history.updates
    assert (event["what"], event["old"], event["new"]) == ("learning_rate", 0.5, 0.25)
    assert run.state == "running"
    assert event["order"] in run.history.answered
    until(lambda: run.history.steps.lr[-1] == 0.25)
    opened = nullcontext(SimpleNamespace(runs={"r": run}))
    monkeypatch.setattr("voxloop.cli.runs.open_workspace", lambda *_args, **_options: opened)
    said = CliRunner().invoke(main, ["update", "ws", "r", "learning_rate=1e-4"])
    assert (said.exit_code, said.stdout) == (0, "learning_rate: 0.25 -> 0.0001\n"), said.stderr


def test_kill_9_of_the_trainer_is_seen_and_resumed(make, until, kill):
    run = make(steps=80).launch()
    until(lambda: len(iterations(run)) > 14)
    os.kill(run.holder.pid, signal.SIGSTOP)
    run.stop()  # an order to a process that dies before it reads it must not reach the next one
    kill(run)
    assert run.state == "interrupted"
    with (run.path / "events.jsonl").open("ab") as log:
        log.write(b'{"v": 1, "kind": "st')  # torn by the kill
    assert run.resume().wait(30) == "finished"
    assert iterations(run) == list(range(1, 81))
    assert Run(run.path).history.iteration == 80


def test_a_worker_that_outlives_a_killed_trainer_does_not_count_as_the_trainer(make, until, kill):
    run = make("with_worker").launch()
    until(lambda: iterations(run))
    worker = int(next(event["text"] for event in run.history.log if event["kind"] == "log"))
    kill(run)
    assert psutil.pid_exists(worker)
    assert run.state == "interrupted"
    os.kill(worker, signal.SIGKILL)


def test_a_process_that_goes_without_a_word_leaves_its_output(make):
    run = make("hard_exit").launch()
    assert run.wait(30) == "interrupted"
    assert run.log_tail().endswith("last words")
    with pytest.raises(RunError, match="interrupted"):
        run.model()


@pytest.mark.parametrize(
    ("task", "how", "error", "hint"),
    [
        ("fails", "config", "window_shape=3 is too small; 16 is the smallest", None),
        ("fails", "memory", "MemoryError", "smaller"),
        ("wrong_word", "", "unknown word 'done'", None),
        ("no_such_task", "", "cannot be loaded", None),
    ],
)
def test_failures_say_what_to_do(make, task, how, error, hint):
    run = make(task, how=how).launch()
    assert run.wait(30) == "failed"
    assert error in run.history.error
    assert hint is None or hint in run.history.hint
    assert "Traceback" in run.log_tail(40)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a stream to a full disk is Linux's /dev/full")
def test_a_full_disk_takes_no_traceback_and_the_run_has_failed_all_the_same(make):
    run = make("full_disk")
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        code = subprocess.run(
            [sys.executable, "-u", "-m", "voxloop.runs", str(run.path)], stdout=full, stderr=full, check=False
        ).returncode
    assert (run.state, run.history.error) == ("failed", "OSError: [Errno 28] No space left on device")
    assert "free some space" in run.history.hint
    assert code != 0


def test_a_second_trainer_is_refused_and_writes_nothing(make, until):
    run = make("endless").launch()
    until(lambda: iterations(run))
    second = subprocess.run(
        [sys.executable, "-m", "voxloop.runs", str(run.path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert f"run {run.name!r} is already running: process {run.holder.pid}" in second.stderr
    assert len([event for event in run.events() if event["kind"] == "started"]) == 1
    with pytest.raises(RunError, match="cancel it before"):
        run.delete()
    run.cancel()
    assert run.wait(30) == "cancelled"


def test_one_device_one_run_and_the_line_keeps_its_order(make, until):
    first, second, third = (make("endless", name) for name in ("first", "second", "third"))
    first.launch()
    until(lambda: iterations(first))
    second.launch()
    until(lambda: second.history.place == 1)
    third.launch()
    until(lambda: third.history.place == 2)
    assert (second.state, third.state) == ("queued", "queued")
    fourth = make("endless", "fourth")
    with pytest.raises(RunError, match="busy with run 'first'"):
        fourth.launch(queue=False)
    other = make("endless", "other", device="cuda:7").launch()
    until(lambda: iterations(other))  # another device, another line
    other.stop()
    second.cancel()
    assert second.wait(30) == "cancelled"
    assert not iterations(second)
    first.stop()
    until(lambda: iterations(third))
    assert third.state == "running"
    third.stop()
    assert third.wait(30) == "stopped"


def test_those_who_die_fall_out_of_the_line(make, until, kill):
    first, second, third = (make("endless", name) for name in ("first", "second", "third"))
    first.launch()
    until(lambda: iterations(first))
    second.launch()
    until(lambda: second.history.place == 1)
    third.launch()
    until(lambda: third.history.place == 2)
    kill(second)
    until(lambda: third.history.place == 1)
    assert second.state == "interrupted"
    kill(first)
    until(lambda: iterations(third))


def test_sigterm_is_a_pause(make, until):
    run = make(steps=10_000).launch()
    until(lambda: len(iterations(run)) > 3)
    os.kill(run.holder.pid, signal.SIGTERM)
    assert run.wait(30) == "paused"
    assert json.loads((run.path / "checkpoints" / "last.json").read_text()) == run.history.iteration


def test_a_slow_import_is_part_of_the_run(runs, until):
    run = runs.create("slow", "slow_tasks:train", {}).launch()
    until(lambda: run.state == "running")
    run.cancel()
    assert run.state == "stopping"
    assert run.wait(30) == "cancelled"
    assert not (run.path / "model").exists()


def test_killing_the_parent_does_not_end_the_run(runs, until):
    code = f"""
        from voxloop.runs import Runs
        run = Runs({str(runs.folder)!r}).create("orphan", "fake_tasks:train", dict(steps=60)).launch()
        print(run.name, flush=True)
        run.wait()
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline().strip() == "orphan"
    run = runs["orphan"]
    until(lambda: iterations(run))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert run.state == "running"
    assert run.wait(30) == "finished"
    assert iterations(run) == list(range(1, 61))


def test_a_spare_takes_the_run_and_has_imported_already(runs, until, monkeypatch):
    monkeypatch.setattr(spare, "NEEDED_GB", 0.0)
    assert runs.warm("slow_tasks:train")
    waiting = spare._spares["slow_tasks:train"]
    assert runs.warm("slow_tasks:train")
    assert spare._spares["slow_tasks:train"] is waiting  # one is enough
    run = runs.create("slow", "slow_tasks:train", {}).launch()
    assert run.wait(30) == "finished"
    assert run.history.started["pid"] == waiting._child.pid
    (said,) = (event for event in run.history.log if event["kind"] == "log")
    assert said["warmed"]
    assert said["imported"] < run.history.started["time"]


def test_a_spare_takes_another_task_where_that_has_none(runs, monkeypatch):
    monkeypatch.setattr(spare, "NEEDED_GB", 0.0)
    runs.warm("slow_tasks:train")
    waiting = spare._spares["slow_tasks:train"]._child
    run = runs.create("r", "fake_tasks:train", {"steps": 1}).launch()
    assert run.wait(30) == "finished"
    assert run.history.started["pid"] == waiting.pid
    assert not spare._spares


def test_a_spare_of_another_environment_is_not_used(runs, monkeypatch):
    monkeypatch.setattr(spare, "NEEDED_GB", 0.0)
    runs.warm("fake_tasks:train")
    waiting = spare._spares["fake_tasks:train"]._child
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run = runs.create("r", "fake_tasks:train", {"steps": 1}).launch()
    assert run.wait(30) == "finished"
    assert run.history.started["pid"] != waiting.pid
    assert run.history.started["threads"] == 3
    assert waiting.wait(30) == 0


def test_a_spare_ends_with_its_parent_and_where_memory_is_small_there_is_none(runs, until, monkeypatch):
    monkeypatch.setattr(spare, "NEEDED_GB", 1e9)
    assert not runs.warm("fake_tasks:train")
    code = """
        from voxloop.runs import spare
        spare.NEEDED_GB = 0
        assert spare.warm("fake_tasks:train")
        print(spare._spares["fake_tasks:train"]._child.pid, flush=True)
        input()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.communicate()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_cancelling_forgets_what_lies_elsewhere(runs):
    run = runs.create("r", "fake_tasks:train", {}, discard="fake_tasks:forget")
    run.cancel()
    assert run.state == "cancelled"
    assert (run.path / "forgotten").exists()
    with pytest.raises(RunError, match=r"run\.delete\(\)"):
        run.cancel()


def test_only_installed_learners_are_called_by_name(runs, monkeypatch):
    with pytest.raises(RunError, match="VOXLOOP_PLUGINS=runpy"):
        runs.create("r", "voxloop.shallow.learner:train", {}, result="runpy:run_path")
    run = runs.create("r", "fake_tasks:train", {})
    monkeypatch.delenv("VOXLOOP_PLUGINS")  # the folder came from somebody else
    with pytest.raises(RunError, match="may not be called"):
        run.launch()
    assert run.state == "created"


def test_the_table_and_names(runs):
    for _ in range(2):
        runs.create(None, "voxloop.shallow.learner:train", {})
    child = runs.create("child", "fake_tasks:train", {"steps": 10}, parent="shallow-1", title="A title").launch()
    child.wait(30)
    assert list(runs) == ["shallow-1", "shallow-2", "child"]
    row = runs.table()[-1]
    assert (row["name"], row["state"], row["parent"], row["agreement"]) == (
        "child",
        "finished",
        "shallow-1",
        pytest.approx(0.9),
    )
    with pytest.raises(RunError, match="'shallow-3' is free"):
        runs.create("shallow-1", "fake_tasks:train", {})
    with pytest.raises(RunError, match="beginning with a letter"):
        runs.create("../up", "fake_tasks:train", {})
    with pytest.raises(RunError, match="did you mean 'child'"):
        runs["chidl"]
    assert runs["child"] is runs["child"]
    assert Runs(runs.folder)["child"].config["settings"] == {"steps": 10}


def test_a_note_can_be_changed_at_any_time(runs):
    run = runs.create("first", "fake_tasks:train", {})
    assert (run.note, runs.table()[-1]["note"]) == ("", "")
    run.note = " thin membranes, β-stack "
    assert Runs(runs.folder)["first"].note == runs.table()[-1]["note"] == "thin membranes, β-stack"
    run.note = ""
    assert Runs(runs.folder)["first"].note == ""


def test_a_lock_is_not_lost_by_looking(tmp_path):
    """A POSIX lock ends when its process closes any handle of the file; looking must not do that."""
    lock = locks.Lock(tmp_path / "lock")
    assert lock.acquire(run="x")
    for _ in range(3):
        assert locks.holder(lock.path).note == {"run": "x"}
        assert not locks.Lock(lock.path).acquire()
    code = f"from voxloop.locks import *; p = {str(lock.path)!r}; print(Lock(p).acquire(), holder(p).pid)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.split() == ["False", str(os.getpid())]
    lock.release()
    assert locks.holder(lock.path) is None
    assert EventReader(tmp_path / "none").read() == []


def test_a_run_of_somebody_else_goes_to_no_address_that_was_not_named(runs, monkeypatch):
    theirs = "tcp://stranger:8786"
    made = runs.create("theirs", "fake_tasks:train", {"engine": theirs})
    monkeypatch.setattr("voxloop.runs.addresses._named", set())  # as in a process that did not make it
    run = Run(made.path)
    for start in (run.launch, run.resume, lambda: run.resume(engine="tcp://mine:8786")):
        with pytest.raises(RunError, match=r"sends its model and its image to 'tcp://stranger:8786'"):
            start()
    assert run.state == "created"
    monkeypatch.setenv("VOXLOOP_ENGINE", f"tcp://mine:8786, {theirs}")
    run.launch()
    run.wait(60)


@pytest.mark.parametrize("name", ["stdout.log", "note.txt", "launch.json"])
def test_no_link_in_a_run_of_somebody_else_is_read_or_written_through(make, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text('{"pid": 1, "host": "elsewhere", "born": 0}')
    run = make(steps=3)
    (run.path / name).symlink_to(secret)
    assert (run.log_tail(), run.note, run.state) == ("", "", "created")
    if name == "stdout.log":
        with pytest.raises(RunError, match="it is a link"):
            run.launch()
    else:
        run.note = "mine"
        assert run.launch().wait(30) == "finished"
        assert run.note == "mine"
    assert secret.read_text().endswith('"born": 0}')
