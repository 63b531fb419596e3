"""What the quickstart weighs: Jupyter server, kernel, helper and trainers together, in a real JupyterLab.

The notebook runs cell by cell with its panels drawn in Chromium, so that frames and overlays are asked for as by a
reader. Counted is the proportional share (PSS) of every process that the server started, also of those with a session
of their own; the browser is not counted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil

from benchmarks.viewer import ROOT, lab_module

MARK = "VOXLOOP_MEASURED"
LIMIT_MB = 2048
#: a word of the first cell of the notebook's part with a network
NETWORK = 'presets["'


class Sampler(threading.Thread):
    """Every process whose environment carries the mark, and what it weighs, five times a second."""

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self._mark, self._ended = mark, threading.Event()
        self.part = "opening"
        self.peaks: dict[str, dict[str, float]] = {}

    def run(self) -> None:
        while not self._ended.wait(0.2):
            weights = self._weights()
            if sum(weights.values()) > sum(self.peaks.get(self.part, {}).values()):
                self.peaks[self.part] = weights

    def _weights(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self._mark:
                    name = f"{_name(process.cmdline())} ({process.pid})"
                    found[name] = process.memory_full_info().pss / 2**20
        return found

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _name(command: list[str]) -> str:
    line = " ".join(command)
    known = {"jupyterlab": "Jupyter server", "ipykernel": "kernel", "voxloop.helper": "helper", "voxloop.runs": "run"}
    return next((name for word, name in known.items() if word in line), line[:60])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the same: there is no smaller one")
    parser.add_argument("--network", action="store_true", help="the part with a network too (not held to the limit)")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    module = lab_module()
    home = Path(tempfile.mkdtemp(prefix="voxloop-quickstart-"))
    mark = uuid.uuid4().hex
    os.environ.pop("VOXLOOP_FAST", None)
    os.environ[MARK] = mark
    server = module.LabServer(home / "lab")
    del os.environ[MARK]  # the browser shall not carry it
    sampler = Sampler(mark)
    sampler.start()
    began = time.monotonic()
    try:
        book = nbformat.read(ROOT / "notebooks" / "01-quickstart.ipynb", as_version=4)
        shutil.copy(ROOT / "notebooks" / "01-quickstart.ipynb", server.root)
        network = next((i for i, cell in enumerate(book.cells) if NETWORK in cell.source), len(book.cells))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=module.chromium(), args=module.CHROMIUM_ARGS)
            lab = module.Lab(server, browser, home, (1400, 1000))
            lab.open("01-quickstart.ipynb")
            for index in range(len(book.cells) if options.network else network):
                sampler.part = "network" if index >= network else "shallow"
                lab.run(index, timeout=300)
            lab.close()
            browser.close()
    finally:
        sampler.stop()
        server.close()
        shutil.rmtree(home, ignore_errors=True)
    for part, weights in sampler.peaks.items():
        print(f"{part}: {sum(weights.values()):.0f} MB at the peak")
        for name, weight in sorted(weights.items(), key=lambda item: -item[1]):
            print(f"  {weight:6.0f} MB  {name}")
    print(f"{time.monotonic() - began:.0f} s; limit of the part with the shallow learner: {LIMIT_MB} MB")
    return 0 if sum(sampler.peaks["shallow"].values()) < LIMIT_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
