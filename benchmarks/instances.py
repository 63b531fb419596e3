"""Nuclei in fluorescence pictures: a network that learns objects on 20 of them, judged on the other 45.

Settings are those that come: target, encoder and windows follow from the labels. Where wall time means nothing, because
the machine is shared, ``--cpu-seconds`` simulates a budget: one thread, as many steps as take that much CPU time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

NAME, PICTURES, TRAINING, TARGET = "fluo_nuclei_2d", 65, 20, 0.88
Pair = tuple[np.ndarray, np.ndarray]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute of training")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--cpu-seconds", type=float, help="CPU time of all steps, on one thread, instead of minutes")
    parser.add_argument("--steps", type=int, default=None, help="optimiser steps instead of minutes")
    parser.add_argument("--scale", default="1", help="in-plane size at which the network works")
    parser.add_argument("--target", default="auto", help="auto, instances (boundary and depth), or flow (arrows)")
    parser.add_argument("--preset", default="auto", help="a preset, or 'usual' for vl.DeepConfig()")
    parser.add_argument("--window", default="auto", help="size of the training windows")
    parser.add_argument("--keep", type=Path, help="keep the workspace and the outputs here")
    chosen = parser.parse_args()
    minutes = 0.5 if chosen.quick else chosen.minutes
    import voxloop as vl

    order = np.random.default_rng(0).permutation(PICTURES)
    samples = {int(i): vl.samples.load(NAME, seed=int(i)) for i in order}
    pictures = {i: (np.asarray(s.volume), np.asarray(s.truth)) for i, s in samples.items()}
    train, test = [int(i) for i in order[:TRAINING]], [int(i) for i in order[TRAINING:]]
    print(f"{'what':>50} {'AP@0.5, all objects':>20} {'mean of pictures':>17} {'PQ':>6}")
    show("Otsu and components", (pictures[i] for i in test), otsu)
    with tempfile.TemporaryDirectory() as folder:
        by_clock = {"max_minutes": minutes, "epochs": 1000}
        length = {"iterations": chosen.steps, "max_minutes": None} if chosen.steps else by_clock
        settings = {"target": chosen.target, "scale": chosen.scale, "window": chosen.window, "patience": 0, **length}
        kept = chosen.keep or Path(folder)
        config = vl.presets[chosen.preset].changed(**settings)
        outputs = trained(vl, kept, {i: pictures[i] for i in train}, pictures, config, chosen.cpu_seconds)
    seen = [(outputs[i], pictures[i][1]) for i in train]
    tried = [
        vl.ObjectsConfig(seed_threshold=t, min_size=m, smoothing=s)
        for m in ("auto", 20)
        for t in (0.2, 0.3, 0.4, 0.5, 0.6)
        for s in (0, 1, 2)
    ]
    best = max(tried, key=lambda config: scores(seen, decoded(vl, config))[1])
    found = [(outputs[i], pictures[i][1]) for i in test]
    reached = show("network, settings as they are", found, decoded(vl, vl.ObjectsConfig()))
    show("network, one object a clump", found, decoded(vl, vl.ObjectsConfig(split=False)))
    show(f"network, {best.code('vl')[17:-1]} (by the 20)", found, decoded(vl, best))
    print(f"target {TARGET}: {'reached' if reached >= TARGET else 'not reached'}")
    return 0 if chosen.quick or reached >= TARGET else 1


def trained(
    vl: Any, folder: Path, train: dict[int, Pair], pictures: dict[int, Pair], config: Any, cpu: float | None = None
) -> dict[int, np.ndarray]:
    """Outputs (channels, z, y, x) of all pictures, of a network trained on some of them."""
    classes = [{"name": "background", "background": True}]
    with vl.Workspace.create(folder / "ws", classes=classes, kind="instances") as ws:
        for i, (picture, truth) in train.items():
            ws.images.add(f"p{i:02d}", picture)
            ws.labels(image=f"p{i:02d}").load(truth, zero="background")
            ws.labels(image=f"p{i:02d}").flush()
        if cpu:
            config = config.changed(iterations=steps_in(ws, config, cpu), max_minutes=None, threads=1)
        began = time.perf_counter()
        run = ws.train(config)
        run.wait()
        print(f"trained {run.history.iteration} steps in {time.perf_counter() - began:.0f} s", flush=True)
        model = run.model()
        # brought to the exposure that the model knows, as ws.predict does it
        return {i: np.asarray(vl.predict(model, vl.open_volume(pictures[i][0], axes="zyx"))) for i in pictures}


def steps_in(ws: Any, config: Any, seconds: float) -> int:
    """Optimiser steps that take so many seconds of CPU time on one thread, what prepares them included."""
    import torch

    from voxloop.deep.begin.material import gather_now
    from voxloop.deep.objective.optimisers import optimiser

    torch.set_num_threads(1)
    material = gather_now(ws.path, config.changed(threads=1))
    network, criterion = material.network().train(), material.criterion()
    steps = optimiser(material.config, network)
    for index in range(23):
        if index == 3:
            began = time.process_time()
        steps.zero_grad(set_to_none=True)
        material.loss(network, criterion, index).backward()
        steps.step()
    each = (time.process_time() - began) / 20
    print(f"{material.chosen or config.target}; {each:.3f} CPU seconds a step", flush=True)
    return max(1, int(seconds / each))


def decoded(vl: Any, config: Any) -> Callable[[np.ndarray], np.ndarray]:
    return lambda outputs: np.asarray(vl.objects.decode_instances(outputs, config))


def otsu(picture: np.ndarray) -> np.ndarray:
    from scipy import ndimage as ndi
    from skimage.filters import threshold_otsu

    gray = picture.mean(axis=0) if picture.ndim == 4 else picture
    return np.asarray(ndi.label(gray > threshold_otsu(gray))[0])


def scores(pairs: Iterable[Pair], act: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
    """AP at an overlap of one half over all objects, its mean over pictures, mean panoptic quality."""
    from voxloop.review import metrics
    from voxloop.review.contingency import count

    found = [metrics.match(count(truth, act(given)), 0.5) for given, truth in pairs]
    matched, missed, extra = (sum(getattr(f, name) for f in found) for name in ("matched", "missed", "extra"))
    each = [f.precision for f in found]
    return matched / (matched + missed + extra), float(np.mean(each)), float(np.mean([f.quality for f in found]))


def show(what: str, pairs: Iterable[Pair], act: Callable[[np.ndarray], np.ndarray]) -> float:
    """Print a line; the mean over pictures, as the challenge these pictures are of has it."""
    pooled, mean, quality = scores(pairs, act)
    print(f"{what:>50} {pooled:20.3f} {mean:17.3f} {quality:6.3f}", flush=True)
    return mean


if __name__ == "__main__":
    sys.exit(main())
