"""What a training will see, in folds: inputs, field of view, learning rate."""

from __future__ import annotations

import base64

import numpy as np
from tests.panels.screen import Screen, send
from tests.panels.train.stand_ins import answer, asked, enter, network, paint

from voxloop.errors import LabelError


def png():
    import io

    import imageio.v3 as iio

    stream = io.BytesIO()
    iio.imwrite(stream, np.zeros((8, 8, 3), np.uint8), extension=".png")
    return base64.b64encode(stream.getvalue()).decode()


def test_training_inputs_open_follow_and_turn(ui, ws, no_leak):
    panel = network(ws)
    inputs = panel.ahead.inputs
    Screen(panel).wait(3)
    assert asked(panel, "inputs") == []
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
    Screen(panel).click("Next batch")
    assert asked(panel, "inputs")[-1]["batch"] == 1
    enter(panel, "Windows", "Scale ×", "1")
    Screen(panel).wait(2)
    assert asked(panel, "inputs")[-1]["config"]["scale"] == 1.0
    paint(ws, 2, index=3)
    Screen(panel).wait(2)
    assert len(asked(panel, "inputs")) == 4
    panel.close()
    assert no_leak.left() == []


def test_receptive_field_is_drawn_and_follows_the_picture(ui, ws, no_leak):
    panel = network(ws)
    field = panel.ahead.field
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
    middle, window, seen = field.view.shapes
    assert middle.points == [(32, 32)]
    assert seen.points == [(21.5, 21.5), (42.5, 42.5)]
    assert (window.dashed, seen.dashed) == (True, False)
    assert "21 × 21 voxels (0.21 × 0.21 µm) in 3 slices" in field.words.value
    assert "can see the whole window" in field.words.value
    field.view.widget.index = 0
    assert asked(panel, "receptive_field")[-1]["at"] == [0, 32, 32]
    panel.close()
    assert no_leak.left() in ([], ["_CanvasManager"])  # one for all canvases of the process


def test_receptive_field_is_dragged_and_follows_the_settings(ui, ws, no_leak):
    def places():
        return [fields["at"] for fields in asked(panel, "receptive_field")]

    def see(effective, theoretical, at):
        sizes = {"theoretical": [theoretical] * 2, "effective": [effective] * 2, "window": [64, 64]}
        um = {"theoretical_um": [1.0, 1.0], "effective_um": [0.2, 0.2]}
        answer(panel, "receptive_field", {"at": at, **sizes, **um, "slices": 1, "scale": 1})

    panel = network(ws)
    field = panel.ahead.field
    field.fold.open()
    see(21, 41, [2, 32, 32])
    assert [shape.words for shape in field.view.shapes] == ["", "window", "can see", "sees"]
    assert field.view.tool["draws"] == "place"
    drag = {"kind": "click", "tool": "place", "axis": "z", "index": 2}
    send(field.view.widget, {**drag, "row": 20.2, "column": 70.0, "last": False})
    assert field.view.shapes[-1].points == [(9.5, 52.5), (30.5, 73.5)]  # at once, and no further than the image
    assert len(places()) == 1
    send(field.view.widget, {**drag, "row": 24.0, "column": 30.0, "last": True})
    assert places() == [None, [2, 24, 30]]
    see(31, 41, [2, 24, 30])
    assert field.view.shapes[-1].points == [(8.5, 14.5), (39.5, 45.5)]
    for setting, value in (("scale", 0.5), ("architecture", "UNet3d"), ("levels", 3)):
        panel.change(**{setting: value})
        Screen(panel).wait(2)
        assert asked(panel, "receptive_field")[-1]["config"][setting] == value
        assert places()[-1] == [2, 24, 30]
    see(11, 81, [2, 24, 30])
    _, _, limit, seen = field.view.shapes
    assert limit.points == [(-16.5, -10.5), (64.5, 70.5)]
    assert seen.points == [(18.5, 24.5), (29.5, 35.5)]
    panel.close()
    assert no_leak.left() in ([], ["_CanvasManager"])  # one for all canvases of the process


def test_rate_finder_offers_what_it_found(ui, ws, no_leak):
    panel = network(ws)
    rate = panel.ahead.rate
    rate.fold.open()
    assert asked(panel, "rate") == [], "only the button asks"
    enter(panel, "Optimisation", "Batch size", "3")
    Screen(panel).click("Find a learning rate")  # at once: nothing has looked at the settings since
    assert asked(panel, "rate")[-1]["config"]["batch_size"] == 3
    rates = np.geomspace(1e-6, 1, 20)
    answer(panel, "rate", {"rates": rates.tolist(), "losses": (1 - rates**0.1).tolist(), "suggestion": 0.0021})
    assert "0.0021" in rate.words.value
    Screen(panel).click("Use it")
    assert panel.config.learning_rate == 0.0021
    panel.close()
    assert no_leak.left() == []


def test_a_failed_preview_says_why_in_its_fold(ui, ws):
    panel = network(ws)
    inputs = panel.ahead.inputs
    inputs.fold.open()
    answer(panel, "inputs", LabelError("only 'a' is labelled"))
    assert "only &#x27;a&#x27; is labelled" in inputs.words.value
    panel.close()
