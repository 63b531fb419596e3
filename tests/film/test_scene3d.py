"""Surfaces and image planes drawn without a screen: where they are, how large, what a cut takes away; turntables."""

from __future__ import annotations

import numpy as np
import pytest
from tests.film.test_film import frames_of

from voxloop.errors import VolumeError
from voxloop.film.camera import Camera3D
from voxloop.film.colors import rgb
from voxloop.film.meshing import class_surfaces, object_surfaces
from voxloop.film.raster import DepthBuffer, ImagePlane, Surface
from voxloop.film.scene3d import Scene3D
from voxloop.geometry import Box
from voxloop.store import LabelClass
from voxloop.volumes import open_volume

SPACING = (0.4, 0.1, 0.1)
BALL = LabelClass(value=2, name="ball", color="#e69f00")


@pytest.fixture(scope="module")
def ball():
    """Labels with a ball of 2 µm radius amid 8 x 8 x 8 µm, anisotropic voxels; class 2."""
    at = np.meshgrid(*((np.arange(n) + 0.5) * s for n, s in zip((20, 80, 80), SPACING, strict=True)), indexing="ij")
    inside = sum((a - 4) ** 2 for a in at) < 4
    return open_volume(np.where(inside, 2, 0).astype(np.uint8), axes="zyx", spacing=SPACING)


@pytest.fixture(scope="module")
def scene(ball):
    image = open_volume(np.full(ball.shape, 90, np.uint8), axes="zyx", spacing=SPACING)
    return Scene3D([image], class_surfaces(ball, [BALL]), contrast=(0, 255))


def test_a_surface_is_as_large_as_what_it_is_of(ball):
    (surface,) = class_surfaces(ball, [BALL, LabelClass(value=3, name="none", color="#000000")])
    size = np.ptp(surface.vertices, axis=0)
    assert size == pytest.approx([4, 4, 4], abs=0.4)
    assert surface.vertices.mean(axis=0) == pytest.approx([3.95, 3.95, 3.8], abs=0.1)
    edges = np.sort(surface.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()  # it is closed
    (few,) = class_surfaces(ball, [BALL], budget=1000)
    assert len(few.faces) <= 1000 < len(surface.faces)
    assert np.ptp(few.vertices, axis=0) == pytest.approx(size, abs=0.6)


def test_objects_have_each_its_colour_the_largest_first(ball):
    two = np.zeros((12, 30, 30), np.uint32)
    two[2:6, 2:12, 2:12] = 300
    two[8:10, 20:26, 20:26] = 7
    volume = open_volume(two, axes="zyx", spacing=(0.2, 0.1, 0.1))
    made = object_surfaces(volume, name="cells")
    assert len(np.unique(made.colors, axis=0)) == 2
    assert "triangles of cells of 200 nm" in made.words
    one = object_surfaces(volume, name="cells", most=1)
    assert "largest 1 of 2 objects" in one.words
    assert one.vertices.max(axis=0) == pytest.approx([1.15, 1.15, 1.1], abs=0.1)
    assert object_surfaces(volume * 0, name="cells") is None


def test_the_nearest_is_seen_and_what_is_clear_is_mixed():
    camera = Camera3D((0, 0, -10), (0, 0, 0), (0, -1, 0))
    corners = np.array([(-9, -9, 0), (9, -9, 0), (0, 9, 0)], np.float32)
    faces, toward = np.array([[0, 1, 2]], np.int32), np.tile(np.float32([0, 0, -1]), (3, 1))
    flat = Surface("flat", corners, toward, faces, np.array((200, 0, 0), np.uint8))
    behind = ImagePlane(2, np.full((4, 4, 3), (0, 0, 100), np.uint8), (-9, -9, 2), (9, 9, 2))
    for opacity, expected in ((1.0, (1, 0)), (0.5, (0.5, 50))):
        buffer = DepthBuffer(camera, (40, 40), (9, 9, 9))
        buffer.add_plane(behind)
        buffer.add_surface(Surface("flat", corners, toward, faces, flat.colors, opacity))
        red, _, blue = buffer.picture()[20, 20].astype(int)
        assert blue == pytest.approx(expected[1], abs=1)
        assert red == pytest.approx(expected[0] * 184, abs=8)
    cut = DepthBuffer(camera, (40, 40), (9, 9, 9), (-9, -9, 1), (9, 9, 3))
    cut.add_surface(flat)
    assert (cut.picture() == 9).all()


def test_pictures_show_planes_and_surfaces_in_proportion(scene, tmp_path):
    scene.planes, scene.clip = {}, None
    look = {"background": "black", "scale_bar": False, "smooth": False}
    front = scene.render("front", (200, 200), **look)
    tint = np.array(rgb(BALL.color))
    ratio = front[100, 100, :2] / tint[:2]
    assert ratio == pytest.approx([ratio[0]] * 2, abs=0.05)
    assert ratio[0] > 0.7  # lit from the front
    colored = (front[..., 0].astype(int) - front[..., 2]) > 30
    high, wide = np.ptp(np.argwhere(colored), axis=0)
    assert high == pytest.approx(wide, abs=4)
    scene.set_plane("z", 3)
    planed = scene.render("front", (200, 200), **look)
    assert tuple(planed[40, 100]) == (90, 90, 90)
    assert tuple(front[40, 100]) == (0, 0, 0)
    scene.clip = Box((0, 0, 0), (20, 80, 40))
    assert not (scene.render("front", (200, 200), **look)[100, 160:] == 90).any()
    path = scene.picture(tmp_path / "a.png", size=(160, 120))
    assert path.exists()
    with pytest.raises(VolumeError, match="exists"):
        scene.picture(path)
    with pytest.raises(VolumeError, match="did you mean 'front'"):
        scene.render("fronts")
    with pytest.raises(VolumeError, match="they are 0 to 19"):
        scene.set_plane("z", 20)


def test_a_turntable_turns_once(scene, tmp_path):
    scene.planes, scene.clip = {"x": 40}, None
    told = []
    scene.turntable(
        tmp_path / "a.mp4", seconds=0.8, fps=10, size=(121, 91), view="front", smooth=False,
        progress=lambda *how: told.append(how),
    )  # fmt: skip
    there = frames_of(tmp_path / "a.mp4")
    assert there.shape == (8, 92, 122, 3)
    assert told[-1] == (8, 8)
    gray = (np.ptp(there.astype(int), axis=3) < 12) & (there[..., 0] > 60) & (there[..., 0] < 110)
    seen = gray.sum(axis=(1, 2))  # the plane is seen from its edge, then from its face
    assert seen[2] > 10 * max(1, seen[0])
    assert seen[6] > 10 * max(1, seen[4])
    with pytest.raises(VolumeError, match="up to 600 seconds"):
        scene.turntable(tmp_path / "b.mp4", seconds=1e9)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
