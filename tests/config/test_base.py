from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.config import Config, DeepConfig, PredictConfig, ShallowConfig, setting, settings_of
from voxloop.errors import ConfigError


class Inner(Config):
    share: float = setting(0.5, "how much", ge=0, le=1, step=0.1)


class Example(Config):
    count: int = setting(3, "how many", ge=1, le=9, unit="voxels", group="Windows")
    kind: Literal["a", "b"] = setting("a", "which")
    name: str | None = setting(None, "whose", choices=["anna", "otto"])
    window: tuple[int, int, int] = setting((1, 64, 64), "how large")
    inner: Inner = setting(Inner, "nested", advanced=True)


CONFIGS = [Example, ShallowConfig, DeepConfig, PredictConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_json_round_trip(config):
    assert config.from_json(config().to_json()) == config()


@pytest.mark.parametrize("config", CONFIGS)
def test_every_setting_has_help_and_a_default_within_bounds(config):
    for found in settings_of(config):
        assert found.help, found.name
        if found.kind in ("int", "float") and found.default is not None:
            assert found.low is None or found.default >= found.low, found.name
            assert found.high is None or found.default <= found.high, found.name


@given(st.integers(1, 9), st.sampled_from("ab"), st.none() | st.text(max_size=5), st.floats(0, 1))
def test_code_makes_the_same_config(count, kind, name, share):
    config = Example(count=count, kind=kind, name=name, inner={"share": share})
    made = eval(config.code(), {"vl": type("vl", (), {"Example": Example})})
    assert made == config


def test_code_names_only_what_differs():
    assert Example().code() == "vl.Example()"
    assert Example(count=4).code() == "vl.Example(count=4)"


def test_unknown_settings_are_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'count'"):
        Example(counts=3)


def test_values_out_of_bounds_say_what_was_given():
    with pytest.raises(ConfigError, match=r"count=12 .*9"):
        Example(count=12)


def test_votes_are_a_number_or_its_text():
    assert PredictConfig(votes=3) == PredictConfig(votes="3")
    with pytest.raises(ConfigError, match="votes"):
        PredictConfig(votes=5)


def test_configs_are_frozen_and_changed_copies_are_checked():
    config = Example()
    assert config.changed(count=5).count == 5
    assert config.count == 3
    with pytest.raises(ConfigError):
        config.changed(count=0)


def test_settings_describe_the_fields():
    count, kind, name, window, inner = settings_of(Example)
    assert (count.kind, count.low, count.high, count.unit, count.group) == ("int", 1, 9, "voxels", "Windows")
    assert (kind.kind, kind.choices) == ("choice", ("a", "b"))
    assert (name.kind, name.optional, name.choices) == ("text", True, ("anna", "otto"))
    assert window.kind == "tuple"
    assert (inner.kind, inner.config, inner.advanced) == ("config", Inner, True)
