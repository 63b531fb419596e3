"""The page for users of other systems names settings that exist, and leaves no setting of a training out."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest

import voxloop
from voxloop.config import (
    DeepConfig,
    DetectConfig,
    ObjectsConfig,
    PictureConfig,
    PoseConfig,
    PredictConfig,
    ShallowConfig,
    TracksConfig,
    presets,
)
from voxloop.config.augment import Augmentation

PAGE = Path(__file__).parents[1] / "docs" / "coming-from.md"
OWN = (ShallowConfig, PredictConfig, PoseConfig, DetectConfig, PictureConfig, ObjectsConfig, TracksConfig)
CONFIGS = {**{kind.__name__: kind for kind in OWN}, "augmentation": Augmentation}
#: of ours alone: no other system's screen has them
OURS = {
    "images",
    "residual",
    "normalisation",
    "exposure",
    "encoder_rate",
    "compare_with",
    "balance",
    "match_spacing",
    "augmentation",
    "max_minutes",
    "teacher_weight",
    "teacher_confidence",
    "teacher_windows",
    "tversky",
    "tversky_alpha",
    "tversky_beta",
    "lovasz",
    "gradient_clip",
    "checkpoint_minutes",
    "seed",
    "strict_best",
    "sinks",
    "compile_network",
}


def named() -> list[str]:
    cells = [line.split("|")[3] for line in PAGE.read_text().splitlines() if line.startswith("|") and "---" not in line]
    return [token for cell in cells for token in re.findall(r"`([\w.]+)`", cell)]


@pytest.mark.parametrize("name", sorted(set(named())))
def test_what_the_page_names_exists(name: str) -> None:
    owner, _, field = name.rpartition(".")
    if owner in ("", *CONFIGS):
        assert field in CONFIGS.get(owner, DeepConfig).model_fields
    else:
        package, *modules = owner.split(".")
        assert package == "vl"
        assert hasattr(reduce(getattr, modules, voxloop), field)


def test_every_setting_of_a_network_is_named_or_ours() -> None:
    assert set(DeepConfig.model_fields) - set(named()) == OURS


def test_every_preset_of_another_system_is_named() -> None:
    assert {name for name in presets if f"`{name}`" not in PAGE.read_text()} <= set(presets.purposes)
