"""A network is put beside the pixel classifier it learned from, and the run keeps what is better."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.deep.learner import train
from voxloop.deep.training.deciding import Effort, decide
from voxloop.deep.training.judging import HeldOutStrokes, compare, strokes
from voxloop.errors import ModelError
from voxloop.model import ClassInfo
from voxloop.runs.outcome import Outcome, model_folder
from voxloop.store.layout import RunPlace

CLASSES = (
    ClassInfo(value=1, name="outside", background=True),
    ClassInfo(value=2, name="disc"),
)
LONG = Effort(steps=900, minutes=3.0, began_trained=False)


@pytest.fixture(scope="module")
def world(make: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rods: what the pixel classifier, which looks through the planes, learns from a few strokes."""
    raw, truth = make.discs()
    truth = np.repeat(truth[:1], len(truth), axis=0)
    raw = (90 + 60 * truth + np.random.default_rng(0).normal(0, 18, truth.shape)).clip(0, 255).astype(np.uint8)
    return raw, truth, make.scribbles(truth)


def held_out(right_of_network: float, right_of_classifier: float, count: int = 12, seed: int = 0) -> HeldOutStrokes:
    """Strokes of two classes of which two models have about such shares right."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    shares = []
    for right in (right_of_network, right_of_classifier):
        hit = np.clip(right + rng.normal(0, 0.05, count), 0, 1)
        shares.append(np.where(np.eye(2)[truth] > 0, hit[:, None], 1 - hit[:, None]))
    return HeldOutStrokes(
        truth=truth,
        voxels=np.full(count, 30),
        network=shares[0],
        classifier=shares[1],
        prevalence=np.array([0.8, 0.2]),
        on="validation",
    )


def test_a_network_behind_is_not_kept_and_one_far_ahead_is() -> None:
    behind = compare(held_out(0.6, 0.95), CLASSES)
    ahead = compare(held_out(0.98, 0.6), CLASSES)
    assert not behind.better
    assert ahead.better
    outcome = decide(behind, 12, 360, "validation", LONG)
    assert outcome.kept == "classifier"
    assert "the network is behind the pixel classifier it learned from (IoU 0." in outcome.words
    assert "train longer" in outcome.words
    assert decide(ahead, 12, 360, "validation", LONG).kept == "network"


@given(st.integers(0, 50))
def test_models_alike_leave_doubt(seed: int) -> None:
    strokes_ = held_out(0.9, 0.9, seed=seed)
    alike = HeldOutStrokes(
        truth=strokes_.truth,
        voxels=strokes_.voxels,
        network=strokes_.network,
        classifier=strokes_.network,
        prevalence=strokes_.prevalence,
        on="validation",
    )
    comparison = compare(alike, CLASSES, seed)
    assert not comparison.better
    assert comparison.gain == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert comparison.network == comparison.classifier


def test_few_strokes_tell_nothing_and_the_classifier_is_kept() -> None:
    comparison = compare(held_out(1.0, 0.2, count=4), CLASSES)
    assert comparison.network is None
    outcome = decide(comparison, 4, 120, "validation", LONG)
    assert outcome.kept == "classifier"
    assert "only 4 strokes are held out" in outcome.words


def test_too_few_steps_are_said_first() -> None:
    short = Effort(steps=22, minutes=1.5, began_trained=False)
    outcome = decide(compare(held_out(0.6, 0.95), CLASSES), 12, 360, "validation", short)
    assert outcome.words.startswith("22 steps in 1.5 minutes are too few for a network to learn; ")
    assert not outcome.enough
    assert Effort(steps=22, minutes=1.5, began_trained=True).enough


def test_a_rare_class_is_judged_as_rare() -> None:
    """One voxel in ten of the background called disc: in the image that is as much as all discs together."""
    truth = np.arange(12) % 2
    wrong = np.where(truth[:, None] == 0, [0.9, 0.1], [0.0, 1.0])
    one = HeldOutStrokes(
        truth=truth,
        voxels=np.full(12, 30),
        network=wrong,
        classifier=np.eye(2)[truth],
        prevalence=np.array([0.91, 0.09]),
        on="test",
    )
    comparison = compare(one, CLASSES)
    assert comparison.network is not None
    assert comparison.network["iou"]["disc"] == pytest.approx(0.09 / (0.09 + 0.091), abs=1e-6)


def test_strokes_are_connected_pieces_and_filled_areas_are_many() -> None:
    marked = np.zeros((100, 100), np.uint8)
    marked[5:7, 5:20] = 1
    marked[5:7, 40:60] = 1
    marked[20:22, 5:20] = 2
    assert sorted(position for position, _ in strokes(marked)) == [0, 0, 1]
    marked[:] = 1
    pieces = strokes(marked)
    assert len(pieces) == 16
    assert sum(np.count_nonzero(inside) for _, inside in pieces) == marked.size


def test_a_run_keeps_the_better_of_two(context: Any) -> None:
    """A network of a few steps from random weights is far behind; the classifier is there, complete, and chosen."""
    context.config["settings"]["compare_with"] = "classifier"
    assert train(context) == "finished"
    kinds = [event["kind"] for event in context.events]
    (begins,) = [n for n, event in enumerate(context.events) if "a pixel classifier learns" in event.get("text", "")]
    assert kinds[:begins].count("step") == 1  # the first loss is there before what takes seconds
    outcome = Outcome.read(context.path)
    assert outcome is not None
    assert outcome.kept == "classifier"
    assert not outcome.enough
    assert outcome.steps == 10
    (test,) = context.of("test")
    assert test["baseline"]["name"] == "pixel classifier"
    assert test["baseline"]["mean"] == pytest.approx(outcome.classifier["mean"], abs=1e-6)
    assert test["kept"] == "classifier"
    assert test["words"] == outcome.words
    assert any(event["text"] == outcome.words for event in context.of("log"))
    place = RunPlace(context.path)
    assert model_folder(context.path) == place.classifier
    assert model_folder(context.path, "network") == place.model
    assert json.loads((place.classifier / "spec.json").read_text())["learner"] == "shallow"
    # killed before the outcome was written: a further process comes to the same
    place.outcome.unlink()
    assert train(context) == "finished"
    again = Outcome.read(context.path)
    assert (again.kept, again.network, again.classifier) == (outcome.kept, outcome.network, outcome.classifier)


def test_stop_keeps_the_better_of_two_as_well(context: Any) -> None:
    context.config["settings"] |= {"compare_with": "classifier", "epochs": 50}
    # orders are asked for before every step, and many times before the first
    context.orders = lambda: [SimpleNamespace(kind="stop", name="s", values={})] if context.of("epoch") else []
    assert train(context) == "stopped"
    assert Outcome.read(context.path).kept == "classifier"


def test_without_held_out_labels_nobody_knows(context: Any) -> None:
    context.config["settings"] |= {"compare_with": "classifier", "validation_share": 0.0, "epochs": 1}
    assert train(context) == "finished"
    outcome = Outcome.read(context.path)
    assert outcome.kept == "network"
    assert "nobody knows" in outcome.words


def test_an_outcome_that_is_damaged_is_none(tmp_path: Path) -> None:
    assert Outcome.read(tmp_path) is None
    for text in ("{", "[]", '{"kept": "both", "words": ""}', '{"kept": "network"}', '{"kept": "network", "words": 3}'):
        RunPlace(tmp_path).outcome.write_text(text)
        assert Outcome.read(tmp_path) is None
    assert model_folder(tmp_path) == RunPlace(tmp_path).model
    with pytest.raises(ModelError, match="better"):
        model_folder(tmp_path, "beter")  # type: ignore[arg-type]
