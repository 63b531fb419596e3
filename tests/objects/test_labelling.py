"""Labelling by the block equals labelling of the whole, whatever the blocks, their order and who does them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cc3d
import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.objects import label_components
from voxloop.objects.fields import VoxelField, block_shape, field_of
from voxloop.objects.joining import join, name_voxels
from voxloop.objects.labelling import CONNECTIVITY, RANK, components, cut_block, first_voxels
from voxloop.objects.pieces import Pieces

sides = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)
masks = st.tuples(sides, sides, sides, seeds, st.floats(0.05, 0.7)).map(
    lambda v: np.random.default_rng(v[3]).random(v[:3]) < v[4]
)
values = st.tuples(sides, sides, sides, seeds).map(
    lambda v: np.random.default_rng(v[3]).integers(0, 4, v[:3], np.uint8)
)
# blocks of one voxel on one axis at most: thousands of them only take time
cuts = st.permutations([1, 3, 5]).flatmap(lambda low: st.tuples(*(st.integers(n, 7) for n in low)))


def labelled(values: np.ndarray, block: tuple[int, int, int], connectivity: str, seed: int = 0) -> np.ndarray:
    """Blocks done in an order of their own."""
    field = VoxelField(values.shape, lambda box: values[box.slices])
    with tempfile.TemporaryDirectory() as folder:
        pieces = Pieces(Path(folder), field.shape, block)
        order = [index for index, _ in pieces.blocks()]
        for at in np.random.default_rng(seed).permutation(len(order)):
            cut_block(field, pieces, order[at], connectivity)
        groups = join(pieces)
        whole = name_voxels(field, pieces, groups, np.arange(1, len(groups) + 1, dtype=np.uint32))
        return whole.read(Box.whole(field.shape))


@settings(max_examples=40)
@given(masks, cuts, st.sampled_from(list(RANK)), seeds)
def test_any_blocks_in_any_order_give_what_scipy_gives(mask, block, connectivity, seed) -> None:
    found = labelled(mask.view(np.uint8), block, connectivity, seed)
    expected, _ = ndi.label(mask, ndi.generate_binary_structure(3, RANK[connectivity]))
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=30)
@given(values, cuts, st.sampled_from(list(RANK)))
def test_touching_values_are_kept_apart(values, block, connectivity) -> None:
    found = labelled(values, block, connectivity)
    expected, count = cc3d.connected_components(values, connectivity=CONNECTIVITY[connectivity], return_N=True)
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)  # the same but for the numbers
    assert len(np.unique(found[found > 0])) == count
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@given(masks, st.booleans())
def test_first_voxels_in_any_order_of_names(mask, shuffled) -> None:
    names, count = components(mask.view(np.uint8))
    if shuffled:
        names = np.concatenate([[0], np.random.default_rng(0).permutation(count) + 1]).astype(names.dtype)[names]
    _, expected = np.unique(names[names > 0], return_index=True)
    np.testing.assert_array_equal(first_voxels(names, count), np.flatnonzero(names)[expected])


@pytest.fixture
def mask() -> np.ndarray:
    return (ndi.gaussian_filter(np.random.default_rng(1).random((20, 90, 70)), 1.5) > 0.51).astype(np.uint8)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "path"])
def test_lazy_sources_of_every_kind(mask, kind, tmp_path) -> None:
    stored = zarr.create_array(tmp_path / "mask.zarr", data=mask, chunks=(7, 32, 32))
    source = {
        "numpy": mask,
        "dask": da.from_array(mask, chunks=(9, 40, 33)),
        "zarr": stored,
        "path": tmp_path / "mask.zarr",
    }[kind]
    objects = label_components(source, tmp_path / "out.zarr", block=(8, 32, 64), workers=3)
    expected, count = ndi.label(mask)
    assert objects.count == count
    np.testing.assert_array_equal(np.asarray(objects.labels), expected)


def test_workers_and_blocks_do_not_show(mask, tmp_path) -> None:
    one = label_components(mask, tmp_path / "one.zarr", workers=1)
    other = label_components(mask, tmp_path / "other.zarr", workers=4, block=(16, 64, 32), scales=False)
    np.testing.assert_array_equal(np.asarray(one.labels), np.asarray(other.labels))


def test_small_components_are_left_out_by_physical_size(tmp_path) -> None:
    values = np.zeros((4, 8, 8), np.uint8)
    values[0, 0, :2] = values[3, 4:8, 4:8] = 1
    field = field_of(values)
    volume = VoxelField(field.shape, field.read, (2.0, 0.5, 0.5))  # 0.5 cubic micrometres a voxel
    kept = label_components(volume, tmp_path / "kept.zarr", min_size=1.0)
    assert kept.count == 2
    assert label_components(volume, tmp_path / "large.zarr", min_size=1.5).count == 1


def test_frames_are_pictures_of_their_own(tmp_path) -> None:
    frames = VoxelField((3, 8, 8), lambda box: np.ones(box.shape, np.uint8), frames=True)
    objects = label_components(frames, tmp_path / "frames.zarr", block=(2, 8, 8))
    assert [np.unique(plane).tolist() for plane in np.asarray(objects.labels)] == [[1], [2], [3]]
    assert objects.labels.attrs["z_kind"] == "frame"


def test_what_a_killed_process_has_done_is_not_done_again(mask, tmp_path) -> None:
    stored = tmp_path / "mask.zarr"
    zarr.create_array(stored, data=mask, chunks=(20, 90, 70))
    seen = 0

    def stop(done: int, total: int) -> None:
        nonlocal seen
        seen = done
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_components(stored, tmp_path / "out.zarr", block=(8, 32, 32), workers=1, progress=stop)
    assert not (tmp_path / "out.zarr").exists()
    scratch = tmp_path / ".out.zarr.partial" / "scratch" / "clumps"
    before = {file.name: file.stat().st_mtime_ns for file in scratch.glob("*.npz")}
    assert len(before) == 5
    after: dict[str, int] = {}

    def look(done: int, total: int) -> None:
        if done == total // 2:
            after.update({file.name: file.stat().st_mtime_ns for file in scratch.glob("*.npz")})

    objects = label_components(stored, tmp_path / "out.zarr", block=(8, 32, 32), workers=1, progress=look)
    assert {name: after[name] for name in before} == before
    np.testing.assert_array_equal(np.asarray(objects.labels), ndi.label(mask)[0])
    assert not scratch.exists()


def test_nothing_is_overwritten_unasked(mask, tmp_path) -> None:
    label_components(mask, tmp_path / "out.zarr")
    with pytest.raises(PredictionError, match="overwrite=True"):
        label_components(mask, tmp_path / "out.zarr")
    with pytest.raises(PredictionError, match=r"must end in \.zarr"):
        label_components(mask, tmp_path / "out.tif")
    assert label_components(mask * 0, tmp_path / "out.zarr", overwrite=True).count == 0


@given(st.tuples(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000)), st.integers(0, 200))
def test_blocks_are_whole_chunks_of_bounded_size(shape, halo) -> None:
    block = block_shape(shape, halo=(halo, halo, halo))
    assert all(b % min(c, -(-n // c) * c) == 0 for b, c, n in zip(block, (16, 256, 256), shape, strict=True))
    assert np.prod(block) <= 2**23 + 8 * (halo + 256) ** 3
