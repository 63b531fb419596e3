"""Networks of planes that learn along z, y and x in one training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.sampling import WindowSampler
from voxloop.deep.data.training_data import assemble
from voxloop.deep.data.windows import Geometry, validation_places, validation_window, window_box
from voxloop.deep.learner import train
from voxloop.deep.predict.model import load
from voxloop.errors import ConfigError
from voxloop.geometry import Box
from voxloop.prediction.voted import axes_of, votes_of

ALONG = Geometry(height=64, width=64, slices=3, axes=(0, 1, 2))


@pytest.fixture(scope="module")
def data(make: SimpleNamespace) -> Any:
    raw, truth = make.discs((40, 70, 90))
    return assemble([make.source(raw, make.scribbles(truth, every=2))], make.classes, DeepConfig())


def test_windows_lie_across_every_axis_with_their_neighbours(data: Any) -> None:
    sampler = WindowSampler(data.images, ALONG, 2, seed=0)
    image = data.images[0]
    whole = image.pixels(Box.whole(image.shape))[0].astype(np.float32)
    allowed = np.where(
        image.split.training_mask(Box.whole(image.shape), image.shape),
        image.labels(Box.whole(image.shape)),
        0,
    )
    seen = set()
    for step in range(30):
        place = sampler.place(np.random.default_rng((0, step, 0)))
        pixels, labels = sampler.sample(step, 0)
        seen.add(place.axis)
        assert (pixels.shape, labels.shape) == ((3, 64, 64), (64, 64))
        at = (place.z, place.y, place.x)[place.axis]
        size = whole.shape[place.axis]
        corner = [v for axis, v in enumerate((place.z, place.y, place.x)) if axis != place.axis]
        for channel, plane in enumerate(np.clip([at - 1, at, at + 1], 0, size - 1)):
            wide = np.pad(np.take(whole, plane, place.axis), 70, mode="reflect")
            y, x = (v + 70 for v in corner)
            np.testing.assert_array_equal(pixels[channel], wide[y : y + 64, x : x + 64])
        marked = np.pad(np.take(allowed, at, place.axis), 70)
        np.testing.assert_array_equal(labels, marked[y : y + 64, x : x + 64])
    assert seen == {0, 1, 2}


def test_every_axis_is_judged(data: Any) -> None:
    places = validation_places(data.images, ALONG, 12, 0)
    assert {place.axis for place in places} == {0, 1, 2}
    for place in places:
        _, labels = validation_window(data.images, place, ALONG)
        assert labels.shape == (64, 64)
        assert window_box(place, ALONG).shape[place.axis] == 1


def test_a_run_learns_along_all_axes_and_its_model_asks_for_votes(context: Any) -> None:
    config = DeepConfig.from_json(context.settings).changed(axes="zyx", epochs=1)
    context.config["settings"] = config.to_json()
    assert train(context) == "finished"
    spec = load(context.path / "model").spec
    assert votes_of(spec, "auto") == 3
    assert votes_of(spec, "1") == 1


def test_a_run_across_one_axis_makes_a_model_that_is_asked_across_it(context: Any) -> None:
    config = DeepConfig.from_json(context.settings).changed(axes="x", epochs=1)
    context.config["settings"] = config.to_json()
    assert train(context) == "finished"
    spec = load(context.path / "model").spec
    assert (axes_of(spec, "auto"), axes_of(spec, "3"), votes_of(spec, "auto")) == ("x", "zyx", 1)
    with pytest.raises(ConfigError, match="arrows point along y and x"):
        config.changed(target="flow")


def test_single_planes_and_pictures_have_nothing_across(make: SimpleNamespace) -> None:
    raw, truth = make.discs((1, 64, 64))
    with pytest.raises(ConfigError, match="single plane, with nothing across y and x; use axes='z'"):
        assemble([make.source(raw, make.scribbles(truth))], make.classes, DeepConfig(axes="zyx"))


def test_squeezed_planes_are_warned_of(make: SimpleNamespace) -> None:
    raw, truth = make.discs((6, 64, 64))
    source = make.source(raw, make.scribbles(truth), spacing=(0.05, 0.01, 0.01))
    assert "5.0 times as long" in assemble([source], make.classes, DeepConfig(axes="zyx")).warnings[0]
