"""What goes over the wire: contrast, JPEG, lossless labels, statistics, strokes in parts."""

from __future__ import annotations

import zlib
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.panels.view import frames
from voxloop.panels.view.ink import StrokeParts
from voxloop.panels.view.layers import ArrayLayer, LayerPatch, PatchLayer


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_limits_become_black_and_white_in_every_type(dtype):
    plane = np.array([[10, 20, 30, 40, 50]], dtype)
    assert frames.stretch(plane, (20, 40)).tolist() == [[0, 0, 127, 255, 255]]


def test_what_is_no_number_is_black():
    plane = np.array([[np.nan, -np.inf, np.inf, 0.5]])
    assert frames.stretch(plane, (0, 1)).tolist() == [[0, 0, 255, 127]]
    found = frames.statistics(np.array([[np.nan, 1.0, 3.0, np.inf]]))[0]
    assert (found.low, found.high) == (1, 3)
    assert frames.statistics(np.full((1, 4), np.nan))[0].auto == (0, 1)


def test_constant_planes_have_limits_that_differ():
    found = frames.statistics(np.full((1, 10, 10), 7, np.uint8))[0]
    assert found.auto[0] < found.auto[1]
    assert found.low < found.high


@pytest.mark.parametrize("columns", [slice(100, 112), slice(100, 106)])
def test_small_bright_cells_are_within_the_automatic_window_and_hot_pixels_are_not(columns):
    rng = np.random.default_rng(0)
    cells = rng.normal(100, 3, (1, 256, 256)).clip(0).astype(np.uint16)
    cells[0, 100:112, columns] = 4000
    hot = rng.normal(300, 20, (1, 256, 256)).clip(0).astype(np.uint16)
    hot[0, ::32, ::32] = 65535
    signal, noise = frames.statistics(cells)[0], frames.statistics(hot)[0]
    assert signal.auto[1] > 1000
    assert noise.auto[1] < 1000
    assert (signal.high, noise.high) == (4000, 65535)
    assert noise.fine[1] < 5000
    assert sum(noise.histogram) == hot.size


def test_three_channels_are_red_green_blue_and_others_are_tinted():
    plane = np.zeros((4, 2, 2), np.uint8)
    plane[0] = 255
    limits = [(0, 255)] * 4
    assert frames.compose(plane, limits, [0, 1, 2])[0, 0].tolist() == [255, 0, 0]
    assert frames.compose(plane, limits, [0]).shape == (2, 2)
    assert frames.compose(plane, limits, [0, 3])[0, 0].tolist() == [0, 255, 0]


def test_pictures_survive_jpeg_within_a_few_gray_values():
    y, x = np.mgrid[:300, :400]
    picture = (127 + 60 * np.sin(y / 9) + 60 * np.cos(x / 13)).astype(np.uint8)
    back = imagecodecs.jpeg8_decode(frames.encode_picture(picture))
    assert back.shape == picture.shape
    assert np.abs(back.astype(int) - picture).max() <= 8


def test_labels_travel_without_loss():
    indices = np.random.default_rng(0).integers(0, 256, (123, 77)).astype(np.uint8)
    back = np.frombuffer(zlib.decompress(frames.encode_indices(indices[:, ::2])), np.uint8)
    assert np.array_equal(back.reshape(123, 39), indices[:, ::2])


@given(st.integers(0, 2**40))
def test_palette_indices_never_make_a_label_vanish(value):
    index = int(frames.palette_indices(np.array([value], np.uint64))[0])
    assert (index == 0) == (value == 0)
    assert value >= 256 or index == value


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.integers(1, 6))
def test_a_single_voxel_stays_visible_when_zoomed_out(rows, columns, fy, fx):
    plane = np.zeros((rows, columns), np.uint8)
    plane[rows // 2, columns // 2] = 9
    small = frames.pool(plane, (fy, fx))
    assert small.shape == (-(-rows // fy), -(-columns // fx))
    assert small[rows // 2 // fy, columns // 2 // fx] == 9
    assert np.count_nonzero(small) == 1


def test_a_sampled_layer_says_what_it_covers():
    values = np.arange(3 * 10 * 20).reshape(3, 10, 20) % 5
    patch = ArrayLayer("p", "p", values.astype(np.uint8)).read("z", 1, (2, 4, 9, 19), (2.6, 3.1))
    assert np.array_equal(patch.indices, values[1, 2:9:2, 4:19:3])
    assert patch.box == (2, 4, 10, 19)


def test_confidence_comes_as_bytes_and_a_live_patch_only_on_its_plane():
    layer = ArrayLayer("p", "p", np.ones((1, 4, 4), np.uint8), confidence=np.full((1, 4, 4), 0.5))
    assert set(layer.read("z", 0, (0, 0, 4, 4), (1, 1)).alpha.ravel()) == {128}
    live = PatchLayer("l", "live")
    live.show("z", 3, LayerPatch(np.full((2, 2), 7, np.uint8), (0, 0, 8, 8)))
    assert live.read("z", 3, (0, 0, 8, 8), (1, 1)).indices.max() == 7
    assert live.read("z", 4, (0, 0, 8, 8), (1, 1)).indices.max() == 0
    assert live.read("y", 3, (0, 0, 8, 8), (1, 1)).indices.max() == 0


# ----------------------------------------------------------------------------------------------------------- strokes

TOLD = {"tool": "brush", "axis": "z", "index": 3, "radius": 4, "value": 1, "layer": "labels", "options": {}}


@given(st.data())
def test_every_point_is_handed_on_once_whatever_is_lost_or_sent_again(data):
    """Parts may get lost; then the page sends everything again. The pieces make up the stroke, each joint shared."""
    points = np.random.default_rng(0).random((30, 2)).astype(np.float32)
    cuts = sorted(data.draw(st.sets(st.integers(1, 29), max_size=6)))
    edges = list(zip([0, *cuts], [*cuts, 30], strict=True))
    strokes, pieces = StrokeParts(), []

    def send(first, stop):
        told = {**TOLD, "id": "s", "first": first, "last": stop == 30}
        piece = strokes.take(told, points[first:stop])
        if piece is not None:
            pieces.append(piece)
            if piece.last:
                strokes.done(piece.id, {})

    for first, stop in edges:
        for _ in range(data.draw(st.integers(0, 2))):  # lost, sent, or sent twice
            send(first, stop)
    if not any(piece.last for piece in pieces):
        send(0, 30)
    whole = [pieces[0].points, *(piece.points[1:] for piece in pieces[1:])]
    assert np.array_equal(np.concatenate(whole), points)
    assert [piece.joined for piece in pieces] == [False] + [True] * (len(pieces) - 1)
    assert all(np.array_equal(a.points[-1], b.points[0]) for a, b in pairwise(pieces))


@given(st.integers(0, 29), st.booleans())
def test_of_a_stroke_that_is_known_from_before_only_the_rest_is_handed_on(known, joined):
    points = np.random.default_rng(0).random((30, 2)).astype(np.float32)
    strokes = StrokeParts()
    strokes.recall("s", points[:known], joined=joined)
    assert strokes.is_known("s")
    piece = strokes.take({**TOLD, "id": "s", "first": 0, "last": True, "place": "there"}, points)
    assert np.array_equal(piece.points, points[max(0, known - 1) :])
    assert (piece.joined, piece.count, piece.place) == (joined and known > 0, 30, "there")


def test_a_stroke_that_was_answered_is_not_painted_again():
    strokes = StrokeParts()
    told = {**TOLD, "id": "s", "first": 0, "last": True}
    assert strokes.take(told, np.zeros((1, 2), np.float32)).last
    strokes.done("s", {"sequence": 5})
    assert strokes.take(told, np.zeros((1, 2), np.float32)) is None
    assert strokes.answer_to("s") == {"sequence": 5}
