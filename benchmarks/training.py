"""Training samples per second against a bare PyTorch loop: the same network, tensors that lie ready in RAM."""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxloop.config import DeepConfig
from voxloop.config.augment import Augmentation
from voxloop.deep.device import cores, placed
from voxloop.deep.learner import train
from voxloop.deep.networks import NetworkConfig, build
from voxloop.store import Store
from voxloop.volumes import open_volume

TARGETS = {"no augmentation": 0.9, "default augmentation": 0.8}


@dataclass
class Listener:
    """The least context that a run needs: its events are kept with the time they came."""

    path: Path
    config: dict[str, Any]
    workspace: Path
    events: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.config["settings"])

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append((time.perf_counter(), kind, fields))

    def orders(self) -> list[Any]:
        return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller steps, the same code")
    quick = parser.parse_args().quick
    config = DeepConfig(
        window=(1, 128, 128) if quick else (1, 256, 256), scale=1.0, epochs=1, steps_per_epoch=12 if quick else 24,
        validation_share=0, device="cpu", threads=cores(), teacher="none",
    )  # fmt: skip
    rounds = 2 if quick else 7  # one scatters by a tenth
    found: dict[str, list[float]] = {"bare loop": [], **{name: [] for name in TARGETS}}
    with tempfile.TemporaryDirectory() as folder:
        workspace, labels = make_workspace(Path(folder))
        for turn in range(rounds):  # in turns, so that a slow minute of the machine hits all of them
            found["bare loop"].append(bare(config))
            for name, augmentation in zip(TARGETS, (Augmentation.none(), Augmentation()), strict=True):
                run = workspace / "runs" / f"{name.split()[0]}-{turn}"
                run.mkdir(parents=True)
                settings = config.changed(augmentation=augmentation.model_dump()).to_json()
                found[name].append(ours(Listener(run, {"settings": settings, "labels": labels}, workspace)))
    return report(config, found)


def bare(config: DeepConfig) -> float:
    """Median samples per second of forward, cross-entropy, backward, AdamW on a batch that lies ready."""
    torch.set_num_threads(config.threads or 1)
    description = NetworkConfig(
        architecture=config.architecture,
        encoder=config.encoder,
        channels=1,
        outputs=2,
        decoder_width=config.decoder_width,
    )
    network = placed(build(description), torch.device("cpu")).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, fused=True)
    _, height, width = config.window
    pixels = torch.randn(config.batch_size, 1, height, width).contiguous(memory_format=torch.channels_last)  # type: ignore[arg-type]
    labels = torch.randint(0, 2, (config.batch_size, height, width))  # type: ignore[arg-type]
    took = []
    for _ in range(config.steps_per_epoch):
        begin = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(pixels), labels).backward()
        optimiser.step()
        took.append(time.perf_counter() - begin)
    return config.batch_size / statistics.median(took[2:])


def ours(context: Listener) -> float:
    """Median samples per second of a run's steps, as its events say."""
    train(context)
    speeds = [fields["samples_per_s"] for _, kind, fields in context.events if kind == "step"]
    return statistics.median(speeds[2:])


def make_workspace(folder: Path) -> tuple[Path, dict[str, int]]:
    """A noisy stack with two classes labelled in blocks."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (8, 768, 768), np.uint8)
    labels = np.zeros(picture.shape, np.uint8)
    labels[2, 100:300, 100:700] = 1
    labels[5, 400:600, 100:700] = 2
    with_labels = Store.create(folder / "ws", image=open_volume(picture, spacing=0.01), classes=["one", "two"])
    try:
        found = with_labels.labels()
        found.write(None, labels)
        found.flush()
        return with_labels.path, {f"{found.level.name}/{with_labels.images.names[0]}": found.sequence}
    finally:
        with_labels.close()


def report(config: DeepConfig, found: dict[str, list[float]]) -> int:
    base = statistics.median(found["bare loop"])
    print(f"{config.architecture}, {config.encoder}, {config.batch_size} x {config.window}, {config.threads} threads")
    print(f"{'':22} {'samples/s':>10} {'share':>8} {'target':>8}")
    for name, speeds in found.items():
        share = statistics.median(ours / bare for ours, bare in zip(speeds, found["bare loop"], strict=True))
        target = f">= {TARGETS[name]:.2f}" if name in TARGETS else ""
        print(f"{name:22} {statistics.median(speeds):10.2f} {share:8.2f} {target:>8}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    print(f"peak memory {peak:.0f} MiB; bare loop {base:.2f} samples/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
