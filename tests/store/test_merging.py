"""Two copies of a label array brought together: each voxel is what was to be expected, and one undo takes it back."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.store.conftest import make

from voxloop.store import Labels, Store
from voxloop.store.merging.conflicts import Decisions
from voxloop.store.merging.voxels import VoxelMerge
from voxloop.store.signing import signed_as

SHAPE = (3, 9, 11)
NAMES = np.array(["unlabelled", "a", "b", "c"])

EDIT = st.tuples(
    st.sampled_from(["Ada", "Bob"]),
    *(st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in SHAPE),
    st.integers(0, 3),
)
EDITS = st.lists(EDIT | st.none(), max_size=4)


def draw(labels: Labels, edits: list[Any]) -> None:
    for edit in edits:
        if edit is None:
            labels.undo()
            continue
        who, *bounds, value = edit
        with signed_as(who):
            labels.write(tuple(slice(a, min(a + n, end)) for (a, n), end in zip(bounds, SHAPE, strict=True)), value)


def expected(mine: Any, theirs: Any, before: Any, merge: VoxelMerge, decided: dict[str, Any]) -> Any:
    """What each voxel is to be, from the three states alone."""
    new = np.where((theirs != before) & (mine == before), theirs, mine)
    clash = (theirs != before) & (mine != before) & (mine != theirs)
    seen = np.zeros(SHAPE, int)
    for conflict in merge.conflicts:
        here = np.zeros(SHAPE, bool)
        here[conflict.region] = clash[conflict.region]
        here &= (NAMES[mine] == conflict.mine) & (NAMES[theirs] == conflict.theirs)
        said = decided[conflict.key]
        piece = connected(here, conflict.point)
        assert piece.sum() == conflict.voxels
        seen += piece
        new[piece] = {"mine": mine, "theirs": theirs}.get(said, np.full(SHAPE, 0 if said == "unlabelled" else said))[
            piece
        ]
    np.testing.assert_array_equal(seen, clash, "each conflict is listed once")
    return new


def connected(mask: Any, point: Any) -> Any:
    from scipy import ndimage

    parts, _ = ndimage.label(mask)
    return parts == parts[point]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(EDITS, EDITS, EDITS, st.lists(st.sampled_from(["mine", "theirs", "unlabelled", 3]), min_size=1, max_size=5))
def test_each_voxel_is_what_was_decided_and_merging_twice_is_merging_once(
    shared: Any, ours: Any, others: Any, said: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with make(folder / "a", SHAPE, ("a", "b", "c")) as store:
            draw(store.labels(), shared)
        shutil.copytree(folder / "a", folder / "b")
        with Store.open(folder / "b") as theirs:
            draw(theirs.labels(), others)
            end = theirs.labels().read()
        with Store.open(folder / "a") as store, Store.open(folder / "b", read_only=True) as theirs:
            labels = store.labels()
            before = labels.read()
            draw(labels, ours)
            mine, edits = labels.read(), labels.sequence
            merge = VoxelMerge(labels, theirs.labels(), {1: 1, 2: 2, 3: 3}, "b")
            decided = {one.key: what for one, what in zip(merge.conflicts, itertools.cycle(said), strict=False)}
            wanted = expected(mine, end, before, merge, decided)
            made = merge.apply(Decisions(decided))
            np.testing.assert_array_equal(labels.read(), wanted)
            for who in labels.authors:
                labels.by(who).read()
            again = VoxelMerge(labels, theirs.labels(), {1: 1, 2: 2, 3: 3}, "b")
            assert not again.conflicts
            assert not again.apply(Decisions({}))
            np.testing.assert_array_equal(labels.read(), wanted)
            if made:
                labels.undo()
            np.testing.assert_array_equal(labels.read(), mine)
            assert VoxelMerge(labels, theirs.labels(), {1: 1, 2: 2, 3: 3}, "b").taken == merge.taken
            assert labels.sequence == edits + len(made) + bool(made)
