"""Commands for a terminal: what is written there is read back as the same settings."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.cli import main
from voxloop.config import Config, DeepConfig, ShallowConfig, presets, settings_of
from voxloop.config.commands import changes_of, config_of, resume_command, train_command
from voxloop.errors import ConfigError


def read(command: str) -> tuple[Config, dict]:
    """The settings that the command line takes from a command, and its other options."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("voxloop", "train")
    with main.commands["train"].make_context("train", words) as context:
        given = dict(context.params)
    config = config_of(given["learner"], given["preset"], given.pop("config_file"), given.pop("changes"))
    return config, given


#: words as people write them, and words that look like something else
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12) | st.sampled_from(
    ["5", "0.5", "null", "true", "NaN", '"quoted"', "[1, 2]", "{}", "a=b", "it's", "$HOME", " padded ", "--set"]
)


def values(setting):
    """Values of a setting, most of them legal."""
    if setting.kind == "config":
        names = settings_of(setting.config)
        return st.fixed_dictionaries({}, optional={inner.name: values(inner) for inner in names})
    low, high = setting.low or 0, min(setting.high or 50, 1e4)
    made = {
        "bool": st.booleans(),
        "int": st.integers(int(low), int(high)),
        "float": st.floats(low, high, allow_nan=False),
        "choice": st.sampled_from(setting.choices or ("auto",)),
        "tuple": st.just(setting.default) | st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        "text": st.sampled_from(setting.choices or ("x",)) | TEXT,
    }[setting.kind]
    return made | st.just(setting.default) | (st.none() if setting.optional else st.nothing())


def legal(config: Config, changes: dict) -> Config:
    """``config`` with as many of the changes as it takes."""
    for name, value in changes.items():
        try:
            config = config.changed(**{name: value})
        except ConfigError:
            continue
    return config


def configs(kind: type[Config]):
    bases = [kind(), *(known for known in presets.values() if isinstance(known, kind))]
    changes = st.fixed_dictionaries({}, optional={setting.name: values(setting) for setting in settings_of(kind)})
    return st.builds(legal, st.sampled_from(bases), changes)


@given(configs(DeepConfig) | configs(ShallowConfig))
def test_a_command_gives_the_settings_back_that_it_was_made_from(config):
    found, _ = read(train_command(Path("/data/my cells"), config))
    assert repr(found) == repr(config)  # a sigma that is not a number equals nothing


@given(TEXT, TEXT)
def test_other_options_come_through_the_shell(name, folder):
    path = Path("/data") / folder.replace("/", "-")
    command = train_command(path, ShallowConfig(), name=name, note="", many=None)
    found, options = read(command)
    assert (found, options["workspace"], options["name"]) == (ShallowConfig(), path, name)
    assert "--note" not in command


def test_commands_are_short():
    folder = Path("/data/ws")
    assert train_command(folder, presets["auto"]) == "voxloop train /data/ws --preset auto"
    assert train_command(folder, DeepConfig(seed=3)) == "voxloop train /data/ws --learner deep --set seed=3"
    turned = presets["quick"].changed(start_from="5", window=(1, 64, 96), max_minutes=None)
    augmented = turned.changed(augmentation={"flip": {"on": False}})
    assert train_command(folder, augmented, name="a b") == (
        "voxloop train /data/ws --preset quick --name 'a b' --set 'start_from=\"5\"' --set 'window=[1, 64, 96]' "
        "--set augmentation.flip.on=false --set max_minutes=null"
    )
    assert resume_command(Path("/my cells"), "deep-1") == "voxloop resume '/my cells' deep-1"


def test_settings_within_settings_keep_what_is_not_named():
    config = config_of("deep", "mia-unet", None, ("augmentation.blur.on=false", 'augmentation={"flip": {"on": false}}'))
    assert not config.augmentation.flip.on
    assert config.augmentation.cutout.on
    assert changes_of(["a.b.c=1", "a.b.d=x=y"]) == {"a": {"b": {"c": 1, "d": "x=y"}}}
    with pytest.raises(ConfigError, match="a was given a value of its own before"):
        changes_of(["a=1", "a.b=2"])
