"""Objects from arrows: what touches is told apart, block by block as in the whole, in planes, frames and volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxloop.config.objects import ObjectsConfig
from voxloop.deep.data.targets import flow_targets, plane_targets
from voxloop.errors import PredictionError
from voxloop.objects import find_objects
from voxloop.objects.following import walk
from voxloop.objects.segmenting import decode_instances
from voxloop.volumes import open_volume


def packed(shape: tuple[int, ...], radius: float, gap: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Balls so close that they touch, numbered from 2 on; 1 outside."""
    grids = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    steps = [np.arange(radius * 1.1, n * s - radius, gap) for n, s in zip(shape, spacing, strict=True)]
    centres = np.stack(np.meshgrid(*steps, indexing="ij")).reshape(len(shape), -1)
    away = np.stack([sum((g - c) ** 2 for g, c in zip(grids, centre, strict=True)) for centre in centres.T])
    nearest = away.argmin(0)
    return np.where(away.min(0) <= radius**2, nearest + 2, 1).astype(np.uint8)


def outputs(coded: np.ndarray, spacing: tuple[float, ...], noise: float = 0.0) -> np.ndarray:
    """What a perfect network would say, uint8 (4, z, y, x)."""
    values = flow_targets(np.pad(coded, 1, constant_values=1), spacing).values
    values = values[(slice(None), *[slice(1, -1)] * coded.ndim)]
    values = values + np.random.default_rng(0).normal(0, noise, values.shape)
    values[1:] = (values[1:] + 1) / 2
    return (values.clip(0, 1) * 255).round().astype(np.uint8).reshape(4, *([1] * (3 - coded.ndim)), *coded.shape)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((70, 90), (1.0, 1.0)), ((24, 60, 64), (2.0, 1.0, 1.0)), ((48, 48, 48), (0.1, 0.1, 0.1))]
)
def test_touching_balls_are_told_apart(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    size = min(spacing)
    coded = packed(shape, 7 * size, 12 * size, spacing)
    count = int(coded.max()) - 1
    assert count > 7
    three = (1.0, *spacing) if len(spacing) == 2 else spacing
    found = decode_instances(outputs(coded, spacing, 0.1), spacing_um=three)
    assert found.max() == count
    truth = np.where(coded > 1, coded - 1, 0).reshape(found.shape)
    same = [np.bincount(found[truth == n]).argmax() for n in range(1, count + 1)]
    assert sorted(same) == list(range(1, count + 1))
    assert (np.array([0, *same])[truth] == found).mean() > 0.97
    alone = decode_instances(outputs(coded, spacing), ObjectsConfig(split=False), spacing_um=three)
    assert alone.max() < count


def test_what_a_network_half_tells_apart_is_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[:24, :32]
    left, right = (y - 12) ** 2 + (x - 11) ** 2 < 30, (y - 12) ** 2 + (x - 20) ** 2 < 30
    apart = np.where(left, 2, np.where(right, 3, 1)).astype(np.uint8)
    made = 0.45 * outputs(apart, (1.0, 1.0)) + 0.55 * outputs(np.minimum(apart, 2), (1.0, 1.0))
    found = decode_instances((made / 255).astype(np.float32))
    assert found.max() == 2
    assert (found[0][left & ~right] == 1).mean() > 0.97
    assert (found[0][right & ~left] == 2).mean() > 0.97
    monkeypatch.setattr("voxloop.objects.following._DRAWN", 0.0)
    assert decode_instances((made / 255).astype(np.float32)).max() == 1


def plane_by_plane(coded: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """What a perfect network would say that was taught single planes, uint8 (4, z, y, x): nothing along z."""
    values = plane_targets(coded, spacing, flow_targets).values
    values[1:] = (values[1:] + 1) / 2
    return (values * 255).round().astype(np.uint8)


def test_balls_above_each_other_are_told_apart_by_planes_alone() -> None:
    spacing = (2.0, 1.0, 1.0)
    coded = np.pad(packed((26, 24, 24), 9, 14, spacing), ((0, 0), (4, 4), (4, 4)), constant_values=1)
    coded[0] = coded[-1] = 1
    count = len(np.unique(coded)) - 1
    assert count > 2
    assert decode_instances(plane_by_plane(coded, spacing), ObjectsConfig(split=False), spacing_um=spacing).max() == 1
    found = decode_instances(plane_by_plane(coded, spacing), spacing_um=spacing)
    assert found.max() == count
    truth = np.where(coded > 1, coded - 1, 0)
    same = [np.bincount(found[truth == n]).argmax() for n in np.unique(truth[truth > 0])]
    assert len(set(same)) == count
    assert (np.isin(found, same)[truth > 0]).mean() > 0.97


@pytest.mark.parametrize(("block", "planes"), [((14, 40, 64), True), ((24, 64, 64), False)])
def test_blocks_change_nothing(tmp_path: Path, block: tuple[int, int, int], planes: bool) -> None:
    spacing = (2.0, 1.0, 1.0)
    coded = packed((24, 60, 64), 7, 12, spacing)
    made = plane_by_plane(coded, spacing) if planes else outputs(coded, spacing, 0.15)
    volume = open_volume(made, axes="czyx", spacing=spacing)
    config = ObjectsConfig(reach=10.0)
    found = find_objects(volume, tmp_path / "objects.zarr", config, instances=True, block=block, scales=False)
    np.testing.assert_array_equal(np.asarray(found.labels), decode_instances(made, config, spacing_um=spacing))


def test_walks_stay_in_their_clump_and_follow_micrometres() -> None:
    names = np.zeros((1, 5, 9), np.uint32)
    names[0, :, :4], names[0, :, 5:] = 1, 2
    flow = np.zeros((3, 1, 5, 9), np.float32)
    flow[2] = 1  # to the right, for ever
    ends = walk(names, flow, (1.0, 1.0, 1.0), 50)
    assert (ends[0, :, 4] == -1).all()
    assert (ends[0, :, :4] % 9 == 3).all()
    assert (ends[0, :, 5:] % 9 == 8).all()
    deep = np.ones((9, 1, 9), np.uint32)
    slanted = np.full((3, 9, 1, 9), np.sqrt(0.5), np.float32)
    slanted[1] = 0
    z, x = divmod(int(walk(deep, slanted, (3.0, 1.0, 1.0), 9)[0, 0, 0]), 9)
    assert (z, x) == (2, 6)  # as many micrometres down as across


def test_flecks_are_left_out_where_nobody_says_a_size(tmp_path: Path) -> None:
    coded = packed((60, 64), 7, 12, (1.0, 1.0))
    coded[coded == 2] = 1
    coded[:2, :2] = 2  # a fleck in a corner that is empty
    made = outputs(coded, (1.0, 1.0))
    objects = len(np.unique(coded)) - 2
    assert decode_instances(made).max() == objects
    assert decode_instances(made, ObjectsConfig(min_size=0)).max() == objects + 1
    assert ObjectsConfig(min_size="2.5").min_size == 2.5
    volume = open_volume(made, axes="czyx")
    for split in (True, False):
        config = ObjectsConfig(split=split)
        found = find_objects(
            volume, tmp_path / f"{split}.zarr", config, instances=True, block=(1, 64, 64), scales=False
        )
        np.testing.assert_array_equal(np.asarray(found.labels), decode_instances(made, config))


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(PredictionError, match=r"three channels .* or the four"):
        decode_instances(np.zeros((2, 1, 4, 4)))
