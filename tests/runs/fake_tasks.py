"""Tasks for the tests of runs: small, honest users of RunContext. Imported by name in processes of their own."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

from voxloop.errors import ConfigError
from voxloop.runs import RunContext


def train(context: RunContext) -> str:
    """A learner in miniature: counts steps, checkpoints after each epoch, obeys every order."""
    settings = context.settings
    steps, per_epoch, pause = settings.get("steps", 40), settings.get("per_epoch", 10), settings.get("pause", 0.01)
    rate = settings.get("learning_rate", 1e-3)
    step = _last_checkpoint(context.path)
    if context.resuming:
        context.emit("resumed", step=step)
    while step < steps:
        for order in context.orders():
            match order.kind:
                case "update":
                    for what, new in order.values.items():
                        context.emit("updated", what=what, old=rate, new=new, order=order.name)
                        rate = new
                case "stop":
                    return _with_model(context, "stopped", step)
                case "cancel":
                    return "cancelled"
                case "pause":
                    _checkpoint(context, step)
                    return "paused"
        time.sleep(pause)
        step += 1
        context.emit("step", iteration=step, loss=1 / step, lr=rate, samples_per_s=8.0)
        if step % per_epoch == 0:
            _checkpoint(context, step)
            scores = {"loss": 1.1 / step, "iou": {"mito": 1 - 1 / step}}
            context.emit("epoch", epoch=step // per_epoch, iteration=step, train=scores, val=scores, seconds=0.1)
            context.emit("progress", done=step, total=steps)
    return _with_model(context, "finished", step)


def follow(path: Path) -> str:
    """What follows a run: here only a note of it."""
    if json.loads((path / "config.json").read_text())["settings"].get("nothing_follows"):
        raise ConfigError("there is nothing to follow with")
    with (path / "followed").open("a") as file:
        file.write("again ")
    return "next-1"


def endless(context: RunContext) -> str:
    """Says where it is, and obeys at once."""
    context.emit("log", text=f"pid {os.getpid()}")
    step = 0
    while True:
        for order in context.orders():
            if order.kind != "update":
                return {"stop": "stopped", "cancel": "cancelled", "pause": "paused"}[order.kind]
        time.sleep(0.02)
        step += 1
        context.emit("step", iteration=step, loss=1.0, lr=1.0)


def fails(context: RunContext) -> str:
    print("about to fail")
    raise {"config": ConfigError("window_shape=3 is too small; 16 is the smallest"), "memory": MemoryError()}[
        context.settings["how"]
    ]


def full_disk(context: RunContext) -> str:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def wrong_word(context: RunContext) -> str:
    return "done"


def hard_exit(context: RunContext) -> str:
    print("last words", flush=True)
    os._exit(3)


def result(path: Path) -> str:
    return (path / "model" / "steps.txt").read_text()


def forget(path: Path) -> None:
    (path / "forgotten").touch()


def _checkpoint(context: RunContext, step: int) -> None:
    folder = context.path / "checkpoints"
    folder.mkdir(exist_ok=True)
    temporary = folder / ".last.tmp"
    temporary.write_text(json.dumps(step))
    temporary.replace(folder / "last.json")
    context.emit("checkpoint", iteration=step, path="checkpoints/last.json")


def _last_checkpoint(path: Path) -> int:
    file = path / "checkpoints" / "last.json"
    return json.loads(file.read_text()) if file.exists() else 0


def _with_model(context: RunContext, word: str, step: int) -> str:
    (context.path / "model").mkdir(exist_ok=True)
    (context.path / "model" / "steps.txt").write_text(str(step))
    return word


def with_worker(context: RunContext) -> str:
    """Like a learner with a DataLoader worker: a forked child that outlives a killed trainer."""
    worker = os.fork()
    if worker == 0:
        time.sleep(60)
        os._exit(0)
    context.emit("log", text=str(worker))
    return endless(context)
