"""What the first training of a process spends its first seconds on, done in advance. Leaves nothing behind."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voxloop.config.presets import AUTO
from voxloop.runs.context import RunContext, TaskContext
from voxloop.runs.events import EventWriter
from voxloop.runs.folder import Runs
from voxloop.runs.runner import read_config
from voxloop.store import Store
from voxloop.store.teaching import freeze

#: imported by what is called in a training, not by the modules that call it
_LATE = (
    "dask.array", "xarray", "zarr", "imageio.plugins.pillow", "threadpoolctl",
    "voxloop.volumes.formats.registry", "voxloop.store.teaching", "voxloop.shallow.learner",
    "scipy.ndimage", "scipy.optimize", "scipy.stats", "sklearn.ensemble",
)  # fmt: skip


def warm(train: Callable[[TaskContext], str], task: str) -> None:
    """Import what a training imports late, and train for one small step with the network that we recommend.

    What is done for the first time takes half as long again: tables that torch, zarr and pydantic fill.

    Parameters
    ----------
    train, task
        What trains, and its dotted name.
    """
    for name in _LATE:
        importlib.import_module(name)
    with TemporaryDirectory() as folder:
        _rehearse(Path(folder), train, task)


def _rehearse(folder: Path, train: Callable[[TaskContext], str], task: str) -> None:
    """Train on a made-up picture of two classes, in a folder."""
    picture = np.zeros((1, 64, 64), np.uint8)
    picture[:, 32:] = 200
    config = AUTO.changed(
        window="1,64,64",
        batch_size=2,
        epochs=1,
        steps_per_epoch=1,
        max_minutes=None,
        teacher="none",
        compare_with="none",
        device="cpu",  # an idle process takes no part of a GPU
    )
    with Store.create(folder / "rehearsal", picture, ["dark", "bright"]) as store:
        labels = store.labels()
        for value, row in enumerate((8, 56), 1):
            labels.paint(axis="z", index=0, points=[(row, 8), (row, 56)], radius=4, value=value)
        labels.flush()
        facts = freeze(store, config)
    run = Runs(folder / "rehearsal" / "runs").create("rehearsal", task, config.changed(level=facts["level"]), **facts)
    writer = EventWriter(run.path / "events.jsonl")
    try:
        train(RunContext(run.path, read_config(run.path), writer))
    finally:
        writer.close()
