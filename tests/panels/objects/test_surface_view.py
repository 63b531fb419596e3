"""Surfaces of objects: which are shown, from which resolution, what a click does; nothing stays open."""

from __future__ import annotations

import numpy as np
import pytest
from tests.panels.screen import Screen

from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.objects import find_objects
from voxloop.panels.objects.surface_view import SurfaceView, color_of
from voxloop.volumes import open_volume

pytest.importorskip("k3d")

SPACING = (0.04, 0.01, 0.02)
CENTRES, RADII = ((0.5, 0.3, 0.4), (0.5, 0.8, 1.6), (1.4, 0.5, 1.0)), (0.25, 0.1, 0.15)


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    """Three balls of different size, in micrometres, and where they are."""
    shape = (50, 300, 100)  # long enough for a second resolution
    at = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, SPACING, strict=True)), indexing="ij")
    image = np.zeros(shape, np.uint8)
    for centre, radius in zip(CENTRES, RADII, strict=True):
        image[sum((a - c) ** 2 for a, c in zip(at, centre, strict=True)) < radius**2] = 255
    path = tmp_path_factory.mktemp("objects") / "balls.zarr"
    return find_objects(open_volume(image, spacing=SPACING), path, ObjectsConfig(split=False))


def test_the_largest_are_shown_in_micrometres(balls, no_leak):
    sizes = balls.table()["volume_um3"].sort_values(ascending=False)
    view = SurfaceView(balls, most=2)
    assert view.numbers == tuple(sizes.index[:2])
    shown = view.plot.objects
    assert [mesh.name for mesh in shown] == [f"object {number}" for number in view.numbers]
    for mesh, number in zip(shown, view.numbers, strict=True):
        assert mesh.color == color_of(number)
        line = balls.table().loc[number]
        middle = (mesh.vertices.max(0) + mesh.vertices.min(0)) / 2
        assert middle == pytest.approx([line["x_um"], line["y_um"], line["z_um"]], abs=0.02)
        radius = (3 * line["volume_um3"] / 4 / np.pi) ** (1 / 3)
        assert (mesh.vertices.max(0) - mesh.vertices.min(0)) / 2 == pytest.approx([radius] * 3, abs=0.03)
    Screen(view).field("Largest").value = 3
    assert len(view.numbers) == len(view.plot.objects) == 3
    view.close()
    assert no_leak.left() == []


def test_a_table_that_cannot_be_read_is_said_where_it_was_waited_for(balls, monkeypatch, no_leak):
    def fail(self):
        raise PredictionError("the table is damaged")

    monkeypatch.setattr(type(balls), "table", fail)
    view = SurfaceView(balls)
    screen = Screen(view)
    assert "reading the table" not in screen.text
    assert "the table could not be read" in screen.text
    assert screen.message == "the table is damaged"
    view.close()
    assert no_leak.left() == []


def test_named_ones_and_a_click(balls, no_leak):
    clicked = []
    view = SurfaceView(balls, [2], on_click=clicked.append)
    assert view.numbers == (2,)
    view.plot.objects[0].click_callback({})
    assert clicked == [2]
    assert "object 2" in Screen(view).text
    view.choose([1, 3])
    assert view.numbers == (1, 3)
    with pytest.raises(PredictionError, match="no object 7"):
        view.choose([7])
    view.close()
    assert no_leak.left() == []


def test_a_large_object_comes_from_a_coarser_resolution(balls, monkeypatch, no_leak):
    fine = SurfaceView(balls, [1])
    monkeypatch.setattr("voxloop.panels.objects.surface_view.FINE", 20)
    coarse = SurfaceView(balls, [1])
    many, few = (len(view.plot.objects[0].indices) for view in (fine, coarse))
    assert few < 0.6 * many
    spans = [np.ptp(view.plot.objects[0].vertices, axis=0) for view in (fine, coarse)]
    assert spans[1] == pytest.approx(spans[0], abs=0.06)
    fine.close()
    coarse.close()
    assert no_leak.left() == []


def test_flat_objects_have_no_surface(tmp_path, no_leak):
    flat = np.zeros((1, 20, 20), np.uint8)
    flat[0, 5:9, 5:9] = 255
    found = find_objects(flat, tmp_path / "flat.zarr", ObjectsConfig(split=False))
    with pytest.raises(PredictionError, match="flat"):
        SurfaceView(found)
    assert no_leak.left() == []
