"""When to stop: what is said of the next ten strokes, and only where the intervals allow it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.review import Reached, outlook
from voxloop.review.score import Score, unknown_score


def points(values, strokes, width=0.02, basis="audit"):
    made = []
    for value, count in zip(values, strokes, strict=True):
        interval = (value - width / 2, value + width / 2)
        score = Score(known=True, iou=value, interval=interval, basis=basis, n=50, source="100 checked points")
        made.append(Reached(prediction="p", round=1, strokes=count, seconds=count * 3.0, score=score))
    return made


def test_a_steep_curve_gets_better_and_a_long_even_one_is_flat():
    rising = outlook(points([0.3, 0.5, 0.62, 0.7], [20, 40, 60, 80]))
    assert rising.trend == "better"
    assert rising.words.startswith("Getting better: ten more strokes add +0.")
    assert 0 < rising.interval[0] < rising.gain < rising.interval[1]
    even = outlook(points([0.8, 0.81, 0.81, 0.81, 0.81], [40, 100, 160, 220, 280]))
    assert even.trend == "flat"
    assert "stop here" in even.words
    falling = outlook(points([0.8, 0.6, 0.5, 0.4], [20, 40, 60, 80]))
    assert falling.trend == "worse"
    assert "doubtful strokes" in falling.words


def test_wide_intervals_allow_neither_word():
    wide = outlook(points([0.6, 0.61], [24, 36], width=0.3, basis="corrections"))
    assert wide.trend == "unknown"
    assert wide.words.startswith("Not known yet whether it gets better: ten more strokes add -0.")
    assert "check 100 points" in wide.words
    assert wide.interval[1] - wide.interval[0] > 0.03


def test_one_round_or_none_is_no_trend():
    assert not outlook([]).known
    one = outlook(points([0.6], [24]))
    assert "another round shows a trend" in one.words
    assert "IoU 0.59-0.61" in one.words
    unscored = [Reached(prediction="p", strokes=24, score=unknown_score("correct 8 more places"))]
    assert outlook(unscored).words == "How good it is, is not known yet: correct 8 more places."


@given(
    st.lists(st.floats(0.05, 0.95), min_size=2, max_size=8),
    st.floats(0.02, 0.4),
    st.integers(5, 60),
)
def test_a_forecast_is_always_a_number_inside_its_interval(values, width, each):
    told = outlook(points(values, np.cumsum([each] * len(values)).tolist(), width))
    assert told.known
    low, high = told.interval
    assert low < told.gain < high
    assert (told.trend == "flat") <= (low >= -0.02 and high <= 0.01 and len(values) > 2)
    assert (told.trend == "better") <= (low > 0)


def test_wider_scores_make_a_wider_forecast():
    widths = []
    for width in (0.05, 0.15, 0.4):
        low, high = outlook(points([0.5, 0.6, 0.65], [24, 48, 72], width)).interval
        widths.append(high - low)
    assert widths == sorted(widths)
    assert widths[0] < widths[-1] == pytest.approx(widths[-1])
