"""Films read back: how many pictures, how large, which colours; what lies over a picture is drawn in exact colours."""

from __future__ import annotations

from collections.abc import Iterator

import imageio_ffmpeg
import numpy as np
import pytest

from voxloop.errors import VolumeError
from voxloop.film.brush import Brush, in_words, nice_length
from voxloop.film.colors import rgb
from voxloop.film.movie import Movie
from voxloop.film.shapes import VectorShape


def frames_of(path) -> np.ndarray:
    """All pictures of a film (n, rows, columns, 3)."""
    stream = imageio_ffmpeg.read_frames(str(path))
    width, height = next(stream)["size"]
    return np.stack([np.frombuffer(raw, np.uint8).reshape(height, width, 3) for raw in stream])


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_holds_its_pictures_in_their_colours(tmp_path, suffix):
    colors = [(230, 159, 0), (0, 114, 178), (120, 120, 120)]
    with Movie(tmp_path / f"a{suffix}", 5) as movie:
        for color in colors:
            movie.add(np.full((61, 83, 3), color, np.uint8))
    there = frames_of(tmp_path / f"a{suffix}")
    assert there.shape == (3, 62, 84, 3)  # even sides, as H.264 wants them
    assert there[:, 30, 40] == pytest.approx(np.array(colors), abs=3)
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def stopped(gray: np.ndarray) -> Iterator[np.ndarray]:
    """A picture, then somebody presses the key that interrupts."""
    yield gray
    raise KeyboardInterrupt


def write(path, pictures) -> None:
    with Movie(path) as movie:
        movie.extend(pictures)


def test_nothing_half_stays(tmp_path):
    gray = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mp4", stopped(gray))
    with pytest.raises(VolumeError, match="one size: this is 30 x 20, not 20 x 20"):
        write(tmp_path / "a.mp4", [gray, np.zeros((20, 30, 3), np.uint8)])
    with pytest.raises(VolumeError, match="no picture at all"):
        write(tmp_path / "a.mp4", [])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b.mp4").write_text("mine")
    with pytest.raises(VolumeError, match="exists"):
        write(tmp_path / "b.mp4", [gray])
    with pytest.raises(VolumeError, match=r"name it \.mp4, or \.gif"):
        write(tmp_path / "b.avi", [gray])


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("voxloop.film.movie._coding", lambda suffix: ["-f", "rawvideo", "-y", "/dev/full", "-f", "mp4"])
    noise = np.random.default_rng(0).integers(0, 255, (40, 400, 400, 3), np.uint8)
    with pytest.raises(VolumeError, match="the disk is full"):
        write(tmp_path / "a.mp4", noise)
    assert list(tmp_path.iterdir()) == []


def test_shapes_have_their_colours_where_they_are():
    ground = np.full((80, 100, 3), 50, np.uint8)
    brush = Brush(ground, (2.0, 2.0))
    brush.draw(
        [
            VectorShape("line", [(10, 5), (10, 45)], color="#009E73", width=3),
            VectorShape("points", [(25, 25)], color="#E69F00", radius=4),
            VectorShape("box", [(15, 5), (30, 15)], color="#CC79A7", width=3),
        ]
    )
    drawn = brush.finish()
    assert tuple(drawn[21, 50]) == rgb("#009E73")
    assert tuple(drawn[51, 51]) == rgb("#E69F00")
    assert tuple(drawn[31, 21]) == rgb("#CC79A7")
    assert tuple(drawn[45, 20]) == (50, 50, 50)  # inside the box
    far = np.ones((80, 100), bool)
    far[14:70, 4:96] = False
    assert (drawn[far] == 50).all()
    assert (ground == 50).all()


def test_the_bar_is_as_long_as_it_says():
    picture = Brush(np.zeros((200, 400, 3), np.uint8))
    picture.scale_bar(0.05)  # a quarter of the width is 5 µm
    row = picture.finish()[186]
    assert (row == 255).all(axis=1).sum() == pytest.approx(100, abs=1)
    assert [nice_length(most) for most in (5, 4.9, 0.73)] == [5, 2, 0.5]
    assert [in_words(um) for um in (0.5, 2, 5000)] == ["500 nm", "2 µm", "5 mm"]
