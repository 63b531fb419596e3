"""What lies in a folder, and what was opened lately."""

from __future__ import annotations

from voxloop.panels.form.file_list import kind_of, list_entries, size_text
from voxloop.panels.form.recent import RecentSource, without_secrets

SUFFIXES = (".tif", ".h5")


def test_listing_shows_what_can_be_opened_folders_first(files):
    found = [(entry.name, entry.kind) for entry in list_entries(files, SUFFIXES)]
    assert found == [("pictures", "stack"), ("plain", "folder"), ("stack.tif", "volume"), ("two.h5", "volume")]
    assert [entry.name for entry in list_entries(files, SUFFIXES, "STACK")] == ["stack.tif"]
    (files / "plain" / "workspace.json").write_text("{}")
    assert kind_of(files / "plain", SUFFIXES) == "workspace"
    (files / "a.zarr").mkdir()
    assert kind_of(files / "a.zarr", SUFFIXES) == "volume"


def test_recent_keeps_the_newest_first_without_secrets_and_forgets_what_is_gone(recent, files):
    recent.add(str(files / "stack.tif"))
    recent.add("https://user:pw@host/data.zarr?token=1#x")
    recent.add(str(files / "stack.tif"))
    assert [source.text for source in recent.list()] == [str(files / "stack.tif"), "https://host/data.zarr"]
    (files / "stack.tif").unlink()
    assert [source.text for source in recent.list()] == ["https://host/data.zarr"]
    recent.add(str(files), b"picture")
    assert recent.picture(str(files)) == b"picture"
    kept = files.parent / "state" / "recent.json"
    kept.write_text('["https://host/old.zarr"]')  # as it was written before times were noted
    assert recent.list() == [RecentSource("https://host/old.zarr")]
    kept.write_text("not json")
    assert recent.list() == []


def test_stores_and_series_of_scanners_are_known_by_what_lies_in_them(tmp_path):
    for name in ("info", "attributes.json", "datasource-properties.json"):
        (tmp_path / name / "s").mkdir(parents=True)
        (tmp_path / name / "s" / name).write_text("{}")
        assert kind_of(tmp_path / name / "s", SUFFIXES) == "volume"
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "IM0001").write_bytes(bytes(128) + b"DICM")
    assert kind_of(tmp_path / "series", SUFFIXES) == "stack"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Makefile").write_text("all:")
    assert kind_of(tmp_path / "other", SUFFIXES) == "folder"


def test_words_for_sizes_and_addresses():
    assert [size_text(n) for n in (340, 12_500_000, 1.2e12)] == ["340 B", "12.5 MB", "1.2 TB"]
    assert without_secrets("s3://key:secret@bucket/x.zarr?sig=2") == "s3://bucket/x.zarr"
    assert without_secrets("/a/b.tif") == "/a/b.tif"
    assert without_secrets("precomputed://https://me:pw@host/em?token=1") == "precomputed://https://host/em"
