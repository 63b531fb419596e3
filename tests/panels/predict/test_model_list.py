"""Which model is list_models first and why; packages added to the workspace; paths found by going through folders."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tests.prediction.fakes import FakeModel, make_spec, picture

from voxloop.errors import ModelError, VoxloopError
from voxloop.model import read_spec
from voxloop.panels.base.panel import Panel
from voxloop.panels.form.path_chooser import PathChooser
from voxloop.panels.predict import model_list
from voxloop.panels.predict.model_list import ModelList
from voxloop.panels.predict.package_import import PackageImport, run_import
from voxloop.panels.predict.prediction_rows import list_models
from voxloop.runs.events import EventWriter
from voxloop.runs.outcome import Outcome
from voxloop.workspace.workspace import Workspace


class InProcess:
    """An import that reads the package here."""

    def __init__(self, workspace, source, folder, image):
        self._question = {"workspace": workspace, "source": source, "folder": folder, "image": image}

    def wait(self):
        return run_import(self._question)

    def cancel(self):
        pass


@pytest.fixture
def ws(tmp_path):
    with Workspace.create(tmp_path / "ws", image=picture((3, 40, 50)), classes=["background", "mito"]) as made:
        yield made


@pytest.fixture
def package(tmp_path):
    pytest.importorskip("bioimageio.core")
    pytest.importorskip("onnxruntime")
    place = Path(__file__).parents[2] / "deep" / "exchange" / "foreign.py"
    spec = importlib.util.spec_from_file_location("foreign_packages", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    from bioimageio.spec.model import v0_5 as b

    axes = [b.AxisId("y"), b.AxisId("x")]
    measures = b.ZeroMeanUnitVarianceDescr(kwargs=b.ZeroMeanUnitVarianceKwargs(axes=axes))
    return module.package(tmp_path / "net", before=[measures], after=[b.SoftmaxDescr()])


def trained(ws, name, iou=None, level="labels"):
    run = ws.runs.create(name, "voxloop.shallow.learner:train", {}, level=level, labels={})
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    if iou is not None:
        writer.emit("epoch", epoch=1, val={"iou": {"mito": iou}}, best=True)
    writer.close()
    FakeModel(make_spec()).save(run.path / "model")


@pytest.fixture
def made(ui, ws):
    owner, heard = Panel(), []
    models = ModelList(owner, ws, lambda: "image", lambda: heard.append(models.selected))
    owner.body(models.widget)
    owner.on_close(models.close)
    yield owner, models, heard
    owner.close()


def test_the_newest_is_offered_first_and_a_choice_stays(ws, made):
    _, models, heard = made
    assert list_models(ws).best == ""
    trained(ws, "a", 0.8)
    models.refresh()
    assert models.selected == "a"
    trained(ws, "b", 0.6)
    trained(ws, "other-1", 0.99, level="cells")
    trained(ws, "c")
    models.refresh()
    assert models.selected == "c", "nobody chose another one"
    assert heard == ["a", "c"]
    assert [row.key for row in models.list.rows] == ["c", "other-1", "b", "a"]
    assert not any("best" in cell for row in models.list.rows for cell in row.cells), "held-out strokes make no best"
    models.list.do("open", "b")
    models.refresh()
    assert models.selected == "b"
    for name in ("b", "c"):
        ws.runs[name].delete()
    models.refresh()
    assert models.selected == "other-1"


def test_a_network_that_its_classifier_stands_in_for_is_marked(ws):
    trained(ws, "deep")
    trained(ws, "shallow")
    Outcome(kept="classifier", words="the network is behind").write(ws.runs["deep"].path)
    rows = {row.key: row for row in list_models(ws).rows}
    assert "classifier kept" in rows["deep"].cells[0]
    assert "the network is behind" in rows["deep"].title
    assert "kept" not in rows["shallow"].cells[0]


def test_what_is_still_being_imported_is_not_listed(ws):
    FakeModel(make_spec()).save(ws.path / "models" / ".net.new")
    assert list_models(ws).rows == []


def test_a_package_is_added_as_copy_as_code_says(ws, made, package, monkeypatch):
    monkeypatch.setattr(model_list, "PackageImport", InProcess)
    owner, models, heard = made
    models.fold.open()
    models.chooser.line.value = str(package)
    name = models.name.value
    line = f"vl.bioimageio.import_package({str(package)!r}, ws.path / 'models/{name}', image=ws.images.open('image'))"
    assert models.code == line
    models.button.click()
    assert owner.message.kind == "good", owner.message.words
    assert "mean" in owner.message.words
    assert heard == [models.selected] == [f"models/{name}"]
    hashed = read_spec(ws.path / "models" / name).hash
    models.refresh()
    assert models.selected == f"models/{name}"
    models.fold.open()
    models.chooser.line.value = str(package)
    assert models.name.value == f"{name}-2"
    models.name.value = name
    models.button.click()
    assert "give this one another name" in owner.message.words
    import voxloop as vl

    exec(line.replace(f"models/{name}", "models/again"), {"ws": ws, "vl": vl})
    assert read_spec(ws.path / "models" / "again").hash == hashed


def test_what_is_no_package_is_said(ws, made, tmp_path, monkeypatch):
    monkeypatch.setattr(model_list, "PackageImport", InProcess)
    owner, models, _ = made
    models.fold.open()
    models.button.click()
    assert "choose a file (.zip, rdf.yaml" in owner.message.words
    (tmp_path / "no.zip").write_bytes(b"nothing")
    models.chooser.line.value = str(tmp_path / "no.zip")
    models.button.click()
    assert owner.message.kind == "error"
    assert not models.button.disabled
    assert list((ws.path / "models").glob("*")) == []
    FakeModel(make_spec()).save(tmp_path / "ours")
    models.chooser.line.value = str(tmp_path / "ours")
    models.button.click()
    assert ws.reuse.paths == [tmp_path / "ours"]
    assert "they stay where they are" in owner.message.words
    models.fold.open()
    models.chooser.line.value, models.name.value = str(tmp_path / "no.zip"), "a/b"
    models.button.click()
    assert "'a-b' can" in owner.message.words


def test_the_process_reads_the_package_and_says_what_is_wrong(ws, package, tmp_path):
    found = PackageImport(ws.path, package, ws.path / "models" / "net", "image").wait()
    assert found["classes"] == ["a", "b"]
    assert "mean" in found["measured"]
    (tmp_path / "no.zip").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"is no bioimage\.io package"):
        PackageImport(ws.path, tmp_path / "no.zip", ws.path / "models" / "no", "image").wait()
    given_up = PackageImport(ws.path, package, ws.path / "models" / "late", "image")
    given_up.cancel()
    with pytest.raises(ModelError):
        given_up.wait()


def test_a_path_is_found_by_going_through_folders(ui, tmp_path, monkeypatch):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "one.zip").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    owner, heard = Panel(), []
    files = PathChooser(owner, (".zip",), lambda: heard.append(files.line.value), placeholder="path")
    files.refresh()
    assert [row.key for row in files.rows.rows] == ["..", "nets"]
    files.rows.do("open", "nets")
    assert [row.key for row in files.rows.rows] == ["..", "one.zip"]
    files.rows.do("open", "one.zip")
    assert files.path == tmp_path / "nets" / "one.zip"
    assert heard == [str(files.path)]
    files.line.value = "gone.zip"
    with pytest.raises(VoxloopError, match=r"there is no gone\.zip"):
        _ = files.path
    folders = PathChooser(owner, (), lambda: None, placeholder="folder")
    folders.refresh()
    folders.rows.do("open", "nets")
    assert folders.path == tmp_path / "nets"
    folders.line.value = str(tmp_path / "notes.txt")
    with pytest.raises(VoxloopError, match="is no folder"):
        _ = folders.path
    owner.close()
