"""Another program is asked where it is worth it: for long predictions, or by name."""

import numpy as np
import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.config import PredictConfig
from voxloop.prediction.averaged import combine_models
from voxloop.prediction.job import make_job
from voxloop.prediction.lazy import predict
from voxloop.volumes import open_volume


class Hasty:
    """A predictor of half the cost once it was hastened."""

    def __init__(self, inner):
        self.inner, self.asked = inner, []

    def __call__(self, batch):
        return self.inner(batch)

    def hasten(self, backend, sample):
        self.asked.append((backend, sample.shape))
        return "computed by another"


@pytest.mark.parametrize(("backend", "asked"), [("auto", 0), ("torch", 0), ("openvino", 1)])
def test_a_short_prediction_is_hastened_by_name_alone(backend, asked):
    model, said = FakeModel(make_spec()), []
    with model.open() as inner:
        predictor = Hasty(inner)
        volume = open_volume(picture((2, 64, 64)))
        job = make_job(model.spec, predictor, volume, PredictConfig(backend=backend))
        object.__setattr__(job, "before", said.append)
        job.measure()
    assert len(predictor.asked) == asked
    assert ("computed by another" in said) == bool(asked)


def test_a_long_one_is_hastened_by_itself(monkeypatch):
    monkeypatch.setattr("voxloop.prediction.haste.WORTH_SECONDS", 0.0)
    model = FakeModel(make_spec())
    with model.open() as inner:
        predictor = Hasty(inner)
        make_job(model.spec, predictor, open_volume(picture((2, 64, 64))), PredictConfig()).measure()
    assert [backend for backend, _ in predictor.asked] == ["auto"]


def test_slices_and_what_stands_around_a_model_pass_it_on():
    opened = []

    class HastyModel(FakeModel):
        def open(self, **options):
            made = super().open(**options)
            enter = made.__enter__

            class Opened:
                def __enter__(self):
                    opened.append(Hasty(enter()))
                    return opened[-1]

                def __exit__(self, *error):
                    return made.__exit__(*error)

            return Opened()

    models = [HastyModel(make_spec()), HastyModel(make_spec())]
    volume = open_volume(picture((2, 64, 64)))
    lazy = predict(models, volume, turns="flips", backend="openvino")
    first = lazy[:, 0].values
    assert np.array_equal(lazy[:, 1].values.shape, first.shape)
    assert [len(one.asked) for one in opened] == [1, 1]
    assert combine_models(models).spec.channels == 1
