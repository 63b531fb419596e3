"""Starting training from a panel."""

from __future__ import annotations

import base64
import sys
from concurrent.futures import Future
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from voxloop.config import DeepConfig, ShallowConfig, presets
from voxloop.errors import ConfigError, LabelError
from voxloop.machine import Machine
from voxloop.panels.base.panel import Panel
from voxloop.panels.train import learners, outlook, preset_chooser, train_panel
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.runs import Run
from voxloop.workspace.workspace import Workspace


class Monitor(Panel):
    """Stands for the monitor: which run, and whether it was closed."""

    def __init__(self, run, *, embedded=False):
        super().__init__(embedded=embedded)
        self.run = run
        self.colors = {one.name: f"#00000{at}" for at, one in enumerate(run if isinstance(run, list) else [run])}


class Helper:
    """Stands for the process: keeps what it is asked, answers when told to."""

    def __init__(self, path):
        self.asked = []
        self.closed = False

    def request(self, kind, **fields):
        answer = SimpleNamespace(future=Future())
        self.asked.append((kind, fields, answer.future))
        return answer

    def last(self, kind):
        return next(item for item in reversed(self.asked) if item[0] == kind)

    def close(self):
        self.closed = True


FORECAST = {
    "memory": 1.2e9,
    "available": 5e9,
    "step_seconds": 0.24,
    "steps": 1500,
    "minutes": 6.0,
    "device": "cpu",
    "window": [1, 256, 256],
    "scale": 0.5,
    "parameters": 2_000_000,
    "advice": "",
    "fits": True,
    "notes": [],
}


@pytest.fixture
def ws(tmp_path, monkeypatch):
    monkeypatch.setattr(outlook, "Helper", Helper)
    stand_in = ModuleType("voxloop.panels.monitor.monitor_panel")
    stand_in.MonitorPanel = Monitor
    monkeypatch.setitem(sys.modules, "voxloop.panels.monitor.monitor_panel", stand_in)
    image = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype("uint8")
    with Workspace.create(tmp_path / "ws", image=image, classes=["background", "mito"]) as made:
        yield made


def paint(ws, value, index=1):
    ws.labels().paint(axis="z", index=index, points=[(10, 10), (40, 40)], radius=4, value=value)


def finished(ws, name, iou, task="voxloop.shallow.learner:train"):
    """A run that has ended, as its folder tells it."""
    from voxloop.runs.events import EventWriter

    run = ws.runs.create(name, task, ShallowConfig())
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit("epoch", epoch=1, val={"iou": {"mito": iou}}, best=True)
    writer.emit("finished")
    writer.close()
    (run.path / "model").mkdir()
    return run


def test_labels_are_counted_and_what_is_missing_is_said(ui, ws, no_leak):
    panel = TrainPanel(ws)
    assert "Nothing is labelled yet" in panel._warnings.value
    paint(ws, 1)
    paint(ws, 1, index=2)
    panel._timers[0].fire()
    assert (panel._facts[0].strokes, panel._facts[0].slices) == (2, 2)
    assert panel._facts[0].voxels == ws.labels().counts()[1]
    assert "Only &#x27;background&#x27; is labelled" in panel._warnings.value
    ws.labels().undo()
    paint(ws, 2)
    panel._timers[0].fire()
    assert [f.strokes for f in panel._facts] == [1, 1]
    panel.close()
    assert no_leak.left() == []
    assert ws.labels()._callbacks == {}


def test_train_starts_what_copy_as_code_says(ui, ws, monkeypatch):
    asked = []
    monkeypatch.setattr(
        ws, "train", lambda config, name=None: asked.append((config, name)) or finished(ws, "quick", 0.5)
    )
    opened = []
    panel = TrainPanel(ws)
    panel.on_run(opened.append)
    panel.learner = "shallow"
    panel.form.value = ShallowConfig(seed=3)
    panel.bar.name.set_state({"value": "quick"})
    assert panel.bar.copy_code.code == panel.code == "run = ws.train(vl.ShallowConfig(seed=3), name='quick')"
    words = f"voxloop train {ws.path} --learner shallow --name quick --set seed=3"
    assert panel.bar.copy_command.code == panel.command == words
    panel.bar.button.click()
    assert asked == [(ShallowConfig(seed=3), "quick")]
    assert isinstance(panel.run, Run)
    assert opened == [panel.run]
    assert panel.runs.monitor.run.name == panel.runs.list.selected == "quick"
    assert "quick has started" in panel.message.words
    panel.close()


def test_a_note_is_given_at_the_start_and_stands_in_the_list(ui, ws, monkeypatch):
    def train(config, note):
        run = finished(ws, "first", 0.5)
        run.note = note
        return run

    monkeypatch.setattr(ws, "train", train)
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.learner = "shallow"
    panel.bar.note.set_state({"value": "a < b"})
    assert panel.code == "run = ws.train(vl.ShallowConfig(), note='a < b')"
    assert panel.command.endswith("--note 'a < b'")
    panel.bar.button.click()
    assert panel.bar.note.value == ""
    assert ">a &lt; b</div>" in panel.runs.list.rows[0].cells[0]
    panel.close()


def test_what_is_predicted_then_is_part_of_the_line(ui, ws, monkeypatch):
    asked = []
    monkeypatch.setattr(ws, "train", lambda config, **given: asked.append(given) or finished(ws, "first", 0.5))
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.learner = "shallow"
    assert panel.bar.then.options == (("nothing", ""), ("image", "image"))
    panel.bar.then.set_state({"index": 1})
    assert panel.code == "run = ws.train(vl.ShallowConfig(), then_predict='image')"
    assert panel.command.endswith("--learner shallow --then-predict image")
    ws.images.add("second", np.zeros((4, 64, 64), "uint8"))
    panel.refresh()
    assert [words for words, _ in panel.bar.then.options] == ["nothing", "the images it learns from", "every image"]
    assert panel.bar.then.value == ""
    panel.bar.then.set_state({"index": 2})
    assert panel.command.endswith("--then-predict '*'")
    panel.bar.button.click()
    assert asked == [{"then_predict": "*"}]
    assert panel.bar.then.value == "*"  # a habit, unlike a name
    panel.close()


def test_what_keeps_training_from_starting_is_said_and_the_button_comes_back(ui, ws):
    panel = TrainPanel(ws)
    assert panel.bar.button.disabled
    panel.bar.button.click()
    assert panel.message.kind == "error"
    assert "nothing is labelled" in panel.message.words
    with pytest.raises(LabelError):
        ws.train(panel.config)
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel.refresh()
    assert not panel.bar.button.disabled
    panel.close()


def test_invalid_settings_are_not_trained_with(ui, ws):
    panel = TrainPanel(ws)
    panel.form._unread[("seed",)] = "seed is empty"
    with pytest.raises(ConfigError, match="seed is empty"):
        panel.train()
    panel.close()


def test_a_learner_that_is_not_installed_says_how_to_get_it(ui, ws, monkeypatch):
    monkeypatch.setattr(learners, "find_spec", lambda name: None if name == "torch" else object())
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    assert panel.learner == "shallow"
    panel.learner = "network"
    assert "torch is not installed: pip install" in panel._needs.value
    assert panel.bar.button.disabled
    panel.learner = "shallow"
    assert not panel.bar.button.disabled
    panel.close()


def test_runs_are_listed_newest_first_opened_and_deleted(ui, ws):
    finished(ws, "shallow-1", 0.41)
    finished(ws, "shallow-2", 0.62)
    finished(ws, "predict-1", 0.0, task="voxloop.prediction.task:run")
    panel = TrainPanel(ws)
    assert [row.key for row in panel.runs.list.rows] == ["shallow-2", "shallow-1"]
    assert "0.620" in panel.runs.list.rows[0].cells
    panel.runs.list.do("open", "shallow-1")
    first = panel.runs.monitor
    panel.runs.list.do("open", "shallow-2")
    assert first.closed
    panel.runs.list.do("delete", "shallow-2")
    assert panel.runs.monitor is None
    assert list(ws.runs) == ["shallow-1", "predict-1"] or set(ws.runs) == {"shallow-1", "predict-1"}
    assert [row.key for row in panel.runs.list.rows] == ["shallow-1"]
    panel.learner = "network"
    assert panel.form._suggestions["start_from"] == ["shallow-1"]
    panel.close()


def test_presets_fill_the_form_and_let_go_when_it_is_changed(ui, ws, monkeypatch):
    quick = DeepConfig(epochs=3)
    monkeypatch.setattr(preset_chooser, "known", lambda: {"quick": quick, "pixels": ShallowConfig(seed=1)})
    monkeypatch.setattr(learners, "find_spec", lambda name: SimpleNamespace())
    panel = TrainPanel(ws)
    panel.learner = "network"
    assert panel.presets.choice.options == ("—", "quick")
    panel.presets.choice.set_state({"index": 1})
    assert panel.config == quick
    panel.form._input(("epochs",), 4)
    assert panel.presets.choice.value == "quick, 1 changed"
    assert panel.presets.choice.options == ("quick, 1 changed", "quick")
    assert panel.presets._about.value == "Changed: epochs"
    panel.form._groups["Optimisation"].open()
    marked = [path for path, field in panel.form._fields.items() if "vx-changed" in field.widget._dom_classes]
    assert marked == [("epochs",)]  # beside the preset, not beside the defaults
    assert panel.form._fields["epochs",]._reset.tooltip == "back to 3"
    assert panel.config == DeepConfig(epochs=4)
    panel.presets._back.click()
    assert panel.config == quick
    assert panel.presets.choice.value == "quick"
    assert "vx-hidden" in panel.presets._back._dom_classes
    panel.presets.choice.set_state({"index": 0})
    assert panel.presets.choice.value == "quick"  # words are nothing to choose
    panel.form._input(("epochs",), 5)
    panel.presets.choice.set_state({"index": 1})  # as good a way back
    assert panel.config == quick
    panel.close()


def test_looking_again_sends_nothing_where_nothing_changed(ui, ws, messages):
    finished(ws, "shallow-1", 0.41)
    paint(ws, 1)
    panel = TrainPanel(ws)
    panel._timers[0].fire()
    messages.clear()
    for _ in range(5):
        panel._timers[0].fire()
    assert messages == []
    paint(ws, 2)
    panel._timers[0].fire()
    assert 1 <= len(messages) <= 3
    panel.close()


def test_a_run_that_disappears_while_it_is_looked_at_does_not_end_the_looking(ui, ws, monkeypatch):
    finished(ws, "shallow-1", 0.41)
    panel = TrainPanel(ws)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "state", property(lambda self: (_ for _ in ()).throw(FileNotFoundError("gone"))))
        panel._timers[0].fire()
    assert panel.message.kind == "quiet"
    finished(ws, "shallow-2", 0.5)
    panel._timers[0].fire()
    assert [row.key for row in panel.runs.list.rows] == ["shallow-2", "shallow-1"]
    panel.close()


def network(ws):
    """A panel with the network chosen and two classes labelled."""
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.learner = "network"
    return panel


def tick(panel, times=2):
    for _ in range(times):
        panel._timers[0].fire()


def test_where_memory_is_short_no_process_is_started_before_somebody_means_to_use_a_network(ui, ws, monkeypatch):
    monkeypatch.setattr(train_panel, "machine", lambda: Machine(memory_gb=4.0, cores=2))
    finished(ws, "deep-1", 0.5, task="voxloop.deep.learner:train")
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    assert panel.learner == "network"
    tick(panel, 4)
    assert panel.ahead.helper is None
    panel.form._input(("epochs",), 7)
    tick(panel)
    assert panel.ahead.helper.last("forecast")[1]["config"]["epochs"] == 7
    panel.close()
    assert panel.ahead.helper.closed


def test_a_panel_that_opens_with_a_network_asks_for_a_forecast_once(ui, ws, warmed, monkeypatch):
    monkeypatch.setattr(train_panel, "machine", lambda: Machine(memory_gb=16.0, cores=2))
    finished(ws, "deep-1", 0.5, task="voxloop.deep.learner:train")
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    assert panel.ahead.helper is None  # the panel is there first
    tick(panel)
    assert panel.ahead.helper.last("forecast")[1]["config"] == panel.config.to_json()
    assert not warmed
    paint(ws, 2, index=3)
    tick(panel, 3)
    assert len(panel.ahead.helper.asked) == 1  # nobody may be looking
    panel.refresh()  # opened again
    tick(panel, 3)
    assert len(panel.ahead.helper.asked) == 2
    panel.close()


def test_forecast_is_shown_and_asked_anew_when_settings_change(ui, ws):
    panel = network(ws)
    tick(panel)
    assert panel.forecast is None
    panel.ahead.helper.last("forecast")[2].set_result(FORECAST)
    assert "6 min" in panel.ahead.words.value
    assert "1.2 GB" in panel.ahead.words.value
    assert panel.forecast == FORECAST
    tick(panel, 3)
    assert len(panel.ahead.helper.asked) == 1
    panel.form._input(("batch_size",), 8)
    assert panel.forecast is None
    tick(panel)
    assert panel.ahead.helper.last("forecast")[1]["config"]["batch_size"] == 8
    panel.close()


def test_what_cannot_fit_is_not_started(ui, ws, monkeypatch):
    monkeypatch.setattr(ws, "train", lambda *_, **__: pytest.fail("started"))
    panel = network(ws)
    tick(panel)
    panel.ahead.helper.last("forecast")[2].set_result({**FORECAST, "advice": "this needs 9 GB; use batch_size=2"})
    assert "use batch_size=2" in panel.ahead.words.value
    panel.bar.button.click()
    assert "use batch_size=2" in panel.message.words
    panel.close()


def test_notes_stand_beside_the_button_that_helps(ui, ws, no_leak):
    panel = network(ws)
    tick(panel)
    notes = [
        {"words": "'a' is 40 times 'b'.", "kind": "warning", "fix": {"class_weights": "auto"}},
        {"words": "Too few labels.", "kind": "warning", "fix": {}},
        {"words": "'a' is thin.", "kind": "warning", "fix": {"scale": 1.0, "architecture": "Unet"}},
    ]
    panel.ahead.helper.last("forecast")[2].set_result({**FORECAST, "notes": notes})
    words, fix = panel.ahead.notes.children[0].children
    assert "40 times" in words.value
    assert fix.description == "Use class weights auto"
    assert panel.ahead.notes.children[2].children[1].description == "Use scale 1, architecture Unet"
    fix.click()
    assert panel.config == presets["auto"].changed(class_weights="auto")
    tick(panel)
    panel.ahead.helper.last("forecast")[2].set_result(FORECAST)
    assert panel.ahead.notes.children == ()
    panel.close()
    assert no_leak.left() == []


def test_a_network_begins_with_the_preset_that_is_recommended(ui, ws):
    panel = network(ws)
    assert panel.presets.choice.value == "auto"
    assert panel.config == presets["auto"]
    assert [group.name for group in panel.form._groups.values() if group._note.value] == []  # nothing was changed
    panel.form.value = panel.config.changed(batch_size=2)
    panel._settings_changed()
    assert panel.presets.choice.value == "auto, 1 changed"
    panel.presets.choice.value = "quick"
    assert panel.config == presets["quick"]
    panel.form.value = presets["auto"]
    panel._settings_changed()
    assert panel.presets.choice.value == "auto"
    panel.close()


def test_an_error_of_the_helper_is_a_note(ui, ws):
    panel = network(ws)
    tick(panel)
    panel.ahead.helper.last("forecast")[2].set_exception(LabelError("labels of 'image' have another shape"))
    assert "another shape" in panel.ahead.notes.children[0].value
    panel.close()


def test_no_forecast_while_a_training_needs_the_machine(ui, ws, monkeypatch):
    finished(ws, "deep-1", 0.5)
    monkeypatch.setattr(Run, "state", property(lambda self: "running"))
    panel = network(ws)
    tick(panel, 4)
    assert panel.ahead.helper is None
    panel.close()


def png():
    import io

    import imageio.v3 as iio

    stream = io.BytesIO()
    iio.imwrite(stream, np.zeros((8, 8, 3), np.uint8), extension=".png")
    return base64.b64encode(stream.getvalue()).decode()


def test_training_inputs_open_follow_and_turn(ui, ws, no_leak):
    panel = network(ws)
    inputs = panel.ahead.previews[0]
    tick(panel, 3)
    assert not [kind for kind, *_ in panel.ahead.helper.asked if kind == "inputs"]
    inputs.fold.open()
    _, fields, future = panel.ahead.helper.last("inputs")
    assert fields["batch"] == 0
    assert fields["config"] == panel.config.to_json()
    future.set_result(
        {
            "png": png(),
            "batch": 0,
            "windows": 4,
            "size": [128, 128],
            "scale": 0.5,
            "counts": {"a<b": 1200, "c": 3},
            "colors": ["#112233", "#445566"],
        }
    )
    assert inputs.image.value[:4] == b"\x89PNG"
    assert "4 windows of 128 × 128 at 0.5" in inputs.words.value
    assert "a&lt;b 1,200" in inputs.words.value
    inputs._next.click()
    assert panel.ahead.helper.last("inputs")[1]["batch"] == 1
    panel.form._input(("scale",), "1")
    tick(panel)
    assert panel.ahead.helper.last("inputs")[1]["config"]["scale"] == 1.0
    paint(ws, 2, index=3)
    tick(panel)
    assert len([kind for kind, *_ in panel.ahead.helper.asked if kind == "inputs"]) == 4
    panel.close()
    assert no_leak.left() == []


def test_receptive_field_is_drawn_and_follows_the_picture(ui, ws, no_leak):
    panel = network(ws)
    field = panel.ahead.previews[1]
    field.fold.open()
    _, fields, future = panel.ahead.helper.last("receptive_field")
    assert fields["image"] == ws.images.names[0]
    future.set_result(
        {
            "at": [2, 32, 32],
            "theoretical": None,
            "theoretical_um": None,
            "effective": [21, 21],
            "effective_um": [0.21, 0.21],
            "window": [64, 64],
            "slices": 3,
            "scale": 1,
        }
    )
    middle, window, seen = field.view._shapes
    assert middle.points == [(32, 32)]
    assert seen.points == [(21.5, 21.5), (42.5, 42.5)]
    assert (window.dashed, seen.dashed) == (True, False)
    assert "21 × 21 voxels (0.21 × 0.21 µm) in 3 slices" in field.words.value
    assert "can see the whole window" in field.words.value
    field.view.widget.index = 0
    assert panel.ahead.helper.last("receptive_field")[1]["at"] == [0, 32, 32]
    panel.close()
    assert no_leak.left() in ([], ["_CanvasManager"])  # one for all canvases of the process


def test_receptive_field_is_dragged_and_follows_the_settings(ui, ws, no_leak):
    def asked():
        return [fields for kind, fields, _ in panel.ahead.helper.asked if kind == "receptive_field"]

    def answer(effective, theoretical, at):
        panel.ahead.helper.last("receptive_field")[2].set_result(
            {
                "at": at,
                "theoretical": [theoretical] * 2,
                "theoretical_um": [1.0, 1.0],
                "effective": [effective] * 2,
                "effective_um": [0.2, 0.2],
                "window": [64, 64],
                "slices": 1,
                "scale": 1,
            }
        )

    panel = network(ws)
    field = panel.ahead.previews[1]
    field.fold.open()
    answer(21, 41, [2, 32, 32])
    assert [shape.words for shape in field.view._shapes] == ["", "window", "can see", "sees"]
    assert field.view.tool["draws"] == "place"
    drag = {"kind": "click", "tool": "place", "axis": "z", "index": 2}
    field.view._handle({**drag, "row": 20.2, "column": 70.0, "last": False}, [])
    assert field.view._shapes[-1].points == [(9.5, 52.5), (30.5, 73.5)]  # at once, and no further than the image
    assert len(asked()) == 1
    field.view._handle({**drag, "row": 24.0, "column": 30.0, "last": True}, [])
    assert [fields["at"] for fields in asked()] == [None, [2, 24, 30]]
    answer(31, 41, [2, 24, 30])
    assert field.view._shapes[-1].points == [(8.5, 14.5), (39.5, 45.5)]
    for setting, value in (("scale", "0.5"), ("architecture", "UNet3d"), ("levels", 3)):
        panel.form._input((setting,), value)
        tick(panel)
        assert str(asked()[-1]["config"][setting]) == str(value)
        assert asked()[-1]["at"] == [2, 24, 30]
    answer(11, 81, [2, 24, 30])
    _, _, limit, seen = field.view._shapes
    assert limit.points == [(-16.5, -10.5), (64.5, 70.5)]
    assert seen.points == [(18.5, 24.5), (29.5, 35.5)]
    panel.close()
    assert no_leak.left() in ([], ["_CanvasManager"])  # one for all canvases of the process


def test_rate_finder_offers_what_it_found(ui, ws, no_leak):
    panel = network(ws)
    rate = panel.ahead.previews[2]
    rate.fold.open()
    assert not [kind for kind, *_ in panel.ahead.helper.asked if kind == "rate"], "only the button asks"
    panel.form._input(("batch_size",), "3")
    rate._find.click()  # at once: nothing has looked at the settings since
    assert panel.ahead.helper.last("rate")[1]["config"]["batch_size"] == 3
    rates = np.geomspace(1e-6, 1, 20)
    panel.ahead.helper.last("rate")[2].set_result(
        {"rates": rates.tolist(), "losses": (1 - rates**0.1).tolist(), "suggestion": 0.0021}
    )
    assert "0.0021" in rate.words.value
    rate._use.click()
    assert panel.config.learning_rate == 0.0021
    panel.close()
    assert no_leak.left() == []


def test_a_failed_preview_says_why_in_its_fold(ui, ws):
    panel = network(ws)
    inputs = panel.ahead.previews[0]
    inputs.fold.open()
    panel.ahead.helper.last("inputs")[2].set_exception(LabelError("only 'a' is labelled"))
    assert "only &#x27;a&#x27; is labelled" in inputs.words.value
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
    panel.runs.list.do("open", "shallow-2")  # of those drawn: the others stay
    assert [one.name for one in panel.runs.monitor.run] == ["shallow-1", "shallow-2"]
    panel.runs.list.do("open", "shallow-1")
    panel.refresh()
    panel.runs.list.do("overlay", "shallow-2")
    assert panel.runs.monitor.run.name == "shallow-1"
    panel.runs.list.do("overlay", "shallow-2")
    panel.runs.list.do("delete", "shallow-2")
    assert not run.path.exists()
    panel.open_run("shallow-1")
    panel.close()


def test_all_encoders_are_asked_for_once_somebody_looks_for_one(ui, ws, monkeypatch):
    monkeypatch.setattr("voxloop.panels.train.encoder_names.machine", lambda: Machine(memory_gb=16.0, cores=2))
    panel = network(ws)
    panel.form._groups["Optimisation"].open()
    assert panel.ahead.helper is None or not [kind for kind, *_ in panel.ahead.helper.asked if kind == "encoders"]
    panel.form._groups["Network"].open()
    field = panel.form._fields["encoder",].input
    assert "resnet18" in field.options
    kind, fields, answer = panel.ahead.helper.asked[-1]
    assert (kind, fields) == ("encoders", {"architecture": "Unet"})
    answer.set_result({"state": "done", "encoders": ["resnet18", "tu-regnety_002"]})
    assert field.options == ("resnet18", "tu-regnety_002")
    field.set_state({"value": "tu-regnety_040"})  # others may be typed as well
    assert panel.config.encoder == "tu-regnety_040"
    panel._change(epochs=7)
    assert panel.ahead.helper.last("encoders")[2] is answer
    panel._change(architecture="PAN")
    assert panel.ahead.helper.last("encoders")[1] == {"architecture": "PAN"}
    panel.ahead.helper.last("encoders")[2].set_exception(RuntimeError("the process ended"))
    assert panel.message.kind == "quiet"
    panel.close()


def test_a_trainer_is_kept_ready_once_a_network_is_meant(ui, ws, warmed, monkeypatch):
    monkeypatch.setattr(train_panel, "missing", lambda learner: None)
    paint(ws, 1)
    paint(ws, 2, index=2)
    panel = TrainPanel(ws)
    panel.refresh()
    assert not warmed
    panel.learner = "network"
    panel.refresh()
    assert set(warmed) == {"voxloop.deep.learner:train"}
    panel.close()
