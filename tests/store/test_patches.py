"""Run-length code: what goes in comes out, and only what changed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxloop.store.patches import Patch, decode, encode

shapes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))


@st.composite
def patches(draw: st.DrawFn, dtype: str) -> list[Patch]:
    top = 3 if dtype == "uint8" else 2**32 - 1
    made = []
    for number in range(draw(st.integers(1, 4))):
        shape = draw(shapes)
        voxels = arrays(dtype, shape, elements=st.sampled_from([0, 1, 2, top]))
        made.append(Patch((number * 7, 10**6, number), draw(voxels), draw(voxels)))
    return made


@given(st.one_of(patches("uint8"), patches("uint32")))
def test_decoding_gives_back_what_changed(made: list[Patch]) -> None:
    back = decode(encode(made), made[0].before.dtype)
    assert [patch.origin for patch in back] == [patch.origin for patch in made]
    for patch, one in zip(back, made, strict=True):
        np.testing.assert_array_equal(patch.changed, one.changed)
        np.testing.assert_array_equal(patch.before[one.changed], one.before[one.changed])
        np.testing.assert_array_equal(patch.after[one.changed], one.after[one.changed])


def test_a_stroke_costs_its_outline_not_its_box() -> None:
    before = np.zeros((1, 400, 400), np.uint8)
    after = before.copy()
    after[0, 190:210, 100:300] = 1
    assert len(encode([Patch((0, 0, 0), before, after)])) < 200
