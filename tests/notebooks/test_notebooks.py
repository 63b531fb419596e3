"""Every notebook runs from top to bottom, as Run All does, in a copy of the folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.made_up import startup

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: run a second time in the same folder, where everything is there already
AGAIN = {"05-whole-volumes"}
#: a training that lasts as long as it is told to, whatever the sample, is told less; what the first of five trainings
#: is put beside, the others are not; fewer slices
SHORTER = {
    "01-quickstart": [("max_minutes=1.5", "max_minutes=0.3")],
    "03-training": [
        ("run = ws.train(config.changed(", 'run = ws.train(config.changed(compare_with="classifier", '),
        ('teacher="none",', 'teacher="none", compare_with="none",'),
    ],
    "06-classical": [("slice(8, 24)", "slice(8, 16)")],
}
#: planes, rows and columns of the made-up micrograph, where the whole of it shows no more
SHAPES = {
    "01-quickstart": (24, 256, 256),
    "02-your-own-stack": (16, 256, 256),
    "03-training": (16, 256, 256),
    "05-whole-volumes": (8, 192, 192),
    "06-classical": (16, 256, 256),
}


@pytest.mark.notebooks
@pytest.mark.slow(reason="a notebook goes round the loop with real training")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    startup(tmp_path / "ipython", tmp_path / "samples", SHAPES.get(path.stem))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("VOXLOOP_FAST", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))
    copy = Path(shutil.copy(path, tmp_path))
    notebook = nbformat.read(copy, as_version=4)
    for long, short in SHORTER.get(path.stem, ()):
        (cell,) = (cell for cell in notebook.cells if cell.cell_type == "code" and long in cell.source)
        cell.source = cell.source.replace(long, short)
    where = {"metadata": {"path": str(tmp_path)}}
    for _ in range(2 if path.stem in AGAIN else 1):
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    warned = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr" and "Traceback" in output.text
    ]
    assert not warned, warned[0]
