"""Two dask workers of one thread against one, and what the scheduler costs for each block."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.model import ClassInfo, ModelSpec, Output
from voxloop.prediction import task
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller samples, the same code")
    chosen = parser.parse_args()
    planes, tiles = (12, 100) if chosen.quick else (40, 400)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        unet(base / "unet")
        trivial(base / "trivial")
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 255, (planes, 512, 512)).astype(np.uint8)
        small = rng.integers(0, 255, (tiles, 256, 256)).astype(np.uint8)
        with Workspace.create(base / "ws", image=picture, classes=["a", "b"]) as ws:
            ws.images.add("small", small, copy=True)
            alone = rate(ws, base / "trivial", "small", "local")
            print(f"trivial model, local, one thread: {1000 / alone:.1f} ms a block of 256 x 256")
            rates: dict[int, float] = {}
            for workers in (1, 2):
                with cluster(workers) as client:
                    rates[workers] = rate(ws, base / "unet", "image", client.scheduler.address)
                    print(f"U-Net, {workers} worker(s) of one thread: {rates[workers] * 512 * 512 / 1e6:.3f} Mvoxels/s")
                    if workers == 1:
                        there = rate(ws, base / "trivial", "small", client.scheduler.address)
                        print(f"trivial model, one worker: {1000 / there:.1f} ms a block")
            print(f"two workers against one: {rates[2] / rates[1]:.2f} x")
            print(f"a block more on a cluster than locally: {1000 * (1 / there - 1 / alone):.1f} ms")
    return 0


def cluster(workers: int) -> Any:
    from contextlib import contextmanager

    from distributed import Client, LocalCluster

    @contextmanager
    def made() -> Any:
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as here,
            Client(here, set_as_default=False) as client,
        ):
            yield client

    return made()


def rate(ws: Workspace, model: Path, image: str, engine: str) -> float:
    """Tiles a second over the second half of them, when every worker has opened the model."""
    config = {"engine": engine, "tile_seconds": 1e-6, "scales": False, "threads": 1, "memory_gb": 2.0}
    name = f"r{time.monotonic_ns()}"
    shape = ws.images.info(image).shape
    run = ws.runs.create(
        name,
        "voxloop.prediction.task:run",
        config,
        result="voxloop.prediction:open_result",
        model=str(model),
        image=image,
        region=[[0, n] for n in shape],
    )
    writer = EventWriter(run.path / "events.jsonl")
    context = RunContext(run.path, json.loads((run.path / "config.json").read_text()), writer)
    times: list[tuple[float, int]] = []
    emit = context.emit

    def listening(kind: str, **fields: Any) -> None:
        emit(kind, **fields)
        if kind == "progress" and fields["done"] > 0:
            times.append((time.monotonic(), int(fields["done"])))

    context.emit = listening
    assert task.run(context) == "finished"
    (began, first), (ended, last) = next(item for item in times if item[1] >= times[-1][1] / 2), times[-1]
    return (last - first) / (ended - began)


def unet(folder: Path) -> None:
    import torch

    from voxloop.deep.exchange.torch_model import TorchModel
    from voxloop.deep.networks.network import NetworkConfig, build

    torch.manual_seed(0)
    config = NetworkConfig(architecture="Unet", encoder="tu-mobilenetv4_conv_small", channels=1, outputs=2)
    TorchModel(build(config).eval(), spec(32, network=config.to_json())).save(folder)


def trivial(folder: Path) -> None:
    import torch

    from voxloop.deep.exchange.torch_model import TorchModel

    TorchModel(torch.nn.Conv2d(1, 2, 1), spec(1)).save(folder)


def spec(stride: int, **extra: Any) -> ModelSpec:
    return ModelSpec(
        learner="deep",
        channels=1,
        outputs=(Output(name="classes", kind="semantic", channels=2),),
        classes=(ClassInfo(value=1, name="a"), ClassInfo(value=2, name="b")),
        stride=(1, stride, stride),
        halo=(0, 0, 0) if stride == 1 else None,
        extra=extra,
        normalisation={"mean": [128.0], "deviation": [60.0]},
    )


if __name__ == "__main__":
    raise SystemExit(main())
