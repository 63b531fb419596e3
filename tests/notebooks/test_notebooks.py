"""Every notebook runs from top to bottom, as Run All does, in a copy of the folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.made_up import startup
from tests.web_store import WebStore, write_nuclei

from voxloop.teaching.answers import AnswerLog, solved

FOLDER = Path(__file__).parents[2] / "notebooks"
REMOTE = FOLDER / "11-remote.ipynb"
NOTEBOOKS = sorted(set(FOLDER.glob("*.ipynb")) - {REMOTE})
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


#: what a learner types besides the wrong answers that the lesson comes with: word of a cell -> a cell before, one after
LESSON = {
    "lesson.check(1, 0)": ("", "lesson.check(1, 1.024)"),
    "lesson.check(2, 0)": ("", "next(one for one in [lesson.check(2, n) for n in range(9)] if one.right)"),
    "lesson.check(3)": ("", "lesson.assist(strokes=18)\nlesson.check(3)"),
    "lesson.check(4)": ("lesson.check(6)", ""),
    "lesson.check(5, ": (
        "",
        "next(one for one in [lesson.check(5, (n, n + 0.4)) for n in (0, 0.3, 0.6)] if one.right)",
    ),
    "lesson.check(6)": ("lesson.check(6)\nlesson.assist(strokes=24, prediction=prediction, seed=2)", ""),
    "lesson.check(7, 0)": ("", "lesson.check(7, 100 * float((lesson.truth == 2).mean()))"),
}


def surroundings(folder, monkeypatch):
    """What a kernel finds."""
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("VOXLOOP_FAST", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))


@pytest.mark.notebooks
@pytest.mark.slow(reason="a notebook goes round the loop with real training")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    startup(tmp_path / "ipython", tmp_path / "samples", SHAPES.get(path.stem))
    surroundings(tmp_path, monkeypatch)
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


@pytest.mark.notebooks
@pytest.mark.slow(reason="a notebook goes round the loop with real training")
@pytest.mark.timeout(600)
def test_a_picture_behind_an_address_travels_once(tmp_path, monkeypatch):
    surroundings(tmp_path, monkeypatch)
    write_nuclei(tmp_path / "web" / "cells.zarr", (12, 96, 112))
    with WebStore(tmp_path / "web", fails=lambda number: number % 9 == 4) as web:
        monkeypatch.setenv("VOXLOOP_TOUR", f"{web.url}/cells.zarr")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        where = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(nbformat.read(REMOTE, 4), timeout=300, kernel_name="python3", resources=where).execute()
        chunks = [
            path for _, path, status in web.asked if status == 200 and not path.rpartition("/")[2].startswith(".z")
        ]
    assert len(set(chunks)) > 20
    assert len(chunks) < 1.2 * len(set(chunks))  # kernel, helper and runs together


@pytest.mark.notebooks
@pytest.mark.slow(reason="a notebook goes round the loop with real training")
@pytest.mark.timeout(600)
def test_a_learner_goes_through_the_lesson(tmp_path, monkeypatch):
    startup(tmp_path / "ipython", tmp_path / "samples", (12, 128, 128))
    surroundings(tmp_path, monkeypatch)
    book = nbformat.read(FOLDER.parent / "workshop" / "lesson.ipynb", 4)
    cells = []
    for cell in book.cells:
        around = next(
            (both for word, both in LESSON.items() if cell.cell_type == "code" and word in cell.source), ("", "")
        )
        before, after = ([nbformat.v4.new_code_cell(source)] if source else [] for source in around)
        cells += [*before, cell, *after]
    book.cells = cells
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, timeout=300, kernel_name="python3", resources=where).execute()
    answers = AnswerLog(tmp_path / "workspaces" / "lesson").read()
    assert solved(answers) == {1, 2, 3, 4, 5, 6, 7}
    assert {one["exercise"] for one in answers if not one["right"]} >= {1, 2, 3, 5, 6, 7}
    said = [out["data"]["text/plain"] for cell in cells for out in cell.get("outputs", []) if "data" in out]
    assert sum(words.startswith("Not yet: ") and " Hint: " in words for words in said) >= 5
