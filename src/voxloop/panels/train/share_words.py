"""Which share of the labels teaches, which judges, which is left out, in one line. Pure."""

from __future__ import annotations

from voxloop.config import Config
from voxloop.config.deep import DeepConfig
from voxloop.config.shallow import ShallowConfig


def share_words(config: Config) -> str:
    """``Of the labels 85 % teach and 15 % judge which epoch is kept.``; empty of settings that say nothing of it."""
    if isinstance(config, ShallowConfig):
        if config.validation_set:
            return f"All labels teach; those of {config.validation_set} judge."
        if not config.validation:
            return "All labels teach; none judge."
        first = f"{config.validation:.0%} of the labels judge the agreement that is shown"
        return f"{first}; the model that is kept learns from all."
    if not isinstance(config, DeepConfig):
        return ""
    judge = 0.0 if config.validation_set else config.validation_share
    teach = f"Of the labels {1 - judge - config.test_share:.0%} teach"
    parts = [teach]
    if config.validation_set:
        parts.append(f"those of {config.validation_set} judge which epoch is kept")
    elif judge:
        parts.append(f"{judge:.0%} judge which epoch is kept")
    else:
        parts.append("none judge, so the last epoch is kept")
    if config.test_share:
        parts.append(f"{config.test_share:.0%} are left out to the end and judge what is kept")
    apart = "; what the network sees from those that judge teaches nothing" if config.split == "apart" else ""
    return f"{', '.join(parts[:-1])} and {parts[-1]}{apart}."
