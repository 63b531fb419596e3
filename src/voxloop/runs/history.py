"""What the events of a run add up to: curves, progress, the best epoch, the last word. Pure: no files, no clock.

``fold(history, events)`` of any prefix and then of the rest equals the fold of all of them. Unknown kinds are from a
newer writer, not errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from voxloop.runs.columns import Columns
from voxloop.runs.events import Event

STEP_COLUMNS = ("iteration", "loss", "lr", "samples_per_s", "epoch", "time")
#: fields that are numbers, and that are mappings, in every event that has them
_NUMBERS = frozenset({
    "time", "epoch", "iteration", "step", "seconds", "eta_s", "done", "total", "place", "plateau", "patience", "voxels",
    "windows", "low", "high", "mean", "memory_bytes", "memory_total", "threads",
    "cpu_seconds",
})  # fmt: skip
_MAPPINGS = frozenset({"train", "val", "versions", "iou", "baseline", "measures", "objects", "settings"})
#: no time, count or number of ours comes near
_HUGE = 1e15
#: states of a run in which a process is at work or in line
ALIVE = ("queued", "running", "stopping")
TERMINAL = ("finished", "stopped", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """One run as its events tell it.

    ``steps`` has the float64 columns ``iteration loss lr samples_per_s epoch time`` (NaN where an event had none);
    ``epochs``, ``samples``, ``checkpoints``, ``warnings`` and ``updates`` are the events themselves, oldest first;
    ``log`` those that a reader of the log wants a line of (started, updated, warning, log, paused, failed, ...).
    ``became`` are settings that were left to the run (``"auto"``), and what they became.
    ``phase`` is the word of the last event that changed it: created, queued, running, paused, or a terminal one.

    Examples
    --------
    >>> history = ws.runs["shallow-1"].history
    >>> history.progress, history.device
    (1.0, 'cpu')
    """

    phase: str = "created"
    steps: Columns = field(default_factory=lambda: Columns(STEP_COLUMNS))
    epochs: tuple[Event, ...] = ()
    samples: tuple[Event, ...] = ()
    checkpoints: tuple[Event, ...] = ()
    warnings: tuple[Event, ...] = ()
    updates: tuple[Event, ...] = ()
    log: tuple[Event, ...] = ()
    started: Event | None = None
    place: int | None = None
    held_by: str | None = None  # the other user whose run has the device that this one waits for
    best: Event | None = None
    test: Event | None = None
    measured: Event | None = None
    last_progress: Event | None = None
    became: Event = field(default_factory=dict)
    answered: frozenset[str] = frozenset()
    error: str | None = None
    hint: str | None = None
    busy_s: float = 0.0
    time: float = 0.0

    @property
    def iteration(self) -> int:
        """Optimiser steps done."""
        return int(self.steps.iteration[-1]) if len(self.steps) else 0

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return int(self.epochs[-1].get("epoch", len(self.epochs))) if self.epochs else 0

    @property
    def progress(self) -> float:
        """Share of the work done, 0 to 1."""
        if self.phase == "finished":
            return 1.0
        return share(self.last_progress)

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, as seen at ``time``; None where nobody can say yet or nothing is running."""
        if self.phase != "running" or self.started is None:
            return None
        estimates = [e for e in (self.last_progress, self.epochs[-1] if self.epochs else None) if e and _known_eta(e)]
        if estimates:
            latest = max(estimates, key=lambda event: _float(event.get("time"), 0.0))
            return max(0.0, float(latest["eta_s"]) - self._since(latest))
        done, before = share(self.last_progress), share(self.started)
        if self.last_progress is None or done - before <= 0.01:
            return None
        rate = (done - before) / max(1e-3, self._since(self.started) - self._since(self.last_progress))
        return max(0.0, (1 - done) / rate - self._since(self.last_progress))

    def _since(self, event: Event) -> float:
        return self.time - _float(event.get("time"), self.time)

    @property
    def epoch_seconds(self) -> float | None:
        """Seconds of one epoch, median of the last five."""
        seconds = [e["seconds"] for e in self.epochs[-5:] if isinstance(e.get("seconds"), int | float)]
        return float(np.median(seconds)) if seconds else None

    @property
    def plateau(self) -> tuple[int, int] | None:
        """Epochs without progress, and how many are allowed; None where the run does not stop by itself."""
        last = self.epochs[-1] if self.epochs else {}
        n, patience = last.get("plateau"), last.get("patience")
        return (int(n), int(patience)) if n is not None and patience else None

    @property
    def memory(self) -> tuple[float, float]:
        """Bytes of the device's memory in use, and all that it has; 0 where nobody said."""
        last = self.last_progress or {}
        return _float(last.get("memory_bytes"), 0.0), _float(last.get("memory_total"), 0.0)

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds of all its processes, and of those that they started; None where nobody counted."""
        counted = [event["cpu_seconds"] for event in self.log if event.get("cpu_seconds") is not None]
        return float(sum(counted)) if counted else None

    @property
    def device(self) -> str | None:
        return self.started.get("device") if self.started else None

    def curve(self, split: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """One line over epochs: epoch numbers and values, both float64; NaN where an epoch has no value.

        ``split`` is "train" or "val"; a metric given per class is averaged over its classes.
        """
        pairs = [(e.get("epoch", i), metric_of(e, split, metric)) for i, e in enumerate(self.epochs, 1)]
        return np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], float)


def fold(history: History, events: Iterable[Event]) -> History:
    """``history`` after ``events``; ``history`` itself where there are none. O(events), whatever came before."""
    steps: list[Event] = []
    for event in events:
        if event.get("kind") == "step":  # appended in batches: by far the most frequent kind
            if isinstance(event.get("iteration"), int | float) and abs(event["iteration"]) < _HUGE:
                steps.append(event)
            continue
        history = _after(_with_steps(history, steps), event)
        steps = []
    return _with_steps(history, steps)


def _with_steps(history: History, steps: Sequence[Event]) -> History:
    if not steps:
        return history
    latest = max(steps, key=lambda event: _float(event.get("time"), 0.0))
    return replace(_at_time_of(history, latest), steps=history.steps.append(steps))


def _at_time_of(history: History, event: Event) -> History:
    """The clock moved on: time of the latest event, and seconds spent at work."""
    now = max(_float(event.get("time"), history.time), history.time)
    # a process that begins ends the time of one that died at work
    working = history.phase == "running" and event["kind"] not in ("queued", "started")
    return replace(history, time=now, busy_s=history.busy_s + (now - history.time if working else 0.0))


def _drop_odd_fields(event: Event) -> Event | None:
    """The event without fields of a type that nobody writes (a log may come from anyone); None where it has no use."""
    event = {name: value for name, value in event.items() if _has_its_type(name, value)}
    if event["kind"] == "test":
        base = event.get("baseline")
        if not isinstance(base, dict) or not isinstance(base.get("iou"), dict) or "iou" not in event:
            return None
        return {**event, "baseline": {"name": "", **(_drop_odd_fields({"kind": "", **base}) or {})}}
    return event


def _has_its_type(name: str, value: object) -> bool:
    if name in _NUMBERS:
        return value is None or (isinstance(value, int | float) and abs(value) < _HUGE)
    return name not in _MAPPINGS or isinstance(value, dict)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _after(history: History, untyped: Event) -> History:
    event = _drop_odd_fields(untyped)
    if event is None:
        return history
    history = _answered(_at_time_of(history, event), event)
    match event["kind"]:
        case "queued":
            return replace(history, phase="queued", place=event.get("place"), held_by=_text(event.get("held_by")))
        case "started":
            last = history.last_progress or {}
            begin = {**event, "done": last.get("done"), "total": last.get("total")}  # where this process begins
            return replace(_logged(history, event), phase="running", started=begin, place=None, error=None, hint=None)
        case "resumed":
            return _back_to(_logged(history, event), event)
        case "epoch":
            return replace(history, epochs=(*history.epochs, event), best=_better(history.best, event))
        case "progress":
            return replace(history, last_progress=event)
        case "checkpoint":
            return replace(history, checkpoints=(*history.checkpoints, event))
        case "became":
            return replace(history, became=history.became | event.get("settings", {}))
        case "sample":
            return replace(history, samples=(*history.samples, event))
        case "updated":
            return replace(_logged(history, event), updates=(*history.updates, event))
        case "warning":
            return replace(_logged(history, event), warnings=(*history.warnings, event))
        case "test":
            return replace(_logged(history, event), test=event)
        case "measured":
            return replace(_logged(history, event), measured=event)
        case "log":
            return _logged(history, event)
        case "failed":
            return replace(_logged(history, event), phase="failed", error=event.get("error"), hint=event.get("hint"))
        case "paused" | "finished" | "stopped" | "cancelled" as word:
            return replace(_logged(history, event), phase=word)
        case _:
            return history


def _logged(history: History, event: Event) -> History:
    return replace(history, log=(*history.log, event))


def _answered(history: History, event: Event) -> History:
    names = {name for name in (event.get("order"), *(event.get("orders") or ())) if isinstance(name, str)}
    return replace(history, answered=history.answered | names) if names else history


def _back_to(history: History, event: Event) -> History:
    """The history without what a resumed process does again: everything after the step it goes on from."""
    last = _float(event.get("step"), math.inf)
    # iterations rise within one process, and every resume cut the tail of the one before: sorted, so search
    count = int(np.searchsorted(history.steps.iteration, last, side="right"))
    epochs = tuple(e for e in history.epochs if _float(e.get("iteration"), -math.inf) <= last)
    best = None
    for epoch in epochs:
        best = _better(best, epoch)
    samples = tuple(s for s in history.samples if _float(s.get("iteration"), -math.inf) <= last)
    return replace(history, steps=history.steps.first(count), epochs=epochs, best=best, samples=samples)


def _better(best: Event | None, epoch: Event) -> Event | None:
    """The writer's word (``best``) where it gives one, else mean validation IoU, else validation loss."""
    if "best" in epoch:
        return epoch if epoch["best"] else best
    score = epoch_score(epoch)
    if score is None:
        return best
    if best is None or score > (epoch_score(best) or -math.inf):
        return epoch
    return best


def epoch_score(epoch: Event) -> float | None:
    """What makes an epoch better than another, larger is better; None where it was not validated."""
    iou, loss = metric_of(epoch, "val", "iou"), metric_of(epoch, "val", "loss")
    if math.isfinite(iou):
        return iou
    return -loss if math.isfinite(loss) else None


def metric_of(epoch: Event, split: str, metric: str) -> float:
    """A metric of an epoch event; NaN where there is none.

    ``"iou"`` is the mean over classes where it is given per class, ``"iou: mito"`` that of one class.
    """
    measure, _, name = metric.partition(": ")
    value = (epoch.get(split) or {}).get(measure)
    if isinstance(value, dict):
        if name:
            return _float(value.get(name), math.nan)
        numbers = [number for v in value.values() if not math.isnan(number := _float(v, math.nan))]
        return sum(numbers) / len(numbers) if numbers else math.nan
    return _float(value, math.nan)


def share(progress: Event | None) -> float:
    """Share done that a progress event tells, 0 to 1."""
    if progress is None:
        return 0.0
    done, total = _float(progress.get("done"), 0.0), _float(progress.get("total"), 0.0)
    return min(1.0, max(0.0, done / total)) if total > 0 else 0.0


def _known_eta(event: Event) -> bool:
    return isinstance(event.get("eta_s"), int | float)


def _float(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < _HUGE else default
