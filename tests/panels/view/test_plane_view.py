"""The plane view without a browser: messages in, state and frames out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import dask.array as da
import imagecodecs
import numpy as np
import pytest

from voxloop.errors import AwayError
from voxloop.geometry import Box
from voxloop.panels.view.layers import ArrayLayer
from voxloop.panels.view.plane_view import PlaneView
from voxloop.volumes.volume import make_volume

SPACING = (0.03, 0.01, 0.01)


class Page:
    """What the browser does: sends messages, reads answers, with a view's id of its own."""

    def __init__(self, view: PlaneView, messages: list[dict[str, Any]], id: str = "v1") -> None:
        self.view, self.messages, self.id, self.number = view, messages, id, 0

    def send(self, kind: str, buffers: Any = (), **fields: Any) -> list[dict[str, Any]]:
        """Send one message; the custom messages that came back, with their buffers under ``buffers``."""
        self.messages.clear()
        content = {"view": self.id, "kind": kind, **fields}
        data = {"method": "custom", "content": content}
        self.view.widget._handle_msg({"content": {"data": data}, "buffers": list(buffers)})
        return self.answers()

    def answers(self) -> list[dict[str, Any]]:
        custom = [m for m in self.messages if m["data"] and m["data"].get("method") == "custom"]
        return [{**m["data"]["content"], "buffers": m["buffers"]} for m in custom]

    def updates(self) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for message in self.messages:
            if message["data"] and message["data"].get("method") == "update":
                state |= message["data"]["state"]
        return state

    def frame(self, axis: str = "z", index: int = 3, box: Any = (0, 0, 200, 300), **fields: Any) -> dict[str, Any]:
        self.number += 1
        told = {
            "axis": axis,
            "index": index,
            "box": list(box),
            "pixel_um": 0.01,
            "picture": True,
            "layers": [],
            **fields,
        }
        answers = self.send("frame", number=self.number, **told)
        assert [a["kind"] for a in answers].count("frame") == 1
        return next(a for a in answers if a["kind"] == "frame")

    def stroke(self, points: Any, id: str = "s1", **fields: Any) -> list[dict[str, Any]]:
        told = {
            "id": id,
            "first": 0,
            "last": True,
            "tool": "brush",
            "axis": "z",
            "index": 3,
            "radius": 4,
            "value": 1,
            "layer": "labels",
            "options": {},
            **fields,
        }
        return self.send("stroke", [memoryview(np.asarray(points, np.float32).tobytes())], **told)


@pytest.fixture
def array():
    y, x = np.mgrid[:200, :300]
    base = 100 + 60 * np.sin(y / 15) + 40 * np.cos(x / 21)
    return np.stack([base + z for z in range(8)]).astype(np.uint8)


@pytest.fixture
def view(ui, array) -> Iterator[PlaneView]:
    made = PlaneView(make_volume(da.from_array(array, chunks=(2, 128, 128)), spacing_um=SPACING))
    yield made
    made.close()


@pytest.fixture
def page(view, messages) -> Page:
    return Page(view, messages)


def picture(answer: dict[str, Any]) -> np.ndarray:
    return imagecodecs.jpeg8_decode(bytes(answer["buffers"][answer["picture"]["buffer"]]))


@pytest.mark.parametrize(("axis", "index"), [("z", 3), ("y", 50), ("x", 299)])
def test_a_frame_is_the_plane_with_the_contrast_of_the_view(page, view, array, axis, index):
    view.set_contrast(50, 250)
    page.frame(axis, index)  # the first frame looks for a contrast
    view.set_contrast(50, 250)
    plane = np.take(array, index, axis="zyx".index(axis))
    answer = page.frame(axis, index, box=(0, 0, *plane.shape))
    expected = ((plane.astype(float) - 50) * 255 / 200).clip(0, 255)
    assert answer["picture"]["box"] == (0, 0, *plane.shape)
    assert np.abs(picture(answer).astype(float) - expected).max() < 12
    assert (view.axis, view.index) == (axis, index)


def test_only_the_visible_crop_travels(page):
    answer = page.frame(box=(20.4, 30.2, 80.1, 100.9))
    assert answer["picture"]["box"] == (20, 30, 81, 101)
    assert picture(answer).shape == (61, 71)


def test_the_plane_a_page_chose_is_not_sent_back_to_it(page, view):
    page.frame(index=3)
    page.frame(index=5)
    assert view.index == 5
    assert "index" not in page.updates()
    view.go_to_plane(2)
    assert page.updates()["index"] == 2


def test_what_is_fetched_ahead_moves_nothing_until_the_page_turns_to_it(page, view, array):
    page.frame(index=3)
    answer = page.frame(index=4, ahead=True, fine=False)
    assert view.index == 3
    assert np.abs(picture(answer).astype(int) - picture(page.frame(index=4, ahead=True)).astype(int)).max() < 40
    page.send("plane", axis="z", index=4)
    assert (view.axis, view.index) == ("z", 4)
    assert "index" not in page.updates()


def test_a_frame_names_the_contrast_it_was_made_with(page, view):
    assert page.frame()["picture"]["look"] == [[0, *view.widget.contrast[0]["limits"]]]
    page.send("contrast", limits=[[10, 20]])
    assert page.frame()["picture"]["look"] == [[0, 10, 20]]


def test_pages_hear_where_and_up_to_which_edit_a_layer_changed(page, view, array):
    view.set_layers([ArrayLayer("p", "prediction", array)])
    page.messages.clear()
    view.refresh("p", box=Box((2, 0, 4), (3, 9, 8)), sequence=7)
    (told,) = page.answers()
    assert (told["kind"], told["layers"], told["region"], told["sequence"]) == (
        "stale",
        ["p"],
        [[2, 3], [0, 9], [4, 8]],
        7,
    )
    page.messages.clear()
    view.set_layers([ArrayLayer("p", "another under the same name", array)])
    assert [answer["layers"] for answer in page.answers()] == [["p"]]


def test_a_layer_with_nothing_here_costs_one_cell(page, view, array):
    view.set_layers([ArrayLayer("p", "prediction", np.zeros(array.shape, np.uint8))])
    (layer,) = page.frame(layers=["p"], picture=False)["layers"]
    assert (layer["rows"], layer["columns"], tuple(layer["box"])) == (1, 1, (0, 0, 200, 300))


def test_the_first_frame_brings_the_contrast_and_one_message_of_it(page, view, array):
    page.frame()
    low, high = view.widget.contrast[0]["limits"]
    assert array[3].min() <= low < high <= array[3].max()
    assert sum("contrast" in m["data"].get("state", {}) for m in page.messages if m["data"]) == 1
    page.frame()
    assert "contrast" not in page.updates()


def test_limits_of_the_page_hold_and_auto_brings_the_percentiles_back(page, view):
    page.frame()
    auto = view.widget.contrast[0]["limits"]
    page.send("contrast", limits=[[10, 20]])
    assert view.widget.contrast[0]["limits"] == [10, 20]
    page.send("auto_contrast")
    assert view.widget.contrast[0]["limits"] == auto


def test_layers_come_lossless_with_confidence(page, view, array):
    labels = (array % 7).astype(np.uint8)
    confidence = np.full(array.shape, 200, np.uint8)
    view.set_layers([ArrayLayer("p", "prediction", labels, confidence=confidence)])
    answer = page.frame(layers=["p", "gone"], picture=False)
    (layer,) = answer["layers"]
    indices = np.frombuffer(zlib.decompress(answer["buffers"][layer["buffer"]]), np.uint8)
    assert np.array_equal(indices.reshape(layer["rows"], layer["columns"]), labels[3])
    assert set(zlib.decompress(answer["buffers"][layer["alpha_buffer"]])) == {200}
    assert answer["picture"] is None


def test_how_a_layer_looks_stays_when_layers_are_set_again(page, view, array):
    view.set_layers([ArrayLayer("p", "prediction", array)])
    page.send("layer", id="p", patch={"opacity": 0.9, "outline": True})
    view.set_layers([ArrayLayer("p", "prediction", array), ArrayLayer("q", "other", array)])
    assert view.look_of("p")["opacity"] == 0.9
    assert view.look_of("p")["outline"]


class Broken:
    shape, dtype, ndim, chunks = (4, 50, 50), np.dtype("u1"), 3, (1, 50, 50)

    def __getitem__(self, key):
        if key[0].start == 2:
            raise OSError("the disk is gone")
        if key[0].start == 3:
            raise AwayError("the server is gone")
        return np.zeros([len(range(*k.indices(n))) for k, n in zip(key, self.shape, strict=True)], np.uint8)


def test_an_unreadable_plane_is_said_and_the_next_one_shows(ui, messages):
    view = PlaneView(make_volume(da.from_array(Broken(), chunks=(1, 50, 50), asarray=False)))
    page = Page(view, messages)
    assert "the disk is gone" in page.frame(index=2)["error"]
    assert not page.frame(index=2)["again"]
    assert page.frame(index=3)["again"]
    assert "error" not in page.frame(index=1)
    view.close()


def test_a_stroke_is_handed_on_and_answered_once_even_when_sent_twice(page, view):
    pieces = []
    view.on("stroke", lambda piece: pieces.append(piece) or 7)
    for _ in range(2):
        answers = page.stroke([[1, 2], [3, 4]])
        assert [(a["kind"], a["id"], a["sequence"]) for a in answers] == [("ack", "s1", 7)]
    assert len(pieces) == 1
    assert pieces[0].points.tolist() == [[1, 2], [3, 4]]


def test_a_stroke_that_nobody_could_paint_loses_its_ink(page, view):
    def refuse(piece: Any) -> int:
        raise OSError("disk full")

    stop = view.on("stroke", refuse)
    assert page.stroke([[1, 2]])[0]["sequence"] is None
    stop()
    view.on("stroke", lambda piece: 8)
    assert page.stroke([[1, 2]], id="s2")[0]["sequence"] == 8


def test_a_stroke_taken_back_is_reported_where_pieces_were_handed_on(page, view):
    dropped = []
    view.on("stroke", lambda piece: 1)
    view.on("drop", dropped.append)
    page.send("drop", id="unknown")
    assert page.stroke([[1, 2]], last=False) == []
    page.send("drop", id="s1")
    assert dropped == ["s1"]


def test_the_value_under_the_pointer_is_exact(page, view, array):
    view.set_layers([ArrayLayer("u", "Uncertainty", array.astype(float) / 255, kind="scalar")])
    (answer,) = page.send("probe", axis="y", index=50, row=4, column=60)
    assert answer["value"] == str(array[4, 50, 60])
    assert answer["point"] == [4, 50, 60]
    assert answer["point_um"] == pytest.approx([0.12, 0.5, 0.6])
    (said,) = answer["labels"]
    assert (said["name"], said["of"]) == (f"Uncertainty {array[4, 50, 60] / 255:.2f}", "")
    classes = [{"value": 1, "name": "mito", "color": "#e69f00", "visible": True}]
    layer = ArrayLayer("prediction", "prediction first", np.ones_like(array))
    layer.state["classes"] = classes
    view.set_layers([layer])
    (answer,) = page.send("probe", axis="y", index=50, row=4, column=60)
    assert answer["labels"] == [{"name": "mito", "color": "#e69f00", "of": "prediction"}]


def test_what_is_on_screen_is_known_as_a_region(page, view):
    whole = (slice(4, 5), slice(0, 200), slice(0, 300))
    assert view.visible_box().slices == whole
    camera = {"axis": "z", "y": 1.0, "x": 1.0, "zoom": 200.0, "fit": False}
    page.send("camera", camera=camera, box=[10.5, 20, 99.5, 120], width=900, height=900)
    assert view.visible_box().slices == (slice(4, 5), slice(10, 100), slice(20, 120))
    assert view.pixel_um == pytest.approx(0.005)
    assert "camera" not in page.updates()


def test_two_displays_are_answered_each_by_its_name(view, messages):
    first, second = Page(view, messages, "a"), Page(view, messages, "b")
    assert first.frame()["view"] == "a"
    assert second.frame(box=(0, 0, 50, 50))["view"] == "b"


def test_garbage_from_the_page_harms_nothing(page):
    page.send("nonsense")
    page.send("frame", number=1)
    assert page.frame()["picture"]


def test_another_volume_in_the_same_view(page, view):
    view.set_layers([ArrayLayer("p", "p", np.zeros((8, 200, 300), np.uint8))])
    view.show(make_volume(da.zeros((3, 40, 50), chunks=20, dtype="f4")))
    assert page.updates()["geometry"]["shape"] == [3, 40, 50]
    assert view.layers == ()
    assert page.frame(index=1, box=(0, 0, 40, 50))["picture"]["box"] == (0, 0, 40, 50)


def test_nothing_is_left_after_close(no_leak, array):
    view = PlaneView(make_volume(da.from_array(array)))
    view.close()
    view.close()
    assert no_leak.left() == []
