"""Intensities of another type or range than a model learnt from are told, those of another specimen are not."""

from dataclasses import replace

import numpy as np
import pytest
from tests.prediction.fakes import make_spec

from voxloop.config import PredictConfig
from voxloop.geometry import Box
from voxloop.prediction import task
from voxloop.prediction.intensities import sample
from voxloop.prediction.job import check_fit
from voxloop.prediction.rehearsal import answer
from voxloop.volumes import open_volume

SHALLOW = {"offset": [120.0], "scale": [40.0]}
DEEP = {"kind": "mean_deviation", "mean": [120.0], "deviation": [40.0]}
UNIT = {"mean": [0.47], "deviation": [0.157]}


def knowing(normalisation, channels=1):
    return replace(make_spec(channels=channels), normalisation=normalisation)


def image(mean=120.0, deviation=40.0, dtype="u1", shape=(6, 200, 220)):
    values = np.random.default_rng(0).normal(mean, deviation, shape)
    return open_volume(np.clip(values, 0, np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else None).astype(dtype))


@pytest.mark.parametrize("known", [DEEP, SHALLOW])
@pytest.mark.parametrize(
    ("volume", "looks"),
    [
        (image(120 * 257, 40 * 257, "u2"), "these look like values from 0 to 65535, and it learnt from 0 to 255"),
        (image(0.47, 0.157, "f4"), "these look like values from 0 to 1, and it learnt from 0 to 255"),
        (image(2000, 40, "u2"), "these look like values from 0 to 65535, and it learnt from 0 to 255"),
        (image(1, 0.3, "u1"), "another type or range of values is the likely reason"),
    ],
)
def test_another_range_is_told_with_its_likely_reason(known, volume, looks):
    (text,) = check_fit(knowing(known), volume, look=True)
    assert looks in text
    assert "120 ± 40" in text
    assert str(volume.dtype) in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("known", "volume"),
    [
        (DEEP, image(160, 20)),  # brighter, with less contrast
        (DEEP, image(60, 60)),
        (UNIT, image(0.5, 0.1, "f4")),
        ({}, image(9000, 900, "u2")),
        ({"mean": [0.0], "deviation": [1.0]}, image()),  # takes them as they are
    ],
)
def test_another_specimen_is_not(known, volume):
    assert check_fit(knowing(known), volume, look=True) == []


def test_nothing_is_read_unasked():
    class Untouched:
        shape, ndim, dtype = (6, 200, 220), 3, np.dtype("u2")

        def __getitem__(self, key):
            raise AssertionError("read")

    import dask.array as da

    volume = open_volume(da.from_array(Untouched(), chunks=-1, meta=np.empty((0, 0, 0), "u2")))
    assert check_fit(knowing(DEEP), volume) == []


def test_each_channel_by_its_name_and_what_is_no_number_left_out():
    values = np.stack([image().values, 257.0 * image().values]).astype("f4")
    values[:, :, :100] = np.nan
    volume = open_volume(values).assign_attrs(channel_names=["red", "green"])
    known = {"mean": [120.0, 120.0], "deviation": [40.0, 40.0]}
    (text,) = check_fit(knowing(known, channels=2), volume, look=True)
    assert "of channel green" in text


def test_only_what_is_to_be_predicted_is_looked_at():
    values = image().values.copy()
    values[:3] = 0
    region = (slice(3, 6), slice(0, 200), slice(0, 220))
    assert sample(open_volume(values), Box.of(region, values.shape)).min() >= 0
    assert check_fit(knowing(DEEP), open_volume(values), look=True, region=region) == []
    assert check_fit(knowing(DEEP), open_volume(values), look=True, region=(slice(0, 3),)) != []
    assert sample(open_volume(values), Box((5, 7, 3), (6, 9, 4))).shape == (1, 9 * 2)


def test_runs_and_forecasts_tell_it(bench):
    run = bench.create(spec=knowing({"mean": [30000.0], "deviation": [9000.0]}))
    assert task.run(bench.context(run)) == "finished"
    (warned,) = bench.events(run, "warning")
    assert "from 0 to 255, and it learnt from 0 to 65535" in warned["text"]
    found = answer(
        {
            "workspace": str(bench.path),
            "models": [str(bench.path / "models" / "p")],
            "image": "image",
            "region": None,
            "settings": PredictConfig().to_json(),
        }
    )
    assert found.warnings == (warned["text"],)
