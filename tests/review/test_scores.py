"""Scores that are kept: computed once, read at once, gone when what they rest on has changed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop import model
from voxloop.errors import PredictionError, WorkspaceError
from voxloop.prediction import task
from voxloop.review import offers
from voxloop.review import scores as module
from voxloop.review.scores import ScoreCache
from voxloop.runs import Run
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace

SHAPE = (4, 120, 160)


@pytest.fixture
def ws(tmp_path, monkeypatch):
    """A workspace in which predictions are made here and now."""
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")
    for rest in ("REST_S", "LONG_REST_S"):
        monkeypatch.setattr(module, rest, 0.0)
    monkeypatch.setattr(offers, "REST_S", 0.0)

    def launch(run, queue=True):
        config = json.loads((run.path / "config.json").read_text())
        writer = EventWriter(run.path / "events.jsonl")
        writer.emit("started", device="cpu")
        writer.emit(task.run(RunContext(run.path, config, writer)))
        return run

    monkeypatch.setattr(Run, "launch", launch)
    with Workspace.create(tmp_path / "ws", image=picture(SHAPE), classes=["background", "mito"]) as made:
        yield made


def trained(ws, name: str, **facts) -> Run:
    """A run that has a model, and says of itself that held-out strokes are told almost without error."""
    labels = {"labels/image": ws.labels().sequence}
    run = ws.runs.create(name, "voxloop.shallow.learner:train", {}, level="labels", labels=labels, **facts)
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit("epoch", epoch=1, val={"iou": {"mito": 0.99}}, best=True)
    writer.emit("finished")
    FakeModel(make_spec()).save(run.path / "model")
    return run


def corrected(ws, places: int, first: int = 0) -> None:
    """Short strokes of both classes in turn."""
    for number in range(first, first + places):
        y, x = 10 + 12 * (number % 9), 20 + 30 * (number // 9)
        ws.labels().paint(axis="z", index=number % 4, points=[(y, x), (y, x + 8)], radius=2, value=1 + number % 2)


def test_a_training_says_what_it_takes_and_never_how_its_own_strokes_were_told(ws):
    run = trained(ws, "a")
    score = ws.scores.of_run(run)
    assert not score.known
    assert score.words == "not known yet: predict with it first"
    prediction = ws.predict("a", name="p")
    assert ws.scores.of_run(run) is None, "has to be computed"
    assert ws.scores.compute_next() == "p"
    assert ws.scores.of_run(run).words == ws.scores.of_run(prediction).words
    assert "correct 10 more places" in ws.scores.of_run(run).words
    assert ws.scores.compute_next() is None
    row = ws.scores.table()[0]
    assert (row["name"], row["iou"], row["prediction"]) == ("a", None, "p")


def test_a_score_is_computed_once_and_dropped_with_its_ground(ws, monkeypatch):
    trained(ws, "a")
    ws.predict("a", name="p")
    corrected(ws, 12)
    score = ws.score("p")
    assert score.basis == "corrections"

    def refused(*_, **__):
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(module, "score_prediction", refused)
        assert ws.score("p").interval == score.interval
        assert ScoreCache(ws.layout).compute("p").interval == score.interval, "another process reads it too"
    corrected(ws, 1, first=12)
    assert ws.scores.of_prediction("p") is None, "the labels have changed"
    with monkeypatch.context() as patch:
        patch.setattr(module, "count_cells", refused)  # what the prediction believes has not
        assert ws.scores.compute("p").n == 13
    audit = ws.audit("p", n=20)
    for i in audit.left:
        audit.answer(i, 1)
    assert ws.scores.of_prediction("p") is None, "somebody has checked points"
    assert ws.score("p").basis == "audit"
    ws.predict("a", name="p", overwrite=True)
    assert ws.scores.of_prediction("p") is None, "it is another prediction"


def test_a_damaged_file_costs_the_time_to_compute_it_again(ws):
    trained(ws, "a")
    ws.predict("a", name="p")
    corrected(ws, 12)
    before = ws.score("p")
    path = ws.layout.derived / "scores" / "p.json"
    for text in ("", "[]", '{"ground": 1}', json.dumps({**json.loads(path.read_text()), "score": {"known": True}})):
        path.write_text(text)
        assert ScoreCache(ws.layout).of_prediction("p") is None
        assert ScoreCache(ws.layout).compute("p").interval == before.interval


def test_labels_that_are_being_painted_are_left_to_rest(ws, monkeypatch):
    trained(ws, "a")
    ws.predict("a", name="p")
    corrected(ws, 1)
    monkeypatch.setattr(module, "REST_S", 3600.0)
    assert ws.scores.compute_next() is None
    monkeypatch.setattr(module, "REST_S", 0.0)
    assert ws.scores.compute_next() == "p"


def test_a_score_goes_to_json_and_back(ws):
    trained(ws, "a")
    ws.predict("a", name="p")
    corrected(ws, 20)
    score = ws.score("p")
    again = type(score).from_json(json.loads(json.dumps(score.to_json())))
    assert again == score
    assert np.isfinite(again.iou)
    with pytest.raises(ValueError, match="basis"):
        type(score).from_json({**score.to_json(), "basis": "hope"})


def test_models_are_compared_and_one_is_offered(ws):
    trained(ws, "a")
    ws.predict("a", name="p1")
    assert (ws.offer().name, ws.offer().clear) == ("p1", False)
    corrected(ws, 4)
    trained(ws, "b")
    ws.predict("b", name="p2")
    assert ws.offers.known("image", "labels") is None, "there is one more to choose from"
    assert ws.scores.compute_next() is not None
    while ws.scores.compute_next():
        pass
    assert ws.offers.compute_next() == "image"
    offer = ws.offers.known("image", "labels")
    assert offer == ws.offer()
    assert ws.best().name == offer.name
    assert not offer.clear, "they say the same, so neither is the best"
    assert "say the same everywhere" in ws.compare(["a", "b"]).words
    assert "say the same everywhere" in ws.compare([ws.predictions["p1"], ws.runs["p2"]]).words


def test_what_cannot_be_compared_is_said(ws):
    trained(ws, "a")
    with pytest.raises(PredictionError, match="nothing is predicted yet"):
        ws.best()
    ws.predict("a", name="p1")
    for models, words in (
        ("a", "two models at least"),
        (["a"], "two models at least"),
        (["a", "p1"], "mean the same prediction"),
        (["a", "nobody"], "nobody"),
    ):
        with pytest.raises(PredictionError, match=words):
            ws.compare(models)
    with pytest.raises(WorkspaceError, match="elsewhere"):
        ws.offer("elsewhere")
    ws.predict("a", name="p2")
    ws.sets.add("judge", ["image"])
    with pytest.raises(WorkspaceError, match="may have learned from the set 'judge'"):
        ws.compare(["p1", "p2"], on="judge")


def test_a_set_that_all_kept_apart_judges(ws):
    corrected(ws, 30)
    ws.sets.add("judge", ["image"])
    for name in ("a", "b"):
        trained(ws, name, validation_set={"name": "judge", "version": 1})
        ws.predict(name, name=f"of-{name}")
    compared = ws.compare(["a", "b"], on="judge")
    assert compared.names == ("of-a", "of-b")
    assert "say the same everywhere" in compared.words


def test_what_is_accepted_is_as_right_as_the_score_says(ws):
    trained(ws, "a")
    ws.predict("a", name="p")
    assert ws.score("p").expected_precision(0.9) is None, "nobody knows how far to trust it"
    corrected(ws, 20)
    computed = ws.score("p")
    read = ScoreCache(ws.layout).of_prediction("p")
    shares = [computed.expected_precision(above) for above in (0.0, 0.5, 0.6, 0.7)]
    assert shares == [read.expected_precision(above) for above in (0.0, 0.5, 0.6, 0.7)]
    for value, low, high in filter(None, shares):
        assert 0 <= low <= value <= high <= 1
    values = [share[0] for share in shares if share]
    assert values == sorted(values), "the surer, the more of them are right"
    assert computed.expected_precision(0.5, classes=["mito"]) != computed.expected_precision(0.5)
    assert computed.expected_precision(1.01) is None
    assert computed.expected_precision(0.5, classes=["nobody"]) is None
