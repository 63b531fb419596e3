"""Objects found block by block against those of the array in memory, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from voxloop.config import ObjectsConfig
from voxloop.errors import ConfigError, PredictionError
from voxloop.objects import decode_instances, find_objects, preview, segment
from voxloop.objects.fields import VoxelField, field_of
from voxloop.volumes import open_volume
from voxloop.volumes.samples.nuclei import SPACING, make

BLOCK = (16, 32, 32)


def smooth_noise(shape: tuple[int, int, int], seed: int, sigma: float = 3.0) -> np.ndarray:
    noise = ndi.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


@pytest.fixture(scope="module")
def nuclei() -> np.ndarray:
    return make(3, (24, 96, 96))[1]


@pytest.fixture(scope="module")
def ideal(nuclei) -> np.ndarray:
    """What a perfect network says of the nuclei: foreground, boundary, depth."""
    inside = nuclei > 0
    depth = np.zeros(nuclei.shape, np.float32)
    for number in range(1, nuclei.max() + 1):
        one = ndi.distance_transform_edt(nuclei == number, sampling=SPACING)
        depth = np.where(nuclei == number, one / max(one.max(), 1e-6), depth).astype(np.float32)
    boundary = np.zeros_like(inside)
    for axis in range(3):
        differs = np.diff(nuclei, axis=axis) != 0
        boundary |= np.pad(differs, [(0, int(a == axis)) for a in range(3)])
    return np.stack([inside, boundary & inside & (depth < 0.3), depth]).astype(np.float32)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found, expected)


CONFIGS = [
    {"threshold": 0.45},
    {"threshold": 0.5, "smoothing": 2.5, "min_size": 200.0},
    {"threshold": 0.45, "fill_holes": 60.0, "connectivity": "corners"},
    {"threshold": 0.6, "fill_holes": 60.0, "min_size": 60.0, "connectivity": "edges"},
]


@settings(max_examples=6)
@given(st.integers(0, 1000), st.sampled_from(CONFIGS), st.booleans(), st.tuples(*[st.integers(7, 40)] * 3))
def test_voxels_holes_and_sizes_equal_the_whole(tmp_path_factory, seed, given_, frames, block) -> None:
    config = ObjectsConfig(**given_)
    probability = smooth_noise((24, 40, 45), seed)
    volume = open_volume(probability, spacing=(2, 1, 1), z_kind="frame" if frames else "space")
    path = tmp_path_factory.mktemp("objects") / "objects.zarr"
    found = find_objects(volume, path, config, block=block, scales=False)
    same(np.asarray(found.labels), segment(probability, config, spacing_um=(2, 1, 1), frames=frames))
    assert found.unsure == 0


def test_a_hole_larger_than_a_block_is_filled_and_an_open_one_is_not(tmp_path) -> None:
    probability = np.ones((20, 60, 60), np.float32)
    probability[4:16, 5:40, 5:40] = 0  # a hole across many blocks
    probability[8:12, 50:, 50:] = 0  # open to the side
    config = ObjectsConfig(fill_holes=20_000)
    labels = np.asarray(find_objects(probability, tmp_path / "o.zarr", config, block=(8, 16, 16)).labels)
    assert labels[10, 20, 20] == 1
    assert labels[10, 55, 55] == 0
    kept = find_objects(probability, tmp_path / "p.zarr", config.changed(fill_holes=12_000), block=(8, 16, 16))
    assert np.asarray(kept.labels)[10, 20, 20] == 0


def test_clumps_are_cut_where_they_are_narrow(nuclei, tmp_path) -> None:
    probability = (nuclei > 0).astype(np.float32)
    volume = open_volume(probability, spacing=SPACING)
    config = ObjectsConfig(seed_depth=2.2, reach=30)
    whole = segment(probability, config, spacing_um=SPACING)
    one = segment(probability, config.changed(split=False), spacing_um=SPACING)
    assert matched(one, nuclei) < 0.2
    assert matched(whole, nuclei) >= 0.9
    found = find_objects(volume, tmp_path / "o.zarr", config, block=BLOCK)
    assert found.unsure == 0  # the reach is the whole sample
    same(np.asarray(found.labels), whole)


def test_clumps_longer_than_the_reach_are_counted_and_nothing_else_differs(nuclei, tmp_path) -> None:
    probability = (nuclei > 0).astype(np.float32)
    probability[:8, :16, :16] = 0
    probability[1:7, 2:14, 2:14] = 1  # alone, and shorter than the reach
    config = ObjectsConfig(seed_depth=2.2, reach=4.0)
    found = find_objects(open_volume(probability, spacing=SPACING), tmp_path / "o.zarr", config, block=BLOCK)
    labels, whole = np.asarray(found.labels), segment(probability, config, spacing_um=SPACING)
    assert 0 < found.unsure < found.count
    # an object that differs anywhere is one of those counted
    differs = {*np.unique(labels[(labels > 0) & (pairs(labels, whole))])}
    assert len(differs) <= found.unsure
    assert labels[4, 8, 8] not in differs
    assert (labels > 0).sum() == (whole > 0).sum()


def pairs(labels: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Voxels whose object is not the very same set of voxels in both."""
    both = labels.astype(np.int64) * (int(whole.max()) + 1) + whole
    sizes = {name: np.bincount(array.ravel()) for name, array in (("a", labels), ("b", whole))}
    values, where, count = np.unique(both, return_inverse=True, return_counts=True)
    equal = count == sizes["a"][values // (int(whole.max()) + 1)]
    equal &= count == sizes["b"][values % (int(whole.max()) + 1)]
    return ~equal[where].reshape(labels.shape)


def test_ideal_outputs_give_touching_nuclei_back(nuclei, ideal) -> None:
    config = ObjectsConfig(seed_threshold=0.6)
    found = decode_instances(ideal, config, spacing_um=SPACING)
    assert matched(found, nuclei) >= 0.97
    assert matched(decode_instances(ideal, config.changed(split=False), spacing_um=SPACING), nuclei) < 0.4
    eight_bit = np.round(ideal * 255).astype(np.uint8)
    assert matched(decode_instances(eight_bit, config, spacing_um=SPACING), nuclei) >= 0.97


def matched(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of true objects that one found object overlaps by more than half of both."""
    good = 0
    numbers = np.unique(truth[truth > 0])
    for number in numbers:
        mask = truth == number
        values, count = np.unique(found[mask], return_counts=True)
        best = values[count.argmax()]
        union = mask.sum() + (found == best).sum() - count.max()
        good += best > 0 and count.max() / union > 0.5
    return good / len(numbers)


@pytest.mark.parametrize(("reach", "smoothing"), [(30, 0.0), (30, 0.4), ("auto", 0.0)])
def test_decoding_by_the_block_equals_the_whole(ideal, reach, smoothing, tmp_path) -> None:
    config = ObjectsConfig(seed_threshold=0.6, min_size=1.0, reach=reach, smoothing=smoothing)
    channels = open_volume(ideal, spacing=SPACING, axes="czyx")
    found = find_objects(channels, tmp_path / "o.zarr", config, instances=True, block=BLOCK)
    whole = decode_instances(ideal, config, spacing_um=SPACING)
    if found.unsure == 0:
        same(np.asarray(found.labels), whole)
    assert (reach == 30) <= (found.unsure == 0)
    assert np.mean(pairs(np.asarray(found.labels), whole)) < 0.02


def test_frames_are_decoded_picture_by_picture() -> None:
    picture = np.zeros((3, 2, 20, 20), np.float32)
    picture[0, :, 4:16, 4:16] = picture[2, :, 6:14, 6:14] = 1
    found = decode_instances(picture, frames=True)
    assert np.unique(found[0]).tolist() == [0, 1]
    assert np.unique(found[1]).tolist() == [0, 2]


def test_a_preview_shows_what_applying_gives(nuclei) -> None:
    probability = (nuclei > 0).astype(np.float32)
    field = field_of(open_volume(probability, spacing=SPACING))
    config = ObjectsConfig(seed_depth=2.2, reach=6.4)
    shown = preview(field, config, (slice(12, 13), slice(20, 70), slice(10, 80)))
    assert shown.shape == (1, 50, 70)
    whole = segment(probability, config, spacing_um=SPACING)[12:13, 20:70, 10:80]
    same(shown > 0, whole > 0)
    assert np.mean(pairs(shown, whole)) < 0.1


def test_region_lies_where_it_lay_in_the_volume(tmp_path) -> None:
    volume = open_volume(smooth_noise((10, 40, 40), 1), spacing=(2, 1, 1))
    part = find_objects(volume, tmp_path / "o.zarr", region=(slice(2, 8), slice(10, 40), slice(5, 30))).labels
    assert part.shape == (6, 30, 25)
    assert [float(part.coords[axis][0]) for axis in "zyx"] == [4.0, 10.0, 5.0]


def test_wrong_input_says_what_is_possible(tmp_path) -> None:
    with pytest.raises(PredictionError, match="three channels foreground, boundary, distance"):
        decode_instances(np.zeros((2, 1, 4, 4)))
    with pytest.raises(PredictionError, match="these are 1"):
        find_objects(np.zeros((4, 8, 8), np.float32), tmp_path / "o.zarr", instances=True)
    with pytest.raises(ConfigError, match="write 'auto', or micrometres"):
        ObjectsConfig(reach="far")
    assert ObjectsConfig(reach="2.5").reach == 2.5


def test_sizes_are_areas_of_pictures_and_volumes_of_stacks() -> None:
    read = lambda box: np.zeros(box.shape)  # noqa: E731
    assert VoxelField((5, 8, 8), read, (2.0, 0.5, 0.5)).voxel == 0.5
    assert VoxelField((5, 8, 8), read, (2.0, 0.5, 0.5), frames=True).voxel == 0.25
    assert VoxelField((1, 8, 8), read, (2.0, 0.5, 0.5)).voxel == 0.25
