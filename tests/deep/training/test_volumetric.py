"""3-D networks: every family, any size, learning from strokes on few slices, going on exactly, tiles as the whole."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import voxloop as vl
from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.config.network import VOLUMETRIC
from voxloop.deep.begin.forecast import forecast
from voxloop.deep.begin.preflight import preflight
from voxloop.deep.begin.preview import field_of_view, training_inputs
from voxloop.deep.data.augment import Augmenter
from voxloop.deep.data.planning import plan_levels
from voxloop.deep.data.windows import Geometry, Place, read_pixels, training_window
from voxloop.deep.learner import train
from voxloop.deep.networks.network import NetworkConfig, build, field_of
from voxloop.deep.predict.model import load
from voxloop.errors import ConfigError, VolumeError
from voxloop.geometry import Box

SHAPE, SPACING = (20, 60, 52), (0.02, 0.01, 0.01)


def config(architecture: str, spacing: tuple[float, float, float] = (2, 1, 1), **changes: Any) -> NetworkConfig:
    levels = plan_levels(spacing, (8, 32, 32), 3)
    values = {"width": 12 if architecture == "SwinUNETR" else 8, **changes}
    return NetworkConfig(
        architecture=architecture,
        channels=2,
        outputs=2,
        kernels=levels.kernels,
        strides=levels.strides,
        spacing=spacing,
        **values,
    )


@pytest.mark.parametrize("architecture", VOLUMETRIC)
def test_one_step_at_batch_one_and_odd_sizes(architecture: str) -> None:
    if architecture == "SwinUNETR":
        pytest.importorskip("einops")
    torch.manual_seed(0)
    network = build(config(architecture)).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    before = [p.detach().clone() for p in network.parameters()]
    network(torch.randn(1, 2, 8, 32, 32)).square().mean().backward()
    optimiser.step()
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    network.eval()
    with torch.inference_mode():
        for size in ((5, 17, 19), (1, 20, 33)):
            out = network(torch.randn(1, 2, *size))
            assert out.shape == (1, 2, *size)
            assert torch.isfinite(out).all()
    assert NetworkConfig.from_json(json.loads(json.dumps(config(architecture).to_json()))) == config(architecture)


@pytest.mark.parametrize("architecture", VOLUMETRIC)
def test_only_the_head_depends_on_the_classes(architecture: str) -> None:
    if architecture == "SwinUNETR":
        pytest.importorskip("einops")
    two, three = config(architecture), replace(config(architecture), outputs=3)
    one, other = build(two).state_dict(), build(three).state_dict()
    assert one.keys() == other.keys()
    differ = {name for name in one if one[name].shape != other[name].shape}
    assert differ
    assert all(two.head in name for name in differ)
    assert sum(two.head in name for name in one) < 0.25 * len(one)


@pytest.mark.parametrize("architecture", ["UNet3d", "DynUNet", "SegResNet"])
def test_the_field_is_what_a_changed_voxel_reaches(architecture: str) -> None:
    torch.manual_seed(0)
    asked = config(architecture, (4.0, 1.0, 1.0))
    network = build(asked).eval()
    reach = field_of(network, asked)
    assert reach is not None
    assert reach[0] < reach[1] == reach[2]
    size = [-(-(2 * r + 9) // 8) * 8 for r in reach]
    one = torch.randn(1, 2, *size)
    other = one.clone()
    at = [n // 2 for n in size]
    other[(0, slice(None), *at)] += 50
    with torch.inference_mode():
        changed = (network(one) - network(other)).abs().sum((0, 1)).nonzero()
    for axis in range(3):
        assert (changed[:, axis] - at[axis]).abs().max() <= reach[axis]


def test_what_looks_everywhere_has_no_field_and_odd_widths_are_told() -> None:
    asked = config("DynUNet", normalisation="instance")
    assert field_of(build(asked), asked) is None
    pytest.importorskip("einops")
    assert field_of(build(config("SwinUNETR")), config("SwinUNETR")) is None
    with pytest.raises(ConfigError, match="nearest is 12"):
        build(config("SwinUNETR", width=16))


def balls(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright balls, half as many voxels deep as wide, in a noisy volume."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    truth = np.zeros(SHAPE, bool)
    for _ in range(14):
        c = [rng.uniform(0, n) for n in SHAPE]
        truth |= (2 * (z - c[0])) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2 < rng.uniform(5, 9) ** 2
    return (90 + 60 * truth + rng.normal(0, 18, SHAPE)).clip(0, 255).astype(np.uint8), truth


@pytest.fixture
def workspace(tmp_path: Path, make: SimpleNamespace) -> tuple[Path, dict[str, int]]:
    """A workspace of balls, with strokes on every fourth slice."""
    raw, truth = balls()
    with vl.Workspace.create(tmp_path / "ws", image=make.volume(raw, SPACING), classes=["outside", "disc"]) as ws:
        labels = ws.labels()
        labels.write(None, make.scribbles(truth, every=4).clip(0, 2))
        labels.flush()
        return ws.path, {f"{labels.level.name}/{labels.image}": labels.sequence}


@pytest.fixture
def tiny() -> DeepConfig:
    return DeepConfig(
        architecture="UNet3d",
        width=8,
        levels=3,
        window="8,32,32",
        batch_size=2,
        threads=1,
        steps_per_epoch=6,
        epochs=2,
        warmup_steps=2,
        device="cpu",
        samples=1,
        learning_rate=5e-3,
        teacher="none",
        compare_with="none",
    )


def changed(context: Any, **settings: Any) -> Any:
    context.config["settings"] = DeepConfig.from_json(context.settings).changed(**settings).to_json()
    return context


@pytest.mark.parametrize("architecture", VOLUMETRIC)
def test_every_architecture_trains_goes_on_and_predicts(context: Any, architecture: str) -> None:
    if architecture == "SwinUNETR":
        pytest.importorskip("einops")
    width = 12 if architecture == "SwinUNETR" else 8
    changed(context, architecture=architecture, width=width, iterations=2, steps_per_epoch=1, batch_size=1)
    context.at_step[2] = SimpleNamespace(kind="pause", name="p", values={})
    assert train(context) == "paused"
    assert train(context) == "finished"
    assert [event["iteration"] for event in context.of("step")] == [1, 2]
    model = load(context.path / "model")
    said = model.predict(np.zeros((1, 5, 17, 19), np.uint8))
    assert said.shape == (2, 5, 17, 19)
    np.testing.assert_allclose(said.sum(0), 1, atol=1e-5)


def test_learns_balls_from_strokes_and_tiles_equal_the_whole(context: Any) -> None:
    raw, truth = balls()
    learnt = changed(context, epochs=5, steps_per_epoch=10, learning_rate=1e-2, augmentation=Augmentation.none())
    assert train(learnt) == "finished"
    assert all((context.path / event["path"]).stat().st_size > 100 for event in context.of("sample"))
    model = load(context.path / "model")
    assert (model.spec.dimensions, model.spec.stride) == (3, (2, 4, 4))
    whole = model.predict(raw[None])
    said = whole[1] > 0.5
    assert (said & truth).sum() / (said | truth).sum() > 0.6
    halo = model.spec.halo
    assert halo is not None
    lazy = vl.predict(model, raw, max_voxels=2**22)
    part = np.asarray(lazy[:, 4:9, 20:31, 10:40])
    np.testing.assert_allclose(part, whole[:, 4:9, 20:31, 10:40], atol=1e-5)


def test_resumes_exactly_with_everything_on(context: Any) -> None:
    changed(context, teacher="auto", teacher_windows=2, steps_per_epoch=4, augmentation=every_augmentation())
    context.at_step[6] = SimpleNamespace(kind="pause", name="p", values={})
    assert train(context) == "paused"
    again = type(context)(path=context.path, config=context.config, workspace=context.workspace)
    assert train(again) == "finished"
    whole = context.path.parent / "unbroken"
    whole.mkdir()
    assert train(type(context)(path=whole, config=context.config, workspace=context.workspace)) == "finished"
    from safetensors.torch import load_file

    for name in ("checkpoints/last/state.safetensors", "model/weights.safetensors"):
        one, other = load_file(context.path / name), load_file(whole / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert any(key.startswith("pool.") for key in load_file(whole / "checkpoints/last/state.safetensors"))


def every_augmentation() -> dict[str, Any]:
    return {name: {"on": True, "probability": 0.7} for name in Augmentation.model_fields}


def test_augmented_blocks_stay_blocks_and_labels_follow() -> None:
    pixels = torch.randn(3, 2, 8, 24, 20)
    labels = torch.randint(0, 3, (3, 8, 24, 20), dtype=torch.uint8)
    for spacing in ((1.0, 1.0, 1.0), (5.0, 1.0, 1.0)):
        augment = Augmenter(Augmentation(**every_augmentation()), 0, 1, spacing)
        for step in range(4):
            seen, marked = augment(pixels, labels, step)
            assert (seen.shape, marked.shape, marked.dtype) == (pixels.shape, labels.shape, torch.uint8)
            assert torch.isfinite(seen).all()
    only = {**Augmentation.none().model_dump(), "affine": {"on": True, "probability": 1, "shear": 0, "scale": (1, 1)}}
    bright = torch.zeros(1, 1, 9, 33, 33)
    bright[0, 0, 4] = 1.0  # a bright slice: turned in the plane it stays one, tilted it does not
    flat = Augmenter(Augmentation(**only), 0, 1, (5.0, 1.0, 1.0))(bright, bright[:, 0].byte(), 0)
    assert torch.allclose(flat[0][0, 0, 4], torch.ones(33, 33), atol=1e-4)
    assert flat[0][0, 0, [0, 8]].abs().max() < 1e-4
    tilted = Augmenter(Augmentation(**only), 0, 1, (1.0, 1.0, 1.0))(bright, bright[:, 0].byte(), 0)
    assert tilted[0][0, 0, [1, 7]].max() > 0.5


def test_previews_and_forecast_of_blocks(workspace: Any, tiny: DeepConfig) -> None:
    path = workspace[0]
    found = training_inputs(path, tiny)
    assert found.pixels.shape == (2, 1, 8, 32, 32)
    assert found.labels.shape == (2, 8, 32, 32)
    assert found.png()[:4] == b"\x89PNG"
    field = field_of_view(path, tiny)
    assert 1 <= field.slices <= SHAPE[0]
    assert field.theoretical is not None
    expected = forecast(path, tiny.changed(window="auto"))
    assert expected.fits
    assert expected.window[0] * SPACING[0] <= expected.window[1] * SPACING[1] * 1.5


@pytest.mark.parametrize("architecture", VOLUMETRIC)
def test_every_architecture_finds_a_window_of_its_own(workspace: Any, tiny: DeepConfig, architecture: str) -> None:
    from voxloop.deep.begin.material import gather_now

    usual = DeepConfig().width  # every network can be had as wide as the settings begin with
    material = gather_now(workspace[0], tiny.changed(window="auto", architecture=architecture, width=usual))
    assert material.description.padded(material.window) == material.window
    assert 2**14 <= math.prod(material.window) <= 2**17


def test_windows_that_a_network_pads_are_told_with_what_helps(workspace: Any, tiny: DeepConfig) -> None:
    from voxloop.deep.begin.material import gather_now

    told = {}
    for normalisation in ("batch", "instance"):
        settings = tiny.changed(architecture="SwinUNETR", normalisation=normalisation, window="32,32,32")
        told[normalisation] = [
            note.fix for note in preflight(gather_now(workspace[0], settings)) if "pad" in note.words
        ]
    assert told == {"batch": [], "instance": [{"normalisation": "batch"}]}


def test_windows_of_odd_sizes_are_taken_and_better_ones_told(workspace: Any, tiny: DeepConfig) -> None:
    from voxloop.deep.begin.material import gather_now

    notes = preflight(gather_now(workspace[0], tiny.changed(window="7,33,33")))
    (note,) = [note for note in notes if "padded" in note.words]
    assert note.fix == {"window": [7, 32, 32]}


def test_blocks_show_the_image_and_only_labels_that_teach(workspace: Any, tiny: DeepConfig) -> None:
    from voxloop.deep.begin.material import gather_now

    material = gather_now(workspace[0], tiny)
    image = material.data.images[0]
    geometry = Geometry(depth=8, height=32, width=32, volumetric=True)
    place = Place(image=0, z=-3, y=40, x=10)
    whole = np.pad(balls()[0], ((3, 0), (0, 12), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(read_pixels(image, place, geometry)[0], whole[:8, 40:72, 10:42])
    _, labels = training_window(material.data.images, place, geometry)
    box = Box((0, 40, 10), (5, 60, 42))
    expected = np.where(image.split.training_mask(box, image.shape), image.labels(box), 0)
    np.testing.assert_array_equal(labels[3:, :20], expected)
    assert not labels[:3].any()
    assert not labels[:, 20:].any()


def test_planes_are_told_to_use_a_network_of_planes(make: SimpleNamespace, tmp_path: Path, tiny: DeepConfig) -> None:
    from voxloop.deep.data.training_data import assemble

    raw, truth = make.discs((1, 64, 64))
    with pytest.raises((ConfigError, VolumeError), match="a single plane; use a network of planes"):
        assemble([make.source(raw, make.scribbles(truth))], make.classes, tiny)


def test_objects_are_learnt_in_3d_from_single_slices_and_whole_volumes(tmp_path: Path, make: SimpleNamespace) -> None:
    from voxloop.deep.begin.material import gather_now
    from voxloop.deep.objective.instances import lone_planes
    from voxloop.store import open_labels

    raw, truth = balls()
    import cc3d

    numbers = cc3d.connected_components(truth).astype(np.uint32) + 1
    settings = vl.presets["anatomics-instance3d"].changed(
        width=4,
        levels=3,
        window="8,32,32",
        iterations=4,
        steps_per_epoch=2,
        threads=1,
        device="cpu",
        level="cells",
    )
    with vl.Workspace.create(tmp_path / "ws", image=make.volume(raw, SPACING), classes=["a", "b"]) as ws:
        ws.levels.add("cells", classes=[{"name": "background", "background": True}], kind="instances")
        labels = ws.labels("cells")
        labels.write((slice(5, 6), slice(None), slice(None)), numbers[5:6])
        labels.write((slice(12, 13), slice(None), slice(None)), numbers[12:13])
        labels.flush()
        assert lone_planes(gather_now(ws.path, settings).data.images)
        context = SimpleNamespace(
            path=tmp_path / "ws" / "runs" / "deep-1",
            workspace=ws.path,
            settings=settings.to_json(),
            config={"labels": {f"cells/{labels.image}": labels.sequence}},
            events=[],
            orders=list,
            peek=list,
            began=0.0,
            emit=lambda kind, **fields: context.events.append({"kind": kind, **fields}),
        )
        context.path.mkdir(parents=True)
        assert train(context) == "finished"
        assert all(np.isfinite(e["loss"]) for e in context.events if e["kind"] == "step")
        model = load(context.path / "model")
        assert model.predict(raw[None, 3:8]).shape == (3, 5, *SHAPE[1:])
        labels.write(None, numbers)
        labels.flush()
        assert open_labels(ws.path, "cells", labels.image).sequence == labels.sequence
        assert not lone_planes(gather_now(ws.path, settings).data.images)


def test_planes_by_themselves_know_depth_where_the_volume_does_not() -> None:
    from voxloop.deep.data.targets import instance_targets, plane_targets

    coded = np.zeros((5, 20, 20), np.uint8)
    coded[2] = 1
    coded[2, 5:14, 5:14] = 2
    flat = plane_targets(coded, (2.0, 1.0, 1.0))
    assert flat.known[2, 2, 9, 9]
    assert flat.values[2, 2, 9, 9] == 1.0
    assert flat.values[1, 2, 5, 9] == 1.0  # boundary
    assert not flat.known[:, [0, 1, 3, 4]].any()
    assert not instance_targets(coded, (2.0, 1.0, 1.0)).known[2, 2, 9, 9]
