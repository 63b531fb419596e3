"""Panels without a browser: a synchronous UI loop, recorded messages, and a check that nothing stays open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

pytest.importorskip("ipywidgets")

from ipywidgets.widgets.widget import _instances

from voxloop.panels.base.ui import UiLoop
from voxloop.panels.form.recent import Recent


class NoLeak:
    """Names the widgets that are open now and were not when the test began."""

    def __init__(self) -> None:
        self._before = set(_instances)

    def left(self) -> list[str]:
        return sorted(type(widget).__name__ for key, widget in _instances.items() if key not in self._before)


@pytest.fixture(autouse=True)
def warmed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that a panel wanted a process kept ready for; none is started."""
    asked: list[str] = []
    monkeypatch.setattr("voxloop.runs.spare.warm", lambda task: asked.append(task) or True)
    return asked


@pytest.fixture
def ui() -> Iterator[UiLoop]:
    """A loop without a thread: handlers run at once, timers when fired, tasks in ``settle``."""
    with UiLoop.using(UiLoop(synchronous=True)) as loop:
        yield loop


@pytest.fixture
def no_leak(ui: UiLoop) -> NoLeak:
    """``panel.close(); assert no_leak.left() == []``."""
    return NoLeak()


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every message sent to the page, as the comm got it: count them, or look into their data."""
    from comm import DummyComm

    sent: list[dict[str, Any]] = []

    def publish(
        self: Any, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        sent.append({"type": msg_type, "comm_id": self.comm_id, "data": data, "buffers": buffers})

    monkeypatch.setattr(DummyComm, "publish_msg", publish)
    return sent


@pytest.fixture
def recent(tmp_path):
    return Recent(tmp_path / "state" / "recent.json")


@pytest.fixture
def files(tmp_path):
    """A folder with a stack, an HDF5 file of two datasets, a folder of pictures, a plain folder, and clutter."""
    home = tmp_path / "files"
    (home / "pictures").mkdir(parents=True)
    (home / "plain").mkdir()
    (home / ".hidden").mkdir()
    (home / "notes.docx").write_text("no picture")
    stack = np.random.default_rng(0).integers(0, 200, (6, 40, 48)).astype("uint8")
    tifffile.imwrite(home / "stack.tif", stack, photometric="minisblack")
    for i in range(3):
        tifffile.imwrite(home / "pictures" / f"{i}.tif", stack[i])
    with h5py.File(home / "two.h5", "w") as file:
        file["raw"] = stack
        file["other"] = stack[:3]
        file["raw"].attrs["element_size_um"] = (0.04, 0.008, 0.008)
    return home
