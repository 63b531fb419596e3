"""The whole loop: strokes, network, corrections. IoU after each round, and the minutes it took."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voxloop.config.presets import AUTO
from voxloop.demo import play
from voxloop.machine import machine
from voxloop.review.simulate import simulate
from voxloop.volumes.samples import load
from voxloop.workspace.workspace import Workspace

SLICES = (3, 9, 16, 22, 28)
#: share of the slices' voxels that may be labelled after the first round, and after all
FIRST, MOST = 0.04, 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, the same code")
    share = 0.1 if parser.parse_args().quick else 1.0
    print(f"{machine().cores} cores")
    for row in (*made_up(5 * share), *mitochondria(6 * share)):
        print(f"{row[0]:64s} {row[1]:>24s} {row[2]:>14s}", flush=True)
    return 0


Row = tuple[str, str, str]


def made_up(minutes: float) -> Iterator[Row]:
    """``voxloop demo``: three rounds on the built-in EM sample."""
    sample = load("em")
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        workspace = Workspace.create(Path(folder) / "em", image=sample.volume, classes=sample.classes)
        rounds = play(workspace, np.asarray(sample.truth), rounds=3, learner="both", minutes=minutes)
        spent = time.monotonic() - began
        workspace.close()
    for done in rounds:
        last = done is rounds[-1]
        measured = f"{done.iou:.3f} in {done.compute_seconds:.0f} s"
        yield f"made-up EM, round {done.round} ({done.learner})", measured, "0.80" if last else ""
    yield "made-up EM, the whole demo", f"{spent / 60:.1f} min", "5 min"


def mitochondria(minutes: float) -> Iterator[Row]:
    """Strokes on five slices of a real stack, two rounds of corrections; IoU on slices at least two away."""
    if not (Path(os.environ.get("VOXLOOP_DATA", "")) / "fibsem_mitochondria").is_dir():
        yield "mitochondria: VOXLOOP_DATA does not name the real data", "skipped", ""
        return
    sample = load("fibsem_mitochondria")
    truth = np.asarray(sample.truth)
    far = [z for z in range(len(truth)) if min(abs(z - s) for s in SLICES) >= 2]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "fibsem", image=sample.volume, classes=sample.classes)
        prediction, earlier = None, None
        for number, target in enumerate(("0.65 in 8 min", "", "0.72"), start=1):
            painted = simulate(
                workspace,
                truth,
                prediction,
                slices=SLICES,
                strokes=400 if number == 1 else 24,
                share=FIRST if number == 1 else MOST,
                seed=number,
            )
            began = time.monotonic()
            run = workspace.train(AUTO.changed(max_minutes=minutes, epochs=400, start_from=earlier))
            run.wait()
            prediction = workspace.predict(run, probabilities=False).result
            spent = time.monotonic() - began
            said, known = np.asarray(prediction.labels)[far] == 2, truth[far] == 2
            iou = (said & known).sum() / (said | known).sum()
            what = f"mitochondria, round {number}: {painted.strokes} strokes, {painted.slice_share:.1%} of five slices"
            yield what, f"{iou:.3f} in {spent / 60:.1f} min", target
            earlier = run.name
        workspace.close()


if __name__ == "__main__":
    raise SystemExit(main())
