"""Mitochondria from strokes on five slices: planes, planes with neighbours, planes along three axes, and blocks.

"Common defaults" are what other systems begin with and ours does not: twice the batch, half the rate, full size,
weighted classes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

NAME, SLICES = "fibsem_mitochondria", (3, 9, 16, 22, 28)
NETWORKS: dict[str, dict[str, Any]] = {
    "2-D Unet": {},
    "2-D Unet, common defaults": {"batch_size": 8, "learning_rate": 1e-3, "scale": 1, "class_weights": "auto"},
    "2.5-D Unet, 5 slices": {"slices": 5},
    "2-D Unet along z, y and x, 3 votes": {"axes": "zyx"},
    "3-D UNet3d": {"architecture": "UNet3d"},
    "3-D DynUNet": {"architecture": "DynUNet"},
    "3-D SegResNet": {"architecture": "SegResNet"},
    "3-D SwinUNETR": {"architecture": "SwinUNETR", "width": 12},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute of training each")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--teacher", default="auto", help="auto, or none: what the strokes alone teach")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), help="these alone")
    chosen = parser.parse_args()
    if not (Path(os.environ.get("VOXLOOP_DATA", "")) / NAME).is_dir():
        print("skipped: VOXLOOP_DATA does not name the real data")
        return 0
    import voxloop as vl
    from voxloop.review.simulate import simulate

    sample = vl.samples.load(NAME)
    truth = np.asarray(sample.truth)
    far = [z for z in range(len(truth)) if min(abs(z - s) for s in SLICES) >= 2]
    minutes = 0.5 if chosen.quick else chosen.minutes
    print(f"{'network':>36} {'steps':>6} {'IoU':>6} {'predicted in':>13}   ({minutes:g} minutes of training each)")
    for name in chosen.networks:
        settings = NETWORKS[name]
        with (
            tempfile.TemporaryDirectory() as folder,
            vl.Workspace.create(Path(folder) / "ws", image=sample.volume, classes=sample.classes) as ws,
        ):
            simulate(ws, truth, None, slices=SLICES, strokes=400, share=0.04, seed=1)
            config = vl.presets["auto"].changed(
                max_minutes=minutes, epochs=1000, patience=0, teacher=chosen.teacher, **settings
            )
            run = ws.train(config)
            run.wait()
            began = time.perf_counter()
            prediction = ws.predict(run, probabilities=False, uncertainty=False, scales=False).result
            seconds = time.perf_counter() - began
            said, known = np.asarray(prediction.labels)[far] == 2, truth[far] == 2
            iou = (said & known).sum() / (said | known).sum()
            print(f"{name:>36} {run.history.iteration:6d} {iou:6.3f} {seconds:11.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
