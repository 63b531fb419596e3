"""What is not installed is said in one sentence, with the line that installs it, before any work is done."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from voxloop import extras, lab
from voxloop.cli import main
from voxloop.errors import VoxloopError

ROOT = Path(__file__).parents[1]


#: a Python in which nothing of the extras is installed: what is asked of it, and what it answers
BARE = """
import sys

packages = sys.argv[1].split(",")


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocker())

import voxloop as vl

sample = vl.samples.load("em")
ws = vl.Workspace.create(sys.argv[2], image=sample.volume[:2, :64, :64], classes=sample.classes)
for number, points in enumerate(([(5, 5), (5, 20)], [(40, 5), (40, 20)]), start=1):
    ws.labels().paint(axis="z", index=0, points=points, radius=2, value=number)
for asked in (
    lambda: vl.LabelPanel,
    lambda: vl.Workbench,
    lambda: ws.train(vl.presets["auto"]),
    lambda: ws.train(vl.PoseConfig()),
    lambda: vl.open_volume("film.mp4"),
):
    try:
        asked()
        print("no answer")
    except vl.VoxloopError as error:
        print(error)
print("runs left behind:", len(ws.runs))
"""


def test_the_table_says_what_pyproject_says() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    known = packages_distributions()
    for extra, packages in extras.EXTRAS.items():
        names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", item)[0]).lower() for item in declared[extra]}
        if extra == "napari":
            continue  # it is not installed where this is tested
        brought = {re.sub(r"[-_.]+", "-", dist).lower() for one in packages for dist in known[one]}
        assert names <= brought, extra
    assert set(extras.EXTRAS) == set(declared) - {"test", "docs", "all"}


def test_a_bare_install_says_what_is_missing_before_any_work(tmp_path: Path) -> None:
    packages = ",".join(one for extra in extras.EXTRAS.values() for one in extra)
    (tmp_path / "film.mp4").write_bytes(b"film")
    done = subprocess.run(
        [sys.executable, "-c", BARE, packages, str(tmp_path / "ws")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    label, bench, network, pose, film, runs = done.stdout.splitlines()
    for name, said in (("LabelPanel", label), ("Workbench", bench)):
        assert re.fullmatch(rf"vl\.{name} needs \w+: pip install 'voxloop\[lab\]'", said)
    assert network.startswith("networks need torch and ")
    assert network.endswith(": pip install 'voxloop[learning]'")
    assert pose == network
    assert film.endswith("pip install 'voxloop[formats]'")
    assert runs == "runs left behind: 0"


def test_a_demo_without_matplotlib_says_so_first_and_goes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_missing", lambda package: package == "matplotlib")
    monkeypatch.setattr("voxloop.demo.play", lambda *args, **more: [])
    monkeypatch.setattr("voxloop.demo.figure", None)  # is not called
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 0, done.output
    first = done.output.splitlines()[0]
    assert first == "there will be no figure; it needs matplotlib: pip install 'voxloop[lab]'"
    assert "figure:" not in done.output


def test_an_unknown_package_is_named_as_it_is() -> None:
    assert extras.install_line("nowhere.inside") == "pip install nowhere"
    assert extras.missing_words("it needs", "json", "nowhere") == "it needs nowhere: pip install nowhere"
    assert extras.missing_words("it needs", "json") is None


def test_a_tutorial_is_copied_once_and_kept(tmp_path: Path) -> None:
    names = list(lab.tutorials())
    assert "01-quickstart" in names
    assert names[-1] == "lesson"
    path = lab.take_tutorial("01", tmp_path)
    assert nbformat.read(path, 4).cells[0].source.startswith("# Quickstart")
    path.write_text("mine")
    assert lab.take_tutorial("01-quickstart", tmp_path).read_text() == "mine"
    with pytest.raises(VoxloopError, match="unknown tutorial '77'"):
        lab.take_tutorial("77", tmp_path)
    done = CliRunner().invoke(main, ["lab", "--tutorial", "list"])
    assert done.output.split() == names
