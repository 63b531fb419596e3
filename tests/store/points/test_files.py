"""Files of SLEAP, DeepLabCut, COCO and tables come in and go out; what must be decided is asked, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxloop.errors import LabelError
from voxloop.store import ImageInfo, PointLabels, Skeleton, Store

sio = pytest.importorskip("sleap_io")

FLY = Skeleton(["head", "thorax", "left wing", "right wing"], [("head", "thorax")], [("left wing", "right wing")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "ws") as made:
        film = ImageInfo(name="film", source="film.mp4", shape=(40, 240, 320), spacing_um=(1, 1, 1), z_kind="frame")
        stack = ImageInfo(name="stack", source="no.zarr", shape=(20, 60, 80), spacing_um=(1, 1, 1))
        made.change(images=(film, stack))
        made.levels.add("flies", kind="points", skeleton=FLY)
        made.levels.add("back", kind="points", skeleton=FLY)
        made.levels.add("boxes", ["cell", "debris"], kind="boxes")
        made.levels.add("spots", kind="points")
        yield made


@pytest.fixture
def flies(store: Store) -> PointLabels:
    points = store.points("flies", "film")
    points.add(3, {"head": (10, 20.5), "left wing": (30, 40)}, "anna", hidden=["left wing"])
    points.add(3, {"head": (11, 21), "thorax": (12, 22)}, "bert", predicted=True, score=0.75, scores={"head": 0.5})
    points.add(30, {"thorax": (50, 60)}, "anna")
    points.set_empty(31)
    return points


def said(points: PointLabels, frame: int) -> list[Any]:
    return [(one.points, one.track, one.predicted) for one in points.read(frame)]


def file_of_sleap(path: Path, change: Callable[[Any, Any], None] = lambda labels, skeleton: None) -> Path:
    """As SLEAP's own library writes it: three frames of a video that is gone."""
    body = sio.Skeleton(nodes=list(FLY.nodes), edges=list(FLY.edges), symmetries=list(FLY.symmetric))
    video = sio.Video(filename="/gone/film.mp4", open_backend=False)
    video.backend_metadata = {"shape": (40, 240, 320, 1)}
    track = sio.Track("anna")
    frames = []
    for frame in (0, 5, 9):
        xy = np.array([[20.5, 10], [40, 30], [np.nan, np.nan], [7, 8]])
        one = sio.Instance.from_numpy(xy, skeleton=body, track=track)
        frames.append(sio.LabeledFrame(video=video, frame_idx=frame, instances=[one]))
    labels = sio.Labels(frames)
    change(labels, body)
    sio.save_slp(labels, str(path), verbose=False)
    return path


def test_slp_of_a_video_that_is_gone_comes_in_with_nodes_tracks_and_nothing_twice(store: Store, tmp_path: Path) -> None:
    points = store.points("flies", "film")
    loading = points.load(file_of_sleap(tmp_path / "a.slp"))
    assert str(loading) == "3 instances (0 predicted) in 3 frames"
    assert said(points, 5) == [({"head": (10, 20.5), "thorax": (30, 40), "right wing": (8, 7)}, "anna", False)]
    with pytest.raises(LabelError, match="frame 0 has an instance of track 'anna' already"):
        points.load(tmp_path / "a.slp")
    points.undo()
    assert len(points) == 0


@pytest.mark.parametrize("ending", ["slp", "h5", "json", "csv"])
def test_what_goes_out_comes_back(store: Store, flies: PointLabels, tmp_path: Path, ending: str) -> None:
    path = flies.save(tmp_path / "out" / f"flies.{ending}")
    back = store.points("back", "film")
    back.load(path)
    for frame in (3, 30):
        there = said(back, frame)
        if ending == "h5":  # one instance a track and frame, of which nobody says who made it
            assert {track: points for points, track, _ in there} == {
                track: points for points, track, _ in said(flies, frame)
            }
        else:
            assert there == said(flies, frame)
    if ending != "h5":
        assert back.read(3)[0].hidden == {"left wing"}
        assert back.read(3)[1].score == pytest.approx(0.75)
    if ending == "slp":
        assert back.is_empty(31)
        assert back.read(3)[1].scores["head"] == pytest.approx(0.5)
        assert sio.load_slp(str(path), open_videos=False).skeletons[0].symmetry_names == [("left wing", "right wing")]
    with pytest.raises(LabelError, match="overwrite=True"):
        flies.save(path)


DECISIONS: dict[str, tuple[Callable[[Any, Any], None], str, dict[str, Any], str]] = {
    "a node of another name": (
        lambda labels, body: labels.rename_nodes({"head": "nose"}),
        "'nose'.*nodes=",
        {"nodes": {"nose": "head"}},
        "3 instances",
    ),
    "beyond the end": (
        lambda labels, body: setattr(labels.labeled_frames[2], "frame_idx", 99),
        "labels frame 99.*ends with frame 39",
        {"beyond": "leave out"},
        "1 instances beyond the last frame were left out",
    ),
    "outside": (
        lambda labels, body: labels.labeled_frames[0].instances[0].points["xy"].__setitem__((0, 0), 900.0),
        "head in frame 0 is at x 900.*320x240",
        {"outside": "move in"},
        "1 nodes outside of the picture were moved in",
    ),
    "one body twice": (
        lambda labels, body: labels.labeled_frames[0].instances.append(
            sio.Instance.from_numpy(np.ones((4, 2)), skeleton=body, track=labels.tracks[0])
        ),
        "two instances of track 'anna'",
        {"doubles": "no track"},
        "1 instances lost their track",
    ),
    "another size": (
        lambda labels, body: labels.videos[0].backend_metadata.update(shape=(40, 480, 640, 1)),
        "640x480 pixels.*scale=0.5",
        {"scale": 0.5},
        "3 instances",
    ),
    "two videos": (
        lambda labels, body: labels.videos.append(sio.Video(filename="/gone/film/film.avi", open_backend=False)),
        "several videos",
        {"video": "film.mp4"},
        "3 instances",
    ),
    "nothing placed": (
        lambda labels, body: labels.labeled_frames[0].instances[0].points["xy"].fill(np.nan),
        "",
        {},
        "1 instances without a placed node were left out",
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_what_must_be_decided_is_asked_and_nothing_changes_meanwhile(store: Store, tmp_path: Path, name: str) -> None:
    change, words, decision, outcome = DECISIONS[name]
    path = file_of_sleap(tmp_path / "a.slp", change)
    points = store.points("flies", "film")
    if words:
        with pytest.raises(LabelError, match=words):
            points.load(path)
    assert points.sequence == 0
    assert outcome in str(points.load(path, **decision))
    points.undo()
    assert points.frames == []


def test_a_film_goes_through_nwb_label_studio_and_a_package_with_its_frames(tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v3")
    frames = np.random.default_rng(0).integers(0, 255, (8, 64, 96, 3), dtype=np.uint8)
    imageio.imwrite(tmp_path / "film.mp4", frames, fps=10, macro_block_size=1)
    with Store.create(tmp_path / "ws") as store:
        store.images.add("film", tmp_path / "film.mp4")
        for name in ("first", "package", "nwb", "studio"):
            store.levels.add(name, kind="points", skeleton=["head", "tail"])
        points = store.points("first")
        points.add(3, {"head": (10, 20), "tail": (30, 40)})
        points.add(5, {"head": (11, 20)})
        labels = sio.load_slp(str(points.save(tmp_path / "a.slp")))
        assert len(labels) == 2
        package = sio.load_slp(str(points.save(tmp_path / "a.pkg.slp")))
        shown = package.videos[0][3]
        assert np.abs(shown.astype(int) - points.picture(3).reshape(shown.shape)).max() == 0
        points.save(tmp_path / "a.nwb")
        points.save(tmp_path / "a.json", format="labelstudio")
        for name, file in (("package", "a.pkg.slp"), ("nwb", "a.nwb"), ("studio", "a.json")):
            back = store.points(name)
            back.load(tmp_path / file)
            assert back.frames == [3, 5]
            assert back.read(3)[0].points["tail"] == pytest.approx((30, 40))


def test_nodes_that_a_level_lacks_are_added_with_their_edges(store: Store, tmp_path: Path) -> None:
    path = file_of_sleap(tmp_path / "a.slp")
    spots = store.points("spots", "film")
    with pytest.raises(LabelError, match="nodes='add'"):
        spots.load(path)
    spots.load(path, nodes="add")
    assert spots.skeleton == FLY
    store.levels.remove_node("flies", "thorax")
    flies = store.points("flies", "film")
    flies.add(1, {"head": (1, 1)})
    flies.load(path, nodes="add")
    assert set(flies.skeleton.nodes) == set(FLY.nodes)
    assert ("head", "thorax") in flies.skeleton.edges


def test_tables_of_deeplabcut(store: Store, tmp_path: Path) -> None:
    labelled = tmp_path / "CollectedData_me.csv"
    labelled.write_text(
        "scorer,,,me,me,me,me\nbodyparts,,,head,head,thorax,thorax\ncoords,,,x,y,x,y\n"
        "labeled-data,film,img003.png,20.5,10,40,30\nlabeled-data,film,img007.png,21,11,,\n"
    )
    points = store.points("flies", "film")
    points.load(labelled)
    assert said(points, 3) == [({"head": (10, 20.5), "thorax": (30, 40)}, None, False)]
    assert said(points, 7) == [({"head": (11, 21)}, None, False)]
    predicted = tmp_path / "filmDLC.csv"
    predicted.write_text(
        "scorer,DLC,DLC,DLC,DLC,DLC,DLC\nindividuals,a,a,a,b,b,b\nbodyparts,head,head,head,head,head,head\n"
        "coords,x,y,likelihood,x,y,likelihood\n0,10,20,0.9,30,40,0.8\n1,11,21,0.7,,,\n"
    )
    points.load(predicted)
    assert said(points, 0) == [({"head": (20, 10)}, "a", True), ({"head": (40, 30)}, "b", True)]
    assert points.read(1)[0].scores["head"] == pytest.approx(0.7)


def test_boxes_of_coco_are_pixel_edges(store: Store, tmp_path: Path) -> None:
    boxes = store.boxes("boxes", "film")
    boxes.add(4, ((9.5, 19.5), (29.5, 59.5)), "debris", track=7)
    path = boxes.save(tmp_path / "boxes.json")
    content = json.loads(path.read_text())
    assert content["annotations"][0]["bbox"] == [20, 10, 40, 20]
    boxes.remove(1)
    boxes.load(path)
    (one,) = boxes.read(4)
    assert (one.box, one.label, one.track) == (((9.5, 19.5), (29.5, 59.5)), "debris", "7")
    with pytest.raises(LabelError, match="level of boxes"):
        store.points("flies", "film").load(path)
    with pytest.raises(LabelError, match=r"takes \.json of COCO"):
        boxes.load(file_of_sleap(tmp_path / "a.slp"))


def test_spots_of_a_volume_go_through_a_table(store: Store, tmp_path: Path) -> None:
    spots = store.points("spots", "stack")
    spots.add(None, {"point": (4.5, 10, 20)})
    path = spots.save(tmp_path / "spots.csv")
    spots.load(path)
    assert [one.points["point"] for one in spots.read()] == [(4.5, 10, 20)] * 2
    with pytest.raises(LabelError, match="is a volume"):
        spots.save(tmp_path / "spots.slp")


@pytest.mark.parametrize("name", ["junk.slp", "junk.h5", "junk.json", "junk.csv", "junk.nwb", "gone.slp", "a.docx"])
def test_what_is_no_such_file_says_so(store: Store, tmp_path: Path, name: str) -> None:
    if not name.startswith("gone"):
        (tmp_path / name).write_bytes(b"\x00junk")
    with pytest.raises(LabelError, match=name.partition(".")[0]):
        store.points("flies", "film").load(tmp_path / name)
