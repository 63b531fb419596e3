"""How many there are: corrected by what was missed and made up, with an interval that holds as often as it says."""

from __future__ import annotations

import numpy as np

from voxloop.prediction.count import estimate_count


def test_the_interval_holds_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        true = rng.integers(10, 80, 12)
        found = rng.binomial(true, 0.9) + rng.poisson(0.02 * true)
        count = estimate_count(int(found[-1]), np.column_stack([true, found])[:-1].tolist(), 0.9, as_held=True)
        assert count.interval is not None
        held += count.interval[0] <= true[-1] <= count.interval[1]
    assert 0.8 <= held / 200 <= 0.99


def test_without_held_out_pictures_nobody_knows() -> None:
    for counted in (None, [], [[3, 3]], [[3, 0], [2, 0]]):
        count = estimate_count(7, counted, 0.9, as_held=True)
        assert (count.estimate, count.interval) == (7, None)
        assert "nobody knows" in count.words
    assert "another threshold" in estimate_count(7, [[5, 5], [6, 6]], 0.9, as_held=False).words
    good = estimate_count(90, [[50, 45], [50, 45], [40, 36]], 0.9, as_held=True)
    assert round(good.estimate) == 100
    assert "90 found; about 100" in good.words
