"""The fold that films what is on show: its line of Python, what it writes, and that it can be stopped."""

from __future__ import annotations

import numpy as np
from tests.film.test_film import frames_of
from tests.panels.screen import Screen

import voxloop as vl
from voxloop.panels.points.points_panel import PointsPanel


def test_what_is_on_show_is_filmed_as_it_looks(tmp_path, monkeypatch, no_leak):
    monkeypatch.chdir(tmp_path)
    with vl.Workspace.create(tmp_path / "ws", np.full((9, 40, 60), 50, np.uint8), z_kind="frame") as ws:
        ws.levels.add("spots", kind="points")
        ws.points("spots").add(2, {"point": (20, 30)}, track="a")
        panel = PointsPanel(ws)
        box, screen = panel.files.clip, Screen(panel)
        box.fold.open()
        assert box.planes.value == (0, 9)
        panel.looks.names.value = True
        box.planes.value = (1, 5)
        box.fps.value = 4
        assert box.code.code == (
            "ws.clip('clip.mp4', image='image', start=1, stop=5, layers=['spots'], fps=4.0, scale=1.0, names=True)"
        )
        screen.click("Save film")
        assert frames_of(tmp_path / "clip.mp4").shape == (4, 40, 60, 3)
        screen.click("Save film")
        assert "exists" in screen.message
        box.replace.value = True
        monkeypatch.setattr(box.work, "_show", lambda done, total: box.work.stop())  # pressed at the first picture
        before = (tmp_path / "clip.mp4").read_bytes()
        screen.click("Save film")
        assert "Stopped" in screen.message
        assert (tmp_path / "clip.mp4").read_bytes() == before
        panel.close()
    assert no_leak.left() == []
