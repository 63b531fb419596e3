"""What a training says of itself: events, speed, time left. Decides nothing about the training; touches no weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import fmean
from typing import Any, Protocol

import torch
from torch import Tensor

from voxloop.deep.begin.material import Material
from voxloop.deep.begin.memory import window_words
from voxloop.deep.networks.device import memory
from voxloop.deep.training.state import TrainingState
from voxloop.runs.context import TaskContext

#: seconds between looks at the losses: each look makes a GPU wait
_LOOK = 0.1
_PROGRESS = 0.5
#: a checkpoint at the end of an epoch is cheap where the time since the last is so many times that of writing it
_CHECKPOINT_SHARE = 20
#: a loss explodes where that of an epoch is so many times the lowest one, or the first, which counts at least so much
_EXPLODED, _ORDINARY = 10.0, 0.3


class EpochScores(Protocol):
    """Loss and measures of an epoch."""

    @property
    def loss(self) -> float: ...
    def to_event(self, names: Sequence[str]) -> dict[str, Any]: ...


class Reporter:
    """Turns steps, epochs and checkpoints into events. Losses are collected on the device and read together."""

    def __init__(self, context: TaskContext, state: TrainingState, classes: list[str]) -> None:
        self.state = state
        self._context = context
        self._classes = classes
        self._pending: list[tuple[int, Tensor, float, int, float]] = []
        self._recent: list[float] = []
        self._device = torch.device("cpu")
        self._lowest_loss, self._exploded = math.inf, False
        now = time.monotonic()
        self._last_step = self._last_look = self._last_checkpoint = self._epoch_began = now
        self._last_clock = context.began  # getting ready takes of the run's time
        self._last_progress = self._checkpoint_seconds = 0.0

    def begin(
        self,
        material: Material,
        parameters: int,
        threads: int,
        kernels: str,
        *,
        resumed: bool,
    ) -> None:
        """Say what begins, or goes on; ``kernels``: in which format the rest is computed, where that is to be said."""
        data, self._device = material.data, material.device
        if resumed:
            self._context.emit("resumed", step=self.state.step)
        else:
            for text in data.warnings:
                self._context.emit("warning", text=text)
        labelled = ", ".join(f"{info.name} {count:,}" for info, count in zip(data.classes, data.counts, strict=True))
        self.log(
            f"{material.description.title}, {parameters / 1e6:.1f} million weights, on {material.device} with "
            f"{threads} threads{_format(material, kernels)}; windows of "
            f"{window_words(material.window)}; labelled voxels that are trained on: {labelled} ({data.shares})"
        )
        if material.thin and not resumed:
            self.log(material.thin_words)
        if material.chosen and not resumed:
            self.log(material.chosen)
        now = time.monotonic()
        self._last_step = self._last_look = self._last_checkpoint = self._epoch_began = now

    def log(self, text: str) -> None:
        self._context.emit("log", text=text)

    def step(self, loss: Tensor, rate: float, samples: int, *, now: bool = False) -> bool:
        """Note an optimiser step; False where a loss since the last look was no number."""
        clock = time.monotonic()
        took = clock - self._last_step
        self._last_step = clock
        self._recent = [*self._recent[-29:], took]
        self._pending.append((self.state.step, loss, rate, samples, took))
        if now or clock - self._last_look >= _LOOK:
            return self.flush()
        return True

    def flush(self) -> bool:
        """Read the losses waiting and emit their steps."""
        self._last_look = time.monotonic()
        if not self._pending:
            return True
        losses = torch.stack([item[1] for item in self._pending]).tolist()
        good = all(math.isfinite(loss) for loss in losses)
        if self._lowest_loss == math.inf and math.isfinite(losses[0]):
            self._lowest_loss = max(losses[0], _ORDINARY)
        for (iteration, _, rate, samples, took), loss in zip(self._pending, losses, strict=True):
            self._context.emit(
                "step",
                iteration=iteration,
                loss=loss,
                lr=rate,
                samples_per_s=samples / max(took, 1e-9),
                epoch=self.state.epoch + 1,
            )
        self._pending.clear()
        if self._last_look - self._last_progress >= _PROGRESS:
            self._last_progress = self._last_look
            used, most = memory(self._device)
            self._context.emit(
                "progress",
                done=self.state.step,
                total=self.state.total,
                eta_s=self._eta(),
                memory_bytes=used,
                memory_total=most,
            )
        return good

    def epoch(self, train: EpochScores, validation: EpochScores | None, best: bool) -> None:
        """Say how an epoch went, and warn where the loss explodes."""
        now = time.monotonic()
        state = self.state
        self._warn_of_explosion(train.loss)
        self._context.emit(
            "epoch",
            epoch=state.epoch,
            iteration=state.step,
            train=train.to_event(self._classes),
            val=validation.to_event(self._classes) if validation else None,
            best=best,
            seconds=now - self._epoch_began,
            eta_s=self._eta(),
            plateau=state.plateau,
            patience=state.live["patience"],
        )
        self._epoch_began = self._last_step = now

    def _warn_of_explosion(self, loss: float) -> None:
        if not math.isfinite(loss):
            return
        if loss > _EXPLODED * self._lowest_loss and not self._exploded:
            self._exploded = True
            slower = f"{float(self.state.live['learning_rate']) / 10:.2g}"
            self._context.emit(
                "warning",
                text=f"the training loss has grown from {self._lowest_loss:.3g} to {loss:.3g}: the steps are too "
                f"large; lower the learning rate to {slower}, or begin again with learning_rate={slower}",
            )
        self._lowest_loss = min(self._lowest_loss, loss)

    def sample(self, path: str, window: int) -> None:
        self._context.emit("sample", path=path, window=window, epoch=self.state.epoch, iteration=self.state.step)

    def checkpoint(self, name: str, seconds: float) -> None:
        """Say that a checkpoint was written, which took so many seconds."""
        self._context.emit("checkpoint", name=name, path=f"checkpoints/{name}", iteration=self.state.step)
        self._last_checkpoint = self._last_step = time.monotonic()
        self._checkpoint_seconds = seconds

    def checkpoint_due(self, minutes: float, *, epoch_ended: bool) -> bool:
        """Whether it is time for a checkpoint: after so many minutes, and after each epoch where that is cheap."""
        since = time.monotonic() - self._last_checkpoint
        cheap = since >= _CHECKPOINT_SHARE * self._checkpoint_seconds
        return (since >= 60 * minutes or (epoch_ended and cheap)) and self.flush()

    def clocked(self) -> TrainingState:
        """The state, with the seconds since the last look at the clock added."""
        now = time.monotonic()
        self.state.elapsed += now - self._last_clock
        self._last_clock = now
        return self.state

    def step_seconds(self) -> float:
        """Seconds of an optimiser step, of the last ones: the mean of all but the longest, since a busy machine halts
        some of them, and a look at the files or at other windows is no step."""
        recent = sorted(self._recent[-20:])
        return fmean(recent[: max(1, len(recent) - len(recent) // 10 - 1)]) if recent else 0.0

    def resume_clock(self) -> None:
        """What went before was no step."""
        self._last_step = time.monotonic()

    def _eta(self) -> float:
        return (self.state.total - self.state.step) * self.step_seconds()


def _format(material: Material, kernels: str) -> str:
    """In which formats a GPU computes, as a part of a sentence; nothing of a processor."""
    name = str(material.precision).removeprefix("torch.")
    half = f", forward in {name}" if name != "float32" else ""
    return f"{half}, {kernels}" if kernels else half
