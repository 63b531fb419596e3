"""What every config shares: frozen values, loud errors, and field metadata that forms and help are made from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticUndefined

from voxloop.errors import ConfigError, unknown
from voxloop.given import shown

#: the section of what is learnt from
LABELS = "Labels and sets"


def setting(
    default: Any,
    help: str,
    *,
    group: str = "Basic",
    label: str | None = None,
    unit: str | None = None,
    step: float | None = None,
    advanced: bool = False,
    choices: Sequence[str] | None = None,
    log: bool = False,
    live: bool = False,
    when: Mapping[str, Sequence[str]] | None = None,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
) -> Any:
    """One field of a config.

    ``help`` is the tooltip and the command line's help; ``group`` the section of the form; ``choices`` a searchable
    list of suggestions where free text is allowed (a closed set is a ``Literal`` type); ``log`` asks for a logarithmic
    slider; ``live`` marks what may be changed while a run is running; ``when`` names another setting and the values of
    it under which this one matters: forms hide it under others.
    """
    extra = {
        "group": group,
        "label": label,
        "unit": unit,
        "step": step,
        "advanced": advanced,
        "choices": list(choices) if choices else None,
        "log": log,
        "live": live,
        "when": {name: list(values) for name, values in when.items()} if when else None,
    }
    kwargs: dict[str, Any] = {"ge": ge, "le": le, "gt": gt, "lt": lt, "description": help, "json_schema_extra": extra}
    if isinstance(default, list | dict | set) or (isinstance(default, type) and issubclass(default, BaseModel)):
        factory = default if isinstance(default, type) else (lambda: default.copy())
        return Field(default_factory=factory, **kwargs)
    return Field(default, **kwargs)


class Config(BaseModel):
    """Base of all configs: frozen, unknown keys refused, errors of one sentence (:class:`ConfigError`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(type(self), error)) from None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The settings that a file or a form gives. Raises ConfigError."""
        if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
            raise ConfigError(
                f"settings are names with values, not {str(data)[:40]!r}; such as {{}} for the usual ones"
            )
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def of(cls, given: object, **changes: Any) -> Self:
        """The settings that a verb is given: None for the usual ones, and some by name. Raises ConfigError."""
        if given is None:
            return cls(**changes)
        if not isinstance(given, cls):
            raise ConfigError(f"config={shown(given)} is no {cls.__name__}")
        return given.changed(**changes) if changes else given

    def changed(self, **values: Any) -> Self:
        """A copy with some settings changed, validated again."""
        return type(self)(**{**self.model_dump(), **values})

    def code(self, module: str = "vl") -> str:
        """The line of Python that makes this config: only what differs from the defaults."""
        return f"{module}.{type(self).__name__}({', '.join(differences(self, type(self)()))})"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings in one dict, their names joined by dots."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{prefix}{name}.")
        else:
            out[f"{prefix}{name}"] = value
    return out


def differences(config: Config, base: Config) -> list[str]:
    """What ``config`` says otherwise than ``base``, as keyword arguments of its class or of ``base.changed``."""
    out = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        if value != getattr(base, name):
            plain = f"{{{', '.join(_pairs(value))}}}" if isinstance(value, BaseModel) else repr(value)
            out.append(f"{name}={plain}")
    return out


def _pairs(config: BaseModel) -> list[str]:
    default = type(config).model_construct().model_dump()
    given = config.model_dump()
    return [f"{name!r}: {value!r}" for name, value in given.items() if value != default[name]]


def _sentence(config: type[BaseModel], error: ValidationError) -> str:
    parts = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or config.__name__
        if item["type"] == "extra_forbidden":
            parts.append(unknown("setting", where, config.model_fields))
        elif item["type"] in ("value_error", "assertion_error"):
            message = str(item.get("ctx", {}).get("error", item["msg"]))
            parts.append(message if not item["loc"] else f"{where}: {message}")
        else:
            message = item["msg"].replace("Input should", "should").replace("Value error, ", "")
            parts.append(f"{where}={item['input']!r} {message}")
    return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A field as forms and the command line see it."""

    name: str
    label: str
    help: str
    group: str
    kind: Literal["bool", "int", "float", "choice", "text", "tuple", "config"]
    default: Any
    optional: bool
    choices: tuple[str, ...] | None
    low: float | None
    high: float | None
    unit: str | None
    step: float | None
    advanced: bool
    log: bool
    live: bool
    config: type[BaseModel] | None = None
    when: dict[str, tuple[str, ...]] | None = None

    def matters(self, value: Any) -> bool:
        """Whether it changes anything beside the other settings of ``value``, the config or a dict of it."""
        given = value if isinstance(value, dict) else dict(value)
        return all(str(given.get(name)) in values for name, values in (self.when or {}).items())


def training_set() -> Any:
    """The field that names a training set."""
    return setting(
        None,
        "a named set of images, levels and regions to learn from, like cells or cells@2; everything that is "
        "labelled where empty",
        group=LABELS,
        label="training set",
    )


def validation_set() -> Any:
    """The field that names a validation set."""
    return setting(
        None,
        "a named set to validate on and never train on, instead of a share of the labels: runs that name the same "
        "version can be compared",
        group="Validation",
        label="validation set",
    )


def constrain() -> Any:
    """The field that confines a learner to a class of another level."""
    return setting(
        None,
        "learn and predict only inside a class of another level, like cells/nucleus; parent: the class that the "
        "level lies in; everywhere where empty",
        group=LABELS,
        choices=("parent",),
        label="only inside",
    )


def settings_of(config: type[BaseModel]) -> list[Setting]:
    """The fields of a config in their order, described without pydantic."""
    return [_describe(name, info) for name, info in config.model_fields.items()]


def _describe(name: str, info: Any) -> Setting:
    annotation, optional = _strip_optional(info.annotation)
    extra = info.json_schema_extra or {}
    low, high = _bounds(info.metadata)
    nested = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    literal = get_args(annotation) if get_origin(annotation) is Literal else None
    default = info.default_factory() if info.default_factory else info.default
    return Setting(
        name=name,
        label=extra.get("label") or name.replace("_", " "),
        help=info.description or "",
        group=extra.get("group", "Basic"),
        kind=_kind(annotation, literal, nested),
        default=None if default is PydanticUndefined else default,
        optional=optional,
        choices=tuple(str(value) for value in literal or extra.get("choices") or ()) or None,
        low=low,
        high=high,
        unit=extra.get("unit"),
        step=extra.get("step"),
        advanced=bool(extra.get("advanced")),
        log=bool(extra.get("log")),
        live=bool(extra.get("live")),
        config=nested,
        when={name: tuple(values) for name, values in extra["when"].items()} if extra.get("when") else None,
    )


def _kind(annotation: Any, literal: Any, nested: Any) -> Any:
    if nested:
        return "config"
    if literal:
        return "choice"
    if annotation is bool:
        return "bool"
    if annotation is int:
        return "int"
    if annotation is float:
        return "float"
    if get_origin(annotation) is tuple:
        return "tuple"
    return "text"


def _strip_optional(annotation: Any) -> tuple[Any, bool]:
    args = get_args(annotation)
    if type(None) in args:
        rest = [arg for arg in args if arg is not type(None)]
        return (rest[0] if len(rest) == 1 else str), True
    if get_origin(annotation) is not Literal and get_origin(annotation) is not tuple and len(args) > 1:
        return str, False  # a union such as "auto" or a number: edited as text
    return annotation, False


def _bounds(metadata: Sequence[Any]) -> tuple[float | None, float | None]:
    low = high = None
    for item in metadata:
        low = getattr(item, "ge", getattr(item, "gt", None)) if low is None else low
        high = getattr(item, "le", getattr(item, "lt", None)) if high is None else high
    return low, high
