"""Accepting, the log of rounds and lineage, on predictions made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.errors import LabelError, PredictionError
from voxloop.model import ClassInfo
from voxloop.review import RoundLog, accept, evaluate, methods_paragraph
from voxloop.review.confidence import uncertainty
from voxloop.store import Store

from .made import CLASSES, SHAPE, Made


@pytest.fixture
def probability() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    image = np.zeros(SHAPE, np.uint8)
    with Store.create(tmp_path / "w", image=image, classes=["background", "disc"]) as opened:
        yield opened


@pytest.mark.parametrize("keeps", [("probabilities",), ("uncertainty",), ("probabilities", "uncertainty")])
def test_accept_takes_confident_free_voxels_in_one_edit(store, probability, keeps):
    labels = store.labels()
    labels.paint(axis="z", index=2, points=[(50, 50), (50, 200)], radius=9, value=1)
    before = labels.read()
    edit = accept(labels, Made(probability, keeps), above=0.9)
    after = labels.read()
    sure = np.maximum(probability, 1 - probability)
    taken = (after != before) & (before == 0)
    np.testing.assert_array_equal(after[before > 0], before[before > 0])
    assert taken[(sure > 0.905) & (before == 0)].all()
    assert not taken[sure < 0.895].any()
    np.testing.assert_array_equal(after[taken], (1 + (probability > 0.5))[taken])
    assert edit.voxels == taken.sum()
    assert labels.history(edit.sequence)["arguments"]["prediction"] == "predict-1"
    labels.undo()
    np.testing.assert_array_equal(labels.read(), before)


def test_accept_by_class_and_region(store, probability):
    labels = store.labels()
    region = (slice(1, 3), slice(20, 150), slice(0, 100))
    accept(labels, Made(probability), region=region, classes=["disc"], above=0.8)
    after = labels.read()
    assert set(np.unique(after)) == {0, 2}
    outside = after.copy()
    outside[region] = 0
    assert not outside.any()
    assert accept(labels, Made(probability * 0 + 0.5), above=0.9) is None


def test_three_classes_by_margin_are_never_taken_too_easily(store):
    class Three(Made):
        @property
        def _stack(self):
            return np.stack([0.9 + self.probability, 0.05 + self.probability, 0.05 + self.probability])

    made = Three(np.zeros(SHAPE, np.float32), ("uncertainty",), classes=(*CLASSES, ClassInfo(value=3, name="wall")))
    assert accept(store.labels(), made, above=0.91) is None
    assert accept(store.labels(), made, above=0.895) is not None


def test_accept_refuses_what_it_cannot_know(store, probability):
    labels = store.labels()
    with pytest.raises(LabelError, match=r"not between 0 and 1; 0\.9 stands for 90 %"):
        accept(labels, Made(probability), above=90)
    with pytest.raises(LabelError, match="did you mean 'disc'"):
        accept(labels, Made(probability), classes=["discs"])
    with pytest.raises(PredictionError, match="predict again"):
        accept(labels, Made(probability, ()))
    with pytest.raises(PredictionError, match="entropy"):
        accept(labels, Made(probability, ("uncertainty",), "entropy"))
    assert labels.counts() == {}


def test_uncertainty_of_bytes_and_floats_agrees():
    rng = np.random.default_rng(0)
    stack = rng.dirichlet([0.5] * 4, 1000).T.astype(np.float32)
    for measure in ("margin", "entropy"):
        exact = uncertainty(stack, measure).astype(int)
        rounded = uncertainty(np.round(stack * 255).astype(np.uint8), measure).astype(int)
        assert np.abs(exact - rounded).max() <= 6
    sure, guess = np.array([[1.0], [0.0]]), np.array([[0.5], [0.5]])
    assert [int(uncertainty(p, m)[0]) for p in (sure, guess) for m in ("margin", "entropy")] == [0, 0, 255, 255]


def test_rounds_are_appended_and_torn_lines_are_passed_over(tmp_path):
    rounds = RoundLog(tmp_path)
    assert rounds.read() == []
    rounds.append(iou=0.5, per_class={"a": float("nan")}, strokes=np.int64(3))
    with rounds.path.open("ab") as file:
        file.write(b'{"v": 1, "round": 2, "io')
    assert len(rounds.read()) == 1
    rounds.append(iou=0.6)
    found = rounds.read()
    assert [r["iou"] for r in found] == [0.5, 0.6]
    assert [r["round"] for r in found] == [1, 2]
    assert found[0]["per_class"] == {"a": None}
    assert found[0]["strokes"] == 3


def test_the_methods_paragraph_says_only_what_is_known(probability):
    lineage = {
        "learner": "shallow",
        "trained_by": "shallow-2",
        "labels": {"labels/image": 48},
        "model_hash": "0123456789abcdef",
        "settings": {"mode": "exact", "turns": "4", "memory": None},
        "versions": {"numpy": "2.0", "voxloop": "0.1.0"},
    }
    made = Made(probability, lineage=lineage)
    report = evaluate(made, made.labels)
    text = methods_paragraph(made, report)
    parts = ["'image'", "background, disc", "pixel classifier", "'shallow-2'", "edit 48 of labels/image"]
    parts += ["0123456789ab.", "defaults: turns 4.", "mean IoU over disc was 1.000", "numpy 2.0, voxloop 0.1.0"]
    for part in parts:
        assert part in text
    assert "memory" not in text
    assert "mode exact" not in text
    bare = methods_paragraph(Made(probability, lineage={"learner": "shallow"}))
    assert "None" not in bare
    assert "IoU" not in bare
