"""Which images are meant, and a folder of pictures that is added."""

from __future__ import annotations

from tests.panels.predict.stand_ins import InProcess, in_process, trained
from tests.panels.screen import Screen
from tests.prediction.fakes import picture

from voxloop.panels.predict.predict_panel import PredictPanel
from voxloop.volumes import save_volume


def test_a_folder_of_pictures_is_added_and_meant(ui, ws, monkeypatch, tmp_path, no_leak):
    trained(ws)
    in_process(ws, monkeypatch, work=False)
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("a", "b"):
        save_volume(picture((1, 40, 50)), folder / f"{name}.tif")
    panel = PredictPanel(ws)
    screen = Screen(panel)
    assert "Several images, in one run with a table" not in screen.fields
    screen.click("Add a folder of pictures…")
    screen.click("Add")
    assert "choose a folder" in panel.message.words
    screen.field("path of a folder of pictures").value = str(folder)
    assert panel.images.folder_code == f"ws.images.add_folder({str(folder)!r})"
    screen.click("Add")
    assert panel.message.words.startswith("2 images added from more")
    assert list(ws.images.names) == ["image", "a", "b"]
    assert panel.images.names == ["a", "b"]
    assert tuple(InProcess.asked[-1]["image"]) == ("a", "b")
    assert "image=['a', 'b'], " in panel.code
    screen.field("Images").value = ("image", "a", "b")
    assert "image='*', " in panel.code
    panel.close()
    assert no_leak.left() == []
