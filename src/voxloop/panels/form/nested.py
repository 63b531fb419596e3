"""Settings within settings: values at a path, how many differ, which match a search. Knows configs, no widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from voxloop.config.base import Config, Setting, settings_of

C = TypeVar("C", bound=Config)
#: the group that stands open
MAIN = "Main settings"
#: names from a config to a setting in it
SettingPath = tuple[str, ...]


def value_at(config: BaseModel, path: SettingPath) -> Any:
    """What a config holds at a path."""
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def with_values(config: C, changes: Mapping[SettingPath, Any]) -> C:
    """A copy with values at paths changed, validated as a whole. Raises ConfigError."""
    data = config.model_dump()
    for path, value in changes.items():
        inner = data
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
    return type(config)(**data)


def with_main(settings: Sequence[Setting], main: Mapping[str, str]) -> list[Setting]:
    """The settings with those in ``main`` first, as a group of their own and by the names given there."""
    known = {setting.name: setting for setting in settings}
    first = [replace(known[name], group=MAIN, label=label, advanced=False) for name, label in main.items()]
    return [*first, *(setting for setting in settings if setting.name not in main)]


def count_changes(value: Any, default: Any) -> int:
    """How many settings differ, nested ones counted one by one."""
    if isinstance(value, BaseModel):
        return sum(count_changes(getattr(value, name), getattr(default, name)) for name in type(value).model_fields)
    return int(value != default)


def settings_along(setting: Setting, path: SettingPath) -> list[Setting]:
    """The setting and those nested in it that a path goes through."""
    chain = [setting]
    for name in path:
        config = chain[-1].config
        assert config is not None
        chain.append(next(s for s in settings_of(config) if s.name == name))
    return chain


def switches_of(setting: Setting) -> list[str]:
    """Names of the settings within a setting that have a switch of their own."""
    inner = settings_of(setting.config) if setting.config is not None else []
    return [one.name for one in inner if one.config is not None and "on" in one.config.model_fields]


def has_advanced(setting: Setting) -> bool:
    """Whether a setting, or one nested in it, is advanced."""
    if setting.advanced:
        return True
    return setting.config is not None and any(has_advanced(inner) for inner in settings_of(setting.config))


def search_words(setting: Setting) -> str:
    """What a search looks through, in lower case."""
    return f"{setting.name} {setting.label} {setting.help} {setting.group} {setting.unit or ''}".lower()


def matches(setting: Setting, words: Sequence[str]) -> bool:
    """Whether every word occurs in the setting or in one nested in it."""
    inner = settings_of(setting.config) if setting.config is not None else []
    rest = [word for word in words if word not in search_words(setting)]
    return not rest or any(matches(nested, rest) for nested in inner)
