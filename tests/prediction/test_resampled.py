"""A model on an image of other voxels: shown what it knows, exact in tiles, left alone where nothing is to be done."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.config import PredictConfig
from voxloop.geometry import Box
from voxloop.prediction.job import PredictionJob
from voxloop.prediction.lazy import predict
from voxloop.prediction.plan import whole
from voxloop.prediction.planning import Limits, make_plan
from voxloop.prediction.resampled import CLOSE, FARTHEST, SAME, Resampled, _fraction, _stride, factors_of, fit_model
from voxloop.volumes import open_volume


def model_of(planar: bool = True, spacing=(0.03, 0.01, 0.01), **settings) -> FakeModel:
    return FakeModel(replace(make_spec(planar=planar, **settings), spacing_um=spacing))


def volume_of(shape, spacing, **settings):
    return open_volume(picture(shape), spacing=spacing, **settings)


# closer to 1 nothing is resampled
@given(st.floats(1 / FARTHEST, 1 / SAME) | st.floats(SAME, FARTHEST))
def test_ratios_become_simple_fractions_that_are_close(ratio):
    found = _fraction(ratio)
    assert abs(np.log(ratio / float(found))) < CLOSE
    assert min(found.numerator, found.denominator) <= 16


@given(st.integers(1, 64), st.fractions(Fraction(1, 8), 8, max_denominator=16))
def test_strides_are_whole_on_both_sides_and_the_fewest(step, factor):
    found = _stride(step, factor)
    assert (found * factor) % step == 0
    assert not any((fewer * factor) % step == 0 for fewer in range(1, found))


@pytest.mark.parametrize(
    ("spacing", "wanted"),
    [
        ((0.03, 0.01, 0.01), None),
        ((0.03, 0.0105, 0.0105), None),  # the same within what microscopes say
        ((0.03, 1.0, 1.0), None),  # somebody forgot the size
        ((0.09, 0.02, 0.01), (1, 2, 1)),  # planes are not resampled across
        ((0.03, 0.0067, 0.0067), (1, Fraction(2, 3), Fraction(2, 3))),
    ],
)
def test_what_is_resampled(spacing, wanted):
    assert factors_of(model_of().spec, volume_of((2, 32, 32), spacing)) == wanted


def test_frames_and_models_without_a_size_are_left_alone():
    model = model_of(planar=False, spacing=(0.01, 0.01, 0.01))
    assert factors_of(model.spec, volume_of((4, 32, 32), (0.02, 0.02, 0.02))) == (2, 2, 2)
    unknown = FakeModel(make_spec())
    assert fit_model(unknown, volume_of((2, 32, 32), (0.03, 0.02, 0.02)), PredictConfig()) is unknown


def test_the_answer_is_that_of_the_image_at_the_size_the_model_knows():
    model = model_of(radius=2)
    fine = volume_of((2, 96, 128), (0.03, 0.005, 0.005))
    halved = fine.data.compute().reshape(2, 48, 2, 64, 2).mean(axis=(2, 4))
    at_home = model.predict(halved[None])
    here = predict(model, fine).values
    assert here.shape == (2, 2, 96, 128)
    middle = np.abs(here[:, :, ::2, ::2] - at_home)[:, :, 8:-8, 8:-8]
    as_it_is = np.abs(predict(model, fine, match_spacing=False).values[:, :, ::2, ::2] - at_home)[:, :, 8:-8, 8:-8]
    assert middle.mean() < 0.4 * as_it_is.mean()
    assert np.allclose(here.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize("ratio", [2.0, 1.5, 0.5, 0.667])
def test_tiles_equal_the_whole(planar, ratio):
    model = model_of(planar=planar, spacing=(0.01, 0.01, 0.01))
    shape = (1, 150, 130) if planar else (96, 61, 60)
    volume = volume_of(shape, (0.01 * ratio,) * 3)
    shown = fit_model(model, volume, PredictConfig())
    assert isinstance(shown, Resampled)
    with shown.open() as predictor:
        job = PredictionJob(shown.spec, predictor, volume, PredictConfig(), Box.whole(shape))
        untiled = whole(shape, shown.spec.stride)
        wanted = job.predict(untiled.outer)[:, *untiled.core.slices]
        allowed = 12_000 if planar else 250_000
        plan = make_plan(shape, shown.spec.stride, shown.spec.halo, Limits(max_voxels=allowed), planar=planar)
        blocks = [block for tile in plan.tiles() for block in plan.blocks(tile)]
        assert len(blocks) > 1
        for block in blocks:
            found = job.predict(block.outer)[:, *block.cut.slices]
            assert np.abs(found - wanted[:, *block.core.slices]).max() < 1e-3


def test_votes_on_coarse_planes_are_asked_about_cubes():
    from voxloop.prediction.resampled import prepare_model

    model = model_of()
    volume = volume_of((8, 48, 48), (0.03, 0.01, 0.01))
    shown = prepare_model([model], PredictConfig(votes="3"), volume)
    assert isinstance(shown, Resampled)
    assert shown.factors == (3, 1, 1)
    taught = FakeModel(replace(model.spec, extra={**model.spec.extra, "axes": "zyx"}))  # it has seen such planes
    assert not isinstance(prepare_model([taught], PredictConfig(votes="3"), volume), Resampled)
    assert not isinstance(prepare_model([model], PredictConfig(votes="3", match_spacing=False), volume), Resampled)
