"""How good, where wrong: the verbs that look at predictions and strokes, as a user's cells call them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.in_process import in_process

import voxloop as vl
from voxloop.benchmark.here import HereRuns
from voxloop.errors import PredictionError, RunError

SHAPE = (8, 96, 120)
WRONG = 5


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    _, y, x = np.indices(SHAPE)
    discs = ((y % 48 - 24) ** 2 + (x % 40 - 20) ** 2) < 14**2
    return np.where(discs, 2, 1).astype(np.uint8)


@pytest.fixture(scope="module")
def corrected(truth, tmp_path_factory):
    """Strokes, one of which says disc on plain ground; a training, and a prediction by it."""
    rng = np.random.default_rng(0)
    image = np.where(truth == 2, 90, 160) + rng.normal(0, 25, SHAPE)
    path = tmp_path_factory.mktemp("project") / "ws"
    with vl.Workspace.create(
        path, image=image.clip(0, 255).astype(np.uint8), classes=["background", "disc"], spacing=(0.02, 0.01, 0.01)
    ) as ws:
        with pytest.raises(RunError, match="no pixel classifier"):
            ws.doctor()
        lab = ws.labels()
        for z in (1, 4, 7):
            for row in (24, 72):
                lab.paint(axis="z", index=z, points=[(row, 12), (row, 28)], radius=3, value=2)
                lab.paint(axis="z", index=z, points=[(row, 92), (row, 108)], radius=3, value=2)
                lab.paint(axis="z", index=z, points=[(row - 24, 4), (row - 24, 116)], radius=3, value=1)
        assert lab.sequence == 18
        lab.paint(axis="z", index=4, points=[(48, 10), (48, 40)], radius=3, value=2)
        with in_process():
            run = ws.train(vl.ShallowConfig(scales=3, context=0))
            assert run.wait() == "finished"
            assert ws.predict(run).result.done == 1
        yield ws


def test_before_any_correction_the_score_is_what_held_out_strokes_allow(corrected, truth):
    score = corrected.score("predict-1")
    assert score.known
    assert score.basis == "cross-fit"
    assert "as far as one of 19 strokes may be believed" in score.words
    exact = corrected.evaluate("predict-1", truth).iou_per_class["disc"]
    # one interval in ten does not hold the truth; none is far from it
    assert score.interval[0] - 0.1 <= exact <= score.interval[1] + 0.1
    assert corrected.score(corrected.runs["shallow-1"]).interval == score.interval
    assert corrected.score("shallow-1").interval == score.interval
    with pytest.raises(PredictionError, match="level=90"):
        corrected.score("predict-1", level=90)


def test_a_stroke_on_the_wrong_thing_is_found_and_dropped(corrected):
    lab = corrected.labels()
    before = lab.read()
    first = corrected.doctor()[0]
    assert first.sequence == 19
    assert (first.label, first.said) == ("disc", "background")
    assert 0.5 < first.confidence <= 1
    edit = first.drop()
    after = lab.read()
    z, y, x = first.region
    assert not (after[z, y, x] == 2).any()
    assert edit.voxels == (before != after).sum() > 100
    assert lab.history(edit.sequence)["arguments"] == {"of": 19}
    lab.undo()
    np.testing.assert_array_equal(lab.read(), before)


def test_an_audit_narrows_the_score(corrected, truth):
    audit = corrected.audit("predict-1", how="fields", n=8)
    for i, field in enumerate(audit.fields):
        audit.correct(i, truth[field])
    score = corrected.score("predict-1")
    assert score.basis == "audit"
    exact = corrected.evaluate("predict-1", truth).iou_per_class["disc"]
    assert score.iou == pytest.approx(exact, abs=0.1)
    assert corrected.audit("predict-1", how="fields", n=8).left == []
    assert len(corrected.audit("predict-1").points) == 100


def _left_out(run):
    """What the run says of strokes that it did not learn."""
    said = [event["text"] for event in run.events() if event["kind"] == "warning"]
    return [text for text in said if "left out" in text]


def test_a_stroke_that_all_others_contradict_is_left_out_unless_somebody_keeps_it(corrected, monkeypatch):
    first = corrected.runs["shallow-1"]
    said = _left_out(first)
    assert len(said) == 1
    assert "1 stroke of 19 was left out" in said[0]
    assert "painted disc, but models that had not learned it say background" in said[0]
    doubt = corrected.doctor()[0]
    assert (doubt.sequence, doubt.left_out) == (19, True)
    assert not any(other.left_out for other in corrected.doctor()[1:])
    extra = first.model().spec.extra
    assert extra["strokes"] == 19
    doubt.keep()
    monkeypatch.setattr(corrected, "runs", HereRuns(corrected.layout.runs))
    again = corrected.train(vl.ShallowConfig(scales=3, context=0))
    assert again.wait() == "finished"
    assert again.config["said_right"] == {"labels/image": [19]}
    assert not _left_out(again)
    assert again.model().spec.extra["samples"] > extra["samples"], "its voxels teach now"


def test_the_run_says_what_it_chose(corrected):
    run = corrected.runs["shallow-1"]
    words = [event["text"] for event in run.events() if event["kind"] == "log"]
    assert any("cross-validation on strokes" in text for text in words)
    assert run.model().spec.extra["choice"]["scores"]
