"""The monitor: it shows any run from its log alone, sends little, steers, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.panels.screen import Screen, is_shown

from voxloop.errors import RunError
from voxloop.locks import Lock
from voxloop.panels.monitor.monitor_panel import IDLE_SECONDS, MonitorPanel
from voxloop.runs import EventWriter, Run, Runs

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


class Story:
    """A run folder that is told, event by event, by this process."""

    def __init__(self, folder: Path, name: str = "deep-1") -> None:
        self.run = Runs(folder).create(name, "voxloop.deep.learner:train", {}, title="")
        self.lock = Lock(self.run.path / "lock")
        self.writer = EventWriter(self.run.path / "events.jsonl")
        self.step = 0

    def begin(self) -> Story:
        self.lock.acquire()
        self.writer.emit("started", device="cpu", host="here", pid=1)
        return self

    def steps(self, count: int) -> Story:
        for _ in range(count):
            self.step += 1
            self.writer.emit("step", iteration=self.step, loss=1 + 0.001 * self.step, lr=0.1, samples_per_s=9.0)
        return self

    def epoch(self, count: int = 1, per: int = 10) -> Story:
        for _ in range(count):
            self.steps(per)
            score = {"loss": 1 / self.step, "iou": {"mito": 1 - 1 / self.step}}
            number = self.step // per
            self.writer.emit("epoch", epoch=number, iteration=self.step, train=score, val=score, seconds=2.0)
            self.writer.emit("progress", done=number, total=10)
            path = self.run.path / "samples" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(PNG + bytes([number]))
            self.writer.emit("sample", epoch=number, iteration=self.step, path=f"samples/{number}.png")
        return self

    def end(self, word: str = "finished", **fields: object) -> Run:
        self.writer.emit(word, **fields)
        self.writer.close()
        self.lock.release()
        return self.run


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., Story]:
    made: list[Story] = []

    def tell(name: str = "deep-1") -> Story:
        made.append(Story(tmp_path / "runs", name))
        return made[-1]

    yield tell
    for each in made:
        each.lock.release()
        each.writer.close()


ORDERS = ("Start", "Resume", "Pause", "Stop and keep", "Cancel and discard")


def offered(panel: MonitorPanel) -> list[str]:
    return [name for name in Screen(panel).buttons if name in ORDERS]


def tick(panel: MonitorPanel) -> None:
    panel.timer.fire()


@pytest.mark.parametrize(
    ("word", "buttons"),
    [
        ("created", ["Start", "Cancel and discard"]),
        ("queued", ["Pause", "Stop and keep", "Cancel and discard"]),
        ("running", ["Pause", "Stop and keep", "Cancel and discard"]),
        ("interrupted", ["Resume", "Stop and keep", "Cancel and discard"]),
        ("paused", ["Resume", "Stop and keep", "Cancel and discard"]),
        ("failed", ["Resume", "Cancel and discard"]),
        ("stopped", ["Resume"]),
        ("finished", []),
        ("cancelled", []),
    ],
)
def test_every_state_is_shown_from_the_log_alone(story, no_leak, word, buttons):
    told = story()
    run = told.run
    if word == "queued":
        told.lock.acquire()
        told.writer.emit("queued", place=1)
    elif word != "created":
        told.begin().epoch(2)
        if word == "interrupted":
            (run.path / "stdout.log").write_text("<Killed>")
            told.lock.release()
        elif word != "running":
            told.end(word, **({"error": "a < b", "hint": "try c"} if word == "failed" else {}))
    panel = MonitorPanel(run)
    assert panel.focused.state == word
    assert f">{word}<" in panel.head.value
    assert panel.status.value.endswith(".")
    assert offered(panel) == buttons
    assert is_shown(panel.curves_box) is (word not in ("created", "queued"))
    if word == "failed":
        assert "a &lt; b" in panel.trouble.value
        assert "try c" in panel.trouble.value
    if word == "interrupted":
        assert "&lt;Killed&gt;" in panel.trouble.value
    panel.close()
    assert no_leak.left() == []


def test_curves_grow_with_the_log_and_a_second_panel_shows_the_same(story, ui):
    told = story().begin().epoch(2)
    first = MonitorPanel(told.run)
    told.epoch(1).steps(5)
    tick(first)
    marks = first.loss_plot.marks[0]
    np.testing.assert_array_equal(marks.batches.x, np.arange(1, 36))
    np.testing.assert_array_equal(marks.val.x, [10, 20, 30])
    assert marks.best.x.tolist() == [30]
    second = MonitorPanel(Run(told.run.path))
    for mark, other in zip(marks.all, second.loss_plot.marks[0].all, strict=True):
        np.testing.assert_array_equal(mark.x, other.x)
    assert first.samples.image.value == PNG + bytes([3])
    first.samples.slider.value = 0
    told.epoch()
    tick(first)
    assert first.samples.image.value == PNG + bytes([1])  # looking back is not disturbed by what is new
    assert "epoch 1" in first.samples.caption.value
    first.close()
    second.close()


def test_nothing_is_sent_where_nothing_is_new_and_little_where_something_is(story, ui, messages):
    told = story().begin().epoch(3)
    panel = MonitorPanel(told.run)
    messages.clear()
    for _ in range(5):
        tick(panel)
    assert messages == []
    told.steps(1)
    tick(panel)
    assert 0 < len(messages) <= 12  # at 4 looks a second: under 60 a second
    sizes = [len(buffer) for message in messages for buffer in message["buffers"] or ()]
    assert sum(sizes) < 50_000
    messages.clear()
    told.epoch()
    tick(panel)
    assert len(messages) / panel.timer.seconds < 60
    panel.close()


def test_it_stops_looking_often_once_all_is_over_but_notices_a_resume(story, ui):
    told = story().begin().epoch()
    panel = MonitorPanel(told.run)
    assert panel.timer.seconds < IDLE_SECONDS
    told.end("paused")
    tick(panel)
    assert panel.timer.seconds == IDLE_SECONDS
    told.lock.acquire()
    told.writer = EventWriter(told.run.path / "events.jsonl")
    told.begin()
    tick(panel)
    assert panel.timer.seconds < IDLE_SECONDS
    assert "Pause" in offered(panel)
    panel.close()


def orders(run: Run) -> list[str]:
    return [json.loads(path.read_text())["kind"] for path in sorted((run.path / "control").glob("*.json"))]


def test_buttons_give_orders_and_cancel_asks_once_more(story, ui):
    told = story().begin().epoch()
    panel = MonitorPanel(told.run)
    screen = Screen(panel)
    screen.click("Cancel and discard")
    assert orders(told.run) == []
    assert "Throw away everything it learnt?" in screen.text
    screen.click("Keep going")
    assert "Throw away everything it learnt?" not in screen.text
    screen.click("Pause")
    assert orders(told.run) == ["pause"]
    assert panel.focused.state == "stopping"
    assert "Pause" not in screen.buttons
    screen.click("Cancel and discard")
    screen.click("Discard")  # a harder order may follow a softer one
    assert orders(told.run) == ["pause", "cancel"]
    told.end("cancelled")
    tick(panel)
    assert offered(panel) == []
    panel.close()


def test_an_order_that_comes_too_late_is_said_and_the_panel_goes_on(story, ui):
    told = story().begin().epoch()
    panel = MonitorPanel(told.run)
    told.end("finished")
    Screen(panel).click("Stop and keep")
    assert "is finished, so it cannot stop" in panel.message.words
    assert offered(panel) == []
    panel.close()


def test_several_runs_over_each_other(story, no_leak):
    first, second = story("a").begin().epoch(3).end(), story("b").begin().epoch(2)
    panel = MonitorPanel([first, second.run])
    assert panel.run is second.run
    assert [len(marks.val.x) for marks in panel.loss_plot.marks] == [3, 2]
    assert panel.code == "vl.MonitorPanel([ws.runs['a'], ws.runs['b']])"
    assert offered(panel)
    panel.list.choice.value = 0
    assert panel.run is first
    assert offered(panel) == []
    assert panel.samples.image.value == PNG + bytes([3])
    other = MonitorPanel([second.run, first], embedded=True)  # the panel around it has the list
    assert other.list is None
    assert other.run is first
    assert other.colors == panel.colors  # whatever their order
    other.close()
    panel.close()
    assert no_leak.left() == []
    with pytest.raises(RunError, match="no run to show"):
        MonitorPanel([])


def test_the_epoch_kept_and_the_highest_are_told_apart(story, no_leak):
    told = story().begin()
    for number, (score, kept) in enumerate(((0.7, True), (0.945, True), (0.916, True), (0.8, False)), 1):
        told.steps(5)
        told.writer.emit("epoch", epoch=number, iteration=told.step, val={"iou": {"mito": score}}, best=kept)
    panel = MonitorPanel(told.end())
    marks = panel.metric_plot.marks[0]
    assert (marks.best.x.tolist(), marks.highest.x.tolist()) == ([15], [10])
    assert "kept (epoch 3)" in panel.legend.value
    assert "highest (epoch 2)" in panel.legend.value
    assert ">kept<" in panel.facts.value
    assert "Kept is epoch 3 of 4." in Screen(panel).text
    panel.close()
    assert no_leak.left() == []


def test_controls_that_do_nothing_are_not_offered(story, no_leak):
    told = story().begin()
    told.writer.emit("epoch", epoch=1, iteration=1, train={"iou": {"mito": 0.5}}, val={"iou": {"mito": 0.4}})
    panel = MonitorPanel(told.run)
    controls = panel.curve_controls
    steps = (*controls.of_batches, controls.log)
    assert not any(is_shown(made) for made in steps)
    assert ">batch<" not in panel.legend.value
    told.steps(3)
    tick(panel)
    assert all(is_shown(made) for made in steps)
    assert ">batch<" in panel.legend.value
    panel.close()
    assert no_leak.left() == []


def test_looking_differently(story, no_leak):
    told = story().begin().epoch(10)
    panel = MonitorPanel(told.run)
    panel.curve_controls.last.value = 50
    assert panel.loss_plot.marks[0].batches.x.min() == 50
    linear = panel.loss_plot
    panel.curve_controls.log.value = True
    assert panel.loss_plot is not linear
    assert panel.loss_plot.widget in panel.plots.children
    assert len(panel.loss_plot.marks[0].batches.x) == 51
    panel.curve_controls.smoothing.value = 0.0
    assert len(panel.loss_plot.marks[0].smooth.x) == 0
    panel.close()
    assert no_leak.left() == []


def test_a_picture_outside_of_the_run_is_not_read(story, ui, tmp_path):
    told = story().begin().epoch()
    (tmp_path / "secret.png").write_bytes(b"secret")
    told.writer.emit("sample", epoch=2, path="../../secret.png")
    panel = MonitorPanel(told.run)
    assert panel.samples.image.value == b""
    assert "cannot be read" in panel.samples.caption.value
    panel.close()


def test_a_look_that_fails_is_said_and_the_next_one_shows_the_run_again(story, ui):
    told = story().begin().epoch()
    panel = MonitorPanel(told.run)
    log = told.run.path / "events.jsonl"
    aside = log.rename(log.with_name("aside"))
    log.mkdir()  # as unreadable as a log on a disk that is away
    tick(panel)
    assert Screen(panel).failed
    log.rmdir()
    aside.rename(log)
    told.epoch()
    tick(panel)
    assert len(panel.loss_plot.marks[0].val.x) == 2
    panel.close()


def test_axes_say_what_lies_along_them(story, ui):
    told = story().begin()
    told.writer.emit("epoch", epoch=1, val={"iou": {"mito": 0.5}, "loss": 0.4})
    panel = MonitorPanel(told.run)
    assert (panel.metric_plot.x_axis.label, panel.metric_plot.y_axis.label) == ("epoch", "IoU (1 is perfect)")
    told.epoch()
    tick(panel)
    assert (panel.loss_plot.x_axis.label, panel.loss_plot.y_axis.label) == ("optimiser step", "Loss (lower is better)")
    panel.close()


def test_agreement_with_held_out_strokes_is_no_headline(story, ui):
    panel = MonitorPanel(story().begin().epoch().end())
    text = Screen(panel).text
    assert "Score not known yet: predict with it first." in text
    assert "0.900" not in text.partition("Log")[0]
    assert "shows over-fitting, not how good it is" in text
    panel.close()


def test_a_run_that_was_deleted_keeps_its_last_picture(story, ui):
    told = story().begin().epoch(2)
    run = told.end()
    panel = MonitorPanel(run)
    run.delete()
    tick(panel)
    assert panel.focused.state == "finished"
    assert len(panel.loss_plot.marks[0].val.x) == 2
    panel.close()


def test_text_from_the_log_is_shown_as_text(story, ui):
    told = story().begin()
    told.writer.emit("warning", text="<script>alert(1)</script>")
    panel = MonitorPanel(told.run)
    assert "<script>" not in panel.log.value
    assert "&lt;script&gt;" in panel.log.value
    panel.close()


def test_samples_of_several_windows(story, ui):
    told = story().begin().epoch()
    for window in (0, 1):
        (told.run.path / f"{window}.png").write_bytes(PNG + bytes([100 + window]))
        told.writer.emit("sample", epoch=2, window=window, path=f"{window}.png")
    panel = MonitorPanel(told.run)
    assert panel.samples.window.options == ("window 1", "window 2")
    assert panel.samples.slider.max == 1
    panel.samples.window.value = "window 2"
    assert panel.samples.slider.max == 0
    assert panel.samples.image.value == PNG + bytes([101])
    panel.close()


def test_numbers_picture_and_report_are_saved_and_offered(ui, tmp_path):
    pytest.importorskip("matplotlib")
    from voxloop.runs import Runs
    from voxloop.runs.events import EventWriter

    run = Runs(tmp_path / "runs").create("deep-1", "voxloop.deep.learner:train", {})
    writer = EventWriter(run.path / "events.jsonl")
    for step in (1, 2):
        writer.emit("step", iteration=step, loss=1 / step)
    writer.emit("finished")
    writer.close()
    panel = MonitorPanel(run)
    screen = Screen(panel)
    for label, name in (("CSV", "deep-1.csv"), ("PNG", "deep-1.png"), ("Report", "deep-1.html")):
        screen.click(label)
        assert (run.path / "exports" / name).stat().st_size > 50
        assert f'download="{name}"' in screen.markup
    panel.close()


def test_several_runs_say_in_which_settings_they_differ(ui, tmp_path):
    from voxloop.config import DeepConfig, DetectConfig
    from voxloop.panels.monitor.run_table import rows_of
    from voxloop.runs import Runs
    from voxloop.runs.events import EventWriter

    runs = Runs(tmp_path / "runs")
    for name, rate in (("a", 2e-3), ("b", 2e-3), ("c", 5e-3)):
        runs.create(name, "voxloop.deep.learner:train", DeepConfig(learning_rate=rate))
    panel = MonitorPanel([runs[name] for name in "abc"])
    table = panel.list.table.value
    assert "learning rate" in table
    assert table.count("vx-differs") == 1
    assert '<span class="vx-differs"><b>0.005</b></span>' in table
    assert all(head in table for head in (">State<", ">Score<", ">From<"))
    panel.close()
    # what was left to a run stands among its facts and in the list of runs
    runs.create("found", "voxloop.deep.pose.learner:train_detect", DetectConfig())
    runs.create("plain", "voxloop.deep.pose.learner:train_detect", DetectConfig(encoder=""))
    EventWriter(runs["found"].path / "events.jsonl").emit("became", settings={"encoder": "lite0", "sigma": 2.9})
    panel = MonitorPanel([runs["found"]])
    assert "<span>encoder (auto)</span><b>lite0</b>" in panel.facts.value
    panel.close()
    row = rows_of([runs["found"], runs["plain"]], runs, "plain", {}, lambda run: None)[0]
    assert "encoder <b>auto: lite0</b>" in row.cells[4]
    assert row.title == "encoder: auto: lite0 instead of \nsigma became 2.9"
