"""What a notebook of Binder weighs: Jupyter server, kernel, helper and trainers together, in a real JupyterLab.

The quickstart, or with ``--tour`` the notebook of a picture behind an address, served by this process with 100 ms
before each answer; of the size of the one on the web (2 channels, 236 x 275 x 271 voxels).

The notebook runs cell by cell with its panels drawn in Chromium, so that frames and overlays are asked for as by a
reader. Counted is the proportional share (PSS) of every process that the server started, also of those with a session
of their own; the browser is not counted. All of it runs with 2 GB, in a control group where this user may make one.
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
from typing import Any

import nbformat
import psutil

from benchmarks._cage import Cage
from benchmarks.viewer import ROOT, lab_module

MARK = "VOXLOOP_MEASURED"
#: what Binder gives, and what a part without a network may take of it
GIVEN_MB, LIMIT_MB = 2048, 1600
#: of the picture that the tour is about, and seconds before each answer
TOUR_SHAPE, DELAY_S = (236, 275, 271), 0.1
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
    parser.add_argument("--tour", action="store_true", help="the notebook of a picture behind an address")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="voxloop-quickstart-"))
    os.environ["MEM_LIMIT"] = str(GIVEN_MB * 2**20)  # as Binder says it
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    name = "11-remote" if options.tour else "01-quickstart"
    web = _serve(home) if options.tour else None
    began = time.monotonic()
    try:
        peaks, cage = _measure(ROOT / "notebooks" / f"{name}.ipynb", home, network=options.network)
    finally:
        if web is not None:
            chunks = [path for kind, path, _ in web.asked if kind == "GET" and "/.z" not in path]
            print(f"requests: {len(web.asked)}; of {len(set(chunks))} chunks {len(chunks)}")
            web.close()
        shutil.rmtree(home, ignore_errors=True)
    for part, weights in peaks.items():
        print(f"{part}: {sum(weights.values()):.0f} MB at the peak")
        for name, weight in sorted(weights.items(), key=lambda item: -item[1]):
            print(f"  {weight:6.0f} MB  {name}")
    print(f"{cage}; load {os.getloadavg()[0]:.0f}")
    print(f"{time.monotonic() - began:.0f} s; limit of the part without a network: {LIMIT_MB} MB of {GIVEN_MB} MB")
    return 0 if sum(peaks["shallow"].values()) < LIMIT_MB else 1


def _serve(home: Path) -> Any:
    """The picture of the tour behind an address on this machine."""
    from tests.web_store import WebStore, write_nuclei

    write_nuclei(home / "web" / "cells.zarr", TOUR_SHAPE)
    web = WebStore(home / "web", delay_s=DELAY_S)
    os.environ["VOXLOOP_TOUR"] = f"{web.url}/cells.zarr"
    return web


def _measure(notebook: Path, home: Path, *, network: bool) -> tuple[dict[str, dict[str, float]], str]:
    """Peaks by part and process, and what the control group says."""
    from playwright.sync_api import sync_playwright

    module = lab_module()
    mark = uuid.uuid4().hex
    os.environ.pop("VOXLOOP_FAST", None)
    os.environ[MARK] = mark
    server = module.LabServer(home / "lab")
    del os.environ[MARK]  # the browser shall not carry it
    cage = Cage(GIVEN_MB)
    cage.put(server.pid)
    sampler = Sampler(mark)
    sampler.start()
    try:
        book = nbformat.read(notebook, as_version=4)
        shutil.copy(notebook, server.root)
        first = next((i for i, cell in enumerate(book.cells) if NETWORK in cell.source), len(book.cells))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=module.chromium(), args=module.CHROMIUM_ARGS)
            lab = module.Lab(server, browser, home, (1400, 1000))
            lab.open(notebook.name)
            for index in range(len(book.cells) if network else first):
                sampler.part = "network" if index >= first else "shallow"
                lab.run(index, timeout=300)
            lab.close()
            browser.close()
    finally:
        sampler.stop()
        server.close()
        peak = cage.peak_mb()
        words = f"{cage.kind}, {GIVEN_MB} MB: " + (
            "not known" if peak is None else f"{peak:.0f} MB with pages of files"
        )
        words += f", at the limit {cage.at_the_limit()} times, {cage.killed()} processes ended"
        cage.close()
    return sampler.peaks, words


if __name__ == "__main__":
    raise SystemExit(main())
