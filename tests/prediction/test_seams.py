"""The measured halo is the true one where there is one, and the seam meter sees what a halo too small does."""

import numpy as np
import pytest
from scipy import ndimage
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.config import PredictConfig
from voxloop.prediction.budget import exact_halo
from voxloop.prediction.job import make_job
from voxloop.prediction.memory import Cost
from voxloop.prediction.planning import Limits, make_plan
from voxloop.prediction.seams import measure_halo
from voxloop.volumes import open_volume

COST = Cost(seconds_per_voxel=1e-7, bytes_per_voxel=100, base_bytes=0)


def job(spec, shape, **settings):
    model = FakeModel(spec)
    return make_job(spec, model._forward, open_volume(picture(shape)), PredictConfig(memory_gb=1.0, **settings))


def test_a_finite_field_is_measured_to_the_stride():
    found, kept = job(make_spec(radius=9, stride=4, known=False), (3, 400, 300), tolerance=1e-4).fast_halo(COST)
    assert kept
    assert found == (0, 12, 12)


def test_where_no_measured_halo_will_do_the_exact_one_is_taken_if_it_fits():
    def predictor(batch):
        # what it says anywhere depends on the shape of the block
        first = np.full(
            (len(batch), 1, *batch.shape[2:]), (batch.shape[3] * 7 + batch.shape[4] * 3) % 101 / 101, np.float32
        )
        return np.concatenate([first, 1 - first], axis=1)

    spec = make_spec(radius=297, stride=4)
    for memory, fits in ((1.0, True), (0.03, False)):
        volume, config = open_volume(picture((1, 2000, 2000))), PredictConfig(memory_gb=memory)
        halo, kept = make_job(spec, predictor, volume, config).fast_halo(COST)
        assert kept == fits
        assert not fits or halo == spec.halo


def test_a_field_that_fades_gives_a_longer_halo_for_a_finer_tolerance():
    image = picture((1, 1, 2000))[0].astype(np.float32) / 255

    def predict(box):
        # an exponential filter: its field has no end
        line = ndimage.convolve1d(
            image[None, :, box.slices[2]], np.exp(-np.abs(np.arange(-200, 201)) / 20) / 40, mode="constant"
        )
        return np.stack([line, 1 - line])

    halos = []
    for tolerance in (0.1, 0.01, 0.001):
        halo, kept = measure_halo(
            predict, (1, 1, 2000), (1, 1, 8), [2], tolerance=tolerance, max_voxels=10**6, places=[(0, 0, 1000)]
        )
        assert kept
        halos.append(halo[2])
    assert 0 < halos[0] < halos[1] < halos[2]
    # what the filter leaves beyond a distance d is about 0.25 exp(-d / 20) of a mean picture of a half
    assert halos[1] == pytest.approx(20 * np.log(0.25 / 0.01), abs=24)


def test_a_global_field_keeps_no_tolerance():
    def predict(box):
        y = np.arange(box.start[1], box.stop[1], dtype=np.float32)
        line = np.full((1, len(y), 4), y.mean() / 1000, np.float32)
        return np.stack([line, 1 - line])

    halo, kept = measure_halo(
        predict, (1, 1024, 4), (1, 32, 4), [1], tolerance=0.01, max_voxels=10**6, places=[(0, 512, 2)]
    )
    assert not kept
    assert halo == (0, 512, 0)


@pytest.mark.parametrize("planar", [True, False])
def test_the_seam_meter_tells_a_halo_that_is_enough_from_one_that_is_not(planar):
    shape = (4, 300, 300) if planar else (60, 60, 60)
    found = job(make_spec(planar=planar, radius=9, stride=4), shape)
    field = exact_halo(found.spec)
    for halo, whole in ((field, True), ((0, 0, 0), False)):
        limits = Limits(max_voxels=50_000 if planar else 100_000)
        plan = make_plan(shape, found.spec.stride, halo, limits, planar=planar)
        assert sum(1 for tile in plan.tiles() for _ in plan.blocks(tile)) > 1
        seam = found.seam(plan, COST)
        assert (seam.largest < 1e-6) == whole
        assert seam.voxels > 1000
        assert (seam.flips > 0) == (not whole)


def test_one_block_has_no_seam():
    found = job(make_spec(), (4, 100, 100))
    plan = make_plan((4, 100, 100), found.spec.stride, exact_halo(found.spec), Limits(max_voxels=10**6), planar=True)
    seam = found.seam(plan, COST)
    assert seam.largest == 0.0
