"""From the click on Train to the first loss point of the quickstart preset: with a spare trainer waiting, and without.

The panel is driven as a page would (its button is clicked), the run is a process of its own, and the clock stops when
the monitor's reader has the first ``step`` event. Windows: 2 of 128 pixels in a batch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import voxloop as vl
from voxloop.panels.train.train_panel import TrainPanel
from voxloop.runs import spare

TASK = "voxloop.deep.learner:train"
TARGETS = {"warm (spare trainer)": 0.5, "cold": 6.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one click of each instead of three")
    clicks = 1 if parser.parse_args().quick else 3
    found: dict[str, list[float]] = {name: [] for name in TARGETS}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VOXLOOP_QUEUE"] = f"{folder}/queue"  # runs of others on this machine are not waited for
        measure(Path(folder) / "ws", clicks, found)
    print(f"{'':24} {'median s':>9} {'worst':>7} {'target':>8}")
    for name, seconds in found.items():
        if seconds:
            target = f"< {TARGETS[name]:g}"
            print(f"{name:24} {statistics.median(seconds):9.2f} {max(seconds):7.2f} {target:>8}")
    return 0


def measure(folder: Path, clicks: int, found: dict[str, list[float]]) -> None:
    """Click, cold and warm in turns, in a new workspace with strokes."""
    sample = vl.samples.load("em")
    with vl.Workspace.create(folder, image=sample.volume, classes=sample.classes) as ws:
        vl.simulate(ws, sample.truth, strokes=24)
        panel = TrainPanel(ws)
        panel.learner = "deep"
        panel.form.value = vl.presets["quick"].changed(window="1,128,128", batch_size=2, device="cpu")
        while panel.forecast is None:  # the helper is at rest by then, as for somebody who has read the forecast
            time.sleep(0.1)
        panel._warm = lambda: None  # a spare is there when it is measured with one
        for _ in range(clicks):
            spare.dismiss_all()
            found["cold"].append(click(panel))
            if not spare.warm(TASK):
                print("this machine has too little memory for a spare trainer; warm is not measured")
                continue
            time.sleep(15)  # it has imported what it needs
            found["warm (spare trainer)"].append(click(panel))
        spare.dismiss_all()
        panel.close()


def click(panel: TrainPanel) -> float:
    """Seconds from a click to the first loss; the run is cancelled then."""
    before = set(panel.ws.runs)
    while panel.bar.button.disabled:  # labels are looked at in a thread
        time.sleep(0.01)
    began = time.perf_counter()
    panel.ui.call(panel.bar.button.click)
    while not (new := [name for name in panel.ws.runs if name not in before]):
        time.sleep(0.005)
    run = panel.ws.runs[new[0]]
    while not len(run.history.steps):
        if run.history.error:
            raise SystemExit(f"the run failed: {run.history.error}")
        time.sleep(0.005)
    took = time.perf_counter() - began
    run.cancel()
    run.wait()
    return took


if __name__ == "__main__":
    sys.exit(main())
