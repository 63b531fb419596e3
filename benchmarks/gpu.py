"""What only a GPU can tell, in one script of at most eight minutes: numbers, speed, resume, memory, prediction.

``--device cpu --quick`` runs all of it that a processor can, small, to see that the script itself is sound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.training import _WARM, Alternating, BareLoop, make_workspace
from voxloop.config import PredictConfig
from voxloop.config.augment import Augmentation
from voxloop.config.presets import AUTO
from voxloop.deep.learner import train
from voxloop.deep.networks.device import autocast, cores, lay_out, resolve_device, resolve_precision
from voxloop.deep.training.model_folder import load_kept_network
from voxloop.deep.transfer import runtime
from voxloop.runs import Run, runner
from voxloop.runs.context import QuietContext
from voxloop.runs.orders import Order
from voxloop.workspace.workspace import Workspace

#: minutes that the parts may begin in; what would begin later is left out, and said
_MINUTES = 7.0
_PARTS = ("equality", "resume", "memory", "throughput", "prediction")
#: bytes of a GPU that the part on memory may take
_LITTLE = 3 << 30


@dataclass(frozen=True)
class Row:
    """One line of the table; ``met`` is None where nothing was to be met, or nothing could be measured."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None


class Noting(QuietContext):
    """The least context that a run needs; keeps what it says. Paused before step ``pause_at``, where that is given."""

    def __init__(self, workspace: Path, config: dict[str, Any], name: str, pause_at: int | None = None) -> None:
        super().__init__(workspace, config, name)
        self.path.mkdir(parents=True, exist_ok=True)
        self.events: list[dict[str, Any]] = []
        self._left = pause_at

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append({"kind": kind, **fields})

    def orders(self) -> list[Order]:
        if self._left is None:
            return []
        self._left -= 1
        return [Order(kind="pause", name="pause")] if self._left == -1 else []

    def losses(self) -> np.ndarray:
        return np.array([event["loss"] for event in self.events if event["kind"] == "step"])


class Checks:
    """All parts on one device, on one small workspace."""

    def __init__(self, folder: Path, device: torch.device, quick: bool) -> None:
        self._folder, self._device, self._quick = folder, device, quick
        self._workspace, self._labels = make_workspace(folder)
        side = 64 if quick else 256
        self._config = AUTO.changed(
            max_minutes=None,
            window=(1, side, side),
            scale=1.0,
            epochs=1,
            validation_share=0,
            steps_per_epoch=6 if quick else 20,
            device=str(device),
            threads=cores(),
            teacher="none",
            compare_with="none",
        )

    def _run(self, name: str, pause_at: int | None = None, **changes: Any) -> Noting:
        settings = self._config.changed(**changes).to_json()
        context = Noting(self._workspace, {"settings": settings, "labels": self._labels}, name, pause_at)
        train(context)
        return context

    def equality(self) -> Iterator[Row]:
        """Losses in float32 against those of the processor."""
        exact: dict[str, Any] = {"precision": "float32", "augmentation": Augmentation.none().model_dump()}
        here = self._run("equal", **exact).losses()
        there = self._run("equal-cpu", device="cpu", **exact).losses()
        off = float(np.abs(here - there).max() / np.abs(there).max())
        yield Row(f"losses of {len(here)} steps against the CPU, float32", f"{off:.1e}", "<= 1e-3", off <= 1e-3)

    def throughput(self) -> Iterator[Row]:
        """Steps against a bare loop on tensors that lie ready on the device."""
        steps = 14 if self._quick else 800
        for name, augmentation in (("plain", Augmentation.none()), ("augmented", Augmentation())):
            config = self._config.changed(augmentation=augmentation.model_dump(), steps_per_epoch=steps)
            facts = {"settings": config.to_json(), "labels": self._labels}
            run = Alternating(self._workspace, facts, f"speed-{name}", BareLoop(config))
            run.path.mkdir(parents=True)
            train(run)
            ours, bare = np.median(run.ours[_WARM:]), np.median(run.bare[_WARM:-1])
            share, speed = float(bare / ours), run.turn * config.batch_size / float(ours)
            yield Row(
                f"training, {name}: {speed:.0f} windows/s, of a bare loop", f"{share:.3f}", ">= 0.95", share >= 0.95
            )

    def resume(self) -> Iterator[Row]:
        """A run that was paused and went on, against one that was not."""
        whole = self._run("whole")
        name, half = "halves", self._config.steps_per_epoch // 2
        self._run(name, pause_at=half)
        again = self._run(name)
        one, other = (load_file(run.path / "model" / "weights.safetensors") for run in (whole, again))
        off = max(float((one[key].double() - other[key].double()).abs().max()) for key in one)
        words = "bit for bit" if not off else f"off by {off:.1e}"
        exact = self._device.type == "cpu"
        yield Row("resume, weights", words, "bit for bit" if exact else "<= 1e-2", off == 0 if exact else off <= 1e-2)

    def memory(self) -> Iterator[Row]:
        """A batch that does not fit into what this process may have."""
        if self._device.type != "cuda":
            yield Row("out of memory", "only on a GPU of NVIDIA")
            return
        number = torch.cuda.current_device() if self._device.index is None else self._device.index
        total = torch.cuda.mem_get_info(number)[1]
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(min(1.0, _LITTLE / total), number)
        try:
            run = self._run("little", batch_size=256, steps_per_epoch=4)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, number)
        halved = [event["text"] for event in run.events if "out of memory" in str(event.get("text"))]
        done = len(run.losses()) == 4
        yield Row(
            f"out of memory in {_LITTLE >> 30} GiB: halved {len(halved)} times",
            "goes on" if done else "ends",
            "goes on",
            done,
        )

    def prediction(self) -> Iterator[Row]:
        """A plane on disk, read, predicted, decoded and written, against the bare forward of its windows in RAM."""
        side = 512 if self._quick else 16384
        with Workspace.open(self._workspace) as ws:
            name = self._big_image(ws, side)
            trained = self._run("for-prediction")
            config = PredictConfig(device=str(self._device), precision="auto", scales=False)
            with _in_this_process():
                seconds = []
                for turn in ("warm", "timed"):
                    began = time.perf_counter()
                    state = ws.predict(trained.path / "model", image=name, name=turn, config=config).state
                    seconds.append(time.perf_counter() - began)
        bare = self._bare(trained.path / "model", side)
        share = bare / seconds[-1]
        speed = side**2 / seconds[-1] / 1e6
        yield Row(
            f"prediction of {side}^2 ({state}): {speed:.0f} Mvoxel/s, of the bare forward",
            f"{share:.2f}",
            ">= 0.90",
            share >= 0.9,
        )

    def _big_image(self, ws: Workspace, side: int) -> str:
        rng = np.random.default_rng(1)
        tile = rng.integers(0, 255, (512, 512), np.uint8)
        array = np.tile(tile, (side // 512, side // 512))[None]
        path = self._folder / "big.npy"
        np.save(path, array)
        ws.images.add("big", path, spacing=0.01)
        return "big"

    def _bare(self, folder: Path, side: int) -> float:
        """Seconds of the forward alone, in the same number format."""
        network = load_kept_network(folder.parent, self._device)
        window, precision = min(side, 2048), resolve_precision("auto", self._device, predicting=True)
        pixels = lay_out(torch.randn(1, 1, window, window).to(self._device))
        with torch.inference_mode(), autocast(self._device, precision):
            network(pixels)
            self._arrive()
            began = time.perf_counter()
            for _ in range((side // window) ** 2):
                network(pixels)
            self._arrive()
        return time.perf_counter() - began

    def _arrive(self) -> None:
        module = runtime(self._device)
        if module is not None:
            module.synchronize(self._device)


@contextmanager
def _in_this_process() -> Iterator[None]:
    """Runs are computed here: to start a process takes longer than what is measured."""

    def launch(run: Run, queue: bool = True) -> Run:
        runner.run(run.path, queue=queue)
        return run

    with patch.object(Run, "launch", launch):
        yield


def tried(part: Callable[[], Iterator[Row]]) -> list[Row]:
    """The rows of a part; what it failed with is one."""
    try:
        return list(part())
    except Exception as error:
        return [Row(part.__name__, f"failed: {type(error).__name__}: {error}", "to run", met=False)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, to see that the script is sound")
    parser.add_argument("--part", action="append", choices=_PARTS, help="only this part; may be given several times")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu for what a processor can")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: --device cpu --quick runs what a processor can")
        return 0
    device = resolve_device(chosen.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{cores()} cores"
    learns, predicts = (str(resolve_precision("auto", device, use)).removeprefix("torch.") for use in (False, True))
    print(f"{name}, torch {torch.__version__}, auto learns in {learns} and predicts in {predicts}", flush=True)
    began, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(Path(folder), device, chosen.quick)
        for part in [getattr(checks, name) for name in chosen.part or _PARTS]:
            if time.monotonic() - began > 60 * _MINUTES:
                rows.append(Row(part.__name__, "left out: no time"))
                continue
            for row in tried(part):
                rows.append(row)
                verdict = {None: "", True: "met", False: "MISSED"}[row.met]
                print(f"{row.what:72} {row.value:>14} {row.target:>12} {verdict}", flush=True)
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    return int(any(row.met is False for row in rows) and device.type != "cpu")


if __name__ == "__main__":
    sys.exit(main())
