"""Words of somebody else that are markup: no panel and no report takes them for its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from tests.panels.predict.stand_ins import in_process, trained, with_events, ws  # noqa: F401
from tests.panels.screen import Screen

from voxloop.panels.base.rows import RowsWidget
from voxloop.panels.workbench import STEPS, Workbench
from voxloop.workspace.workspace import Workspace

EVIL = "\"'><img src=x onerror=alert(7)><script>alert(8)</script><a href='javascript:alert(9)'>x</a>"
#: pressed once in a step, whatever it is called
PRESSES = 40
#: fields of files that name a place, a kind or a task: with other words in them nothing would be found at all
KEPT = {"v", "kind", "task", "result", "discard", "workspace", "level", "image", "labels", "run", "name", "learner"}


class Taken(HTMLParser):
    """What of a piece of markup would do something that no panel of ours does."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        does = any(name.startswith("on") or (name == "src" and value == "x") for name, value in attrs)
        leads = any((value or "").strip().lower().startswith("javascript:") for _, value in attrs)
        if does or leads or tag == "script":
            self.found.append(str(self.get_starttag_text()))


def sinks(widget: Any) -> Iterator[str]:
    """All that a widget hands to the page as markup."""
    if isinstance(widget, w.HTML | w.HTMLMath):
        yield widget.value
    if isinstance(widget, RowsWidget):
        yield from (cell for row in widget.rows for cell in row["cells"])
        yield from widget.head
    if getattr(widget, "description_allow_html", False):
        yield widget.description


def taken() -> list[str]:
    """Markup of foreign words in any widget that is there now, on show or not."""
    return [found for widget in list(_instances.values()) for markup in sinks(widget) for found in Taken(markup).found]


def visit(ws: Workspace) -> int:  # noqa: F811
    """Open every step of the workbench and press all there is to press; how much was."""
    bench = Workbench(ws)
    done: list[tuple[str, str]] = []
    for step in STEPS:
        bench.go(step)
        for _ in range(PRESSES):
            Screen(bench).wait()
            assert taken() == [], f"after {done[-3:]}"
            if step not in bench.panels:
                break
            screen = Screen(bench.panels[step])
            rows = [line for line in screen.rows if (step, line.key) not in done]
            buttons = [name for name in screen.buttons if (step, name) not in done]
            if not rows and not buttons:
                break
            done.append((step, rows[0].key if rows else buttons[0]))
            rows[0].click() if rows else screen.click(buttons[0])
    bench.close()
    return len(done)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every button is pressed, those that save too."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def foreign(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:  # noqa: F811
    """A workspace whose classes, in the level and in the model, are called like markup, with predictions."""
    run = trained(ws)
    spec = run.path / "model" / "spec.json"
    facts = json.loads(spec.read_text())
    facts["classes"][0]["name"], facts["classes"][1]["name"] = f"back{EVIL}", EVIL
    spec.write_text(json.dumps(facts))
    in_process(ws, monkeypatch)
    ws.levels.change_class("labels", 1, name=f"back{EVIL}")
    ws.levels.change_class("labels", 2, name=EVIL)
    ws.labels().paint(index=1, points=[(5, 5), (20, 20)], value=EVIL)
    ws.labels().paint(index=1, points=[(50, 5), (50, 20)], value=1)
    ws.predict("shallow-1", name="first")
    ws.predict("shallow-1", name="second")
    run.note = EVIL
    with_events(
        run, ("log", {"text": EVIL, "message": EVIL}), ("warning", {"text": EVIL, "message": EVIL}),
        ("sample", {"path": EVIL, "epoch": 1}), ("failed", {"error": EVIL, "hint": EVIL}),
    )  # fmt: skip
    ws.audit("first", n=40).answer(0, EVIL)
    ws.rounds.log.append(run="shallow-1", level="labels", learner=EVIL, labels={"labels/image": 2}, words=EVIL)
    ws.scores.table()
    ws.offer()
    return ws


@pytest.mark.slow(reason="every button of every panel")
def test_names_that_are_markup_stay_words(
    ui: Any,
    foreign: Workspace,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.ERROR, "voxloop.panels")
    assert visit(foreign) > 70
    assert Taken(foreign.runs["shallow-1"].report(tmp_path / "report.html").read_text()).found == []
    report = foreign.evaluate("first", np.ones(foreign.images.info("image").shape, np.uint8))
    assert Taken(report._repr_html_()).found == []
    assert EVIL in [item.name for item in foreign.labels().level.classes], "the names are there"


def poisoned(value: Any) -> Any:
    """Every text in it as markup; numbers and what holds them stay."""
    if isinstance(value, dict):
        return {key: one if key in KEPT else poisoned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one) for one in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.slow(reason="every button of every panel")
def test_files_of_somebody_else_that_hold_markup_are_words(ui: Any, foreign: Workspace, tmp_path: Path) -> None:
    """Logs, settings, scores, offers, rounds and audits in which every free text is markup."""
    changed = 0
    for path in sorted(p for p in foreign.path.rglob("*") if p.suffix in (".json", ".jsonl") and ".zarr" not in str(p)):
        if path.name in ("workspace.json", "spec.json") or "journal" in path.parts or "labels" in path.parts:
            continue
        whole = path.suffix == ".json"
        lines = [path.read_text()] if whole else path.read_text().splitlines()
        path.write_text("".join(json.dumps(poisoned(json.loads(line))) + "\n" for line in lines))
        changed += 1
    assert changed > 6
    with Workspace.open(foreign.path, read_only=True) as reader:
        assert visit(reader) > 30
        assert Taken(reader.runs["shallow-1"].report(tmp_path / "report.html").read_text()).found == []


def test_the_look_itself_finds_markup() -> None:
    assert Taken(EVIL).found
    assert Taken(f'<span title="{EVIL}">x</span>').found
    assert not Taken("<b>x</b> <span title='&lt;img onerror&gt;'>y</span>").found
