"""``predict`` gives at any slice what the untiled forward gives, and computes no more than it must."""

import pickle  # noqa: TID251

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.errors import PredictionError
from voxloop.prediction.averaged import combine_models
from voxloop.prediction.lazy import predict
from voxloop.prediction.plan import whole
from voxloop.prediction.reading import mirror, read_outer
from voxloop.volumes import open_volume

SHAPE = (7, 61, 75)


def untiled(model, volume, shape=SHAPE):
    block = whole(shape, model.spec.stride)
    return model.predict(read_outer(volume, block.outer))[:, *block.core.slices]


@pytest.fixture(scope="module")
def volume():
    return open_volume(picture(SHAPE), spacing=(0.03, 0.01, 0.01))


@given(st.data(), st.booleans(), st.sampled_from([None, 20_000]))
@settings(max_examples=40, deadline=None)
def test_any_slice_equals_the_untiled_forward(volume, data, planar, allowed):
    model = FakeModel(make_spec(planar=planar, classes=3))
    wanted = untiled(model, volume)
    lazy = predict(model, volume, **({"max_voxels": allowed} if allowed else {}))
    key = [slice(None)]
    for size in SHAPE:
        index = st.integers(-size, size - 1)
        cut = st.builds(slice, index, index, st.sampled_from([1, 2, -1]))
        key.append(data.draw(st.one_of(index, cut)))
    got = lazy.data[tuple(key)].compute(scheduler="synchronous")
    assert np.array_equal(got, wanted[tuple(key)])


def test_where_the_field_is_not_known_the_whole_plane_is_seen(volume):
    model = FakeModel(make_spec(known=False))
    assert np.array_equal(predict(model, volume)[:, 3, 5:9, 5:9].values, untiled(model, volume)[:, 3, 5:9, 5:9])


def test_a_slice_computes_just_that_and_a_second_time_nothing(volume):
    model = FakeModel(make_spec())
    seen = []
    original = FakeModel._forward
    model._forward = lambda batch: (seen.append(batch.shape), original(model, batch))[1]
    lazy = predict(model, volume)
    part = lazy[:, 2, 20:24, 20:24]
    assert seen == []
    first = part.values
    assert [shape[2:] for shape in seen] == [(1, 20, 20)]  # 4 voxels, a halo of 6 rounded to the stride
    assert np.array_equal(lazy[:, 2, 21:23, 20:24].values, first[:, 1:3])
    assert len(seen) == 1
    assert model.opened == 1


def test_several_models_turns_and_votes_are_those_of_a_run(volume):
    models = [FakeModel(make_spec()), FakeModel(make_spec(radius=2))]
    for asked in ({"turns": "flips"}, {"votes": "3"}, {}):
        one = combine_models(models, asked.get("turns", "none"), asked.get("votes", "auto"))
        assert np.allclose(predict(models, volume, **asked).values, untiled(one, volume), atol=1e-6)


def test_nothing_is_said_outside(volume):
    model = FakeModel(make_spec())
    inside = np.zeros(SHAPE, np.uint8)
    inside[:, 20:40] = 3
    found = predict(model, volume, inside=inside)
    assert np.array_equal(found[:, 2].values, untiled(model, volume)[:, 2] * (inside[2] > 0))
    assert not found[:, 2, :10].values.any()
    with pytest.raises(PredictionError, match="inside has"):
        predict(model, volume, inside=inside[1:])


def test_it_travels(volume):
    model = FakeModel(make_spec())
    lazy = predict(model, volume)
    lazy[:, 0, :4, :4].compute()
    again = pickle.loads(pickle.dumps(lazy))
    assert np.array_equal(again[:, 1].values, lazy[:, 1].values)


def test_coordinates_are_those_of_the_volume(volume):
    lazy = predict(FakeModel(make_spec()), volume)
    assert lazy.dims == ("class", "z", "y", "x")
    assert lazy.sel({"class": "class 2"}).shape == SHAPE
    assert np.array_equal(lazy.z.values, volume.z.values)


def test_model_and_volume_must_agree(volume):
    with pytest.raises(PredictionError, match="takes 3 channels, the volume has 1"):
        predict(FakeModel(make_spec(channels=3)), volume)
    with pytest.raises(PredictionError, match="an empty list holds no model"):
        predict([], volume)
    with pytest.raises(PredictionError, match=r"allowed.*max_voxels"):
        predict(FakeModel(make_spec(known=False)), volume, max_voxels=100)[:, 0].compute()


@given(st.integers(1, 20), st.integers(0, 60))
def test_mirrored_is_numpys_reflection(size, beyond):
    line = np.arange(size)
    assert np.array_equal(mirror(0, size + beyond, size), np.pad(line, (0, beyond), mode="reflect"))
