"""Three planes joined by a crosshair, and vector shapes drawn from Python."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from voxloop.panels.base.panel import close_tree
from voxloop.panels.view.layers import ArrayLayer
from voxloop.panels.view.linked_planes import LinkedPlanes
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.shapes import ShapeCanvas, VectorShape, drawing
from voxloop.volumes.volume import make_volume


@pytest.fixture
def view(ui):
    made = PlaneView(make_volume(da.zeros((10, 60, 80), chunks=32, dtype="u1"), spacing_um=(0.03, 0.01, 0.01)))
    yield made
    made.close()


@pytest.fixture
def linked(view):
    made = LinkedPlanes(view)
    view.emit("action", "planes", [0, 0, 0])
    yield made
    made.close()


def test_the_other_planes_go_through_the_crosshair(view, linked):
    assert [(other.axis, other.index) for other in linked.others] == [("y", 30), ("x", 40)]
    linked.others[1].emit("cursor", [2.0, 11.0, 40.2])
    assert (view.index, linked.others[0].index, linked.others[1].index) == (2, 11, 40)
    view.go_to_plane(7)
    assert view.widget.cursor[0] == 7
    assert linked.others[0].widget.cursor[0] == 7


def test_all_planes_show_the_same_and_a_stroke_in_any_is_the_main_ones(view, linked):
    heard = []
    view.on("stroke", lambda piece: heard.append(piece) or 3)
    assert linked.others[0].emit("stroke", "piece") == 3
    assert heard == ["piece"]
    view.set_layers([ArrayLayer("p", "p", np.zeros((10, 60, 80), np.uint8))])
    assert linked.others[1].layers == view.layers
    linked.others[0].change_layer("p", opacity=0.2)
    assert view.look_of("p")["opacity"] == 0.2
    view.set_tool(name="brush", draws="line", radius=3)
    assert linked.others[0].tool["name"] == "brush"


def test_a_plane_is_never_shown_twice(view, linked):
    view.go_to_plane(5, "y")
    assert sorted([view.axis, *(other.axis for other in linked.others)]) == ["x", "y", "z"]


def test_closing_the_others_leaves_the_main_view(no_leak):
    view = PlaneView(make_volume(da.zeros((4, 30, 30), chunks=32, dtype="u1")))
    linked = LinkedPlanes(view)
    linked.show(True)
    linked.show(False)
    assert not linked.is_open
    assert view.widget.cursor is None
    linked.show(True)
    linked.close()
    assert view.closed
    assert no_leak.left() == []


def test_shapes_show_on_their_plane_only(view, messages):
    view.set_shapes(
        [VectorShape("box", [(5, 5), (20, 30)], index=3, words="here"), VectorShape("points", [(1, 1)], index=4)]
    )
    assert view.widget.overlay_box is None
    view.go_to_plane(3)
    assert view.widget.overlay_box == {"axis": "z", "index": 3, "box": [0, 0, 60, 80]}
    messages.clear()
    view.go_to_plane(4)
    assert len(messages) <= 4
    view.go_to_plane(3, "y")
    assert view.widget.overlay_box is None


def test_an_error_while_drawing_silences_no_canvas(view):
    from ipycanvas import canvas as module

    with pytest.raises(ZeroDivisionError), drawing():
        raise ZeroDivisionError
    assert not module._CANVAS_MANAGER._caching


def test_closing_a_panel_leaves_the_canvases_of_others_alive(view):
    close_tree(ShapeCanvas().widget)
    view.set_shapes([VectorShape("points", [(1, 1)])])
    assert view.widget.overlay_box is not None


def test_shapes_and_their_canvas_close_with_the_view(no_leak):
    view = PlaneView(make_volume(da.zeros((4, 30, 30), chunks=32, dtype="u1")))
    view.set_shapes(
        [VectorShape("outline", [(1, 1), (5, 5), (9, 1)], dashed=True), VectorShape("line", [(1, 1), (2, 9)])]
    )
    view.close()
    assert no_leak.left() == []
