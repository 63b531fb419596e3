"""Who is who over time: animals that cross and are missed now and then, cells that divide, and what comes of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from ctc_metrics.scripts.evaluate import calculate_metrics, match_computed_to_reference_masks

import voxloop as vl
from voxloop.config import TracksConfig
from voxloop.errors import LabelError, PredictionError
from voxloop.prediction.found import FOLDER, begin
from voxloop.prediction.found_pieces import write_piece
from voxloop.runs.events import EventWriter
from voxloop.tracks import lap
from voxloop.tracks.chains import Chains, as_many, chains_of
from voxloop.tracks.following import Flow, Steady, follow
from voxloop.tracks.places import Sightings, places_of, surest
from voxloop.volumes.samples import dividing

ONE = np.ones(2)


@pytest.fixture(scope="module")
def walkers():
    """Four animals that cross: a tenth of them missed, places a pixel off, in no order; truth as their numbers."""
    sample = vl.samples.load("walkers", seed=2)
    rng = np.random.default_rng(0)
    told = [one for one in sample.points if rng.random() > 0.1]
    rng.shuffle(told)
    at = np.array([[one["points"][node] for node in sample.skeleton["nodes"]] for one in told])
    columns = {"frame": np.array([one["frame"] for one in told]), "points": at + rng.normal(0, 1, at.shape)}
    who = np.array([int(one["track"]) for one in told])
    return sample, places_of(columns, who, np.full(len(who), np.nan), ONE)


def switches(places: Sightings, chains: Chains) -> int:
    """How often an animal is another one than before."""
    each = [chains.track[places.number == animal] for animal in np.unique(places.number)]
    return sum(int((np.diff(track[track > 0]) != 0).sum()) for track in each)


@pytest.mark.parametrize("method", ["lap", "kalman", "flow"])
def test_animals_that_cross_stay_who_they_are(walkers, method: str) -> None:
    sample, places = walkers
    furthest = lap.furthest_of(places)
    if method == "lap":
        links = lap.link(places, TracksConfig(max_gap=3), furthest)
    else:
        read = partial(lambda film, frame: film[frame], np.asarray(sample.volume))
        foresight = Steady(places, furthest) if method == "kalman" else Flow(places, read, ONE)
        links = follow(places, furthest, 3, foresight, lambda done, total: None)
    chains = chains_of(links, len(places))
    assert switches(places, chains) == 0
    assert chains.track.max() == 4
    assert chains.track.min() == 1


def test_a_known_number_of_animals_joins_pieces_and_drops_what_is_too_many(walkers) -> None:
    _, places = walkers
    # seen once a while only: no track lives through twenty frames of nothing
    places = places.rows((places.frame % 60) < 40)
    chains = chains_of(lap.link(places, TracksConfig(max_gap=3), 18.0), len(places))
    assert chains.track.max() > 4
    joined = as_many(chains, places, 4)
    assert set(joined.track.tolist()) == {1, 2, 3, 4}
    four = surest(
        Sightings(np.zeros(6, int), np.zeros((6, 1, 2)), np.arange(6), np.array([0.1, 0.9, np.nan, 0.8, 1, 0.7])), 4
    )
    assert four.number.tolist() == [1, 3, 4, 5]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory):
    """Animals on a level of points, cells on a level of instances; both without tracks."""
    ws = vl.Workspace.create(tmp_path_factory.mktemp("tracks") / "ws")
    animals = vl.samples.load("walkers", seed=0)
    picture, truth, lineage = dividing.make(0, frames=36, size=(120, 140), cells=4)
    ws.images.add("film", animals.volume[:60])
    ws.levels.add("animals", kind="points", skeleton=animals.skeleton)
    told = [one for one in animals.points if one["frame"] < 60]
    ws.points("animals", "film").add_many({**one, "track": None} for one in told)
    apart = np.zeros(truth.shape, np.uint32)
    for frame, mask in enumerate(truth):
        # numbers that say nothing from one frame to the next
        names = np.random.default_rng(frame).permutation(int(truth.max())) + 1
        apart[frame] = np.append(0, names)[mask]
    ws.images.add("cells", picture, axes="zyx", z_kind="frame", spacing=(1, 0.5, 0.5))
    ws.levels.add("cells", kind="instances")
    ws.labels("cells", "cells").load(apart, zero="unlabelled")
    yield ws, told, (truth, lineage)
    ws.close()


def test_instances_of_a_level_get_tracks_in_one_edit(workspace) -> None:
    ws, told, _ = workspace
    pts = ws.points("animals", "film")
    tracks = ws.track("animals", image="film", number=2).result
    assert tracks.count == 2
    edits = pts.sequence
    assert ws.accept(tracks) == 120
    assert pts.sequence == edits + 1
    who = [pts.instance(number).track for number in range(1, 121)]
    assert len(set(zip(who, [one["track"] for one in told], strict=True))) == 2
    table, motion = tracks.table(), tracks.motion(interval_s=0.5)
    assert list(table.columns) == ["track", "frame", "y um", "x um", "number", "score", "parent"]
    path = np.array([np.mean(list(one["points"].values()), axis=0) for one in told if one["track"] == "1"])
    way = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert motion.loc[int(who[0]), "way um"] == pytest.approx(way, rel=1e-6)
    assert motion.loc[int(who[0]), "speed um/s"] == pytest.approx(way / 29.5, rel=1e-6)
    assert tracks.msd(2)["pairs"].tolist() == [118, 116]
    pts.undo()
    assert pts.instance(1).track is None
    with pytest.raises(LabelError, match="leave level out"):
        ws.accept(tracks, level="cells")


def test_cells_that_divide_keep_their_lineage(workspace, tmp_path: Path) -> None:
    ws, _, (truth, lineage) = workspace
    run = ws.track("cells", image="cells", split=True)
    tracks = run.result
    ws.accept(run, level="lineages")
    found = ws.labels("lineages", "cells").read()
    frames = [np.array([[n, *facts] for n, facts in of.items()]) for of in (tracks.lineage, lineage)]
    files = [[tmp_path / f"{name} {frame}.tif" for frame in range(len(truth))] for name in ("truth", "found")]
    for paths, masks in zip(files, (truth, found), strict=True):
        for path, mask in zip(paths, masks, strict=True):
            tifffile.imwrite(path, mask.astype(np.uint16))
    matched = match_computed_to_reference_masks(*([str(path) for path in paths] for paths in files), threads=1)
    measured = calculate_metrics(*frames, matched, {}, ["TRA", "LNK"], True)
    assert measured["TRA"] > 0.99
    assert measured["LNK"] > 0.99
    assert len(tracks.parents) == sum(1 for facts in lineage.values() if facts[2]) > 6
    folder = ws.export(run.name, tmp_path / "RES")
    assert sorted(path.name for path in folder.iterdir())[:2] == ["mask000.tif", "mask001.tif"]
    ws.levels.add("back", kind="instances")
    ws.labels("back", "cells").load(sorted(folder.glob("*.tif")), zero="unlabelled")
    again = ws.track("back", image="cells", method="numbers", lineage=str(folder / "res_track.txt")).result
    assert again.lineage == tracks.lineage
    with pytest.raises(PredictionError, match="is there already"):
        ws.export(run.name, folder)
    assert tracks.save(tmp_path / "tracks.csv").read_text().startswith("track,frame,")


def test_what_was_found_comes_with_tracks(workspace) -> None:
    ws, told, _ = workspace
    nodes = ws.levels["animals"].skeleton.nodes
    places = np.array([[one["points"][node] for node in nodes] for one in told])
    run = ws.runs.create("seen", "voxloop.prediction.places:run", {}, kind="places",
                         result="voxloop.prediction.found:open_result")  # fmt: skip
    about = {"level": "animals", "image": "film", "kind": "points", "names": nodes, "by_class": False}
    begin(run.path / FOLDER, {**about, "node": "", "shape": [240, 320], "classes": False, "frames": list(range(60))})
    sure = np.full(len(told), 0.9)
    write_piece(
        run.path / FOLDER, 0,
        {"frame": np.array([one["frame"] for one in told], np.int32), "points": places, "scores": sure,
         "node_scores": np.full(places.shape[:2], 0.9), "extents": np.full((len(told), 2), np.nan)},
    )  # fmt: skip
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("finished")
    writer.close()
    pts = ws.points("animals", "film")
    linked = ws.track("seen", "kalman")
    ids = ws.accept(linked, frames=None)
    assert ids == []  # a person labelled all of these frames
    pts.clear()
    ids = ws.accept(ws.runs[linked.name])
    assert len(ids) == 120
    assert all(pts.instance(number).predicted for number in ids)
    assert len({(pts.instance(n).track, one["track"]) for n, one in zip(ids, told, strict=True)}) == 2


@pytest.mark.parametrize("kind", ["points", "instances"])
def test_volumes_in_time_are_linked_in_micrometres(tmp_path: Path, kind: str) -> None:
    # in voxels the other one is nearer from one time point to the next: voxels are four times as thick as wide
    rng = np.random.default_rng(0)
    way = np.stack([np.array([(3, 6 + 2 * t, 8), (5, 6 + 2 * t, 12)]) for t in range(5)])
    film = rng.normal(50, 5, (5, 9, 24, 24)).clip(0).astype(np.uint8)
    tifffile.imwrite(tmp_path / "film.tif", film, ome=True, metadata={"axes": "TZYX"})
    with vl.Workspace.create(tmp_path / "ws") as ws:
        names = [one.name for one in ws.images.add_times("film", tmp_path / "film.tif", spacing=(2.0, 0.5, 0.5))]
        ws.levels.add("cells", kind=kind)
        for time, name in enumerate(names):
            order = rng.permutation(2)
            if kind == "points":
                ws.points("cells", name).add_many({"points": {"point": way[time, n]}} for n in order)
                continue
            mask = np.zeros(film.shape[1:], np.uint32)
            for number, n in enumerate(order, 1):
                z, y, x = way[time, n]
                mask[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = number
            ws.labels("cells", name).load(mask, zero="unlabelled")
        run = ws.track("cells", "kalman", image="film")
        tracks = run.result
        table = tracks.table()
        assert list(table.columns[:5]) == ["track", "frame", "z um", "y um", "x um"]
        assert table["track"].tolist() == [1] * 5 + [2] * 5
        for _, own in table.groupby("track"):
            assert len(set(own["z um"])) == 1
            assert np.allclose(np.diff(own["y um"]), 1.0)
        assert tracks.motion()["way um"].tolist() == pytest.approx([4.0, 4.0])
        ws.accept(tracks)
        folder = ws.export(run.name, tmp_path / "RES") if kind == "instances" else None
        for time, name in enumerate(names):
            if kind == "points":
                own = {one.track: one.points["point"] for one in ws.points("cells", name).read(None)}
                assert sorted(own) == ["1", "2"]
                assert len({at[0] for at in own.values()}) == 2
                continue
            assert folder is not None
            assert np.array_equal(
                ws.labels("cells tracks", name).read(), tifffile.imread(folder / f"mask{time:03d}.tif")
            )
        with pytest.raises(PredictionError, match="in frames"):
            ws.track("cells", "flow", image="film")


def test_what_cannot_be_linked_says_why(workspace) -> None:
    ws, *_ = workspace
    ws.images.add("stack", np.zeros((4, 20, 20), np.uint8), axes="zyx")
    ws.levels.add("things", kind="instances")
    ws.levels.add("classes", ["a"])
    for given, image, words in (
        ("things", "stack", "has no frames"),
        ("classes", "stack", "ws.objects"),
        ("nobody", None, "unknown run or level|there is no run or level"),
    ):
        with pytest.raises(PredictionError, match=words):
            ws.track(given, image=image)
