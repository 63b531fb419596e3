"""Bad labels and images are said clearly; splits come back as they were."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.memory import memory_of
from voxloop.deep.begin.sizing import window_size
from voxloop.deep.begin.starting import describe
from voxloop.deep.data.extent import network_scale, object_width
from voxloop.deep.data.grayvalues import measure_intensities
from voxloop.deep.data.labelled_image import LabelledImage
from voxloop.deep.data.sampling import WindowSampler
from voxloop.deep.data.training_data import assemble
from voxloop.deep.data.windows import Geometry
from voxloop.deep.networks.network import build
from voxloop.deep.predict.predictor import Normalisation
from voxloop.errors import ConfigError, LabelError, VolumeError
from voxloop.geometry import Box
from voxloop.model import ClassInfo


def test_nothing_labelled(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    with pytest.raises(LabelError, match="nothing is labelled"):
        assemble([make.source(raw, np.zeros(truth.shape, np.uint8))], make.classes, DeepConfig())


def test_one_class_only(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    labels = make.scribbles(truth)
    labels[labels == 1] = 0
    with pytest.raises(LabelError, match="only 'disc' is labelled"):
        assemble([make.source(raw, labels)], make.classes, DeepConfig())


def test_class_without_labels_is_left_out_and_said(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    labels = make.scribbles(truth)
    extra = (*make.classes, type(make.classes[0])(value=7, name="ghost"))
    data = assemble([make.source(raw, labels)], extra, DeepConfig())
    assert [info.name for info in data.classes] == ["outside", "disc"]
    assert any("'ghost'" in text for text in data.warnings)


def test_shapes_that_differ(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    with pytest.raises(VolumeError, match=r"\(5, 160, 160\).*\(6, 160, 160\)"):
        assemble([make.source(raw, make.scribbles(truth)[:5])], make.classes, DeepConfig())


def test_channels_that_differ(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    two = LabelledImage(name="two", volume=make.volume(np.stack([raw, raw])), labels=make.labels(make.scribbles(truth)))
    with pytest.raises(VolumeError, match="1 and 2 channels"):
        assemble([make.source(raw, make.scribbles(truth)), two], make.classes, DeepConfig())


def test_frames_have_no_neighbours(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    with pytest.raises(ConfigError, match="separate pictures"):
        assemble([make.source(raw, make.scribbles(truth), z_kind="frame")], make.classes, DeepConfig(slices=3))


def test_two_strokes_in_one_place_warn_but_train(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    labels = np.zeros(truth.shape, np.uint8)
    labels[2, 40:44, 40:70] = 1
    labels[2, 48:52, 40:70] = 3
    data = assemble([make.source(raw, labels)], make.classes, DeepConfig())
    assert min(data.counts) > 0
    assert any("label" in text for text in data.warnings)


def test_split_is_about_the_share_asked_for_and_comes_back(make: SimpleNamespace) -> None:
    raw, truth = make.discs((8, 200, 200))
    source = make.source(raw, make.scribbles(truth, every=2))
    data = assemble([source], make.classes, DeepConfig(validation_share=0.25))
    counts = data.images[0].labelled.counts
    total = np.sum(list(counts.values()), axis=0)
    held = np.sum([counts[cell] for cell in data.images[0].split.held_out], axis=0)
    assert np.all((held / total > 0.1) & (held / total < 0.5))
    again = assemble([source], make.classes, DeepConfig(validation_share=0.25, seed=9), data.split_to_json())
    assert again.images[0].split == data.images[0].split


@pytest.mark.parametrize(("validation", "test"), [(0.15, 0.0), (0.15, 0.15), (0.25, 0.1)])
@pytest.mark.parametrize("every", [1, 2])
def test_shares_are_those_asked_for(make: SimpleNamespace, validation: float, test: float, every: int) -> None:
    raw, truth = make.discs((24, 200, 200))
    config = DeepConfig(validation_share=validation, test_share=test)
    data = assemble([make.source(raw, make.scribbles(truth, every=every))], make.classes, config)
    assert data.shares.validation == pytest.approx(validation, abs=0.03)
    assert data.shares.test == pytest.approx(test, abs=0.03)
    assert data.shares.training > 0.5 * (1 - validation - test)
    image = data.images[0]
    whole = Box.whole(image.shape)
    trained = np.bincount(image.labels(whole)[image.split.training_mask(whole, image.shape)], minlength=3)[1:]
    assert data.counts == pytest.approx(trained, rel=0.05), "counts are those that are left beside the gap"


@pytest.mark.parametrize("every", [1, 2, 8])
def test_slices_held_out_leave_something_to_train_on_where_voxels_are_cubes(make: SimpleNamespace, every: int) -> None:
    raw, truth = make.discs((48, 160, 160))
    data = assemble([make.source(raw, make.scribbles(truth, every=every))], make.classes, DeepConfig(split="slice"))
    assert data.images[0].split.validation
    assert data.shares.training > 0.4
    drawn = WindowSampler.of(DeepConfig(), data, Geometry(height=64, width=64)).batch(0, 8)[1]
    assert (drawn > 0).any(axis=(1, 2)).all()
    assert set(np.unique(drawn)) >= {1, 2}


def test_a_split_that_leaves_nothing_to_train_on_is_refused(make: SimpleNamespace) -> None:
    raw, truth = make.discs((3, 64, 64))
    config = DeepConfig(validation_share=0.5, test_share=0.2, split="slice")
    with pytest.raises(LabelError, match=r"too few labels.*0% train.*hold out less"):
        assemble([make.source(raw, make.scribbles(truth, every=1))], make.classes, config)


def test_whole_images_are_held_out(make: SimpleNamespace) -> None:
    sources = []
    for number in range(5):
        raw, truth = make.discs((2, 64, 64), seed=number)
        labels = make.labels(make.scribbles(truth, every=1))
        sources.append(LabelledImage(name=f"i{number}", volume=make.volume(raw), labels=labels))
    data = assemble(sources, make.classes, DeepConfig(split="image", validation_share=0.3))
    held = [bool(image.split.held_out) for image in data.images]
    assert 1 <= sum(held) <= 2


def test_statistics_skip_what_is_no_number(make: SimpleNamespace) -> None:
    raw, truth = make.discs()
    values = raw.astype(np.float32)
    values[:, ::3, ::5] = np.nan
    data = assemble([make.source(values, make.scribbles(truth))], make.classes, DeepConfig())
    found = measure_intensities(data, Geometry(height=64, width=64), DeepConfig())
    assert found["mean"][0] == pytest.approx(np.nanmean(values), rel=0.05)
    assert found["deviation"][0] == pytest.approx(np.nanstd(values), rel=0.15)
    empty = assemble([make.source(values * np.nan, make.scribbles(truth))], make.classes, DeepConfig())
    with pytest.raises(VolumeError, match="no numbers"):
        measure_intensities(empty, Geometry(height=64, width=64), DeepConfig())


@pytest.mark.parametrize("kind", ["deviation", "percentiles", "range", "imagenet"])
def test_intensities_are_scaled_as_asked_and_cut_off(make: SimpleNamespace, kind: str) -> None:
    raw, truth = make.discs()
    raw = raw.copy()
    raw[:, 80, 80] = 255
    config = DeepConfig(intensities=kind, clip_deviations=2.0)
    data = assemble([make.source(raw, make.scribbles(truth))], make.classes, config)
    found = measure_intensities(data, Geometry(height=64, width=64), config)
    normalise = Normalisation.of(found, 1, 1)
    seen = normalise(torch.tensor([found["low"][0], found["high"][0], -1e6, 1e6, float("nan")]).view(1, 1, 1, 5))
    low, high, darker, brighter, unknown = seen.flatten().tolist()
    assert (low, high, unknown) == (darker, brighter, 0.0)
    measured = found.get("measured", found)
    assert high - low == pytest.approx(4 * measured["deviation"][0] / found["deviation"][0], rel=1e-4)
    whole = Normalisation.of({name: found[name] for name in ("mean", "deviation")}, 1, 1)
    values = whole(torch.from_numpy(raw[None].astype(np.float32)))
    if kind == "range":
        assert (float(values.min()), float(values.max())) == pytest.approx((0, 1), abs=0.3)
    elif kind == "imagenet":
        assert float(values.max() - values.min()) == pytest.approx(1 / 0.226, rel=0.3)
    else:
        assert float(values.std()) == pytest.approx(1, rel=0.3)


def test_windows_show_objects_and_as_much_again_around_them(
    make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for radius, wanted in ((6, 128), (30, 192)):  # no smaller than 128; three times 60 is 180
        picture, numbers = np.zeros((1, 500, 500), np.uint8), np.ones((1, 500, 500), np.uint32)
        y, x = np.mgrid[:500, :500]
        for number, (cy, cx) in enumerate(((100, 100), (100, 390), (390, 100), (390, 390)), 2):
            numbers[0][(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = number
        classes = [ClassInfo(value=1, name="background", background=True)]
        config = DeepConfig(target="instances", scale=1, validation_share=0)
        data = assemble([make.source(picture, numbers)], classes, config)
        assert object_width(data) == pytest.approx(2 * radius - 1, abs=1)
        assert window_size(config, data, 1.0, pytest.fail) == (1, wanted, wanted)
        assert window_size(config, data, 0.5, pytest.fail) == (1, 128, 128)
        with monkeypatch.context() as patched:  # labels have been read for the window and serve the scale
            patched.setattr("voxloop.deep.data.training_data.object_widths", pytest.fail)
            assert network_scale(DeepConfig(scale="auto"), data) == (0.5 if radius == 30 else 1.0)


def test_windows_are_no_wider_than_the_network_sees_and_fit_into_memory(
    make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, truth = make.discs((1, 320, 320))
    data = assemble([make.source(raw, make.scribbles(truth, every=1))], make.classes, DeepConfig())
    assert window_size(DeepConfig(), data, 1.0, pytest.fail) == (1, 256, 256)
    assert window_size(DeepConfig(levels=3), data, 1.0, pytest.fail) == (1, 128, 128)
    config = DeepConfig(encoder="tu-test_efficientnet")
    monkeypatch.setattr("voxloop.deep.begin.sizing.free_memory", lambda device: int(2.2e9))
    _, side, _ = window_size(config, data, 1.0, lambda: describe(config, data, (1, 1, 1), (1, 1, 1)))
    network = build(describe(config, data, (1, 1, 1), (1, 1, 1)))
    for size, fits in ((side, True), (side + 32, False)):
        assert (memory_of(network, config, (1, size, size))(config.batch_size) <= 1.1e9) == fits


def test_window_and_scale_are_no_larger_than_the_image_needs(make: SimpleNamespace) -> None:
    raw, truth = make.discs((3, 100, 300))
    data = assemble([make.source(raw, make.scribbles(truth, every=1))], make.classes, DeepConfig())
    assert network_scale(DeepConfig(scale="auto"), data) == 1.0
    assert window_size(DeepConfig(), data, 1.0, pytest.fail) == (1, 128, 128)
    assert window_size(DeepConfig(), data, 0.5, pytest.fail) == (1, 64, 64)
    assert window_size(DeepConfig(window="1,192,64"), data, 1.0, pytest.fail) == (1, 192, 64)
    raw, truth = make.discs((1, 384, 400))
    large = assemble([make.source(raw, make.scribbles(truth, every=1))], make.classes, DeepConfig())
    assert network_scale(DeepConfig(scale="auto"), large) == 0.5
    assert network_scale(DeepConfig(scale="0.75"), large) == 0.75
