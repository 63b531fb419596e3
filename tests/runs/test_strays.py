"""Python files that lie beside somebody's data are no part of voxloop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voxloop.runs import process

ASK = """
from voxloop.errors import RunError
from voxloop.runs.errand import Errand
try:
    Errand("voxloop.prediction.rehearsal", {}).wait(60, RunError, "late", "broken")
except RunError as error:
    print("answered", error)
"""


@pytest.mark.parametrize("name", ["json", "numpy", "voxloop", "jupyterlab"])
def test_a_stray_file_in_the_current_folder_is_not_imported(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("open('IMPORTED', 'w').close()\nraise SystemExit('a stray file')\n")
    package = Path(process.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-P", "-c", ASK]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("answered"), done.stderr
    plain = process.python("-c", f"import {name if name != 'jupyterlab' else 'json'}")
    subprocess.run(plain, cwd=tmp_path, env=environment, check=True)
    assert not (tmp_path / "IMPORTED").exists()
