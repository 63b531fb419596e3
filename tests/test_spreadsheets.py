"""Names that spreadsheets would take for formulas: text in every table, and the same name when it is read again."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.panels.predict.stand_ins import in_process, trained, with_events, ws  # noqa: F401

from voxloop.cli import main
from voxloop.runs import Run
from voxloop.spreadsheets import cell_of, text_of
from voxloop.workspace.workspace import Workspace

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "'=1", "''@x"]
PLAIN = ["a", "'", "'a", "a=1", "", "µ", " =1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text_and_comes_back(text: str) -> None:
    assert cell_of(text)[0] == "'"
    assert text_of(cell_of(text)) == text


@pytest.mark.parametrize("text", [*PLAIN, -1, 2.5, None])
def test_all_else_stays_as_it_is(text: Any) -> None:
    assert cell_of(text) == text
    assert text_of(cell_of(text)) == text


def cells(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [cell for row in csv.reader(file) for cell in row]


def test_no_table_holds_a_formula(ws: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # noqa: F811
    """A class called like a formula, in a model of somebody else; and rounds that say so of their learner."""
    run = trained(ws)
    spec = run.path / "model" / "spec.json"
    spec.write_text(spec.read_text().replace("class 2", "=cmd|' /C calc'!A0"))
    in_process(ws, monkeypatch)
    ws.images.add("007", np.full((2, 40, 40), 9, np.uint8))
    batch = ws.predict("shallow-1", image="*", name="all").result
    made = cells(batch.path / "results.csv")
    assert not [cell for cell in made if cell[:1] in "=+-@\t\r" and cell]
    assert "'=cmd|' /C calc'!A0 share" in made
    table = batch.table
    assert {"=cmd|' /C calc'!A0 share", "image"} <= set(table.columns)
    assert list(table["image"]) == ["image", "007"]
    assert table["=cmd|' /C calc'!A0 share"].dtype.kind == "f"
    ws.layout.rounds.write_text('{"v": 1, "run": "=1+1", "level": "labels", "labels": {}, "time": 1}\n')
    done = CliRunner().invoke(main, ["rounds", str(ws.path), "--csv", str(tmp_path / "rounds.csv")])
    assert done.exit_code == 0, done.output
    assert "'=1+1" in cells(tmp_path / "rounds.csv")
    with_events(run, ("step", {"iteration": 1, "loss": 1.0}), ("epoch", {"epoch": 1, "train": {"=3": 4}}))
    table = cells(Run(run.path).to_csv(tmp_path / "run.csv"))
    assert not [cell for cell in (*cells(tmp_path / "rounds.csv"), *table) if cell[:1] == "="]
