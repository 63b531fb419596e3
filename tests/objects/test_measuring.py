"""The table of objects against what is known of balls, boxes and discs; meshes that close."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops

from voxloop.errors import PredictionError, VolumeError
from voxloop.objects import label_components, measure_objects
from voxloop.objects.fields import VoxelField
from voxloop.volumes import open_volume
from voxloop.volumes.samples.nuclei import SPACING, make


def ball(radius_um: float, spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> np.ndarray:
    grid = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"))
    middle = np.array([(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True)])[:, None, None, None]
    return (((grid - middle) ** 2).sum(0) <= radius_um**2).astype(np.uint8)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.5)])
def test_a_ball(spacing) -> None:
    shape = tuple(round(30 / s) + 1 for s in spacing)
    row = measure_objects(open_volume(ball(12, spacing, shape), spacing=spacing)).loc[1]
    assert row.volume_um3 == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.02)
    assert row.surface_um2 == pytest.approx(4 * np.pi * 12**2, rel=0.03)
    assert [row.axis_1_um, row.axis_3_um] == pytest.approx([24, 24], rel=0.03)
    assert [row.z_um, row.y_um, row.x_um] == pytest.approx(
        [(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True)]
    )
    assert not row.touches_edge


def test_a_disc_and_a_stick_in_a_picture() -> None:
    labels = np.zeros((1, 80, 120), np.int32)
    y, x = np.mgrid[:80, :120]
    labels[0, (y - 30) ** 2 + (x - 30) ** 2 <= 20**2] = 1
    labels[0, 60:64, 10:110] = 7
    table = measure_objects(open_volume(labels, spacing=0.5))
    assert table.index.tolist() == [1, 7]
    assert table.area_um2[1] == pytest.approx(np.pi * 100, rel=0.01)
    assert table.perimeter_um[1] == pytest.approx(2 * np.pi * 10, rel=0.03)
    assert table.axis_1_um[7] / table.axis_2_um[7] == pytest.approx(25, rel=0.02)
    assert table.loc[7, ["axis_1_z", "axis_1_y", "axis_1_x"]].tolist() == pytest.approx([0, 0, 1], abs=1e-6)
    assert table.loc[7, ["y_from", "y_to", "x_from", "x_to"]].tolist() == [60, 64, 10, 110]


def test_blocks_do_not_show_and_scikit_image_agrees(tmp_path, monkeypatch) -> None:
    picture, truth = make(2, (20, 96, 96))
    labels, image = open_volume(truth, spacing=SPACING), open_volume(picture, spacing=SPACING)
    one = measure_objects(labels, image)
    monkeypatch.setattr("voxloop.objects.measuring.block_shape", lambda *_, **__: (7, 40, 33))
    many = measure_objects(labels, image, workers=3)
    pd.testing.assert_frame_equal(one, many)
    for found in regionprops(truth, picture, spacing=SPACING):
        row = one.loc[found.label]
        assert row[["z_um", "y_um", "x_um"]].tolist() == pytest.approx(found.centroid)
        assert row.volume_um3 == pytest.approx(found.area)
        assert [row["mean"], row["min"], row["max"]] == pytest.approx(
            [found.intensity_mean, found.intensity_min, found.intensity_max]
        )
        assert [row.z_from, row.y_from, row.x_from, row.z_to, row.y_to, row.x_to] == list(found.bbox)
        inside = picture[truth == found.label].astype(float)
        assert row["std"] == pytest.approx(inside.std())


def test_frames_have_areas_and_channels_their_names() -> None:
    labels = np.ones((2, 6, 6), np.uint8)
    labels[1] = 2
    frames = VoxelField(labels.shape, lambda box: labels[box.slices], (1.0, 0.5, 0.5), frames=True)
    pixels = open_volume(np.stack([labels * 3, labels * 5]), axes="czyx")
    pixels.attrs["channel_names"] = ["red", "green"]
    table = measure_objects(frames, pixels)
    assert table.area_um2.tolist() == [9.0, 9.0]
    assert table.mean_red.tolist() == [3, 6]
    assert table.max_green.tolist() == [5, 10]


def test_nothing_and_wrong_things() -> None:
    assert len(measure_objects(np.zeros((2, 4, 4), np.uint8))) == 0
    with pytest.raises(VolumeError, match="must be the same"):
        measure_objects(np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 5)))
    with pytest.raises(PredictionError, match="numbered too high"):
        measure_objects(np.full((2, 4, 4), 2**30, np.uint32))


def test_tables_and_meshes_on_disk(tmp_path) -> None:
    volume = open_volume(ball(6, (1.0, 0.5, 0.5), (16, 32, 32)), spacing=(1.0, 0.5, 0.5))
    objects = label_components(volume, tmp_path / "o.zarr")
    table = objects.table()
    pd.testing.assert_frame_equal(objects.table(), table)  # kept, and read back
    objects.save_table(tmp_path / "t.csv", image=volume)
    assert pd.read_csv(tmp_path / "t.csv", index_col="object")["mean"].tolist() == [1.0]
    with pytest.raises(PredictionError, match=r"\.csv, \.parquet or \.xlsx"):
        objects.save_table(tmp_path / "t.doc")
    vertices, faces = objects.mesh(1)
    assert vertices.mean(0) == pytest.approx([7.75, 7.75, 7.5], abs=0.1)  # x, y, z
    assert enclosed(vertices, faces) == pytest.approx(table.volume_um3[1], rel=0.05)  # positive: faces look outwards
    smooth = objects.mesh(1, smooth_um=1.0)
    assert enclosed(*smooth) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.1)
    ply = objects.save_mesh(1, tmp_path / "one.ply").read_bytes()
    assert f"element face {len(faces)}".encode() in ply
    assert len(ply) == ply.index(b"end_header\n") + 11 + 12 * len(vertices) + 13 * len(faces)
    lines = objects.save_mesh(1, tmp_path / "one.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == len(vertices)
    with pytest.raises(PredictionError, match="numbered 1 to 1"):
        objects.mesh(2)


def enclosed(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume inside a closed surface, by the divergence theorem."""
    a, b, c = (vertices[faces[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)
