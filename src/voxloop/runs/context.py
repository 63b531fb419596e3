"""What a task sees of its run: settings, a place to write, a voice and an ear. Knows no learner."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from voxloop.runs.events import Event, EventReader, EventWriter, plain
from voxloop.runs.history import History, fold
from voxloop.runs.orders import Order, pending
from voxloop.store.layout import Layout, RunPlace

#: name of the pause order that a signal gives; it has no file
SIGNALLED = "SIGTERM"


class TaskContext(Protocol):
    """What a task, or what comes before and after one, sees of a run.

    A :class:`RunContext` in the process that runs it; a :class:`QuietContext` where nothing runs (yet).
    """

    path: Path
    config: dict[str, Any]
    began: float

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> dict[str, Any]: ...

    @property
    def workspace(self) -> Path: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def device(self) -> str: ...

    @property
    def history(self) -> History: ...

    @property
    def resuming(self) -> bool: ...

    def emit(self, kind: str, **fields: Any) -> None: ...

    def orders(self) -> list[Order]: ...

    def peek(self) -> list[Order]: ...


class RunFacts:
    """Where a run lies, what its config says, and when its work began (``time.monotonic``)."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config
        self.began = time.monotonic()

    @property
    def name(self) -> str:
        """The name of its folder, whatever its config says."""
        return self.path.name

    @property
    def settings(self) -> dict[str, Any]:
        """The validated settings of the learner, as JSON holds them."""
        return dict(self.config.get("settings", {}))

    @property
    def workspace(self) -> Path:
        """The workspace folder that the run belongs to."""
        return self.layout.root

    @property
    def layout(self) -> Layout:
        """Where things lie in the workspace that the run belongs to."""
        return Layout.of_run(self.path)

    @property
    def device(self) -> str:
        return str(self.config.get("device", "cpu"))

    @property
    def resuming(self) -> bool:
        """An earlier process of this run left a checkpoint."""
        folder = RunPlace(self.path).checkpoints
        return folder.is_dir() and any(entry.name[0] != "." for entry in folder.iterdir())


class QuietContext(RunFacts):
    """Tells nobody, is ordered nothing: for what is shown before a run, and for further processes of one."""

    history = History()

    def __init__(self, workspace: Path, config: dict[str, Any], name: str = "-") -> None:
        super().__init__(Layout(workspace).run(name), config)

    def emit(self, kind: str, **fields: Any) -> None:
        """Nothing: nobody listens."""

    def orders(self) -> list[Order]:
        return []

    peek = orders


class RunContext(RunFacts):
    """Handed to the task of a run, in the process that runs it.

    Attributes
    ----------
    path
        The run folder; the task writes ``checkpoints/``, ``model/`` and ``samples/`` in it.
    config
        ``config.json`` as it is.
    history
        What earlier processes of this run had written when this one started.
    """

    def __init__(
        self, path: Path, config: dict[str, Any], writer: EventWriter, signalled: Callable[[], bool] = lambda: False
    ) -> None:
        super().__init__(path, config)
        self.history = fold(History(), EventReader(path / "events.jsonl").read())
        self._writer = writer
        self._signalled = signalled
        self._answered = set(self.history.answered)
        self._read: set[str] = set()
        self._pause_said = False
        self._sinks: list[Callable[[Event], object]] = []

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one line to ``events.jsonl``; from any thread. Kinds and fields: :mod:`voxloop.runs.events`."""
        for name in (fields.get("order"), *fields.get("orders", ())):
            if name:
                self._answered.add(name)
        self._writer.emit(kind, **fields)
        for sink in self._sinks:
            sink({"kind": kind, "time": time.time(), **plain(fields)})

    def listen(self, sink: Callable[[Event], object]) -> None:
        """Give every further event to ``sink`` as well."""
        self._sinks.append(sink)

    def orders(self) -> list[Order]:
        """Orders given since the last call, oldest first; ask once an optimiser step or tile.

        Answer an update with ``emit("updated", what=..., old=..., new=..., order=order.name)``; stop, cancel and pause
        by returning ``"stopped"``, ``"cancelled"`` or ``"paused"``. SIGTERM (what a cluster sends before it takes the
        machine) reads as a pause.
        """
        new = self.peek()
        self._read |= {order.name for order in new}
        self._pause_said = self._pause_said or any(order.name == SIGNALLED for order in new)
        return new

    def peek(self) -> list[Order]:
        """What :meth:`orders` would give, without taking it."""
        orders = [o for o in pending(self.path / "control", self._answered) if o.name not in self._read]
        return [*orders, Order(kind="pause", name=SIGNALLED)] if self._signalled() and not self._pause_said else orders

    def unanswered(self) -> list[str]:
        """Names of orders that no event has named yet; the last event names them all."""
        return [order.name for order in pending(self.path / "control", self._answered)]
