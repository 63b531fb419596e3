"""A run in words: its state, what it is doing, how long it will take, the lines of its log. Pure: returns text."""

from __future__ import annotations

import time
from typing import Any, Literal

from voxloop.panels.monitor.curves import highest
from voxloop.runs import History
from voxloop.runs.history import metric_of

Look = Literal["", "good", "busy", "warn", "bad"]

#: states of a run that has not ended
AT_WORK = ("queued", "running", "stopping")
#: states in which a model may have come out
ENDED = ("finished", "stopped")
#: state -> how its badge looks
LOOKS: dict[str, Look] = {
    "created": "", "queued": "warn", "running": "busy", "paused": "warn", "stopping": "busy", "finished": "good",
    "stopped": "good", "cancelled": "", "failed": "bad", "interrupted": "bad",
}  # fmt: skip


#: what the agreement with held-out strokes is, and is not
AGREEMENT = (
    "IoU on strokes that were held out of the training. It shows over-fitting, not how good the model is: strokes lie "
    "near each other and on easy or hard places. How good it is, the score says"
)

#: behind the name of a setting that was left to the run
AUTO = " (auto)"
#: what the small numbers beside the curves, and their marks, mean
HELP = {
    "step": "Optimiser steps so far",
    "epoch": "Epochs so far; after each one the held-out strokes are looked at",
    "samples/s": "Training windows in a second",
    "per epoch": "How long an epoch takes, validation included",
    "memory": "Memory of the process, and how much there is",
    "learning rate": "How far a step goes now",
    "plateau": "Epochs without more agreement with held-out strokes; training ends once they reach the patience",
    "kept": "The epoch whose model is saved: the newest that agrees with held-out strokes as much as any, up to chance",
    "highest": "The epoch that agreed most, by no more than chance; the model that is saved has learnt longer",
    "agreement": AGREEMENT,
    "time": "Seconds at work, pauses left out",
    AUTO: "What a setting became that was left to the run",
}
#: said where the epoch that is kept is not the one that agreed most
KEPT_BELOW_HIGHEST = (
    "Kept is the newest epoch that agrees as much as any, up to chance: it has learnt longer than the highest, which "
    "lies above it by no more than chance."
)
_OBJECTS = (("ap50", "AP@0.5"), ("pq", "PQ"))
_METRICS = {
    "iou": "IoU",
    "ap50": "AP@0.5",
    "pq": "PQ",
    "f1": "F1",
    "lr": "learning rate",
    "oks_map": "OKS mAP",
    "oks_mar": "OKS mAR",
    "pck": "PCK (0.2)",
    "median_px": "median distance, pixels",
    "p95_px": "95th percentile of distances, pixels",
    "within_3px": "share of nodes within 3 pixels",
    "count_error": "error of the count, a share",
    "count_error_of_all": "errors of counts added up, a share of all",
}
#: those that are better the lower they are
_LOWER = ("loss", "median_px", "p95_px", "count_error", "count_error_of_all")


def metric_title(metric: str) -> str:
    """``IoU``, ``IoU: mitochondria``: what a metric is called on the page."""
    measure, colon, name = metric.partition(": ")
    return _METRICS.get(measure, measure.replace("_", " ")) + colon + name


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1, which is perfect."""
    return metric.partition("/")[0] not in _LOWER


def plot_title(metric: str, *, pictures: bool = False) -> str:
    """What the curve of a metric over epochs is; ``pictures``: of learners that hold out pictures, not strokes."""
    if pictures:
        return f"On held-out pictures, {metric_title(metric)} (they chose the epoch that is kept, which flatters)"
    return f"Agreement with held-out strokes, {metric_title(metric)} (shows over-fitting, not how good it is)"


def sentence(state: str, history: History, elapsed: float = 0.0) -> str:
    """What the run is doing, in one sentence; ``elapsed`` seconds have passed since its last event."""
    match state:
        case "created":
            return "Not started yet."
        case "queued":
            return _queued(history)
        case "running" if not len(history.steps) and not history.last_progress:
            return f"Getting ready on {_device(history) or 'its device'}; the first numbers come in a moment."
        case "running":
            on = f" on {_device(history)}" if _device(history) else ""
            return f"Running{on}{_remaining(history, elapsed)}."
        case "stopping":
            return "Your order is on its way; the run follows it at its next step."
        case "paused":
            return f"Paused after {_done(history)}. Memory and device are free; Resume goes on exactly there."
        case "finished":
            return f"Finished: {_done(history)} in {duration(history.busy_s)}.{_outcome(history)}"
        case "stopped":
            return f"Stopped after {_done(history)}.{_outcome(history) or ' What it learnt is kept.'}"
        case "cancelled":
            return "Cancelled; nothing it learnt was kept."
        case "failed":
            return "Failed."
        case "interrupted":
            return "Its process ended without saying why. Resume goes on from the last checkpoint."
    return state


def facts(state: str, history: History) -> list[tuple[str, str]]:
    """Name and value of the small numbers beside the curves; only those that are known."""
    pairs = []
    working = state in ("running", "stopping")
    if history.iteration:
        pairs.append(("step", f"{history.iteration:,}".replace(",", "\u2009")))
    if history.epoch:
        pairs.append(("epoch", str(history.epoch)))
    rates = history.steps.samples_per_s[-20:]
    rates = rates[rates == rates]
    if working and len(rates):
        pairs.append(("samples/s", f"{rates.mean():.3g}"))
    if history.epoch_seconds:
        pairs.append(("per epoch", duration(history.epoch_seconds)))
    if working and _memory(history):
        pairs.append(("memory", _memory(history)))
    learning_rate = history.steps.lr[-1:]
    if len(learning_rate) and learning_rate[0] == learning_rate[0]:
        pairs.append(("learning rate", f"{learning_rate[0]:.2g}"))
    if history.plateau:
        epochs, patience = history.plateau
        pairs.append(("plateau", f"{epochs} of {patience}"))
    if history.best is not None:
        pairs.append(("kept", f"epoch {history.best.get('epoch')} of {history.epoch}"))
    if history.busy_s:
        pairs.append(("time", duration(history.busy_s)))
    pairs += [(f"{name.replace('_', ' ')}{AUTO}", value_text(value)) for name, value in history.became.items()]
    return pairs


def value_text(value: Any) -> str:
    """A setting's value in a few letters."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ",".join(value_text(part) for part in value)
    return str(value)


def log_line(event: dict[str, Any]) -> str:
    """One event as a line of the log."""
    match event["kind"]:
        case "epoch":
            return _epoch_line(event)
        case "started":
            again = "taken up again" if event.get("resuming") else "started"
            on = f" on {event['device']}" if event.get("device") not in (None, "auto") else ""
            return f"{again}{on} ({event.get('host')}, process {event.get('pid')})"
        case "resumed":
            return f"goes on from step {event.get('step')}"
        case "updated":
            return f"{event.get('what')} changed from {event.get('old')} to {event.get('new')}"
        case "failed":
            return f"failed: {event.get('error')}" + (f" ({event['hint']})" if event.get("hint") else "")
        case "test":
            return test_words(event)
        case "log" | "warning":
            return str(event.get("text", ""))
        case kind:
            return str(kind)


def test_words(event: dict[str, Any]) -> str:
    """What was found on labels held out to the end, beside the baseline."""
    base = event.get("baseline") or {}
    where = "test block" if event.get("on") == "test" else "validation labels, which chose the epoch"
    objects = event.get("objects") or {}
    more = "".join(f", {words} {objects[key]:.3f}" for key, words in _OBJECTS if objects.get(key) is not None)
    return (
        f"agreement with strokes of the {where}: {_interval(event)}{more}; {base.get('name', 'baseline')} "
        f"{_interval(base)}"
    )


def _interval(score: dict[str, Any]) -> str:
    mean, low, high = (score.get(name) for name in ("mean", "low", "high"))
    if mean is None:
        return "not known"
    if low is None or high is None:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _epoch_line(event: dict[str, Any]) -> str:
    parts = []
    told = (("loss", "loss"), ("agreement", "iou"), ("OKS mAP", "oks_map"), ("F1", "f1"), ("accuracy", "accuracy"))
    for name, metric in told:
        values = {split: metric_of(event, split, metric) for split in ("train", "val")}
        words = [f"{split} {value:.3g}" for split, value in values.items() if value == value]
        if words:
            parts.append(f"{name} {', '.join(words)}")
    line = f"epoch {event.get('epoch', '?')}: {'; '.join(parts)}"
    return f"{line} (kept so far)" if event.get("best") else line


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def about(seconds: float) -> str:
    """A duration as coarse as an estimate is: steps of 5 s, 30 s, minutes."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 600:
        half = round(seconds / 30) / 2
        return f"{half:g} min"
    return duration(60 * round(seconds / 60))


def clock(stamp: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(stamp))


def _memory(history: History) -> str:
    used, total = history.memory
    return f"{used / 1e9:.1f} of {total / 1e9:.0f} GB" if used and total else ""


def _queued(history: History) -> str:
    if history.place is None:
        return "Starting."
    ahead = "one run is" if history.place == 1 else f"{history.place} runs are"
    whose = f" A run of {history.held_by} has it now." if history.held_by else ""
    return f"Waiting in line: {ahead} before it on the same device.{whose} It starts by itself."


def _device(history: History) -> str:
    """The device, once it is known which: ``auto`` names none."""
    return "" if history.device in (None, "auto") else str(history.device)


def _remaining(history: History, elapsed: float) -> str:
    eta = history.eta_s
    return "" if eta is None else f", about {about(max(0.0, eta - elapsed))} to go"


def _done(history: History) -> str:
    if history.epoch:
        steps = f", {history.iteration} steps" if history.iteration else ""
        return f"{history.epoch} epoch{'s' if history.epoch != 1 else ''}{steps}"
    if history.iteration:
        return f"{history.iteration} steps"
    return "all of its work" if history.progress >= 1 else f"{history.progress:.0%} of its work"


def marks(history: History) -> list[tuple[str, str]]:
    """What is marked on the curves: the epoch that is kept, and the one that agreed most where it is another."""
    pairs = [("kept", history.best), ("highest", highest(history))]
    return [(name, f"{name} (epoch {event.get('epoch')})") for name, event in pairs if event is not None]


def _outcome(history: History) -> str:
    """Which model is kept and why, or which epoch; empty where no epoch ended."""
    if words := str((history.test or {}).get("words") or ""):
        return f" {words[0].upper()}{words[1:]}."
    if history.best is None:
        return ""
    epoch, count = history.best.get("epoch"), history.epoch
    return f" Kept is epoch {epoch} of {count}." if count > 1 else ""
