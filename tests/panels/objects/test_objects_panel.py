"""Objects from a panel: what is chosen, the preview's question and answer, runs, the table and where it leads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.panels.screen import Screen, is_shown, send
from tests.prediction.fakes import FakeModel, make_spec, objects_spec, picture

from voxloop import model
from voxloop.config import ObjectsConfig
from voxloop.errors import RunError
from voxloop.helper.handlers import HANDLERS, Job
from voxloop.model import resolve
from voxloop.objects import segment
from voxloop.objects import task as objects_task
from voxloop.panels.objects.objects_panel import ObjectsPanel
from voxloop.prediction import task
from voxloop.runs import Run
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace

SHAPE = (6, 90, 100)
SPACING = (0.03, 0.01, 0.01)


@pytest.fixture
def ws(tmp_path, monkeypatch):
    """A workspace whose runs run here and now."""
    monkeypatch.setitem(model.LEARNERS, "fake", "tests.prediction.fakes:load")

    def launch(run, queue=True):
        writer = EventWriter(run.path / "events.jsonl")
        writer.emit("started", device="cpu")
        config = json.loads((run.path / "config.json").read_text())
        work = objects_task.run if config["task"].startswith("voxloop.objects") else task.run
        writer.emit(work(RunContext(run.path, config, writer)))
        return run

    monkeypatch.setattr(Run, "launch", launch)
    with Workspace.create(
        tmp_path / "ws", image=picture(SHAPE), classes=["background", "mito"], spacing=SPACING
    ) as made:
        FakeModel(make_spec()).save(tmp_path / "fake")
        yield made


def predict(ws, name="p"):
    return ws.predict(ws.path.parent / "fake", name=name)


class Asked:
    """A helper that keeps what it was asked and answers when told."""

    def __init__(self, workspace):
        self.workspace, self.requests, self.closed = workspace, [], False

    def request(self, kind, *, on_part, **fields):
        from concurrent.futures import Future

        from voxloop.helper import AnswerPart

        rows, columns = ([a, b] for a, b in fields["view"]["box"])
        shape = [-(-(b - a) // fields["view"]["step"]) for a, b in (rows, columns)]

        class Planes:
            values, confidence = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)

        job = Job(self.workspace, fields, {}, lambda: False, lambda _: None, Planes())
        answer = type("Answer", (), {"future": Future()})()
        self.requests.append(fields)
        try:
            answer.future.set_result(resolve(HANDLERS[kind])(job))
            on_part(AnswerPart(slice(0, shape[0]), slice(0, shape[1]), Planes.values, Planes.confidence))
        except Exception as error:
            answer.future.set_exception(error)
        return answer

    def close(self):
        self.closed = True


@pytest.fixture
def asked(monkeypatch):
    made = []

    def make(workspace):
        made.append(Asked(workspace))
        return made[-1]

    monkeypatch.setattr("voxloop.panels.objects.object_preview.Helper", make)
    return made


def looked_at(panel):
    """The page tells what it shows, and the hand rests."""
    camera = {"axis": "z", "y": 0.45, "x": 0.5, "zoom": 100.0, "fit": False}
    send(panel.view.widget, {"kind": "camera", "camera": camera, "box": [0, 0, 90, 100], "width": 100, "height": 90})
    Screen(panel).wait()


def test_settings_are_fitted_to_labelled_objects_and_the_better_prediction_is_taken(ui, ws):
    predict(ws, "p").result  # noqa: B018
    predict(ws, "q").result  # noqa: B018
    panel = ObjectsPanel(ws, "q")
    assert "Fit to labelled objects" not in Screen(panel).buttons
    ws.levels.add("objects", kind="instances")
    probability = np.asarray(ws.predictions["p"].probabilities)[1]
    ws.labels("objects").write(None, segment(probability, ObjectsConfig(threshold=0.6), spacing_um=SPACING))
    panel.refresh()
    screen = Screen(panel)
    screen.click("Fit to labelled objects")
    screen.wait()
    assert panel.config == ws.fit_objects("q").config
    assert "labelled objects: AP" in screen.text
    screen.click("Which prediction?")
    screen.wait()
    assert "p: AP" in screen.text
    assert "taken" in screen.text
    panel.close()


def test_without_a_prediction_it_says_what_to_do_first(ui, ws, no_leak):
    panel = ObjectsPanel(ws)
    assert "Apply to all" not in Screen(panel).buttons
    assert "Predict step" in Screen(panel).text
    with pytest.raises(ValueError, match="Predict step makes one"):
        _ = panel.prediction
    panel.stage.clip.fold.open()
    assert panel.stage.clip.code.code.startswith("ws.clip('clip.mp4', image=")
    assert "layers=[]" in panel.stage.clip.code.code  # no objects yet: the bare picture
    panel.close()
    assert no_leak.left() == []


def test_the_preview_shows_what_applying_will_give(ui, ws, asked):
    predict(ws)
    panel = ObjectsPanel(ws)
    assert Screen(panel).field("Class").widget.label == "class 2"
    panel.config = panel.config.changed(threshold=0.6)
    panel.view.index = 3
    looked_at(panel)
    patch = panel.preview.layer.patch("z", 3)
    probability = np.asarray(ws.predictions["p"].probabilities)[1]
    whole = segment(probability, panel.config, spacing_um=SPACING)
    np.testing.assert_array_equal(patch.indices > 0, whole[3] > 0)
    count = len(np.unique(whole[3])) - 1
    assert f"{count} objects on screen" in Screen(panel).text
    before = len(asked[0].requests)
    looked_at(panel)
    assert len(asked[0].requests) == before  # nothing changed, nothing is asked
    Screen(panel).field("Preview on this plane").value = False
    looked_at(panel)
    assert len(asked[0].requests) == before
    panel.close()
    assert asked[0].closed


def test_what_fails_in_a_preview_is_said(ui, ws, asked):
    import shutil

    predict(ws)
    panel = ObjectsPanel(ws)
    shutil.rmtree(ws.predictions["p"].path)
    looked_at(panel)
    assert "no preview" in Screen(panel).text
    panel.close()


def test_apply_lists_objects_and_goes_to_them(ui, ws, asked, no_leak, monkeypatch, tmp_path):
    predict(ws)
    monkeypatch.chdir(tmp_path)
    panel = ObjectsPanel(ws)
    panel.config = panel.config.changed(threshold=0.6, min_size=1e-5)
    assert panel.code == "ws.objects('p', vl.ObjectsConfig(threshold=0.6, min_size=1e-05), of='class 2')"
    Screen(panel).click("Apply to all")
    run = ws.runs[panel.objects.name]
    assert panel.objects is not None
    assert panel.objects.count == run.result.count >= 3
    assert [layer.id for layer in panel.view.layers] == ["objects", "selected", "preview"]
    sizes = [float(row.cells[2]) for row in panel.stage.list.rows]
    assert sizes == sorted(sizes, reverse=True)
    Screen(panel).field("Order of the table").value = "Smallest first"
    assert panel.stage.list.rows[0].key == str(panel.stage.table.volume_um3.idxmin())
    Screen(panel).field("Order of the table").value = "Least sure first"
    doubts = ws.doubtful_objects(panel.objects)  # by the prediction that they were made of
    assert [int(row.key) for row in panel.stage.list.rows] == doubts.index.tolist()
    assert doubts["error"].is_monotonic_decreasing
    number = int(panel.stage.list.rows[2].key)
    panel.stage.list.do("open", str(number))
    line = panel.stage.table.loc[number]
    assert panel.view.index == round(line.z_um / 0.03)
    assert len(panel.view.shapes) == 1
    with pytest.raises(ValueError, match="no object 9999"):
        panel.go_to(9999)
    panel.show_surfaces()
    assert panel.surfaces is not None
    surface = panel.surfaces.scene.surfaces[run.name]
    assert set(surface.numbers) == set(panel.stage.table.index)
    mesh = next(mesh for mesh in panel.surfaces.plot.widget.objects if mesh.name == run.name)
    other = int(panel.stage.list.rows[0].key)
    corner = int(np.flatnonzero(surface.numbers == other)[0])
    mesh.click_callback({"face": [corner, corner, corner], "position": surface.vertices[corner].tolist()})
    assert panel.stage.list.selected == str(other)
    lit = mesh.colors == 0xFFE16B  # as in the picture
    assert np.array_equal(lit, surface.numbers == other)
    panel.stage.kinds.select([number])
    assert np.array_equal(mesh.colors == 0xFFE16B, surface.numbers == number)
    panel.stage.kinds.select([])
    assert not (mesh.colors == 0xFFE16B).any()
    panel.go_to(number)
    assert panel.stage.files.code == f"ws.export({run.name!r}, '{run.name}-table.csv')"
    Screen(panel).click("Save")
    assert (tmp_path / f"{run.name}-table.csv").read_text().count("\n") == panel.objects.count + 1
    panel.stage.files.kind.value = "surface"
    assert panel.stage.files.path.value == f"{run.name}-surface-{number}.ply"
    Screen(panel).click("Save")
    assert (tmp_path / f"{run.name}-surface-{number}.ply").stat().st_size > 100
    (tmp_path / f"{run.name}-surface-{number}.ply").unlink()
    files = panel.stage.files
    files.of.value, files.most.value = "largest", 2
    first, second = panel.stage.table.volume_um3.nlargest(2).index
    assert files.path.value == f"{run.name}-surface.ply"
    line = f"for n in [{first}, {second}]: ws.export({run.name!r}, f'{run.name}-surface-{{n}}.ply', number=n)"
    assert files.code == line
    assert "one file an object" in files.words.value
    Screen(panel).click("Save")
    assert files.words.value == f"2 files saved in {tmp_path}"
    assert (tmp_path / f"{run.name}-surface-{second}.ply").exists()
    files.most.value = 3
    assert "2 of 3 files are there already" in files.words.value
    Screen(panel).click("Save")
    assert panel.message.kind == "error"
    files.replace.value = True
    Screen(panel).click("Save")
    assert files.words.value.startswith("3 files saved")
    import voxloop as vl

    exec(files.code, {"ws": ws, "vl": vl})
    files.path.value = ""
    Screen(panel).click("Save")
    assert "name a file first" in panel.message.words
    Screen(panel).row(run.name).click("Delete")
    assert not is_shown(panel.stage.files.widget)
    assert panel.objects is None
    assert panel.surfaces is None
    assert not (ws.path / "objects" / f"{run.name}.zarr").exists()
    panel.close()
    assert set(no_leak.left()) <= {"_CanvasManager"}  # ipycanvas keeps one for the process


def test_unsure_objects_are_said(ui, ws, asked):
    predict(ws)
    panel = ObjectsPanel(ws)
    panel.config = panel.config.changed(threshold=0.4, seed_depth=0.02, reach=0.02)
    panel.apply()
    assert ("longer than the reach" in panel.message.words) == (panel.objects.unsure > 0)
    panel.close()


def test_objects_that_a_network_learnt_are_listed_opened_and_saved(ui, ws, asked, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    predict(ws)
    FakeModel(objects_spec()).save(tmp_path / "objects")
    ws.predict(tmp_path / "objects", name="learnt")
    panel = ObjectsPanel(ws)
    panel.refresh()
    assert [row.key for row in panel.stage.runs.rows] == ["learnt"]
    assert panel.stage.runs.rows[0].actions == ()  # they go with their prediction
    panel.choose("p")
    Screen(panel).row("learnt").click()
    assert panel.prediction.name == panel.objects.name == "learnt"
    assert panel.objects.count == len(panel.stage.table) == ws.predictions["learnt"].objects.count
    assert [layer.id for layer in panel.view.layers] == ["objects", "selected", "preview"]
    panel.stage.files.kind.value = "labels"
    assert panel.stage.files.code == "ws.export('learnt', 'learnt-labels.ome.zarr', kind='objects')"
    panel.stage.files.format.value = "TIFF"
    Screen(panel).click("Save")
    assert (tmp_path / "learnt-labels.tif").exists()
    Screen(panel).click("Apply to all")
    run = ws.runs[panel.objects.name]
    assert [row.key for row in panel.stage.runs.rows] == [run.name, "learnt"]
    assert panel.objects.name == run.name
    panel.close()


def test_a_run_of_objects_deleted_while_it_is_read_is_said_and_the_others_stay(ui, ws, asked, monkeypatch):
    predict(ws)
    panel = ObjectsPanel(ws)
    screen = Screen(panel)
    screen.click("Apply to all")
    first = panel.objects.name
    with monkeypatch.context() as patch:
        patch.setattr(Run, "open_result", lambda run: (_ for _ in ()).throw(RunError(f"{run.name} is gone")))
        screen.row(first).click()
    assert "is gone" in screen.message
    screen.click("Apply to all")
    assert panel.objects.name != first
    assert not screen.failed
    panel.close()
