"""Processes that this package starts import nothing from the current folder, whatever lies there."""

from __future__ import annotations

import subprocess

import pytest

from voxloop import lab
from voxloop.errors import VoxloopError
from voxloop.runs.errand import Errand
from voxloop.runs.orders import KINDS, LAST_WORD


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A current folder whose modules leave a mark when they are imported."""
    for name in ("random", "json", "voxloop", "jupyterlab", "numpy"):
        (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path(__file__).with_name('mark').touch()\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mark"


def test_an_errand_does_not_import_from_the_current_folder(trap):
    errand = Errand("voxloop.prediction.rehearsal", {"models": []})
    with pytest.raises(VoxloopError):
        errand.wait(60, VoxloopError, "late", "broken")
    assert not trap.exists()


def test_jupyterlab_does_not_import_from_the_current_folder(trap):
    command = lab.command(None, 8888, browser=False)
    head = command[: command.index("jupyterlab") + 1]
    done = subprocess.run([*head, "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not trap.exists()


def test_every_order_but_an_update_has_a_last_word():
    assert set(LAST_WORD) == set(KINDS) - {"update"}
