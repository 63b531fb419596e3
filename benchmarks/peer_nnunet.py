"""nnU-Net (2-D) and voxloop side by side: the same strokes, minutes and processor, judged on the same voxels.

Strokes on five slices of fibsem_mitochondria; nnU-Net takes what is unlabelled as its ignore label. Its preprocessing
and all predicting are not counted. nnU-Net is run twice: as it plans itself (but its learning rate follows the clock,
not 1000 epochs), and cut down to what two cores can train: windows of 256, batches of 4, 16 to 128 features. Neither is
mirrored at prediction. voxloop runs with its defaults.

Install nnU-Net into an environment of its own and name its Python: ``--python /path/bin/python``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SLICES = (3, 9, 16, 22, 28)
SHARE = 0.04
NAME = "Dataset001_strokes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, the same code")
    parser.add_argument("--python", help="Python of an environment with nnunetv2")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "PLAN"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    minutes = given.minutes * (0.1 if given.quick else 1)
    if given.child:
        return child(Path(given.child[0]), given.child[1], 60 * minutes)
    if not (Path(os.environ.get("VOXLOOP_DATA", "")) / "fibsem_mitochondria").is_dir():
        print("skipped: VOXLOOP_DATA does not name the real data")
        return 0
    if not given.python:
        print("skipped: name the Python of an environment with nnunetv2 by --python")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), given.python, minutes)
    return 0


def compare(folder: Path, python: str, minutes: float) -> None:
    import voxloop as vl
    from voxloop.volumes.samples import load

    sample = load("fibsem_mitochondria")
    truth, volume = np.asarray(sample.truth), np.asarray(sample.volume)
    far = [z for z in range(len(truth)) if min(abs(z - s) for s in SLICES) >= 2]
    with vl.Workspace.create(folder / "ws", image=sample.volume, classes=sample.classes) as ws:
        painted = vl.simulate(ws, truth, slices=SLICES, strokes=400, share=SHARE, seed=1)
        print(
            f"{painted.strokes} strokes, {painted.slice_share:.1%} of five slices; {minutes:g} minutes each", flush=True
        )
        run = ws.train(vl.presets["auto"].changed(max_minutes=minutes, epochs=400, device="cpu"))
        run.wait()
        said = np.asarray(ws.predict(run, probabilities=False).result.labels)[far]
        row("voxloop, preset auto", iou(said == 2, truth[far] == 2), run.history.iteration, run.history.busy_s)
        labels = ws.labels().read()
    write_dataset(folder, volume, labels, far)
    environment = {
        **os.environ,
        "nnUNet_raw": str(folder / "raw"),
        "nnUNet_preprocessed": str(folder / "pre"),
        "nnUNet_results": str(folder / "results"),
        "nnUNet_compile": "f",
        "nnUNet_n_proc_DA": "1",
    }
    for plan in ("small", "own"):
        line = [python, __file__, "--minutes", str(minutes), "--child", str(folder), plan]
        log = folder / f"{plan}.log"
        with log.open("w") as out:
            failed = subprocess.call(line, env=environment, stdout=out, stderr=subprocess.STDOUT)
        if failed:
            print(f"nnU-Net ({plan}) failed:\n{log.read_text()[-2000:]}")
            continue
        facts = json.loads((folder / f"{plan}.json").read_text())
        said = np.load(folder / f"{plan}.npy")
        row(
            f"nnU-Net {facts['version']}, {facts['plan']}",
            iou(said == 1, truth[far] == 2),
            facts["steps"],
            facts["seconds"],
        )


def row(name: str, score: float, steps: int, seconds: float) -> None:
    print(f"{name:72s} IoU {score:.3f}  {steps:6d} steps  {seconds / 60:5.1f} min", flush=True)


def iou(said: np.ndarray, truth: np.ndarray) -> float:
    return float((said & truth).sum() / max(1, (said | truth).sum()))


def write_dataset(folder: Path, volume: np.ndarray, labels: np.ndarray, far: list[int]) -> None:
    """The five slices as pictures: 0 background, 1 mitochondria, 2 to be ignored; the others as an array."""
    import imageio.v3 as iio

    base = folder / "raw" / NAME
    for part in ("imagesTr", "labelsTr"):
        (base / part).mkdir(parents=True)
    meaning = np.array([2, 0, 1], np.uint8)
    for z in SLICES:
        iio.imwrite(base / "imagesTr" / f"slice_{z:03d}_0000.png", volume[z])
        iio.imwrite(base / "labelsTr" / f"slice_{z:03d}.png", meaning[labels[z]])
    (base / "dataset.json").write_text(
        json.dumps(
            {
                "channel_names": {"0": "em"},
                "labels": {"background": 0, "mito": 1, "ignore": 2},
                "numTraining": len(SLICES),
                "file_ending": ".png",
                "overwrite_image_reader_writer": "NaturalImage2DIO",
            }
        )
    )
    np.save(folder / "far.npy", volume[far])


def child(folder: Path, plan: str, seconds: float) -> int:
    """In nnU-Net's environment: plan, train for so long, predict. Imports nothing of voxloop."""
    from importlib.metadata import version

    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.set_num_threads(os.cpu_count() or 1)
    base = folder / "pre" / NAME
    if not base.is_dir():
        extract_fingerprints([1], num_processes=1)
        plan_experiments([1])
        preprocess([1], configurations=("2d",), num_processes=(1,))
    plans = json.loads((base / "nnUNetPlans.json").read_text())
    settings = plans["configurations"]["2d"]
    network = settings["architecture"]["arch_kwargs"]
    if plan == "small":
        settings["patch_size"], settings["batch_size"] = [256, 256], 4
        stages = 6
        network["n_stages"] = stages
        network["features_per_stage"] = [16, 32, 64, 128, 128, 128]
        for name in ("kernel_sizes", "strides", "n_conv_per_stage"):
            network[name] = network[name][:stages]
        network["n_conv_per_stage_decoder"] = network["n_conv_per_stage_decoder"][: stages - 1]
    plans["continue_training"] = False
    trainer = nnUNetTrainer(plans, "2d", "all", json.loads((base / "dataset.json").read_text()), torch.device("cpu"))
    trainer.on_train_start()
    trainer.network.train()
    began, steps = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        for group in trainer.optimizer.param_groups:
            group["lr"] = trainer.initial_lr * (1 - spent / seconds) ** 0.9
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    spent = time.monotonic() - began
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(
        use_mirroring=False, device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False
    )
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        trainer.dataset_json,
        "nnUNetTrainer",
        None,
    )
    said = [
        predictor.predict_single_npy_array(plane[None, None].astype(np.float32), {"spacing": (999, 1, 1)})[0]
        for plane in np.load(folder / "far.npy")
    ]
    np.save(folder / f"{plan}.npy", np.stack(said))
    size = " x ".join(map(str, settings["patch_size"]))
    words = "as it plans" if plan == "own" else "cut down"
    most = max(network["features_per_stage"])
    words += f": {settings['batch_size']} windows of {size}, up to {most} features"
    facts = {"version": version("nnunetv2"), "steps": steps, "seconds": spent, "plan": words}
    (folder / f"{plan}.json").write_text(json.dumps(facts))
    for worker in multiprocessing.active_children():  # its loaders do not end by themselves
        worker.kill()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
