"""The fast way of halving gives exactly what the general one does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.volumes.downsample import downsample


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 9))
def test_halving_is_the_rounded_mean_of_each_cell(dtype, shape, seed):
    values = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    general = downsample(values.astype(np.int64), (1, 2, 2), "mean")  # another type takes the general way
    assert np.array_equal(downsample(values, (1, 2, 2), "mean"), general)
