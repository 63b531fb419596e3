"""The facade, as a user's cells call it: the whole loop on a tiny volume, and what it says to bad input."""

from __future__ import annotations

import numpy as np
import pytest

import voxloop as vl
from voxloop.errors import VolumeError
from voxloop.model import ClassInfo


@pytest.fixture(scope="module")
def picture() -> tuple[np.ndarray, np.ndarray]:
    """Bright textured discs on a darker ground, and their truth (1 ground, 2 disc)."""
    rng = np.random.default_rng(0)
    _, y, x = np.mgrid[:6, :96, :96]
    truth = np.ones((6, 96, 96), np.uint8)
    for cy, cx, r in ((28, 30, 14), (62, 66, 18), (24, 74, 10)):
        truth[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = 2
    volume = np.where(truth == 2, 150, 90) + rng.normal(0, 25, truth.shape)
    return np.clip(volume, 0, 255).astype(np.uint8), truth


@pytest.fixture(scope="module")
def trained(picture, tmp_path_factory):
    """A workspace with strokes, a trained run and a prediction; shared, so tests only read it or undo what they do."""
    volume, _ = picture
    path = tmp_path_factory.mktemp("project") / "ws"
    with vl.Workspace.create(path, image=volume, classes=["background", "disc"], spacing=(0.02, 0.01, 0.01)) as ws:
        lab = ws.labels()
        lab.paint(axis="z", index=2, points=[(28, 22), (28, 38)], radius=4, value=2)
        lab.paint(axis="z", index=2, points=[(62, 54), (66, 76)], radius=4, value=2)
        lab.paint(axis="z", index=2, points=[(48, 4), (48, 30)], radius=4, value=1)
        lab.paint(axis="z", index=2, points=[(90, 10), (90, 90)], radius=4, value=1)
        lab.paint(axis="z", index=2, points=[(6, 6), (6, 90)], radius=4, value=1)
        run = ws.train(vl.ShallowConfig())
        run.wait()
        job = ws.predict(run)
        job.wait()
        yield ws, run, job


def test_the_loop(trained, picture):
    ws, run, job = trained
    _, truth = picture
    assert (run.name, run.state) == ("shallow-1", "finished")
    assert (job.name, job.state) == ("predict-1", "finished")
    assert list(ws.predictions) == ["predict-1"]
    prediction = job.result
    assert prediction.done == 1
    assert prediction.labels.shape == truth.shape
    report = ws.evaluate(job, truth, exclude=ws.labels())
    assert report.iou_per_class["disc"] > 0.7
    plain = ws.evaluate("predict-1", truth)
    assert plain.iou_per_class.keys() >= {"background", "disc"}
    more = truth.copy()
    more[:2, :8, :8] = 3  # what nobody had painted when the model learned
    missed = vl.evaluate(job.result, more, named=[ClassInfo(value=3, name="nucleus")])
    assert missed.missed == {"nucleus": 128}
    assert missed.iou_per_class["nucleus"] == 0
    assert missed.foreground == plain.foreground
    assert missed.iou_per_class["background"] < plain.iou_per_class["background"]
    assert "not learned nucleus: all 128 voxels of it are missed" in repr(missed)
    assert ws.evaluate("predict-1", more).missed == {"3": 128}
    with pytest.raises(VolumeError, match="none of which is a class"):
        ws.evaluate("predict-1", np.full_like(more, 255))


def test_every_training_is_a_round(trained):
    ws, run, _ = trained
    first = ws.rounds.read()[0]
    assert (first.number, first.run) == (1, run.name)
    assert first.labels == {"labels/image": 5}


def test_a_prediction_says_where_it_came_from(trained):
    _, run, job = trained
    lineage = job.result.lineage
    assert (lineage["run"], lineage["trained_by"]) == (job.name, run.name)
    assert lineage["model_hash"] == run.model().spec.hash


def test_accepting_is_one_edit_and_never_repaints(trained):
    ws, _, job = trained
    lab = ws.labels()
    before = lab.read()
    edit = ws.accept(job, above=0.8)
    after = lab.read()
    assert edit is not None
    assert (after[before > 0] == before[before > 0]).all()
    assert (after > 0).sum() > (before > 0).sum()
    lab.undo()
    assert np.array_equal(lab.read(), before)


def test_suggestions_are_ordered_and_inside(trained):
    ws, _, job = trained
    found = ws.suggest(job, n=4)
    assert 1 <= len(found) <= 4
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    assert all(s.reason for s in found)
    assert {s.image for s in found} == {"image"}
    corner = ws.suggest(job, region=(slice(2, 4), slice(0, 96), slice(0, 48)))
    assert corner
    assert all(s.index in (2, 3) and s.box.stop[2] <= 48 for s in corner)


def test_predicting_a_region_with_a_name(trained):
    ws, run, _ = trained
    job = ws.predict(run, region=(slice(2, 4), slice(16, 48), slice(0, 64)), name="corner", probabilities=False)
    labels = np.asarray(job.result.labels)
    assert set(np.unique(labels[2:4, 16:48, :64])) <= {1, 2}
    assert (labels[:2] == 0).all(), "outside the region nothing is claimed"
    with pytest.raises(vl.VoxloopError, match="corner"):
        ws.predict(run, name="corner")


def test_a_saved_model_gives_the_prediction_again(trained):
    ws, run, job = trained
    lazy = vl.predict(vl.load_model(run.path / "model"), ws.images.open())
    assert lazy.dims == ("class", "z", "y", "x")
    labels = np.asarray(lazy.isel(z=3).argmax("class")) + 1
    assert (labels == np.asarray(job.result.labels.isel(z=3))).mean() > 0.999


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda ws, _: ws.predict("shalow-1"), "did you mean 'shallow-1'"),
        (lambda ws, _: ws.predictions["nothing"], "predict-1"),
        (lambda ws, run: ws.predict(run, image="other"), "unknown image"),
        (lambda ws, run: ws.predict(run, region=(slice(3, 3),)), "empty"),
        (lambda ws, _: ws.train(vl.ShallowConfig(level="cells")), "unknown level"),
        (lambda ws, _: ws.train(vl.ShallowConfig(), name="../x"), "letters"),
        (lambda ws, _: ws.labels("cells"), "labels"),
    ],
)
def test_bad_input_says_what_works(trained, act, message):
    ws, run, _ = trained
    with pytest.raises(vl.VoxloopError, match=message):
        act(ws, run)


def test_training_needs_labels_of_two_classes(picture, tmp_path):
    with vl.Workspace.create(tmp_path / "ws", image=picture[0], classes=["background", "disc"]) as ws:
        with pytest.raises(vl.VoxloopError, match="nothing is labelled"):
            ws.train()
        ws.labels().paint(axis="z", index=0, points=[(5, 5)], radius=3, value=2)
        with pytest.raises(vl.VoxloopError, match="only 'disc'"):
            ws.train()
        assert list(ws.runs) == []


def test_what_was_asked_for_is_predicted_when_training_is_done(picture, tmp_path):
    volume, _ = picture
    with vl.Workspace.create(tmp_path / "ws", image=volume, image_name="one", classes=["background", "disc"]) as ws:
        ws.images.add("two", volume)
        ws.images.add("three", volume)
        for image in ("one", "two"):
            lab = ws.labels(image=image)
            lab.paint(axis="z", index=2, points=[(28, 22), (28, 38)], radius=4, value=2)
            lab.paint(axis="z", index=2, points=[(90, 10), (90, 90)], radius=4, value=1)
        config = vl.ShallowConfig(scales=1)
        with pytest.raises(vl.VoxloopError, match=r"then_predict.*'thre'.*'three'"):
            ws.train(config, then_predict="thre")
        run = ws.train(config, then_predict="three")
        run.wait()
        one = ws.runs[run.followed_by]  # while this process writes the labels
        assert (one.name, one.config["parent"], one.config["image"]) == ("predict-1", run.name, "three")
        learnt = ws.train(config, then_predict="learnt")
        learnt.wait()
        many = ws.runs[learnt.followed_by]
        assert (many.name, many.config["images"]) == ("batch-1", ["one", "two"])
        assert (one.wait(), many.wait()) == ("finished", "finished")
        assert one.result.done == 1
        plain = ws.train(config, note="a first try")
        plain.wait()
        assert (plain.followed_by, plain.note) == (None, "a first try")


def test_reopening_finds_everything(trained):
    ws, run, _ = trained
    again = vl.Workspace.open(ws.path, read_only=True)
    try:
        assert again.read_only
        assert again.writer
        assert run.name in again.runs
        assert again.runs[run.name].history.epochs == run.history.epochs
        assert np.array_equal(again.labels().read(), ws.labels().read())
        with pytest.raises(vl.VoxloopError, match=r"read-only|writing"):
            again.labels().paint(axis="z", index=0, points=[(5, 5)], radius=3, value=2)
    finally:
        again.close()
    with pytest.raises(vl.VoxloopError, match="was closed"):
        again.train()


def test_runs_are_started_beside_whoever_writes_the_labels(trained):
    ws, _, _ = trained
    with vl.Workspace.open(ws.path, read_only=True) as again:
        assert again.read_only
        beside = again.train(vl.ShallowConfig(scales=1), name="beside")
        beside.wait()
        assert beside.config["labels"] == {"labels/image": ws.labels().sequence}
        beside.delete()
