"""A workspace without processes beside it."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from tests.panels.train.stand_ins import Helper, Monitor

from voxloop.panels.base import asking
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "Helper", Helper)
    stand_in = ModuleType("voxloop.panels.monitor.monitor_panel")
    stand_in.MonitorPanel = Monitor
    monkeypatch.setitem(sys.modules, "voxloop.panels.monitor.monitor_panel", stand_in)
    image = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype("uint8")
    with Workspace.create(tmp_path / "ws", image=image, classes=["background", "mito"]) as made:
        yield made
