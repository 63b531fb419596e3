"""Training samples per second against a bare PyTorch loop: the same network, tensors that lie ready in RAM."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxloop.config import DeepConfig
from voxloop.config.augment import Augmentation
from voxloop.config.presets import AUTO
from voxloop.deep.learner import train
from voxloop.deep.networks.device import autocast, cores, move_network, resolve_device, resolve_precision
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.runs.context import QuietContext
from voxloop.runs.orders import Order
from voxloop.store import Store
from voxloop.volumes import open_volume

#: steps at the start that are not counted
_WARM = 2
TARGETS = {"no augmentation": 0.95, "default augmentation": 0.85}


class BareLoop:
    """Forward, cross-entropy, backward, AdamW on a batch that lies ready, in the precision of the run."""

    def __init__(self, config: DeepConfig) -> None:
        self.device = resolve_device(config.device)
        self._precision = resolve_precision(config.precision, self.device)
        description = NetworkConfig(
            architecture=config.architecture,
            encoder=config.encoder,
            channels=1,
            outputs=2,
            decoder_width=config.decoder_width,
        )
        self._network = move_network(build(description), self.device).train()
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=config.learning_rate, fused=True)
        size = (config.batch_size, *config.window[1:])
        pixels = torch.randn(size, device=self.device)[:, None]
        self._pixels = pixels.contiguous(memory_format=torch.channels_last)
        self._labels = torch.randint(0, 2, size, device=self.device)

    def __call__(self, steps: int) -> float:
        """Seconds that so many steps take."""
        self.arrive()
        begin = time.perf_counter()
        for _ in range(steps):
            self._optimiser.zero_grad(set_to_none=True)
            with autocast(self.device, self._precision):
                logits = self._network(self._pixels)
            torch.nn.functional.cross_entropy(logits.float(), self._labels).backward()
            self._optimiser.step()
        self.arrive()
        return time.perf_counter() - begin

    def arrive(self) -> None:
        """Wait until a GPU has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Alternating(QuietContext):
    """The least context that a run needs. Asked for orders, as it is before every step, it takes bare steps first.

    So both meet the same machine, whose speed drifts by a tenth within minutes. They take turns step by step, on a GPU
    by twenty, for to wait for each would keep it from being given the next. ``ours`` are seconds from one look at the
    orders to the next, all that a run does in between included.
    """

    def __init__(self, workspace: Path, config: dict[str, Any], name: str, bare_step: BareLoop) -> None:
        super().__init__(workspace, config, name)
        self.bare_step = bare_step
        self.ours: list[float] = []
        self.bare: list[float] = []
        self._left: float | None = None
        self._asked = 0

    @property
    def turn(self) -> int:
        """Steps that each takes at a time."""
        return 20 if self.bare_step.device.type == "cuda" else 1

    def orders(self) -> list[Order]:
        self._asked += 1
        if (self._asked - 1) % self.turn:
            return []
        if self._left is not None:
            self.bare_step.arrive()
            self.ours.append(time.perf_counter() - self._left)
        self.bare.append(self.bare_step(self.turn))
        self._left = time.perf_counter()
        return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller steps, the same code")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda: twenty times as many steps")
    chosen = parser.parse_args()
    quick, times = chosen.quick, 1 if chosen.device == "cpu" else 20
    config = AUTO.changed(
        max_minutes=None,
        window=(1, 128, 128) if quick else (1, 256, 256),
        scale=1.0,
        epochs=1,
        validation_share=0,
        steps_per_epoch=times * (14 if quick else 82),
        device=chosen.device,
        threads=cores(),
        teacher="none",
    )
    torch.set_num_threads(cores())
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        workspace, labels = make_workspace(Path(folder))
        for name, augmentation in zip(TARGETS, (Augmentation.none(), Augmentation()), strict=True):
            run = workspace / "runs" / name.split()[0]
            run.mkdir(parents=True)
            settings = config.changed(augmentation=augmentation.model_dump()).to_json()
            facts = {"settings": settings, "labels": labels}
            found[name] = Alternating(workspace, facts, run.name, BareLoop(config))
            train(found[name])
    return report(config, found)


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


def report(config: DeepConfig, found: dict[str, Alternating]) -> int:
    print(
        f"{config.architecture}, {config.encoder}, {config.batch_size} x {config.window}, on {config.device} with "
        f"{config.threads} threads"
    )
    print(f"{'':22} {'samples/s':>10} {'bare loop':>10} {'share':>8} {'middle half':>14} {'target':>8}")
    for name, run in found.items():
        ours, bare = np.array(run.ours[_WARM:]), np.array(run.bare[_WARM:-1])
        low, high = np.percentile(bare / ours, [25, 75])
        speeds = [run.turn * config.batch_size / float(np.median(part)) for part in (ours, bare)]
        share = np.median(bare) / np.median(ours)
        print(f"{name:22} {speeds[0]:10.2f} {speeds[1]:10.2f} {share:8.3f} {low:7.2f}-{high:.2f} {TARGETS[name]:>8.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    print(f"peak memory {peak:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
