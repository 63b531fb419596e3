"""Where a run's numbers go besides its own log: TensorBoard, MLflow, W&B, or what a plugin offers.

None of them is imported unless a run asks for it. A plugin registers a :class:`Sink` in the entry-point group
``voxloop.sinks``; a run folder names sinks by these names alone, never code.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from voxloop.errors import RunError, unknown
from voxloop.model import resolve

if TYPE_CHECKING:
    from voxloop.runs.context import RunContext
    from voxloop.runs.events import Event

#: by name: the class, and the package that it needs
SINKS = {
    "tensorboard": ("voxloop.runs.tensorboard:TensorBoard", "tensorboard"),
    "mlflow": ("voxloop.runs.sinks:MLflow", "mlflow"),
    "wandb": ("voxloop.runs.sinks:WeightsAndBiases", "wandb"),
}


class Sink(Protocol):
    """Takes the events of a run, in their order; made with a folder inside of the run's, which it may create."""

    def __init__(self, folder: Path) -> None: ...
    def event(self, event: Event) -> None: ...
    def close(self) -> None: ...


def wanted(settings: Mapping[str, Any]) -> list[str]:
    """Names of the sinks that settings ask for, each once."""
    names = ["tensorboard"] if settings.get("tensorboard") else []
    given = settings.get("sinks") or ()
    return list(dict.fromkeys([*names, *(str(name) for name in given)]))


def check(settings: Mapping[str, Any]) -> None:
    """Raises RunError for a sink that there is not, or whose package is not installed."""
    plugins = [point.name for point in entry_points(group="voxloop.sinks")]
    for name in wanted(settings):
        if name in plugins:
            continue
        if name not in SINKS:
            raise RunError(unknown("sink", name, [*SINKS, *plugins]))
        package = SINKS[name][1]
        if find_spec(package) is None:
            raise RunError(f"{package} is not installed: pip install {package}, or leave {name!r} out of sinks")


@contextlib.contextmanager
def listening(context: RunContext) -> Iterator[None]:
    """All sinks that a run asks for hear its events. One that fails is said and left out: the run goes on."""
    with contextlib.ExitStack() as stack:
        for name in wanted(context.settings):
            try:
                sink = _open(name, context.path / name)
            except Exception as error:
                context.emit("warning", text=f"{name} gets no numbers of this run: {error}")
                continue
            stack.callback(_close, name, sink, context)
            context.listen(_Careful(name, sink, context))
        yield


def _close(name: str, sink: Sink, context: RunContext) -> None:
    try:
        sink.close()
    except Exception as error:
        context.emit("warning", text=f"{name} could not be closed: {error}")


def numbers(event: Event) -> list[tuple[str, float]]:
    """The numbers of an event by name: those of steps and epochs."""
    values: list[tuple[str, Any]] = []
    if event["kind"] == "step":
        values = [(f"step/{name}", event.get(name)) for name in ("loss", "lr", "samples_per_s")]
    elif event["kind"] == "epoch":
        for split in ("train", "val"):
            for name, value in (event.get(split) or {}).items():
                parts = value.items() if isinstance(value, dict) else [("", value)]
                values += [(f"{split}/{name}{'/' + key if key else ''}", one) for key, one in parts]
    return [(tag, float(value)) for tag, value in values if isinstance(value, int | float)]


def _open(name: str, folder: Path) -> Sink:
    plugins = {point.name: point for point in entry_points(group="voxloop.sinks")}
    made: Sink = (plugins[name].load() if name in plugins else resolve(SINKS[name][0]))(folder)
    return made


class _Careful:
    """A sink that is heard of once where it fails, and left out from then on."""

    def __init__(self, name: str, sink: Sink, context: RunContext) -> None:
        self._name, self._sink, self._context = name, sink, context
        self._failed = False

    def __call__(self, event: Event) -> None:
        if self._failed:
            return
        try:
            self._sink.event(event)
        except Exception as error:
            self._failed = True
            self._context.emit("warning", text=f"{self._name} gets no further numbers of this run: {error}")


class MLflow:
    """A run of MLflow, on the server that ``MLFLOW_TRACKING_URI`` names, else in a folder of the run."""

    def __init__(self, folder: Path) -> None:
        server = os.environ.get("MLFLOW_TRACKING_URI")
        if not server:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # its newer releases want to be told
        from mlflow.tracking import MlflowClient

        self._client: Any = MlflowClient(server or folder.as_uri())
        known = self._client.get_experiment_by_name("voxloop")
        experiment = known.experiment_id if known else self._client.create_experiment("voxloop")
        self._run = self._client.create_run(experiment, run_name=folder.parent.name).info.run_id

    def event(self, event: Event) -> None:
        when, step = int(1000 * float(event.get("time") or 0)), int(event.get("iteration") or 0)
        for tag, value in numbers(event):
            self._client.log_metric(self._run, tag, value, when, step)

    def close(self) -> None:
        self._client.set_terminated(self._run)


class WeightsAndBiases:
    """A run of W&B, written into a folder of the run and sent nowhere; ``wandb sync`` sends it."""

    def __init__(self, folder: Path) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(project="voxloop", name=folder.parent.name, dir=str(folder), mode="offline")

    def event(self, event: Event) -> None:
        if found := dict(numbers(event)):
            self._run.log(found, step=int(event.get("iteration") or 0))

    def close(self) -> None:
        self._run.finish()
