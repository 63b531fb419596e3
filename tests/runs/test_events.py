"""The log: nothing whole is lost, nothing torn is read, a full disk is survived."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.runs import EventReader, EventWriter, events

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(fields=st.dictionaries(st.text(min_size=1).filter(lambda name: name not in ("kind", "v", "time")), values))
def test_any_fields_come_back_as_plain_json(fields):
    line = events.encode("x", fields, 12.3456)
    assert line.count(b"\n") == 1  # whatever text is inside: one event, one line
    event = events.decode(line)
    assert event == {"v": 1, "kind": "x", "time": 12.346, **events.plain(fields)}


def test_numbers_are_rounded_and_nan_is_null():
    fields = {
        "loss": np.float32(1 / 3),
        "bad": float("nan"),
        "inf": np.inf,
        "iou": np.array([0.5, np.nan]),
        "n": 10**12,
    }
    event = json.loads(events.encode("step", fields, 0))
    assert (event["loss"], event["bad"], event["inf"], event["iou"], event["n"]) == (
        0.3333333,
        None,
        None,
        [0.5, None],
        10**12,
    )


@given(cut=st.integers(0, 400), kinds=st.lists(st.sampled_from(["step", "epoch", "ünknown"]), min_size=1, max_size=6))
def test_a_killed_writer_costs_at_most_the_line_it_was_writing(tmp_path_factory, cut, kinds):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    data = b"".join(events.encode(kind, {"n": n}, 0) for n, kind in enumerate(kinds))
    path.write_bytes(data[:cut])
    reader = EventReader(path)
    whole = data[:cut].count(b"\n")
    assert [event["n"] for event in reader.read()] == list(range(whole))
    writer = EventWriter(path)
    writer.emit("after", n=99)
    writer.close()
    assert [event["n"] for event in reader.read() if event["kind"] == "after"] == [99]
    again = [event["n"] for event in EventReader(path).read()]
    assert again[:whole] == list(range(whole))
    assert again[-1] == 99
    assert not path.with_name(".reserve").exists()


@given(data=st.binary(max_size=200), sizes=st.lists(st.integers(1, 50), max_size=8))
def test_the_reader_takes_any_bytes_in_any_portions(tmp_path_factory, data, sizes):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    good = events.encode("ok", {}, 0)
    data = data + b"\n" + good
    reader, found, start = EventReader(path), [], 0
    for size in [*sizes, len(data)]:
        with path.open("ab") as file:
            file.write(data[start : start + size])
        start += size
        found += reader.read()
    assert found == EventReader(path).read()
    assert found[-1]["kind"] == "ok"
    assert reader.read() == []


def test_a_long_log_is_read_in_portions(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "_CHUNK", 64)
    writer = EventWriter(tmp_path / "events.jsonl")
    for n in range(50):
        writer.emit("step", iteration=n)
    assert [event["iteration"] for event in EventReader(tmp_path / "events.jsonl").read()] == list(range(50))
    writer.close()


class Disk:
    """``os.write`` on a disk with ``room`` bytes left; ``reserve`` more once the reserve is deleted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reserve: Path, room: int) -> None:
        self.room, self.reserve, self._write = room, reserve, os.write
        monkeypatch.setattr(events.os, "write", self.write)

    def write(self, fd: int, data: bytes) -> int:
        free = self.room + (0 if self.reserve.exists() else events._RESERVE)
        if free <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = self._write(fd, data[:free])
        self.room -= done
        return done


@pytest.mark.parametrize("room", [0, 10, 150])
def test_a_full_disk_delays_events_but_loses_none(tmp_path, monkeypatch, room):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.emit("started")
    disk = Disk(monkeypatch, tmp_path / ".reserve", room)
    for n in range(5):
        writer.emit("step", iteration=n)
    assert len(EventReader(path).read()) < 6
    disk.room = 10_000  # somebody made room
    writer.emit("step", iteration=5)
    assert [e.get("iteration") for e in EventReader(path).read()] == [None, 0, 1, 2, 3, 4, 5]
    writer.close()


def test_the_last_word_fits_on_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    Disk(monkeypatch, tmp_path / ".reserve", 0)
    for n in range(2000):  # more than the reserve holds
        writer.emit("log", text="x" * 100, n=n)
    writer.emit("failed", error="No space left on device")
    writer.close()
    found = EventReader(path).read()
    assert found[-1]["kind"] == "failed"
    assert found[-2]["n"] == 1999
    assert "could not be written" in found[0]["text"]


def test_a_disk_without_even_the_reserve_is_an_error(tmp_path, monkeypatch):
    writer = EventWriter(tmp_path / "events.jsonl")
    Disk(monkeypatch, tmp_path / ".reserve", -events._RESERVE)
    writer.emit("failed", error="No space left on device")
    with pytest.raises(OSError, match="no room for the last events"):
        writer.close()
