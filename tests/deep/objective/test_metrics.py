"""Measures agree with scikit-learn's on what is labelled."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from voxloop.deep.objective.metrics import PER_CLASS, scores_of
from voxloop.deep.objective.validation import Tally


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.int64, (3, 3), elements=st.integers(0, 50)))
def test_measures_are_those_of_scikit_learn(table: np.ndarray) -> None:
    truth = np.repeat(np.repeat(range(3), 3), table.ravel())
    said = np.repeat(np.tile(range(3), 3), table.ravel())
    found = scores_of(table, 0.5)
    for value in range(3):
        t, s = truth == value, said == value
        if not t.any():
            assert all(math.isnan(getattr(found, name)[value]) for name in PER_CLASS)
            continue
        expected = {
            "iou": sk.jaccard_score(t, s),
            "dice": sk.f1_score(t, s),
            "recall": sk.recall_score(t, s),
            "accuracy": sk.accuracy_score(t, s),
        }
        for name, number in expected.items():
            assert getattr(found, name)[value] == pytest.approx(number)
        if s.any():
            assert found.precision[value] == pytest.approx(sk.precision_score(t, s))
        else:
            assert math.isnan(found.precision[value])
    if len(truth):
        assert found.pixel_accuracy == pytest.approx(sk.accuracy_score(truth, said))


def test_a_tally_counts_what_is_labelled_batch_by_batch() -> None:
    torch.manual_seed(0)
    tally = Tally(3, torch.device("cpu"))
    batches = [(torch.randn(2, 3, 7, 5), torch.randint(0, 4, (2, 7, 5), dtype=torch.uint8)) for _ in range(3)]
    for logits, labels in batches:
        tally.add(logits, labels, torch.tensor(0.5))
    truth = np.concatenate([labels[labels > 0].numpy() - 1 for _, labels in batches])
    said = np.concatenate([logits.argmax(1)[labels > 0].numpy() for logits, labels in batches])
    assert np.array_equal(tally._table.numpy(), sk.confusion_matrix(truth, said, labels=[0, 1, 2]))
    assert tally.scores().loss == 0.5
    again = Tally(3, torch.device("cpu"))
    again.restore(tally.to_json())
    assert again.scores() == tally.scores()


def test_events_carry_every_measure_by_class() -> None:
    event = scores_of(np.array([[8, 2], [1, 9]]), 0.1).to_event(["a", "b"])
    assert event["precision"] == {"a": pytest.approx(8 / 9), "b": pytest.approx(9 / 11)}
    assert set(event) == {"loss", *PER_CLASS, "pixel_accuracy"}
