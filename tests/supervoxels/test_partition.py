"""Supervoxels of an image: the same whatever is read and in which order, never much read at once, plain refusals."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.errors import ConfigError
from voxloop.geometry import Box
from voxloop.supervoxels import seed_tiles
from voxloop.supervoxels.graph import region_graph
from voxloop.supervoxels.partition import Partition
from voxloop.volumes import open_volume, read_block
from voxloop.volumes.volume import make_volume

SHAPE = (12, 50, 61)


def cut(array, place=None, spacing=(1.0, 1.0, 1.0), z_kind="space", **config):
    volume = open_volume(array, axes="zyx", spacing=spacing)
    volume.attrs["z_kind"] = z_kind
    return Partition(volume, SupervoxelConfig(**config), lambda box: read_block(volume, box)[0], place)


@pytest.fixture(scope="module")
def picture():
    noise = np.random.default_rng(0).normal(size=SHAPE)
    values = ndi.gaussian_filter(noise, 1.5)
    return (255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


@given(
    config=st.fixed_dictionaries(
        {"size": st.sampled_from([3, 5, 9.5]), "dimensions": st.sampled_from(["2d", "3d"])},
        optional={"compactness": st.sampled_from([5.0, 60.0])},
    ),
    thick=st.sampled_from([1.0, 4.0]),
    tile=st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(2, 5)),
    data=st.data(),
)
@settings(max_examples=6, deadline=None)
def test_any_box_in_any_order_is_as_the_whole(picture, config, thick, tile, data):
    spacing = (thick, 1.0, 1.0)
    whole = cut(picture, spacing=spacing, **config).read(Box.whole(SHAPE))
    parts = cut(picture, spacing=spacing, **config)
    parts.tiles._size = tile
    for _ in range(2):
        bounds = []
        for size in SHAPE:
            first = data.draw(st.integers(0, size - 1))
            bounds.append((first, data.draw(st.integers(first + 1, size))))
        box = Box.from_json(bounds)
        np.testing.assert_array_equal(parts.read(box), whole[box.slices])


def test_seeds_are_kept_and_read_again_and_a_damaged_file_is_made_anew(picture, tmp_path):
    whole = cut(picture, tmp_path, size=5).read(Box.whole(SHAPE))
    files = sorted(tmp_path.glob("*.seeds"))
    assert files
    files[0].write_bytes(b"half")

    again = cut(picture, tmp_path, size=5)
    np.testing.assert_array_equal(again.read(Box.whole(SHAPE)), whole)
    assert len(files[0].read_bytes()) > 4
    assert all(again.tiles.ready(tile) for tile in again.tiles.all())


def test_little_is_read_at_once_and_no_more_than_a_box_needs(monkeypatch):
    monkeypatch.setattr(seed_tiles, "_DEEP", (4, 4, 4))
    monkeypatch.setattr(seed_tiles, "_SLAB", 2**14)
    shape, asked = (2000, 3000, 4000), []

    def read(box):
        asked.append(box)
        z, y, x = (np.arange(first, end) for first, end in zip(box.start, box.stop, strict=True))
        return (z[:, None, None] % 7 + y[:, None] % 5 + x % 3).astype(np.uint8)

    volume = make_volume(da.zeros(shape, np.uint8, chunks=(64, 512, 512)), name="huge")
    partition = Partition(volume, SupervoxelConfig(size=5), read)
    measured = len(partition._steps(Box.at((0, 0, 0), (1, 1, 1)))) and len(asked)
    wanted = Box.at((1000, 1500, 2000), (1, 20, 20))
    found = partition.read(wanted)
    assert found.shape == (1, 20, 20)
    seeds = asked[measured:]
    assert max(box.size for box in seeds) <= 2**16
    # the tiles around, with four cells to either side
    tiles = partition.tiles.around(partition.cells_of(wanted))
    assert sum(box.size for box in seeds) <= len(tiles) * ((4 + 8 + 1) * 5) ** 3


def test_whole_supervoxels_are_those_that_a_mask_touches(picture):
    partition = cut(picture, size=6)
    numbers = partition.read(Box.whole(SHAPE))
    box = Box.at((5, 20, 22), (1, 3, 12))
    mask = np.ones(box.shape, bool)
    ((where, found),) = partition.whole([(box, mask)])
    touched = np.isin(numbers, np.unique(numbers[box.slices]))
    pieces, _ = ndi.label(touched)
    wanted = np.isin(pieces, np.unique(pieces[box.slices])) & touched
    got = np.zeros(SHAPE, bool)
    got[where.slices] = found
    np.testing.assert_array_equal(got, wanted)
    assert partition.whole([]) == []


def test_frames_are_never_mixed(picture):
    flat = cut(picture, z_kind="frame", size=6)
    numbers = flat.read(Box.whole(SHAPE))
    assert not set(np.unique(numbers[0])) & set(np.unique(numbers[1]))
    alone = cut(picture[3:4], size=6)
    other = flat.tiles.cells[1] * flat.tiles.cells[2]
    alone._range = flat._range
    np.testing.assert_array_equal(numbers[3] - 3 * other, alone.read(Box.whole((1, *SHAPE[1:])))[0])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"size": 0}, "size=0 should be greater than or equal to 3"),
        ({"size": 70}, "larger than the image"),
        ({"size_um": 0.5}, "less than three voxels"),
        ({"size_um": float("nan")}, "size_um"),
        ({"compactness": 0}, "compactness"),
        ({"channel": -1}, "no channel"),
    ],
)
def test_what_cannot_be_made_is_refused(picture, config, words):
    with pytest.raises(ConfigError, match=words):
        cut(picture, **config)


def test_through_frames_is_refused(picture):
    with pytest.raises(ConfigError, match="pictures of their own"):
        cut(picture, z_kind="frame", dimensions="3d")


@pytest.mark.parametrize("dimensions", ["2d", "3d"])
def test_the_graph_counts_every_face_whatever_the_blocks(picture, dimensions):
    spacing = (2.0, 1.0, 1.0)
    partition = cut(picture, spacing=spacing, size=8, dimensions=dimensions)
    graph = region_graph(partition, block=(5, 20, 30))
    numbers, values = partition.read(Box.whole(SHAPE)), picture.astype(float)
    faces = {}
    for axis in (1, 2) if dimensions == "2d" else (0, 1, 2):
        one, other = (np.moveaxis(numbers, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        step = np.abs(np.diff(np.moveaxis(values, axis, 0), axis=0))
        area = 1.0 if axis == 0 else 2.0
        for a, b, s in zip(*(part[one != other] for part in (one, other, step)), strict=True):
            known = faces.setdefault((min(a, b), max(a, b)), [0, 0.0, 0.0])
            for at, more in enumerate((1, area, s)):
                known[at] += more
    assert {(a, b) for a, b in zip(graph.edges.a, graph.edges.b, strict=True)} == set(faces)
    for row in graph.edges.itertuples():
        count, area, total = faces[row.a, row.b]
        assert (row.faces, row.area_um2) == (count, area)
        assert row.contrast == pytest.approx(total / count)
    node = graph.nodes.iloc[3]
    assert node.voxels == (numbers == graph.nodes.index[3]).sum()
    assert node["mean"] == pytest.approx(values[numbers == graph.nodes.index[3]].mean())
    middle = np.argwhere(numbers == graph.nodes.index[3]).mean(axis=0) * spacing
    np.testing.assert_allclose([node.z_um, node.y_um, node.x_um], middle)
