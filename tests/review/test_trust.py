"""How far a model is trusted: by who learned it, and from how many strokes."""

from __future__ import annotations

from voxloop.review.trust import overconfidence


def test_few_strokes_make_classifiers_too_sure_and_little_known():
    few, usual, many = (overconfidence("shallow", strokes) for strokes in (8, 30, 60))
    assert few.mean > usual.mean > many.mean
    assert few.spread > usual.spread > many.spread
    assert overconfidence("shallow", 0) == overconfidence("shallow", 1), "where nobody knows, they count as few"
    assert overconfidence("shallow", 1000) == many, "no further than was measured"
    assert overconfidence("deep", 60) == overconfidence("deep", 0)
    assert overconfidence("deep", 0).mean > 0.2
