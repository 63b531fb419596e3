"""Models from and for other people, through a server on this machine: what comes, what is refused, what is said."""

from __future__ import annotations

import json
import shutil
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.deep.exchange.foreign import package
from tests.exchange.server import Repository, Server, served

import voxloop as vl
from voxloop.cli import main
from voxloop.config import ShallowConfig
from voxloop.errors import ModelError
from voxloop.exchange import fetching
from voxloop.runs import Run, runner

SHAPE = (4, 48, 56)
QUICK = ShallowConfig(classifier="perceptron", sigmas_um=(0.01,), dimensions="2d", keep_samples=True)
TOKEN = "hf_thisIsSecret123"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as running:
        yield running


@pytest.fixture(autouse=True)
def around(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but the server is asked, and nothing is kept at home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("BIOIMAGEIO_COLLECTION_HTTP_PATTERN", server.address + "/zoo/{bioimageio_id}/files/rdf.yaml")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    server.faults.clear()
    server.asked.clear()
    server.tokens.clear()


@pytest.fixture(scope="module")
def zoo(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of somebody else, served packed and by file, called kind-newt."""
    path = package(tmp_path_factory.mktemp("net"))
    server.files["/files/net.zip"] = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            called = "rdf.yaml" if name == "bioimageio.yaml" else name
            server.files[f"/zoo/kind-newt/files/{called}"] = archive.read(name)
    return path


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[vl.Workspace]:
    """A workspace with a trained pixel classifier, whose runs are made in this process."""
    rng = np.random.default_rng(0)
    image = rng.normal(90, 12, SHAPE)
    image[:, 20:40, 20:40] += 80
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "launch", lambda run, queue=True: runner.run(run.path, queue=False) and run)
        path = tmp_path_factory.mktemp("ws") / "ws"
        image = image.clip(0, 255).astype(np.uint8)
        with vl.Workspace.create(path, image, ["outside", "disc"], spacing=(0.04, 0.008, 0.008)) as opened:
            for index in (0, 2):
                opened.labels().paint(index=index, points=[(30, 25), (30, 35)], radius=4, value="disc")
                opened.labels().paint(index=index, points=[(10, 5), (44, 9)], radius=3, value="outside")
            run = opened.train(QUICK, name="pixels")
            assert run.state == "finished", run.log_tail(20)
            yield opened


def test_a_package_is_pulled_by_id_by_address_and_from_a_file_and_predicts(
    server: Server, zoo: Path, ws: vl.Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_id = vl.pull("kind-newt")
    said = capsys.readouterr().err
    assert "net of others by A. Nother, licence MIT" in said
    assert str(tmp_path / "cache") in said
    assert by_id.licence == "MIT"
    assert by_id.authors == ("A. Nother",)
    assert by_id.size == sum(len(server.files[name]) for name in server.asked)
    assert not any(name.endswith((".md", ".py", ".pt")) for name in server.asked)  # nothing that is not needed
    by_address = vl.pull(f"{server.address}/files/net.zip?key=secret", tmp_path / "mine", quiet=True)
    by_file = vl.pull(zoo, quiet=True)
    assert "secret" not in (by_address.path / "origin.json").read_text()
    block = np.random.default_rng(3).normal(100, 20, (1, 2, 32, 32))
    models = [one.model() for one in (by_id, by_address, by_file)]
    for other in models[1:]:
        np.testing.assert_array_equal(models[0].predict(block), other.predict(block))
    run = ws.predict(by_id, name="newt")
    assert run.state == "finished", run.log_tail(20)
    server.asked.clear()
    assert vl.pull("kind-newt", offline=True) == by_id
    assert not server.asked
    with pytest.raises(ModelError, match="not pulled before"):
        vl.pull("other-newt", offline=True)


def test_a_package_that_measures_pictures_is_given_that_of_the_workspace(
    server: Server, ws: vl.Workspace, tmp_path: Path
) -> None:
    from bioimageio.spec.model import v0_5 as b

    made = package(tmp_path / "net", before=[b.ZeroMeanUnitVarianceDescr()])
    pulled = vl.pull(made, quiet=True)
    with pytest.raises(ModelError, match="image="):
        pulled.model()
    assert pulled.model(ws.images.open("image")).spec.extra["measured"]
    assert ws.predict(pulled, name="measured").state == "finished"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (404, "is the name right"),
        (403, "without leave"),
        (429, "too often"),
        (503, "fails"),
        ("cut", "cut short"),
        ("lie", "not the file that was announced"),
        ("slow", "does not answer"),
        ("endless", "does not end after"),
    ],
)
def test_a_server_that_fails_is_a_sentence_and_leaves_nothing(
    server: Server, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, words: str
) -> None:
    monkeypatch.setattr(fetching, "READ_S", 0.3)
    weights = next(name for name in server.files if name.startswith("/zoo/") and name.endswith(".onnx"))
    server.faults[weights] = fault
    with pytest.raises(ModelError, match=words) as caught:
        vl.pull("kind-newt", tmp_path / "new", quiet=True, limit_gb=0.003)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_where_nobody_answers_the_sentence_comes_at_once_and_names_what_is_kept(
    server: Server, zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    kept = vl.pull("kind-newt", quiet=True)
    monkeypatch.setenv("BIOIMAGEIO_COLLECTION_HTTP_PATTERN", nobody + "/{bioimageio_id}/rdf.yaml")
    monkeypatch.setenv("HF_ENDPOINT", nobody)
    with pytest.raises(ModelError, match=r"cannot be reached .*still here: offline=True"):
        vl.pull("kind-newt", quiet=True)
    assert vl.pull("kind-newt", offline=True) == kept
    for source in ("hf:some/model", nobody + "/net.zip"):
        with pytest.raises(ModelError, match="cannot be reached"):
            vl.pull(source, quiet=True)


def test_what_is_fetched_is_not_trusted(server: Server, zoo: Path, tmp_path: Path) -> None:
    rdf = server.files["/zoo/kind-newt/files/rdf.yaml"].decode()
    onnx = next(name for name in server.files if name.startswith("/zoo/") and name.endswith(".onnx")).rsplit("/", 1)[1]
    beside = {
        "elsewhere": (rdf.replace(onnx, "http://127.0.0.1/w.onnx"), "not lie beside"),
        "above": (rdf.replace(onnx, "../../w.onnx"), "not lie beside"),
        "hidden": (rdf.replace(onnx, ".ssh"), "hidden"),
        "pickled": (rdf.replace("onnx:", "torchscript:"), "cannot run foreign code"),
        "dataset": (rdf.replace("type: model", "type: dataset"), "no model"),
        "none": ("a: [", "no description"),
    }
    for name, (text, words) in beside.items():
        server.files[f"/zoo/{name}/files/rdf.yaml"] = text.encode()
        server.asked.clear()
        with pytest.raises(ModelError, match=words):
            vl.pull(name, quiet=True)
        assert server.asked == [f"/zoo/{name}/files/rdf.yaml"]  # and nothing else was asked for
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("spec.json", bytes(200 << 20))
    server.files["/bomb.zip"] = bomb.read_bytes()
    with pytest.raises(ModelError, match="would unpack"):
        vl.pull(f"{server.address}/bomb.zip", quiet=True)
    with pytest.raises(ModelError, match="not the file that was announced"):
        vl.pull(f"{server.address}/files/net.zip", sha256="0" * 64, quiet=True)
    for nonsense in ("", "a b", "../x", "ftp://x/y.zip", "http://u:p@x/y.zip", "x.zip", 3, "hf:x", "https://x/y"):
        with pytest.raises(ModelError):
            vl.pull(nonsense, quiet=True)  # type: ignore[arg-type]
    assert not list((tmp_path / "cache").rglob("*.onnx"))


def test_a_model_goes_to_the_hub_and_comes_back_the_same(
    server: Server, ws: vl.Workspace, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ws.runs["pixels"]
    sent = vl.push(run, "hf:me/discs", licence="cc-by-4.0", authors=["Ann"], samples=True)
    repository = server.repositories["me/discs"]
    assert (repository.private, sent.private) == (True, True)
    assert set(repository.files) >= {"spec.json", "perceptron.npz", "samples.npz", "README.md"}
    assert b"license: cc-by-4.0" in repository.files["README.md"]
    assert f"Bearer {TOKEN}" in server.tokens
    repository.files["evil.py"] = repository.files["pytorch_model.bin"] = b"import os"
    pulled = vl.pull("hf:me/discs")
    assert pulled.revision == repository.commit == sent.revision
    assert set(pulled.left_out) == {"evil.py", "pytorch_model.bin"}
    assert {one.name for one in pulled.path.iterdir()} == {"spec.json", "perceptron.npz", "samples.npz", "origin.json"}
    block = ws.images.open("image").values.reshape(1, *SHAPE)
    np.testing.assert_array_equal(pulled.model().predict(block), run.model().predict(block))
    assert ws.predict(pulled, name="discs").state == "finished"
    again = ws.train(QUICK.changed(keep_samples=False, start_from=str(pulled.path)), name="again")
    assert again.state == "finished", again.log_tail(20)
    ws.reuse.add(pulled)  # what the panels list
    assert list(ws.reuse.models.values()) == [pulled.path]
    ws.reuse.remove(pulled)
    said = capfd.readouterr()
    everything = said.out + said.err + "".join(p.read_text(errors="replace") for p in pulled.path.iterdir())
    assert TOKEN not in everything
    assert "bsd-3-clause" in said.err

    repository.files["spec.json"] = repository.files["spec.json"].replace(b"disc", b"dusk")
    with pytest.raises(ModelError, match=r"not what was saved.*still here"):
        vl.pull("hf:me/discs", quiet=True)
    server.faults["/me/discs/resolve/" + repository.commit + "/perceptron.npz"] = "lie"
    with pytest.raises(ModelError, match="not the file that was announced"):
        vl.pull("hf:me/discs", quiet=True)
    # large files lie elsewhere, where nobody must learn who asks
    server.files["/cdn/perceptron.npz"] = repository.files["perceptron.npz"]
    elsewhere = server.address.replace("127.0.0.1", "localhost") + "/cdn/perceptron.npz"
    repository.files["spec.json"] = repository.files["spec.json"].replace(b"dusk", b"disc")
    server.faults["/me/discs/resolve/" + repository.commit + "/perceptron.npz"] = elsewhere
    vl.pull("hf:me/discs", quiet=True)
    assert "/cdn/perceptron.npz" in server.asked
    assert server.known_at
    assert "/cdn/perceptron.npz" not in server.known_at
    server.repositories["me/other"] = Repository({"model.safetensors": b"1", "config.json": b"{}"})
    with pytest.raises(ModelError, match="neither spec"):
        vl.pull("me/other", quiet=True)
    with pytest.raises(ModelError, match="no such revision"):
        vl.pull("me/discs", revision="v9", quiet=True)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ModelError, match="hf auth login"):
        vl.pull("hf:me/discs", quiet=True)
    with pytest.raises(ModelError, match="hf auth login"):
        vl.push(run, "hf:me/new", quiet=True)
    with pytest.raises(ModelError, match="without a licence"):
        vl.push(run, "hf:me/new", public=True)
    with pytest.raises(ModelError, match="BIOIMAGEIO_HYPHA_UPLOAD_TOKEN"):
        vl.push(zipped(tmp_path), "bioimage.io")


def test_packages_go_to_bioimage_io_and_lie_in_repositories_of_the_hub(
    server: Server, zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bioimageio.spec._internal._settings import settings

    monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD_TOKEN", TOKEN)
    monkeypatch.setattr(settings, "hypha_upload_token", TOKEN)
    monkeypatch.setattr(settings, "hypha_upload", server.address + "/artifacts/create")
    sent = vl.push(zoo, "bioimage.io", quiet=True)
    assert "new-newt" in sent.address
    assert {"weights.onnx", "x.npy", "y.npy"} <= set(server.stored)
    monkeypatch.setattr(settings, "hypha_upload", server.address + "/nothing")
    with pytest.raises(ModelError, match="did not take net") as caught:
        vl.push(zoo, "bioimage.io", quiet=True)
    assert TOKEN not in str(caught.value)

    beside = {name.rsplit("/", 1)[1]: content for name, content in server.files.items() if "/kind-newt/" in name}
    server.repositories["zoo/newt"] = Repository({f"package/{name}": content for name, content in beside.items()})
    pulled = vl.pull("hf:zoo/newt@main", quiet=True)
    assert (pulled.licence, pulled.revision) == ("MIT", "c" * 40)
    block = np.random.default_rng(3).normal(100, 20, (1, 2, 32, 32))
    np.testing.assert_array_equal(pulled.model().predict(block), vl.pull(zoo, quiet=True).model().predict(block))


def zipped(folder: Path) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", "type: model")
    return path


def test_the_commands_push_and_pull(server: Server, ws: vl.Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ws.path, copy)
    done = CliRunner().invoke(main, ["push", str(copy), "pixels", "hf:me/line", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["private"]
    done = CliRunner().invoke(main, ["pull", "hf:me/line", "--to", str(tmp_path / "line"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["path"] == str(tmp_path / "line")
    done = CliRunner().invoke(main, ["export", str(copy), "pixels", str(tmp_path / "pixels.zip"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["difference"]["onnx"] < 1e-5
    block = ws.images.open("image").values.reshape(1, *SHAPE)
    again = vl.pull(tmp_path / "pixels.zip", quiet=True).model()
    np.testing.assert_array_equal(again.predict(block), ws.runs["pixels"].model().predict(block))
    done = CliRunner().invoke(main, ["pull", "hf:me/nothing"])
    assert done.exit_code == 2
    assert "there is no me/nothing" in done.stderr
