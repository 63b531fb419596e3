"""The list of trainings: opened, laid over each other, deleted."""

from __future__ import annotations

from tests.panels.screen import Screen
from tests.panels.train.stand_ins import finished

from voxloop.config import ShallowConfig
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.runs.outcome import Outcome


def test_runs_are_listed_newest_first_opened_and_deleted(ui, ws):
    finished(ws, "shallow-1", 0.41)
    finished(ws, "shallow-2", 0.62)
    finished(ws, "predict-1", 0.0, task="voxloop.prediction.task:run")
    panel = TrainPanel(ws)
    assert [row.key for row in panel.runs.list.rows] == ["shallow-2", "shallow-1"]
    cells = Screen(panel).row("shallow-2").cells
    assert "not known yet" in cells
    assert not any("0.62" in cell for cell in cells), "how held-out strokes were told is no score"
    assert "predict with it first" in panel.runs.list.rows[0].cells[2]
    Screen(panel).row("shallow-1").click()
    first = panel.runs.monitor
    Screen(panel).row("shallow-2").click()
    assert first.closed
    Screen(panel).row("shallow-2").click("Delete")
    assert panel.runs.monitor is None
    assert set(ws.runs) == {"shallow-1", "predict-1"}
    assert [row.key for row in panel.runs.list.rows] == ["shallow-1"]
    panel.learner = "deep"
    form = Screen(panel.form)
    form.click("Labels and sets")
    form.field("Advanced").value = True
    assert form.field("Weights of a run or folder").options == ["shallow-1"]
    panel.close()


def test_runs_are_laid_over_each_other_and_what_differs_is_shown(ui, ws):
    finished(ws, "shallow-1", 0.41)
    run = ws.runs.create("shallow-2", "voxloop.shallow.learner:train", ShallowConfig(trees=7), parent="shallow-1")
    panel = TrainPanel(ws)
    panel.open_run("shallow-1")
    panel.refresh()
    row = panel.runs.list.rows[0]
    assert row.key == "shallow-2"
    assert "trees <b>7</b>" in row.cells[4]
    assert "trees: 7 instead of 32" in row.title
    assert ">shallow-1<" in row.cells[3]
    panel.runs.list.do("overlay", "shallow-2")
    assert [one.name for one in panel.runs.monitor.run] == ["shallow-2", "shallow-1"]  # the one chosen is steered
    assert panel.run.name == "shallow-1"
    assert "Hide" in [action.label for action in panel.runs.list.rows[0].actions]
    two, one = panel.runs.list.rows  # one list, which says whose curves these are and what the reference has
    assert "#000000" in two.cells[0]
    assert "#000001" in one.cells[0]
    assert one.cells[4] == '<span class="vx-same">trees <b>32</b></span>'
    finished(ws, "shallow-3", 0.4)
    panel.refresh()
    assert [row.key for row in panel.runs.list.rows] == [
        "shallow-2",
        "shallow-1",
        "shallow-3",
    ]  # drawn first
    Screen(panel).row("shallow-2").click()  # of those drawn: the others stay
    assert [one.name for one in panel.runs.monitor.run] == ["shallow-1", "shallow-2"]
    Screen(panel).row("shallow-1").click()
    panel.refresh()
    panel.runs.list.do("overlay", "shallow-2")
    assert panel.runs.monitor.run.name == "shallow-1"
    panel.runs.list.do("overlay", "shallow-2")
    Screen(panel).row("shallow-2").click("Delete")
    assert not run.path.exists()
    panel.open_run("shallow-1")
    panel.close()


def test_a_run_that_predicts_with_its_classifier_is_marked(ui, ws):
    run = finished(ws, "deep-1", 0.4, task="voxloop.deep.learner:train", learner="deep")
    Outcome(kept="classifier", words="the network is behind").write(run.path)
    panel = TrainPanel(ws)
    assert "classifier kept" in Screen(panel).row("deep-1").text
    panel.change(test_share=0.1)
    assert "75% teach, 15% judge which epoch is kept and 10% are left out" in Screen(panel).text
    panel.learner = "shallow"
    assert "20% of the labels judge" in Screen(panel).text
    panel.close()
