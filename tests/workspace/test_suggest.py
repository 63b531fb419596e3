"""Where to paint, asked of a workspace: which images, which predictions, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import voxloop as vl


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    rng = np.random.default_rng(0)
    picture = rng.normal(100, 5, (1, 128, 160)).astype(np.float32)
    picture[:, :, 96:] += rng.normal(0, 40, (1, 128, 64))
    path = tmp_path_factory.mktemp("suggest") / "ws"
    with vl.Workspace.create(path, image=picture, image_name="one", classes=["background", "grain"]) as made:
        striped = picture + 200 * (np.arange(160) // 4 % 2)  # looks like nothing in the first
        made.images.add("other", striped.astype(np.float32))
        yield made


def test_first_strokes_are_for_all_images_and_need_no_prediction(ws):
    found = ws.suggest(n=4)
    assert {s.image for s in found} == {"one", "other"}
    assert {s.image for s in ws.suggest(n=4, images="other")} == {"other"}
    assert {s.image for s in ws.suggest(n=4, images=["one"])} == {"one"}
    for place in found:
        ws.labels(image=place.image).paint(
            axis=place.axis, index=place.index, points=[place.centre[1:]], radius=2, value=1
        )
    again = ws.suggest(n=4)
    assert not {(s.image, s.box) for s in found[:2]} & {(s.image, s.box) for s in again[:2]}


def test_a_named_region_says_which_image(ws):
    ws.regions.add("left", (slice(0, 1), slice(0, 128), slice(0, 64)), image="other")
    found = ws.suggest(region="left")
    assert found
    assert all(s.image == "other" and s.box.stop[2] <= 64 for s in found)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"images": "on"}, "did you mean 'one'"),
        ({"strategy": "score"}, "needs a prediction"),
        ({"strategy": "gian"}, "did you mean 'gain'"),
        ({"region": (slice(0, 1), slice(0, 9))}, "say which"),
        ({"prediction": "predict-7"}, "predict-7"),
        ({"n": 0}, "n=0"),
    ],
)
def test_what_cannot_be_suggested_is_said(ws, wish, message):
    with pytest.raises(vl.VoxloopError, match=message):
        ws.suggest(**wish)
