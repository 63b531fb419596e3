"""What is typed and cannot be taken is said below its field, with what would do."""

from __future__ import annotations

import pytest

from voxloop.panels.base import beside


def test_paths_and_names_that_cannot_be_taken(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.tif").write_bytes(b"x")
    (tmp_path / "a.txt").write_text("x")
    assert "the nearest folder that is there: " + str(tmp_path / "full") in beside.path_fault(
        str(tmp_path / "full/b/c")
    )
    assert beside.path_fault(str(tmp_path / "a.txt")) == beside.path_fault("https://host/x.zarr") == ""
    assert "is in use" in beside.new_folder_fault(str(tmp_path / "full"))
    assert "is a file" in beside.new_folder_fault(str(tmp_path / "a.txt"))
    assert "Say in which folder" in beside.new_folder_fault("")
    assert beside.new_folder_fault(str(tmp_path / "new" / "one")) == ""
    assert beside.name_fault("a", {"a", "a-2"}, "run") == "The name a is taken by another run; a-3 is free."
    monkeypatch.setattr(beside.os, "access", lambda path, mode: False)  # as somebody without rights, whoever tests
    assert "Nothing can be written into" in beside.new_folder_fault(str(tmp_path / "new"))
    assert "may not be read by you" in beside.path_fault(str(tmp_path / "full"))


@pytest.mark.parametrize("typed", ["a\0b", "x" * 5000])
def test_what_no_path_can_be_is_no_crash(typed):
    assert beside.path_fault(typed)
