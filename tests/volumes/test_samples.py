"""Samples: the same seed the same voxels, truth that fits, and honest answers where a real one is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import VolumeError
from voxloop.volumes import samples, shape_zyx, spacing_of
from voxloop.volumes.samples import em, nuclei, real

DATA = os.environ.get("VOXLOOP_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="VOXLOOP_DATA names no folder of real samples")


@pytest.fixture(scope="module")
def micrograph():
    return samples.load("em", seed=1)


def test_list_names_what_load_knows():
    assert samples.list()[:2] == ["em", "nuclei"]
    with pytest.raises(VolumeError, match="did you mean 'nuclei'"):
        samples.load("nucleii")


def test_em_is_what_it_says(micrograph):
    assert shape_zyx(micrograph.volume) == (48, 256, 256)
    assert spacing_of(micrograph.volume) == (0.040, 0.008, 0.008)
    assert micrograph.volume.dtype == np.uint8
    truth = micrograph.truth.values
    shares = np.bincount(truth.ravel(), minlength=4) / truth.size
    assert [c.value for c in micrograph.classes] == [1, 2, 3]
    assert shares[0] == 0
    assert 0.03 < shares[2] < 0.15
    assert 0.08 < shares[3] < 0.25


def test_em_cannot_be_solved_by_a_threshold(micrograph):
    picture, truth = micrograph.volume.values, micrograph.truth.values
    best = 0.0
    for low in range(0, 250, 10):
        for high in range(low + 10, 256, 10):
            chosen = (picture >= low) & (picture < high)
            best = max(best, (chosen & (truth == 2)).sum() / (chosen | (truth == 2)).sum())
    assert best < 0.4


def test_em_seeds():
    small = (4, 64, 64)
    first, again, other = em.make(5, small), em.make(5, small), em.make(6, small)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).mean() > 0.5


def test_nuclei_touch_and_are_whole():
    import cc3d

    picture, truth = nuclei.make(2)
    np.testing.assert_array_equal(truth, nuclei.make(2)[1])
    count = int(truth.max())
    assert count > 30
    parts = cc3d.connected_components(truth, connectivity=26, return_N=True)[1]
    assert count <= parts <= count * 1.1  # a neighbour may cut a sliver off
    assert cc3d.connected_components(truth > 0, return_N=True)[1] < 0.8 * count
    assert picture[truth > 0].mean() > 1.3 * picture[truth == 0].mean()


@needs_data
@pytest.mark.parametrize("name", list(real.REAL))
def test_real_samples_load_with_truth(name):
    sample = samples.load(name)
    assert sample.volume.shape[-3:] == sample.truth.shape
    assert sample.about
    values = np.unique(sample.truth.values)
    if sample.kind == "semantic":
        assert set(values) == {c.value for c in sample.classes}
    else:
        assert len(values) > 2
    if name != "fluo_nuclei_2d":
        assert spacing_of(sample.volume) == pytest.approx(real.REAL[name].spacing_um)


def nowhere(monkeypatch, tmp_path):
    for variable in ("VOXLOOP_DATA", "VOXLOOP_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")


def test_without_folder_mirror_and_network_the_message_says_what_to_do(monkeypatch, tmp_path):
    nowhere(monkeypatch, tmp_path)
    with pytest.raises(VolumeError, match=r"VOXLOOP_MIRROR.*fibsem_mitochondria/.*'em' and 'nuclei'"):
        samples.load("fibsem_mitochondria")
    monkeypatch.setenv("VOXLOOP_MIRROR", "http://127.0.0.1:9/")
    with pytest.raises(VolumeError, match="cannot be fetched from the mirror"):
        samples.load("fibsem_mitochondria")


@needs_data
def test_a_mirror_folder_serves_and_damage_is_seen(monkeypatch, tmp_path):
    nowhere(monkeypatch, tmp_path)
    mirror = tmp_path / "mirror"
    shutil.copytree(Path(str(DATA)) / "ovule_nuclei_3d", mirror / "ovule_nuclei_3d")
    monkeypatch.setenv("VOXLOOP_MIRROR", str(mirror))
    assert samples.load("ovule_nuclei_3d").volume.shape == (100, 100, 100)
    file = mirror / "ovule_nuclei_3d" / "1135_mini.h5"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(VolumeError, match="sha256"):
        samples.load("ovule_nuclei_3d")
