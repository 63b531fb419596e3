"""One rule for the names of runs, wherever a name is given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.errors import RunError
from voxloop.runs import Runs
from voxloop.runs.names import LONGEST, check_name, free_name


@pytest.mark.parametrize("name", ["a", "deep-1", "A.b_c+d", "1", "x" * LONGEST])
def test_names_that_are_allowed(tmp_path, name):
    assert Runs(tmp_path).create(name, "voxloop.shallow.learner:train", {}).name == name


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "../up", "a/b", "a b", "a\n", "a\0", 5, b"a"])
def test_names_that_are_not(tmp_path, name):
    with pytest.raises(RunError, match="use letters, digits"):
        Runs(tmp_path).create(name, "voxloop.shallow.learner:train", {})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", "nothing", 5])
def test_a_run_that_is_not_there_is_unknown_whatever_it_is_called(tmp_path, name):
    runs = Runs(tmp_path / "runs")
    run = runs.create("a", "voxloop.shallow.learner:train", {})
    assert runs.get("a") is runs["a"]
    assert runs["a"].path == run.path
    assert runs.get(name) is None
    assert runs.get(name, run) is run
    with pytest.raises(RunError, match="unknown run"):
        runs[name]


def test_a_name_that_is_too_long_is_refused_for_its_length(tmp_path):
    with pytest.raises(RunError, match="it has 150 characters; use 100 at most"):
        Runs(tmp_path).create("x" * 150, "voxloop.shallow.learner:train", {})


@given(st.text("ab-.12", min_size=1, max_size=6), st.lists(st.text("ab-.12", max_size=8), max_size=9))
def test_a_free_name_is_allowed_free_and_the_highest(stem, taken):
    name = free_name(stem, taken)
    assert name not in taken
    number = re.fullmatch(rf"{re.escape(stem)}-(\d+)", name)
    assert number is not None
    assert all(f"{stem}-{n}" not in taken for n in range(int(number[1]), int(number[1]) + 5))
    if stem[0] not in "-.":
        assert check_name(name) == name


@pytest.mark.parametrize("content", ["{", "5", "null", "[]", "{}", '{"name": "a-1"}'])
def test_a_damaged_run_hides_no_other_and_keeps_its_name(tmp_path, content):
    runs = Runs(tmp_path)
    runs.create("a-1", "voxloop.shallow.learner:train", {})
    runs.create("a-2", "voxloop.shallow.learner:train", {})
    (tmp_path / "a-2" / "config.json").write_text(content)
    again = Runs(tmp_path)
    assert list(again) == [row["name"] for row in again.table()] == ["a-1"]
    assert list(again.damaged) == ["a-2"]
    assert "damaged" in again.damaged["a-2"]
    with pytest.raises(RunError, match="damaged"):
        _ = again["a-2"]
    with pytest.raises(RunError, match="'a-3' is free"):
        again.create("a-2", "voxloop.shallow.learner:train", {})
