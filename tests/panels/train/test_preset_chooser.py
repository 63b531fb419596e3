"""Which preset the settings are, and the way back to it."""

from __future__ import annotations

import ipywidgets as w
from tests.panels.screen import Screen
from tests.panels.train.stand_ins import enter, network

from voxloop.config import DeepConfig, ShallowConfig, presets
from voxloop.panels.train import preset_chooser
from voxloop.panels.train.train_panel import TrainPanel


def resets(panel):
    """What the buttons beside changed settings say."""
    buttons = [widget for widget in Screen(panel.form).widgets() if isinstance(widget, w.Button)]
    return [made.tooltip for made in buttons if (made.tooltip or "").startswith("back to")]


def test_presets_fill_the_form_and_let_go_when_it_is_changed(ui, ws, monkeypatch):
    quick = DeepConfig(epochs=3)
    monkeypatch.setattr(preset_chooser, "read_presets", lambda: {"quick": quick, "pixels": ShallowConfig(seed=1)})
    panel = TrainPanel(ws)
    panel.learner = "deep"
    assert panel.presets.choice.options == (("—", "—"), ("Quick look", "quick"))
    panel.presets.choice.set_state({"index": 1})
    assert panel.config == quick
    enter(panel, "Optimisation", "Epochs", "4")
    assert panel.presets.choice.value == "quick, 1 changed"
    assert panel.presets.choice.options[0] == ("quick, 1 changed", "quick, 1 changed")
    assert "Changed: epochs" in Screen(panel).text
    assert resets(panel) == ["back to 3"]  # as the preset has it, not as the defaults have
    assert panel.config == DeepConfig(epochs=4)
    Screen(panel).click("Back to it")
    assert panel.config == quick
    assert panel.presets.choice.value == "quick"
    assert "Back to it" not in Screen(panel).buttons
    panel.presets.choice.set_state({"index": 0})
    assert panel.presets.choice.value == "quick"  # words are nothing to choose
    enter(panel, "Optimisation", "Epochs", "5")
    panel.presets.choice.set_state({"index": 1})  # as good a way back
    assert panel.config == quick
    panel.close()


def test_presets_are_listed_by_purpose_and_those_of_other_programs_apart(ui, ws):
    panel = network(ws)
    titles, names = zip(*panel.presets.choice.options[1:], strict=True)
    at = titles.index(preset_chooser.OTHERS)
    assert titles[:3] == ("Recommended", "Quick look", "Thin membranes")
    assert {"sleap-unet", "mia-unet"} <= set(names[at:])
    panel.presets.choice.value = preset_chooser.OTHERS  # words are nothing to choose
    assert panel.presets.choice.value == "auto"
    main = Screen(panel.form).fields[:6]
    assert main[2:] == ["Architecture", "Encoder (backbone)", "Window (patch size) voxels", "Batch size"]
    panel.close()


def test_a_network_begins_with_the_preset_that_is_recommended(ui, ws):
    panel = network(ws)
    assert panel.presets.choice.value == "auto"
    assert panel.config == presets["auto"]
    assert resets(panel) == []
    panel.config = panel.config.changed(batch_size=2)
    assert panel.presets.choice.value == "auto, 1 changed"
    panel.presets.choice.value = "quick"
    assert panel.config == presets["quick"]
    panel.form.value = presets["mia-unet"]  # from Python, by the form itself
    assert panel.presets.choice.value == "mia-unet"
    assert "Not as there: " in Screen(panel).text
    assert "Of the labels 85% teach" in Screen(panel).text
    panel.config = presets["auto"]
    assert panel.presets.choice.value == "auto"
    panel.close()
