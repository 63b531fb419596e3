"""What of a run's numbers is drawn: few points, no spike lost, honest averages, round ticks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.panels.monitor import curves as c
from voxloop.panels.monitor import run_words
from voxloop.runs import History, fold

values = st.lists(st.floats(-1e3, 1e3), max_size=400)


@given(values, st.integers(4, 50))
def test_decimation_keeps_the_extremes_of_every_stretch(y, limit):
    x, y = np.arange(len(y), dtype=float), np.array(y)
    few_x, few_y = c.decimate(x, y, limit)
    assert len(few_x) <= max(limit, 2)
    assert np.all(np.diff(few_x) > 0)
    np.testing.assert_array_equal(y[few_x.astype(int)], few_y)  # points of the curve, none made up
    if len(y):
        assert (few_y.min(), few_y.max()) == (y.min(), y.max())


@given(st.integers(30, 200), st.integers(1, 40))
def test_a_curve_that_grows_does_not_flicker(length, more):
    """What is settled stays as it is while points are added, as long as the groups keep their size."""
    y = np.random.default_rng(length).normal(size=length + more)
    x = np.arange(len(y), dtype=float)
    size = c.group_size(len(y), 10)
    if length > 20 and c.group_size(length, 10) == size:
        settled = length // size * size
        before, after = c.decimate(x[:length], y[:length], 20)[0], c.decimate(x, y, 20)[0]
        np.testing.assert_array_equal(before[before < settled], after[after < settled])


@given(values.filter(len), st.floats(0.01, 0.99), st.integers(2, 50))
def test_a_running_mean_stays_within_the_values(y, weight, limit):
    x = np.arange(len(y), dtype=float)
    mx, my = c.smooth(x, np.array(y), weight, limit)
    assert len(mx) <= max(limit, 1)
    assert mx[-1] == x[-1]
    assert my.min() >= min(y) - 1e-6
    assert my.max() <= max(y) + 1e-6
    np.testing.assert_allclose(c.smooth(x, np.full(len(y), 3.0), weight, limit)[1], 3.0)


def test_smoothing_weighs_steps_not_groups():
    y = np.concatenate([np.zeros(5000), np.ones(5000)])
    x = np.arange(10_000.0)
    fine = np.interp(5200, *c.smooth(x, y, 0.999, 10_000))
    coarse = np.interp(5200, *c.smooth(x, y, 0.999, 500))
    assert fine == pytest.approx(1 - 0.999**200, abs=0.02)
    assert coarse == pytest.approx(fine, abs=0.02)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e5), st.integers(3, 8))
def test_ticks_are_few_round_and_inside(low, span, count):
    found = c.ticks(low, low + span, count)
    assert 1 <= len(found) <= count + 1
    assert found.min() >= low - 1e-6 * span
    assert found.max() <= low + span * (1 + 1e-6)
    np.testing.assert_allclose(c.log_ticks(0.03, 3.0), [0.05, 0.1, 0.2, 0.5, 1, 2])


@given(st.floats(1e-6, 1e9))
def test_limits_are_above_and_not_far(value):
    assert value * (1 - 1e-6) <= c.nice_limit(value) <= 1.6 * value


def history(steps: int = 200, per_epoch: int = 20) -> History:
    events = [{"kind": "started", "time": 0.0, "device": "cpu"}]
    for n in range(1, steps + 1):
        loss = 50.0 if n == 50 else 1 + n / 1000 + 0.01 * (n % 7)
        events.append({"kind": "step", "time": 0.1 * n, "iteration": n, "loss": loss, "lr": 0.1, "samples_per_s": 8.0})
        if n % per_epoch == 0:
            score = {"loss": 1.0, "iou": {"a": n / steps, "b": None}}
            events.append(
                {
                    "kind": "epoch",
                    "time": 0.1 * n,
                    "epoch": n // per_epoch,
                    "iteration": n,
                    "train": score,
                    "val": score,
                }
            )
    return fold(History(), events)


def test_curves_share_their_axis_and_say_what_they_hide():
    full = history()
    found = c.curves(full, "loss", c.CurveView())
    assert found.hidden == 1
    assert found.batches[1].max() < 2
    np.testing.assert_array_equal(found.val[0], np.arange(20, 201, 20))
    assert found.best[0].tolist() == [200]
    shown = c.curves(full, "loss", c.CurveView(outliers=True))
    assert (shown.hidden, shown.batches[1].max()) == (0, 50.0)
    last = c.curves(full, "loss", c.CurveView(last=50))
    assert last.batches[0].min() == 150
    assert last.val[0].tolist() == [160, 180, 200]
    assert not len(c.curves(full, "loss", c.CurveView(smoothing=0)).smooth[0])
    iou = c.curves(full, "iou", c.CurveView())
    assert not len(iou.batches[0])
    assert iou.val[1][-1] == 1.0
    assert c.metrics(full) == ["iou", "iou: a", "iou: b"]
    assert not c.curves(History(), "loss", c.CurveView())


def judged(*scores, kept):
    """A history of epochs with these IoU, of which the writer kept one after the other."""
    events = [
        {
            "kind": "epoch",
            "time": float(n),
            "epoch": n,
            "iteration": 10 * n,
            "val": {"loss": 1.0, "iou": {"a": score}},
            "best": n in kept,
        }
        for n, score in enumerate(scores, 1)
    ]
    return fold(History(), events)


def test_an_epoch_that_scored_higher_than_the_one_kept_is_marked_apart():
    told = judged(0.7, 0.945, 0.93, 0.9, kept=(1, 2, 3))
    iou = c.curves(told, "iou", c.CurveView())
    assert (iou.best[0].tolist(), iou.highest[0].tolist()) == ([30], [20])
    assert iou.highest[1].tolist() == [0.945]
    assert not len(c.curves(told, "loss", c.CurveView()).highest[0])
    assert [words for _, words in run_words.marks(told)] == ["kept (epoch 3)", "highest (epoch 2)"]
    assert dict(run_words.facts("finished", told))["kept"] == "epoch 3 of 4"
    sentence = run_words.sentence("finished", told)
    assert "Kept is epoch 3 of 4." in sentence
    assert "0.9" not in sentence, "agreement with held-out strokes is no measure of how good a model is"
    plain = judged(0.7, 0.9, 0.8, kept=(1, 2))
    assert [words for _, words in run_words.marks(plain)] == ["kept (epoch 2)"]
    assert not len(c.curves(plain, "iou", c.CurveView()).highest[0])
    assert c.highest(History()) is None


def test_metrics_given_by_class_are_offered_class_by_class():
    epochs = [
        {"kind": "epoch", "time": 0.0, "epoch": n, "iteration": n, "val": {"iou": {"a": 0.2, "b": n / 4}, "loss": 1}}
        for n in (1, 2)
    ]
    full = fold(History(), epochs)
    assert c.metrics(full) == ["iou", "iou: a", "iou: b"]
    assert c.curves(full, "iou: b", c.CurveView()).val[1].tolist() == [0.25, 0.5]
    assert full.curve("val", "iou")[1].tolist() == pytest.approx([0.225, 0.35])
    assert np.isnan(full.curve("val", "iou: nobody")[1]).all()


def test_numbers_that_cannot_be_drawn_are_left_out():
    events = [
        {"kind": "step", "time": 0.0, "iteration": n, "loss": loss} for n, loss in enumerate([1.0, None, 0.0, 2.0])
    ]
    found = c.curves(fold(History(), events), "loss", c.CurveView(log=True))
    assert found.batches[1].tolist() == [1.0, 2.0]


def test_a_million_steps_are_few_points():
    steps = [{"kind": "step", "time": float(n), "iteration": n, "loss": 1.0 / n} for n in range(1, 1_000_001, 10)]
    found = c.curves(fold(History(), steps), "loss", c.CurveView())
    assert len(found.batches[0]) <= c.DOTS
    assert len(found.smooth[0]) <= c.POINTS


@pytest.mark.parametrize(
    ("seconds", "exact", "coarse"),
    [
        (0.43, "0.4 s", "5 s"),
        (47.4, "47 s", "45 s"),
        (133, "2 min 13 s", "2 min"),
        (3000, "50 min", "50 min"),
        (7500, "2 h 05 min", "2 h 05 min"),
    ],
)
def test_durations(seconds, exact, coarse):
    assert run_words.duration(seconds) == exact
    assert run_words.about(seconds) == coarse


def test_every_state_is_a_sentence():
    for state in run_words.LOOKS:
        for told in (History(), history(), fold(history(), [{"kind": "queued", "time": 99.0, "place": 2}])):
            assert run_words.sentence(state, told).endswith(".")
    assert "2 runs are" in run_words.sentence("queued", fold(History(), [{"kind": "queued", "time": 1.0, "place": 2}]))
