"""Where things lie in a workspace, and that what a file says never leads outside of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.errors import WorkspaceError
from voxloop.store.layout import MADE, Layout

PARTS = st.sampled_from(["..", ".", "", "models", "predictions", "runs", "journal", "a", "a.zarr", "labels"])


@given(st.lists(PARTS, max_size=6), st.booleans())
def test_only_what_a_run_made_is_ever_removed(tmp_path_factory, parts, absolute):
    root = tmp_path_factory.mktemp("layout") / "ws"
    names = [*MADE, "runs", "journal", "labels"]
    for name in names:
        (root / name / "a.zarr").mkdir(parents=True)
    (root.parent / "a.zarr").mkdir()
    before = set(root.parent.rglob("*"))
    path = root.joinpath(*parts) if absolute else Path(*parts)
    with contextlib.suppress(WorkspaceError):
        Layout(root).remove(path)
    gone = before - set(root.parent.rglob("*"))
    assert gone <= {root / name / "a.zarr" for name in MADE}


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc", "a\\b", "a\0"])
def test_a_name_is_one_folder(tmp_path, name):
    layout = Layout(tmp_path)
    for place in (layout.run, layout.prediction, layout.objects_of, layout.model):
        with pytest.raises(WorkspaceError, match="no name"):
            place(name)


def test_a_link_out_of_the_workspace_is_left_alone(tmp_path):
    (tmp_path / "docs" / "thesis.zarr").mkdir(parents=True)
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "predictions").symlink_to(tmp_path / "docs")
    layout = Layout(tmp_path / "ws")
    with pytest.raises(WorkspaceError, match="outside of the workspace"):
        layout.remove(layout.prediction("thesis"))
    assert (tmp_path / "docs" / "thesis.zarr").is_dir()


def test_paths_are_written_and_read_as_files_name_them(tmp_path):
    layout = Layout(tmp_path / "ws")
    (tmp_path / "ws").mkdir()
    assert layout.relative(layout.model("m")) == "models/m"
    assert layout.named("models/m") == layout.inside("models/m") == layout.model("m")
    assert layout.relative(tmp_path / "elsewhere") == str(tmp_path / "elsewhere")
    assert Layout.of_run(layout.run("r")).root == Layout.of_made(layout.prediction("p")).root == tmp_path / "ws"
