"""Samples are shared between classes and strokes; held-out blocks leave every class on both sides."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.geometry import Box
from voxloop.shallow.samples import BLOCK, LabelledVoxels, choose, hold_out, in_block


@st.composite
def strokes(draw):
    parts = []
    for value in range(1, draw(st.integers(1, 3)) + 1):
        for _ in range(draw(st.integers(1, 4))):
            start = np.array([draw(st.integers(0, 30)), draw(st.integers(0, 500)), draw(st.integers(0, 500))])
            length = draw(st.integers(1, 120))
            parts.append((start + np.arange(length)[:, None] * np.array([0, 1, 0]), np.full(length, value)))
    at, values = (np.concatenate(p) for p in zip(*parts, strict=True))
    return LabelledVoxels(at, values)


@given(labelled=strokes(), most=st.integers(3, 400))
@settings(max_examples=50, deadline=None)
def test_every_class_gets_its_share(labelled, most):
    picks = choose(labelled, most, np.random.default_rng(0))
    assert len(picks) == len(np.unique(picks)) <= max(most, 3)
    values, counts = np.unique(labelled.values, return_counts=True)
    got = dict(zip(*np.unique(labelled.values[picks], return_counts=True), strict=True))
    fair = most // len(values)
    assert all(got[value] >= min(count, fair) for value, count in zip(values, counts, strict=True))
    if len(labelled) <= most // len(values):
        assert len(picks) == len(labelled)


def test_many_short_strokes_outweigh_one_thick_one():
    thick = np.stack(np.meshgrid([0], np.arange(64), np.arange(64), indexing="ij"), -1).reshape(-1, 3)
    short = np.array([[0, 400 + 20 * (i // 16), 20 * (i % 16)] for i in range(64)])
    labelled = LabelledVoxels(np.concatenate([thick, short]), np.ones(len(thick) + 64, np.int64))
    picks = choose(labelled, 200, np.random.default_rng(0))
    assert (picks >= len(thick)).sum() > 5 * 200 * 64 / len(labelled)


@given(labelled=strokes(), share=st.floats(0.05, 0.5))
@settings(max_examples=50, deadline=None)
def test_no_block_is_on_both_sides_and_no_class_on_one(labelled, share):
    held = hold_out(labelled, share, np.random.default_rng(0))
    blocks = {tuple(b) for b in labelled.at[held] // BLOCK}
    assert not blocks & {tuple(b) for b in labelled.at[~held] // BLOCK}
    if held.any():
        for value in np.unique(labelled.values):
            own = held[labelled.values == value]
            assert own.any()
            assert not own.all()


def test_labels_of_a_block_are_found_where_they_lie():
    labels = np.zeros((2, 3, 4), np.uint8)
    labels[1, 2, 3] = 5
    found = in_block(labels, Box((10, 20, 30), (12, 23, 34)))
    assert found.at.tolist() == [[11, 22, 33]]
    assert found.values.tolist() == [5]
