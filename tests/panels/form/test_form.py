"""Forms made from configs."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import model_validator
from tests.panels.screen import Screen

from voxloop.config import Config, DeepConfig, setting, settings_of
from voxloop.errors import ConfigError
from voxloop.panels.form.fields import from_text, to_text
from voxloop.panels.form.form import Form


class Turn(Config):
    on: bool = setting(True, "use it")
    angle: float = setting(30.0, "largest angle", unit="degrees", ge=0, le=180)
    range: tuple[float, float] = setting((0.5, 2.0), "smallest and largest")


class Extras(Config):
    turn: Turn = setting(Turn, "turn it")
    shake: Turn = setting(Turn, "shake it", advanced=True)


class Sample(Config):
    name: str | None = setting(None, "what it is called")
    images: tuple[str, ...] | None = setting(None, "which images")
    count: int = setting(3, "how many", ge=1, le=9)
    rate: float = setting(1e-3, "how fast", group="Speed", gt=0, le=1, log=True)
    share: float = setting(0.25, "how much", group="Speed", ge=0, le=0.5, step=0.05)
    mode: Literal["slow", "fast"] = setting("slow", "the manner", group="Speed")
    first: float = setting(1.0, "weight of the first", group="Weights", ge=0)
    second: float = setting(0.0, "weight of the second", group="Weights", ge=0, advanced=True)
    extras: Extras = setting(Extras, "what else", group="Extras")

    @model_validator(mode="after")
    def _some(self) -> Sample:
        if self.first == self.second == 0:
            raise ConfigError("first and second are both 0")
        return self


def type_in(form, value, *path):
    widget = form.reveal(*path).input
    if hasattr(widget, "index"):  # a list of choices; the page sends the index
        widget.set_state({"index": widget.options.index(value)})
    else:
        widget.set_state({"value": value})


def test_settings_of_another_network_are_hidden(ui, no_leak):
    form = Form(DeepConfig)
    shown = {n: form.reveal(n).widget for n in ("encoder", "slices", "levels", "width")}

    def visible():
        return {n for n, widget in shown.items() if "vx-hidden" not in widget._dom_classes}

    assert visible() == {"encoder", "slices", "levels"}
    type_in(form, "DynUNet", "architecture")
    assert form.value.architecture == "DynUNet"
    assert visible() == {"levels", "width"}
    type_in(form, "3,129,129", "window")
    assert form.value.window == (3, 129, 129)
    type_in(form, "Unet", "architecture")  # its windows are another's: said, not taken
    assert "write 1,128,128" in form.errors["architecture"]
    type_in(form, "auto", "window")
    assert (form.value.architecture, form.errors) == ("Unet", {})
    assert visible() == {"encoder", "slices", "levels"}
    form.close()


def test_groups_are_built_when_opened(ui, no_leak):
    form = Form(Sample)
    first = len(no_leak.left())
    assert "Rate" not in Screen(form).fields
    Screen(form).click("Speed")
    assert len(no_leak.left()) > first
    assert "Rate" in Screen(form).fields
    assert "Turn" not in Screen(form).fields
    form.close()
    assert no_leak.left() == []


def test_opening_a_group_is_told(ui):
    opened = []
    form = Form(Sample, on_open=opened.append)
    Screen(form).click("Speed")
    assert opened == ["Basic", "Speed"]
    form.close()


def test_what_is_typed_becomes_the_config(ui):
    seen = []
    form = Form(Sample, on_change=seen.append)
    type_in(form, "5", "count")
    type_in(form, "1e-2", "rate")
    type_in(form, "fast", "mode")
    type_in(form, "a, b c", "images")
    type_in(form, "0.1,3", "extras", "turn", "range")
    assert form.value == Sample(
        count=5, rate=0.01, mode="fast", images=("a", "b c"), extras={"turn": {"range": (0.1, 3.0)}}
    )
    assert seen[-1] == form.value
    assert Screen(form).code == form.code == form.value.code()
    type_in(form, "", "images")
    assert form.value.images is None


def test_an_invalid_entry_stays_with_its_reason_and_the_last_valid_value_is_kept(ui):
    form = Form(Sample)
    type_in(form, "12", "count")
    assert form.value.count == 3
    assert "12" in form.errors["count"]
    assert "vx-invalid" in form.reveal("count").widget._dom_classes
    type_in(form, "many", "count")
    assert "1 to 9" in form.errors["count"]
    type_in(form, "x", "name")
    assert "1 to 9" in form.errors["count"], "another field's change must not take the error back"
    type_in(form, "4", "count")
    assert form.errors == {}
    assert form.value.count == 4
    assert "vx-invalid" not in form.reveal("count").widget._dom_classes


def test_entries_that_are_valid_only_together_are_taken_together(ui):
    form = Form(Sample)
    type_in(form, "0", "first")
    assert "both 0" in form.errors["first"]
    type_in(form, "2", "second")
    assert form.errors == {}
    assert (form.value.first, form.value.second) == (0, 2)


def test_a_changed_setting_is_marked_and_reset(ui):
    form = Form(Sample, Sample(count=7))
    count = form.reveal("count")
    assert "vx-changed" in count.widget._dom_classes
    Screen(form).click("↺")
    assert form.value == Sample()
    assert count.input.value == "3"
    assert "vx-changed" not in count.widget._dom_classes


def test_a_label_tells_the_help_of_its_setting(ui):
    form = Form(Sample)
    assert '<span title="how many">Count</span>' in form.reveal("count").input.description
    assert 'title="use it"' not in form.reveal("extras", "turn", "on").input.description
    assert 'title="turn it"' in form.reveal("extras", "turn", "on").input.description


def test_setting_the_value_shows_it_and_drops_what_was_invalid(ui):
    form = Form(Sample)
    type_in(form, "99", "count")
    form.value = Sample(count=8)
    assert form.reveal("count").input.value == "8"
    assert form.errors == {}
    assert "1 changed" in Screen(form).text


def test_advanced_settings_appear_when_asked_for_and_when_searched(ui):
    form = Form(Sample)
    form.reveal("second")
    screen = Screen(form)
    assert "Second" not in screen.fields
    screen.field("Advanced").value = True
    assert "Second" in screen.fields
    screen.field("Advanced").value = False
    assert "Second" not in screen.fields
    screen.field("Search settings").value = "second weight"
    assert "Second" in screen.fields
    assert "Speed" not in screen.buttons
    screen.field("Search settings").value = ""
    assert "Second" not in screen.fields
    assert "Speed" in screen.buttons


def test_a_search_finds_nested_settings(ui):
    form = Form(Sample)
    Screen(form).field("Search settings").value = "degrees"
    assert form.groups["Extras"].is_open
    assert "Shake" in Screen(form).fields


def test_a_switch_hides_its_settings(ui):
    form = Form(Sample)
    form.reveal("extras", "turn", "angle")
    screen = Screen(form)
    assert "angle 30" in screen.text
    assert "Angle degrees" in screen.fields
    screen.field("Turn").value = False
    assert not form.value.extras.turn.on
    assert "Angle degrees" not in screen.fields
    assert "angle 30" not in screen.text


def test_all_switches_of_a_group_at_once(ui, no_leak):
    seen = []
    form = Form(Sample, on_change=seen.append)
    preset = Sample(extras={"turn": {"angle": 90}, "shake": {"on": False}})
    form.compare(preset)
    turn = form.reveal("extras", "turn", "on").input
    screen = Screen(form)
    type_in(form, "often", "count")  # nothing that could be meant
    screen.click("All off")
    assert (form.value.extras.turn.on, form.value.extras.shake.on, turn.value) == (False, False, False)
    assert form.value.extras.turn.angle == 30
    screen.click("As the preset")
    assert (form.value.extras, turn.value) == (preset.extras, True)
    assert seen == [form.value.changed(extras={"turn": {"on": False}, "shake": {"on": False}}), form.value]
    assert "count" in form.errors
    before = set(screen.fields)
    screen.click("Speed")
    assert len(set(screen.fields) - before) == 3  # its settings and no more
    form.close()
    assert no_leak.left() == []


def test_choices_come_from_the_workspace(ui):
    form = Form(Sample, choices={"name": ["a", "b"]})
    assert form.reveal("name").input.options == ("—", "a", "b")
    type_in(form, "b", "name")
    form.set_choices("name", ["b", "c"])
    assert form.reveal("name").input.value == "b"
    assert form.value.name == "b"


def test_suggestions_leave_other_text_possible(ui):
    form = Form(Sample, suggestions={"name": []})
    form.set_choices("name", ["run-1"])
    assert form.reveal("name").input.options == ("run-1",)
    type_in(form, "/somewhere/model", "name")
    assert form.value.name == "/somewhere/model"


def paths_to(setting):
    """Paths to the fields that a setting has: its own, or those of what is nested in it."""
    if setting.config is None:
        return [(setting.name,)]
    return [(setting.name, *path) for inner in settings_of(setting.config) for path in paths_to(inner)]


@pytest.mark.parametrize("only", [None, lambda s: s.live])
def test_every_setting_of_the_deep_learner_has_a_field(ui, no_leak, only):
    form = Form(DeepConfig, only=only)
    for one in settings_of(DeepConfig):
        if only is None or only(one):
            for path in paths_to(one):
                assert form.reveal(*path).input
    assert form.value == DeepConfig()
    form.close()
    assert no_leak.left() == []


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("window", "1,128,256", (1, 128, 256)),
        ("window", "130", None),
        ("learning_rate", "3e-4", 3e-4),
        ("slices", 3, 3),
    ],
)
def test_settings_of_the_deep_learner(ui, name, words, value):
    form = Form(DeepConfig)
    type_in(form, words, name)
    if value is None:
        assert "nearest are 128 and 160" in form.errors[name]
    else:
        assert getattr(form.value, name) == value


_TUPLE = next(s for s in settings_of(Turn) if s.name == "range")
_FLOAT = next(s for s in settings_of(Sample) if s.name == "rate")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_text(value):
    assert from_text(_FLOAT, to_text(value)) == value


@given(st.lists(st.integers(0, 4096), min_size=1, max_size=4), st.sampled_from([",", ", ", " ", ";", "x", "×"]))
def test_sizes_are_read_however_they_are_separated(sizes, separator):
    assert from_text(_TUPLE, separator.join(map(str, sizes))) == tuple(sizes)


def test_what_is_no_number_says_what_to_write():
    with pytest.raises(ConfigError, match=r"numbers like 0\.5, 2"):
        from_text(_TUPLE, "a, b")
