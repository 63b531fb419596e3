"""All encoders that fit the network, offered once somebody looks for one."""

from __future__ import annotations

from tests.panels.screen import Screen
from tests.panels.train.stand_ins import answer, asked, network

from voxloop.machine import Machine


def test_all_encoders_are_asked_for_once_somebody_looks_for_one(ui, ws, monkeypatch):
    monkeypatch.setattr("voxloop.panels.train.encoder_names.machine", lambda: Machine(memory_gb=16.0, cores=2))
    panel = network(ws)
    form = Screen(panel.form)
    form.click("Optimisation")
    assert asked(panel, "encoders") == []
    form.click("Network")
    field = form.field("Encoder (backbone)")
    assert "resnet18" in field.options
    assert asked(panel, "encoders") == [{"architecture": "Unet"}]
    answer(panel, "encoders", {"state": "done", "encoders": ["resnet18", "tu-regnety_002"]})
    assert field.options == ["resnet18", "tu-regnety_002"]
    field.value = "tu-regnety_040"  # others may be typed as well
    assert panel.config.encoder == "tu-regnety_040"
    panel.change(epochs=7)
    assert len(asked(panel, "encoders")) == 1
    panel.change(architecture="PAN")
    assert asked(panel, "encoders")[-1] == {"architecture": "PAN"}
    answer(panel, "encoders", RuntimeError("the process ended"))
    assert panel.message.kind == "quiet"
    panel.close()
