"""The start notebook that ``voxloop lab`` writes, and what the page is given to run it."""

from __future__ import annotations

import json

import nbformat
from nbformat.sign import NotebookNotary

from voxloop.lab import CELL, START, command, extensions, start_notebook


def test_the_start_notebook_is_fresh_trusted_and_keeps_cells_of_its_user(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    path = start_notebook(tmp_path)
    book = nbformat.read(path, 4)
    book.cells[0].execution_count = 3
    book.cells.append(nbformat.v4.new_code_cell("mine = 1"))
    nbformat.write(book, path)
    assert start_notebook(tmp_path) == path
    again = nbformat.read(path, 4)
    assert [cell.source for cell in again.cells][::2] == [CELL, "mine = 1"]
    assert again.cells[0].execution_count is None
    assert NotebookNotary().check_signature(again)
    line = command(path, 8888, browser=False)
    assert f"--LabApp.default_url=/lab/tree/{START}" in line

    path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    assert start_notebook(tmp_path) == path  # somebody else's notebook of that name is left alone
    assert nbformat.read(path, 4).cells == []
    assert start_notebook(tmp_path / "nowhere") is None


def test_the_page_runs_the_very_cell_that_is_written():
    script = (extensions() / "voxloop" / "static" / "remoteEntry.js").read_text()
    assert f"const CELL = {json.dumps(CELL)};" in script
