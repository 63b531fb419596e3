"""Nuclei of an embryo, eight in all, or of an ovule: networks that learn objects from a few labelled slices.

They then segment the volume that those slices are of; Otsu's threshold with components stands beside them.
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

from benchmarks.instances import steps_in

#: slices that are labelled, and objects that must come out where that is asked
SAMPLES: dict[str, tuple[int, int | None]] = {"embryo_nuclei_3d": (6, 8), "ovule_nuclei_3d": (10, None)}
NETWORKS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "3-D UNet3d, boundaries": {"target": "instances", "architecture": "UNet3d"},
    "3-D UNet3d, arrows": {"target": "flow", "architecture": "UNet3d"},
    "2.5-D Unet, boundaries": {"target": "instances", "slices": 5},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    parser.add_argument("--steps", type=int, default=600, help="optimiser steps of each network")
    parser.add_argument("--cpu-seconds", type=float, help="CPU time of all steps, on one thread, instead of steps")
    parser.add_argument("--networks", default="", help="names that contain this alone")
    parser.add_argument("--sample", choices=list(SAMPLES), default="embryo_nuclei_3d")
    chosen = parser.parse_args()
    if not (Path(os.environ.get("VOXLOOP_DATA", "")) / chosen.sample).is_dir():
        print("skipped: VOXLOOP_DATA does not name the real data")
        return 0
    import voxloop as vl

    sample = vl.samples.load(chosen.sample)
    truth = np.asarray(sample.truth)
    slices, objects = SAMPLES[chosen.sample]
    steps = chosen.steps // 10 if chosen.quick else chosen.steps
    print(f"{'network':>22} {'steps':>6} {'objects':>8} {'AP@0.5':>7} {'PQ':>6} {'seconds':>8}   decoded with")
    print(f"{'truth':>22} {'':6} {len(np.unique(truth)) - 1:8d}")
    threshold(sample, truth)
    found = {}
    for name, settings in NETWORKS.items():
        if chosen.networks in name:
            with tempfile.TemporaryDirectory() as folder:
                settings = {**settings, "iterations": steps}
                found[name] = row(vl, Path(folder), sample, truth, name, settings, slices, chosen.cpu_seconds)
    if objects is None:
        return 0
    reached = objects in found.values()
    print(f"target, exactly {objects} objects: {'reached' if reached else 'not reached'}")
    return 0 if chosen.quick or reached else 1


def threshold(sample: Any, truth: np.ndarray) -> None:
    """What a threshold alone reaches."""
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import label

    smooth = gaussian(np.asarray(sample.volume).reshape(truth.shape).astype(np.float32), 1)
    found = label(smooth > threshold_otsu(smooth))
    sizes = np.bincount(found.ravel())
    found[(sizes < 64)[found]] = 0
    scored = matched(truth, found)
    print(
        f"{'Otsu, components':>22} {'':6} {len(np.unique(found)) - 1:8d} {scored.precision:7.3f} {scored.quality:6.3f}"
    )


def matched(truth: np.ndarray, found: np.ndarray) -> Any:
    """Objects found again at an overlap of one half."""
    from voxloop.review import metrics
    from voxloop.review.contingency import count

    return metrics.match(count(truth, found), 0.5)


def row(
    vl: Any,
    folder: Path,
    sample: Any,
    truth: np.ndarray,
    name: str,
    settings: dict[str, Any],
    slices: int,
    cpu: float | None = None,
) -> int:
    """Train, predict, decode with settings as they are and with those that suit the labelled slices best; two lines."""
    depth = truth.shape[0]
    planes = [int((i + 0.5) * depth / slices) for i in range(slices)]
    classes = [{"name": "background", "background": True}]
    with vl.Workspace.create(folder / "ws", image=sample.volume, classes=classes, kind="instances") as ws:
        labels = ws.labels()
        # numbers of objects must not be that of the background
        labelled = np.where(truth > 0, truth.astype(np.uint32) + 10, labels.level.classes[0].value)
        for z in planes:
            labels.write((slice(z, z + 1), slice(None), slice(None)), labelled[z : z + 1])
        labels.flush()
        began = time.perf_counter()
        config = vl.presets["auto"].changed(**{"max_minutes": None, "patience": 0, **settings})
        if cpu:
            config = config.changed(iterations=steps_in(ws, config, cpu), threads=1)
        run = ws.train(config)
        run.wait()
        with run.model().open() as predictor:
            outputs = predictor(np.asarray(sample.volume).reshape(1, 1, *truth.shape))[0]
        seconds = time.perf_counter() - began
    spacing = sample.volume.attrs["spacing_um"]
    # what is less than a quarter of a ball with the cross-section of the labelled objects is none
    areas = [n for z in planes for n in np.bincount(truth[z].ravel())[1:] if n]
    least = round(0.25 * 4 / 3 * np.pi * (np.median(areas) * spacing[1] * spacing[2] / np.pi) ** 1.5)
    plain = vl.ObjectsConfig()
    tried = [plain] + [
        vl.ObjectsConfig(smoothing=s, seed_threshold=t, min_size=least)
        for s in (0.0, 0.8, 1.6, 2.4)
        for t in (0.2, 0.3, 0.5)
    ]
    decoded = [np.asarray(vl.objects.decode_instances(outputs, config, spacing_um=spacing)) for config in tried]

    def fit(found: np.ndarray) -> float:
        """How well cross-sections agree on the slices that were labelled: all that may be looked at."""
        return float(np.mean([matched(truth[z : z + 1], found[z : z + 1]).quality for z in planes]))

    best = max(range(len(tried)), key=lambda i: fit(decoded[i]))
    for index in dict.fromkeys((0, best)):
        scored = matched(truth, decoded[index])
        how = tried[index].code("vl")[17:-1] or "settings as they are"
        print(
            f"{name:>22} {run.history.iteration:6d} {int(decoded[index].max()):8d} {scored.precision:7.3f} "
            f"{scored.quality:6.3f} {seconds:8.0f}   {how}",
            flush=True,
        )
    return int(decoded[0].max())


if __name__ == "__main__":
    sys.exit(main())
