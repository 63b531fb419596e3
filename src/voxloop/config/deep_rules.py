"""What settings of the deep learner do not go together, each with the nearest that do. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.config.loss import LOSSES
from voxloop.config.network import DEEPEST, SHALLOWEST
from voxloop.errors import ConfigError

if TYPE_CHECKING:
    from voxloop.config.deep import DeepConfig


@dataclass(frozen=True, slots=True)
class Rule:
    """``when`` says whether settings break the rule, ``message`` what is wrong and what works."""

    when: Callable[[DeepConfig], bool]
    message: Callable[[DeepConfig], str]


def check(config: DeepConfig) -> None:
    """Raises ConfigError for the first rule that is broken."""
    for rule in RULES:
        if rule.when(config):
            raise ConfigError(rule.message(config))


def _losses_of_classes(config: DeepConfig) -> list[str]:
    """Losses that are on and that only classes can be learnt by."""
    return [name for name in LOSSES[2:] if getattr(config, name)]


def _thinnest(config: DeepConfig) -> int:
    """Smallest side of the window; 0 where it is automatic."""
    return 0 if isinstance(config.window, str) else min(size for size in config.window if size > 1)


def _only_objects(config: DeepConfig) -> str:
    names = _losses_of_classes(config)
    them = "it" if len(names) == 1 else "them"
    return (
        f"{' and '.join(names)}: target={config.target!r} learns by cross_entropy and dice, beside object_weight; "
        f"set {them} to 0"
    )


def _levels(config: DeepConfig) -> str:
    near = min(DEEPEST, max(SHALLOWEST, config.levels))
    return (
        f"levels={config.levels}: {config.architecture} looks at {SHALLOWEST} to {DEEPEST} resolutions; nearest is "
        f"{near}"
    )


def _border(config: DeepConfig) -> str:
    window = " x ".join(map(str, config.window))
    return (
        f"ignore_border={config.ignore_border} leaves nothing of a window of {window}; nearest is "
        f"{_thinnest(config) // 4}"
    )


def _shared_batch(config: DeepConfig) -> str:
    below = config.batch_size // config.devices * config.devices
    near = [str(size) for size in (below, below + config.devices) if size]
    verb = "is" if len(near) == 1 else "are"
    return (
        f"batch_size={config.batch_size} cannot be shared out among {config.devices} devices; nearest {verb} "
        f"{' and '.join(near)}"
    )


#: in the order in which they are checked
RULES: tuple[Rule, ...] = (
    Rule(
        lambda c: not any(getattr(c, name) for name in LOSSES),
        lambda c: (
            f"{', '.join(LOSSES[:-1])} and {LOSSES[-1]} are all 0: there is nothing to learn from; set one of them "
            f"above 0"
        ),
    ),
    Rule(lambda c: c.target in ("instances", "flow") and bool(_losses_of_classes(c)), _only_objects),
    Rule(
        lambda c: c.target == "flow" and c.across != (0,),
        lambda c: f"axes={c.axes!r}: arrows point along y and x of planes across z; use axes='z'",
    ),
    Rule(
        lambda c: c.best_by in ("ap50", "pq") and c.target == "semantic",
        lambda c: f"best_by={c.best_by!r} counts separate objects, and target='semantic' learns classes; use 'iou'",
    ),
    Rule(lambda c: not c.volumetric and not SHALLOWEST <= c.levels <= DEEPEST, _levels),
    Rule(
        lambda c: bool(c.tversky) and c.tversky_alpha + c.tversky_beta == 0,
        lambda c: "tversky_alpha and tversky_beta are both 0: no mistake costs anything; try 0.3 and 0.7",
    ),
    Rule(lambda c: bool(_thinnest(c)) and 2 * c.ignore_border >= _thinnest(c), _border),
    Rule(
        lambda c: bool(c.freeze_encoder_epochs) and c.volumetric,
        lambda c: f"freeze_encoder_epochs={c.freeze_encoder_epochs}: {c.architecture} has no encoder to freeze; use 0",
    ),
    Rule(
        lambda c: bool(c.freeze_encoder_epochs) and not (c.encoder_weights or c.start_from),
        lambda c: (
            f"freeze_encoder_epochs={c.freeze_encoder_epochs} would keep random weights as they are; name "
            f"encoder_weights or start_from, or use 0"
        ),
    ),
    Rule(lambda c: bool(c.batch_size % c.devices), _shared_batch),
    Rule(
        lambda c: bool(c.training_set and c.images),
        lambda c: "training_set and images both say what is learnt from; use one of them",
    ),
    Rule(
        lambda c: c.split == "image" and c.images is not None and len(c.images) < 2 and not c.validation_set,
        lambda c: "split='image' needs at least two images; use split='block'",
    ),
)
