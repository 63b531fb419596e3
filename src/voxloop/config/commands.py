"""Settings as ``NAME=VALUE``, and the commands that start what a panel would: written and read. Runs nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxloop.config import Config, presets
from voxloop.config.base import flat
from voxloop.config.learners import LEARNERS, learner_of
from voxloop.config.presets import nearest
from voxloop.errors import ConfigError, unknown


def train_command(workspace: Path, config: Config, **options: str | Sequence[str] | None) -> str:
    """The command that trains with these settings, quoted for a shell.

    Parameters
    ----------
    config
        Written as the preset, or the learner's defaults, from which it differs least.
    **options
        Further options by name, such as ``name="first"``; those that are empty are left out, several values of one
        are given one by one.
    """
    preset, base = nearest(config)
    words = ["--learner", learner_of(config).name] if preset is None else ["--preset", preset]
    for name, value in options.items():
        for one in [value] if isinstance(value, str) else value or ():
            words = [*words, f"--{name.replace('_', '-')}", one] if one else words
    sets = [word for change in settings_beside(base, config) for word in ("--set", change)]
    return shlex.join(["voxloop", "train", str(workspace), *words, *sets])


def resume_command(workspace: Path, run: str) -> str:
    """The command that lets a run go on where it stopped."""
    return shlex.join(["voxloop", "resume", str(workspace), run])


def settings_beside(base: Config, config: Config) -> list[str]:
    """What ``config`` says otherwise than ``base``, as ``NAME=VALUE``; nested names are joined by dots."""
    before, after = flat(base.model_dump()), flat(config.model_dump())
    return [f"{name}={_text(value)}" for name, value in after.items() if value != before.get(name, ...)]


def changes_of(pairs: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` as settings by name; values are JSON where they can be read so, else text.

    ``augmentation.flip.on=false`` is a setting within settings: a dict in the dict.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        dotted, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair!r}: write NAME=VALUE, such as --set epochs=20")
        *path, name = dotted.split(".")
        inner = out
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {pair!r}: {part} was given a value of its own before")
        inner[name] = _value(text)
    return out


def config_of(learner: str, preset: str | None, file: Path | None, pairs: Sequence[str]) -> Config:
    """The settings of a training: of a preset or of the learner, those in a file over them, single ones over all."""
    config = LEARNERS[learner].config()
    if preset is not None:
        if preset not in presets:
            raise ConfigError(unknown("preset", preset, presets))
        config = presets[preset]
    if file is not None:
        config = type(config)(**_settings_in(file))
    return type(config)(**_laid_over(config.model_dump(), changes_of(pairs)))


def _settings_in(file: Path) -> dict[str, Any]:
    """The settings in a JSON file, by themselves or in a run's config. Raises ConfigError."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no text; settings are JSON, such as a run's config.json") from error
    settings = data.get("settings", data) if isinstance(data, dict) else data
    if not isinstance(settings, dict):
        kind = type(settings).__name__
        raise ConfigError(f'{file} holds a {kind} where settings by name are expected, such as {{"epochs": 20}}')
    return settings


def _laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with changes, also those within settings that hold others."""
    out = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(out.get(name), Mapping)
        out[name] = _laid_over(out[name], value) if both else value
    return out


def _text(value: Any) -> str:
    """A value as :func:`_value` reads it: JSON, but plain text where that can be read as nothing else."""
    if isinstance(value, str) and _value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
