"""Presets are configs like any other, each with its origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxloop import config as configs
from voxloop.config import DeepConfig, presets
from voxloop.config.preset_origins import ORIGINS, table
from voxloop.config.presets import code_of, nearest
from voxloop.errors import ConfigError


@pytest.mark.parametrize("name", list(presets))
def test_a_preset_is_a_config_with_a_line_of_python(name: str) -> None:
    config = presets[name]
    vl = type("vl", (), {type(config).__name__: getattr(configs, type(config).__name__)})
    assert eval(config.code(), {"vl": vl}) == config
    assert eval(code_of(config), {"vl": type("vl", (vl,), {"presets": presets})}) == config
    assert nearest(config)[1] == config
    assert type(config).from_json(config.to_json()) == config
    assert len(presets.about(name)) > 20


def test_code_names_what_is_nearest_and_what_differs() -> None:
    assert code_of(DeepConfig()) == "vl.DeepConfig()"
    assert code_of(DeepConfig(seed=3)) == "vl.DeepConfig(seed=3)"
    assert code_of(presets["auto"]) == "vl.presets['auto']"
    changed = presets["mia-unet"].changed(epochs=20, augmentation={"flip": {"on": False}})
    assert eval(code_of(changed), {"vl": type("vl", (), {"presets": presets, "DeepConfig": DeepConfig})}) == changed
    assert "vl.presets['mia-unet'].changed(epochs=20, " in code_of(presets["mia-unet"].changed(epochs=20, seed=1))


def test_defaults_are_what_most_systems_begin_with() -> None:
    config = DeepConfig()
    assert (config.batch_size, config.epochs, config.patience, config.scale) == (8, 100, 15, 1)
    assert (config.learning_rate, config.schedule, config.validation_share) == (1e-3, "cosine", 0.15)
    assert (config.window, config.class_weights, config.cross_entropy > 0, config.dice > 0) == ("auto", "auto", 1, 1)
    assert config.warmup_steps > 0
    assert config.samples > 0
    assert presets["usual"] == config


def test_presets_carry_the_defaults_of_their_systems() -> None:
    studio, sleap, mia, survos = (
        presets[name] for name in ("studio-upernet", "sleap-unet", "mia-unet", "survos-multi-axis")
    )
    assert (studio.architecture, studio.batch_size, studio.epochs, studio.window) == ("UPerNet", 8, 10, (1, 512, 512))
    assert (sleap.learning_rate, sleap.patience, sleap.validation_share, sleap.batch_size) == (1e-4, 10, 0.1, 4)
    assert (sleap.schedule, sleap.drop_factor, sleap.plateau_patience, sleap.plateau_cooldown) == ("plateau", 0.5, 5, 3)
    assert (sleap.min_delta, sleap.best_by, sleap.levels) == (1e-8, "loss", 4)
    assert (mia.focal, mia.focal_gamma, mia.drop_factor, mia.batch_size, mia.epochs) == (1, 2, 0.2, 8, 100)
    assert (survos.freeze_encoder_epochs, survos.epochs, survos.patience, survos.dice) == (8, 13, 3, 1)
    assert (survos.across, survos.clip_deviations, mia.intensities) == ((0, 1, 2), 2.575, "range")
    classical = presets["survos-supervoxels"]
    assert (classical.unit, classical.supervoxel_size, classical.compactness) == ("supervoxels", 10, 20)
    assert (classical.classifier, classical.trees, classical.descriptor) == ("random forest", 100, "mean")
    assert classical.depth is presets["as in ilastik"].depth is None
    for name, target in (("anatomics-semantic3d", "semantic"), ("anatomics-instance3d", "instances")):
        found, flat = presets[name], presets[name.replace("3d", "2d")]
        assert (found.volumetric, found.target, found.window, found.batch_size) == (True, target, (3, 129, 129), 1)
        assert found.filters == (28, 36, 48, 64, 80)
        assert (flat.volumetric, flat.target, flat.batch_size, flat.optimiser) == (False, target, 1, "SGD")
        assert (found.iterations, found.learning_rate, found.optimiser, found.momentum) == (100_000, 1e-4, "SGD", 0.9)
        assert (found.steps_per_epoch * found.keep_every, found.warmup_steps) == (5000, 1000)


def test_what_is_not_as_in_the_program_of_that_name_is_said_and_the_page_says_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text()
    assert table(presets) in page, "write voxloop.config.preset_origins.table(presets) into it"
    for name in presets:
        of_others = name.startswith(("studio", "sleap", "mia", "survos", "anatomics")) and name in ORIGINS
        assert bool(presets.differs(name)) == of_others
    assert {name for name in presets if name.startswith(("studio", "survos", "anatomics"))} <= set(ORIGINS)
    with pytest.raises(ConfigError):
        presets.differs("sleap-net")


@pytest.mark.parametrize("text", ["28,36,48", [28, 36, 48], (28, 36, 48), "(28, 36, 48)"])
def test_filters_are_read_from_text(text: object) -> None:
    assert DeepConfig(filters=text).filters == (28, 36, 48)
    assert DeepConfig(filters="").filters is None
    for wrong in ("a", "0,3", [], "1,2,3,4,5,6,7,8,9", 7.5):
        with pytest.raises(ConfigError, match="filters"):
            DeepConfig(filters=wrong)


def test_sleaps_profiles_are_what_they_are_there() -> None:
    shared = ("loss", "optimiser", "learning_rate", "batch_size", "epochs", "steps_per_epoch", "patience", "sigma")
    networks = {
        "baseline_medium_rf.single": (16, 2.0, 16, 4), "baseline_large_rf.single": (32, 1.5, 32, 4),
        "baseline_medium_rf.topdown": (24, 2.0, 16, 4), "baseline_large_rf.topdown": (24, 1.5, 32, 4),
        "baseline_medium_rf.bottomup": (16, 2.0, 32, 4), "baseline_large_rf.bottomup": (32, 1.5, 64, 4),
    }  # fmt: skip
    for name, network in networks.items():
        found = presets[name]
        assert (found.filters, found.filters_rate, found.max_stride, found.output_stride) == network
        assert [getattr(found, key) for key in shared] == ["mse", "Adam", 1e-4, 4, 200, 200, 10, 2.5]
        if name.endswith("topdown"):
            first = found.of_animals
            assert (first.filters, first.filters_rate, first.max_stride, first.output_stride) == (16, 2.0, 16, 2)
            assert (found.centroid_scale, found.pipeline) == (0.5, "top-down")
    assert presets["baseline_large_rf.bottomup"].edge_sigma == 75


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sleap-unet'"):
        presets["sleap-net"]
