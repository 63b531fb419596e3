"""Two users of one hub, each with a number of their own, under a prefix: paint with the mouse, train in turn.

A hub from the recipe in deploy/hub with its real proxy; what a culler does to a server; one device, one line.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import pytest
import tifffile
from tests.hub import USERS, Hub, proxy

from voxloop.runs import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Lab = sys.modules["browser_lab"].Lab  # the page of the other browser tests

OPEN = """
import voxloop as vl
ws = vl.Workspace.create('cells', image={image!r}, classes=['cell', 'rest'], exist_ok=True)
panel = vl.LabelPanel(ws)
panel
"""
IMAGE = "__import__('numpy').zeros((4, 64, 64), 'uint8')"
#: a training that ends when it is told to
HOLDS = (
    "vl.DeepConfig(epochs=500, window=(1, 64, 64), encoder='tu-test_efficientnet', teacher='none', compare_with='none')"
)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """The hub; fails in CI where it cannot be started, elsewhere a loud skip."""
    missing = "jupyterhub" if not _installed("jupyterhub") else "configurable-http-proxy" if not proxy() else ""
    if missing:
        words = f"no {missing} for the test of the hub: make .venv/.stamp-hub installs it (the proxy with npm)"
        if os.environ.get("CI"):
            pytest.fail(words)
        warnings.warn(words, stacklevel=1)
        pytest.skip(words)
    started = Hub()
    yield started
    started.close()


def _installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


class UserPage(Lab):
    """The page of one user of a hub, with one notebook."""

    def __init__(self, hub: Hub, user: str, browser: Browser, shots: Path) -> None:
        super().__init__(None, browser, shots)
        self._hub, self.user = hub, user
        self.page.set_default_timeout(60_000)

    def log_in(self) -> None:
        """Give name and password; the user's server begins to start."""
        self.page.goto(f"{self._hub.url}/hub/login")
        self.page.get_by_label("Username").fill(self.user)
        self.page.get_by_label("Password").fill("any")
        self.page.locator("#login_submit").click()

    def open(self, *cells: str) -> None:
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        path = self._hub.home(self.user) / "hub.ipynb"
        nbformat.write(book, path)
        if self._hub.separate:
            os.chown(path, USERS[self.user], USERS[self.user])
        self.page.wait_for_url(f"**{self._hub.prefix}/user/{self.user}/lab**", timeout=120_000)
        self.page.goto(f"{self._hub.url}/user/{self.user}/lab/tree/hub.ipynb?reset")
        self.page.wait_for_function(
            """() => { const panel = window.jupyterapp?.shell?.currentWidget;
                return panel?.context?.isReady && panel.sessionContext?.session?.kernel?.status === 'idle' }"""
        )

    def stroke(self, index: int, down: float) -> None:
        """A short one, ``down`` of the way down the picture, where the disks lie or between them."""
        stage = self.output(index).locator(".vl-stage[data-index]").first
        stage.wait_for()
        box = stage.bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * down)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] * down, steps=4)
        self.page.mouse.up()

    def close(self) -> None:
        self.context.close()


def picture(path: Path) -> None:
    """Disks in noise, which everybody may read and nobody but root may change."""
    rng = np.random.default_rng(0)
    y, x = np.ogrid[:96, :96]
    disks = ((y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 90) * 90
    tifffile.imwrite(path, (rng.integers(20, 60, (6, 96, 96)) + disks).astype(np.uint8))
    path.chmod(0o444)


def test_two_users_paint_and_train_in_turn(hub: Hub, browser: Browser, shots: Path) -> None:
    picture(hub.root / "data" / "disks.tif")
    ann, bob = both = [UserPage(hub, user, browser, shots) for user in USERS]
    try:
        for each in both:
            each.log_in()
        for each in both:
            each.open(OPEN.format(image=str(hub.root / "data" / "disks.tif")), "vl.MonitorPanel(run)")
            each.run(0, wait=False)
        for each in both:
            each.wait_idle(120)
            each.stroke(0, 0.5)
            each.page.keyboard.press("2")
            each.stroke(0, 0.66)
            each.until("{1, 2} <= {value for value, count in ws.labels().counts().items() if count > 20}", 60)
        _apart(hub, ann, bob)
        _in_turn(hub, ann, bob)
    finally:
        for each in both:
            each.close()


def _apart(hub: Hub, ann: UserPage, bob: UserPage) -> None:
    """What is each one's stays so, what everybody reads nobody writes, and a folder of their group has one writer."""
    if not hub.separate:
        return
    assert [one.python("__import__('os').getuid()") for one in (ann, bob)] == list(USERS.values())
    assert bob.python(f"__import__('os').access({str(hub.home('ann'))!r}, 4)") is False
    assert bob.python("__import__('os').access(ws.images['image'].source, 2)") is False
    theirs = str(hub.root / "shared" / "theirs")
    made = f"ours = vl.Workspace.create({theirs!r}, image={IMAGE}, classes=['a', 'b'])"
    ann.python(f"exec({made!r})")
    paint = "len([ours.labels().paint(index=1, points=[(5, 5), (9, 9)], radius=2, value=1)])"
    assert ann.python(paint) == 1
    bob.python(f"exec({f'ours = vl.Workspace.open({theirs!r})'!r})")
    with pytest.raises(AssertionError, match=r"read-only here: process \d+ of ann on"):
        bob.python(paint)
    ann.python("ours.close()")
    bob.python(f"exec({f'ours = vl.Workspace.open({theirs!r}, read_only=False)'!r})")
    assert bob.python(paint.replace("9, 9", "20, 9")) == 1
    bob.python("ours.close()")


def _in_turn(hub: Hub, ann: UserPage, bob: UserPage) -> None:
    """One device: the second one waits, and is told for whom; a culled server takes no run along."""
    ann.python(f"exec({f'run = ws.train({HOLDS})'!r})")
    ann.until("run.state == 'running'", 120)
    bob.python("exec('run = ws.train(vl.ShallowConfig())')")
    bob.until("run.state == 'queued'", 60)
    bob.run(1)
    bob.output(1).get_by_text("Waiting in line").first.wait_for()
    if hub.separate:
        assert "A run of ann has it now" in bob.output(1).inner_text()
        assert stat.S_IMODE((hub.queue / "cpu").stat().st_mode) == 0o1777
    bob.screenshot("hub-waiting", bob.output(1))
    folder = hub.home("ann") / "cells" / "runs" / ann.python("run.name")

    hub.stop_server("ann")
    hers = Run(folder)
    assert hers.state == "running"
    ends = hers.history.iteration + 3
    bob.wait(lambda: hers.history.iteration > ends, "a run goes on without its user's server", 120)
    hers.stop()
    bob.until("run.state == 'finished'", 120)
    bob.screenshot("hub-finished", bob.output(1))
    assert hers.state == "stopped"
    ended = next(event["time"] for event in _events(folder) if event["kind"] == "stopped")
    began = next(
        event["time"]
        for event in _events(hub.home("bob") / "cells" / "runs" / "shallow-1")
        if event["kind"] == "started"
    )
    assert ended <= began


def _events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
