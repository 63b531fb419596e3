"""One run as its user holds it: launch, look, control, wait, open what came out. Never computes anything itself."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import RunError
from voxloop.locks import Holder, Lock, holder
from voxloop.runs import addresses, export, orders, process, reasons, spare, tasks, waiting
from voxloop.runs.events import Event, EventReader, EventWriter
from voxloop.runs.history import ALIVE as ALIVE
from voxloop.runs.history import TERMINAL, History, fold
from voxloop.runs.kinds import Kind, kind_of, learner_name
from voxloop.runs.outcome import Outcome, Which, model_folder
from voxloop.runs.queue import device_holder
from voxloop.runs.reasons import RESUMABLE as RESUMABLE
from voxloop.runs.runner import discard, read_config
from voxloop.store.atomic import open_to_read, replace_bytes
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.model import Model

STATES = (
    "created", "queued", "running", "paused", "stopping", "finished", "stopped", "cancelled", "failed", "interrupted",
)  # fmt: skip
#: states that leave nothing to be opened, and how a run came to them
_BECAME = {"failed": "failed", "interrupted": "was interrupted", "cancelled": "was cancelled", "paused": "is paused"}
_LET_GO_SECONDS, _LET_GO_LOOK = 5.0, 0.05
#: what draws and describes a run; by name, since it lies above
_PLOT, _REPORT = "voxloop.review.run_figure:draw", "voxloop.review.run_report:page"


class Run:
    """A run folder: settings that are frozen, a log that grows, and perhaps a process at work on it.

    Holds no process: a run opened in another kernel, or after a restart, shows and controls the same.

    Examples
    --------
    >>> run = ws.runs["shallow-1"]
    >>> run.state, run.kind
    ('finished', 'train')
    >>> run.result
    <ShallowModel ...: cell, background>
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self.config: dict[str, Any] = read_config(self.path)
        self._reader = EventReader(self.path / "events.jsonl")
        self._history = History()
        self._guard = threading.Lock()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def kind(self) -> Kind:
        """What it does: ``"train"``, ``"predict"`` (one image), ``"batch"`` (several), ``"objects"`` or another one."""
        return kind_of(self.config)

    @property
    def learner(self) -> str | None:
        """Who trains: ``"shallow"``, ``"deep"`` or the name of a plugin; None where it is no training of theirs."""
        return learner_name(self.config)

    # ------------------------------------------------------------------------------------------------------- look

    @property
    def history(self) -> History:
        """Everything the run has said so far; the very same object as long as it says nothing new."""
        with self._guard:
            if events := self._reader.read():
                self._history = fold(self._history, events)
            return self._history

    @property
    def state(self) -> str:
        """created, queued, running, paused, stopping, finished, stopped, cancelled, failed or interrupted.

        ``stopping``: an order to stop, cancel or pause is on its way. ``interrupted``: the process ended without a
        word (killed, out of memory, machine restarted); :meth:`resume` goes on from the last checkpoint.
        """
        alive = self._alive()  # before the log: a process that ends now has written its last word before it lets go
        history = self.history
        if not alive:
            return "interrupted" if history.phase in ("queued", "running") or self._unheard() else history.phase
        if history.phase in TERMINAL or history.phase == "paused":
            return "queued" if self._unheard() else history.phase
        if any(order.kind != "update" for order in orders.pending(self._control, history.answered)):
            return "stopping"
        return "running" if history.phase == "running" else "queued"

    @property
    def progress(self) -> float:
        """Share of the work done, 0 to 1."""
        return self.history.progress

    @property
    def outcome(self) -> Outcome | None:
        """Which model a training of a network kept to predict with, and why; None where it has one, or is not done."""
        return Outcome.read(self.path)

    @property
    def holder(self) -> Holder | None:
        """The process at work on this run: pid, host, since when."""
        return holder(self.path / "lock")

    def events(self) -> list[Event]:
        """Every event so far, read anew."""
        return EventReader(self.path / "events.jsonl").read()

    def log_tail(self, lines: int = 20) -> str:
        """The end of what the process printed; where a crash is explained."""
        try:
            with os.fdopen(open_to_read(self.path / "stdout.log"), "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 400 * lines))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    @property
    def note(self) -> str:
        """Words on what this run is for, or how it went; may be set at any time."""
        try:
            with os.fdopen(open_to_read(self.path / "note.txt"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    @note.setter
    def note(self, words: str) -> None:
        replace_bytes(self.path / "note.txt", export.as_note(words))

    # ---------------------------------------------------------------------------------------------------- control

    def launch(self, queue: bool = True) -> Run:
        """Start the process of this run; it outlives this one.

        Where another run uses the device it waits in line, or, with ``queue=False``, is refused. Raises RunError where
        it is running already or has ended for good.
        """
        state = self.state
        if state in ALIVE:
            raise RunError(
                f"run {self.name!r} is {state} already: {self.holder or 'its process has just been started'}"
            )
        if state not in RESUMABLE:
            raise RunError(
                f"run {self.name!r} is {state}; start a new run, with start_from={self.name!r} to go on from it"
            )
        tasks.check(self.config["task"])
        addresses.check(self.name, self.config)
        if not queue and (busy := device_holder(self.config.get("device", "cpu"))):
            raise RunError(f"{self.config['device']} is busy with run {Path(busy.note.get('run', '?')).name!r}")
        self._let_go()
        orders.withdraw(self._control, self.history.answered)
        self._start(queue)
        return self

    def resume(self, queue: bool = True, engine: str | None = None) -> Run:
        """Go on from the last checkpoint, in a new process. Raises RunError where there is nothing to go on with.

        A run that goes to a dask scheduler and was made elsewhere goes there only where ``engine`` names its address.
        """
        addresses.name(engine)
        return self.launch(queue)

    def stop(self) -> None:
        """End it and keep the model learnt so far. A paused run is taken up for as long as that takes."""
        if self.state in ("paused", "interrupted", "failed"):
            self.launch()
        self._order("stop")

    def cancel(self) -> None:
        """End it and leave nothing that it made."""
        if self.state in ALIVE:
            self._order("cancel")
        elif self.state in ("finished", "cancelled"):
            raise RunError(f"run {self.name!r} is {self.state} already; run.delete() removes it")
        else:
            self._cancel_idle()

    def pause(self) -> None:
        """Write a checkpoint and end the process: memory and device are free, :meth:`resume` goes on exactly there."""
        self._order("pause")

    def update(self, **values: Any) -> None:
        """Change settings while it runs, e.g. ``learning_rate=1e-4``; answered by an ``updated`` event."""
        self._order("update", values)

    def delete(self, *, keep: Collection[str] = ()) -> None:
        """Remove the run and all that it made: its prediction, its objects, the models that were saved for it.

        ``keep``: models that were saved for it and that another run is to have, as its config names them. Raises
        RunError while a process is at work on it.
        """
        if self.state in ALIVE:
            raise RunError(f"run {self.name!r} is {self.state}; cancel it before it is deleted")
        self._let_go()
        with self._discard("delete", keep):
            gone = self.path.with_name(f".deleted-{self.name}-{time.time_ns()}")
            self.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------- wait

    def wait(self, timeout: float | None = None) -> str:
        """Block until no process is at work on it any more; the state then (so ask: it may be ``failed``).

        With a bar where somebody looks. Interrupting ends the waiting, not the run. Raises TimeoutError after
        ``timeout`` seconds.
        """
        waiting.wait_for(self, self.pauses(timeout))
        return self.state

    async def finished(self, timeout: float | None = None) -> str:
        """:meth:`wait` for notebooks: ``await run.finished()`` leaves the kernel free meanwhile."""
        await waiting.follow(self, self.pauses(timeout))
        return self.state

    def on_finished(self, fn: Callable[[Run], object]) -> None:
        """Call ``fn(run)`` once no process is at work on it any more; ``run.state`` says how it ended.

        In a thread of this process, and for as long as this process lives: the place for an e-mail or a message.
        """
        waiting.call_when_ended(self, fn)

    def pauses(self, timeout: float | None = None) -> Iterator[float]:
        """Seconds until the next look, until no process is at work on it. Raises TimeoutError, RunError (no start)."""
        return waiting.pauses(self, timeout)

    # ---------------------------------------------------------------------------------------------- what came out

    @property
    def result(self) -> Any:
        """What the run made: the model, the prediction, the objects. Waits for it, with a bar where somebody looks.

        Of a stopped run it is what was kept. Ctrl-C ends the waiting, not the run. Raises RunError where nothing came
        of the run, with the reason and what helps.
        """
        if self.state in ALIVE:
            self.wait()
        self.check()
        return self.open_result()

    def __await__(self) -> Generator[Any, None, Any]:
        """``await run`` is :attr:`result`, and leaves the kernel free meanwhile."""
        return self._wait_for_result().__await__()

    async def _wait_for_result(self) -> Any:
        if self.state in ALIVE:
            await self.finished()
        self.check()
        return self.open_result()

    def check(self) -> None:
        """Raise RunError where nothing came, or has come yet, of the run: why, and what helps."""
        state = self.state
        if state not in _BECAME:
            return
        if state == "failed":
            words = f"{self.history.error}; {self.history.hint}" if self.history.hint else self.history.error
        elif state == "interrupted":
            words = (
                f"its process ended without a word; {self.path / 'stdout.log'} may say why; {reasons.instead(state)}"
            )
        else:
            words = reasons.instead(state)
        raise RunError(f"run {self.name!r} {_BECAME[state]}: {words}")

    def open_result(self) -> Any:
        """What there is so far, without waiting; opened by the function that the config names, else the model."""
        return tasks.load(self.config["result"])(self.path) if self.config.get("result") else self.model()

    @property
    def followed_by(self) -> str | None:
        """Name of the run that this one started when it had ended; None where there is none."""
        return next((event["follows"] for event in reversed(self.history.log) if event.get("follows")), None)

    def model(self, which: Which = "better") -> Model:
        """The trained model. Raises RunError where there is none (yet).

        Parameters
        ----------
        which
            Of a network's run, which has a pixel classifier beside it: ``"better"``, the one that the run kept to
            predict with; ``"network"``; or ``"classifier"``.
        """
        from voxloop.model import load_model

        folder = model_folder(self.path, which)
        if not folder.is_dir():
            raise RunError(f"run {self.name!r} has no model{reasons.why(self.state, self.history)}")
        return load_model(folder)

    def to_csv(self, path: str | Path | None = None) -> Path:
        """Write steps and epochs as a table, into ``exports/`` of the run where no path is given; where it lies."""
        return export.save(export.to_csv(self.history), self._place(path, "csv"))

    def plot(self, path: str | Path | None = None) -> Path:
        """Draw loss and scores; the suffix (``.png``, ``.svg``, ``.pdf``) decides. Needs matplotlib."""
        path = self._place(path, "png")
        picture: bytes = tasks.load(_PLOT)([self], path.suffix.lstrip(".").lower() or "png")
        return export.save(picture, path)

    def report(self, path: str | Path | None = None) -> Path:
        """Write one HTML page that says all of a run: curves, settings, data, versions, held-out scores, lineage."""
        page: str = tasks.load(_REPORT)(self)
        return export.save(page, self._place(path, "html"))

    # ---------------------------------------------------------------------------------------------------- helpers

    def _place(self, path: object, suffix: str) -> Path:
        return export.place(path, RunPlace(self.path).exports / f"{self.name}.{suffix}")

    @property
    def _control(self) -> Path:
        return self.path / "control"

    def _alive(self) -> bool:
        return self.holder is not None or process.lives(self._launch_facts())

    def _launch_facts(self) -> dict[str, Any]:
        """The process that was started last, and how long the log was then."""
        try:
            with os.fdopen(open_to_read(self.path / "launch.json"), encoding="utf-8") as file:
                return dict(json.load(file))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}

    def _unheard(self) -> bool:
        """A process was started that has not said a word yet."""
        with self._guard:
            return self._reader.offset <= int(self._launch_facts().get("offset", -1))

    def _start(self, queue: bool) -> None:
        offset = self._reader.offset
        pid = spare.take(self.config["task"], self.path, queue)
        if pid is None:
            arguments = ["-m", "voxloop.runs", str(self.path), *([] if queue else ["--no-queue"])]
            pid = process.start(arguments, self.path / "stdout.log").pid
        facts = {**process.identity(pid), "offset": offset}
        replace_bytes(self.path / "launch.json", json.dumps(facts).encode())

    def _let_go(self) -> None:
        """A process that has said its last word needs a moment more to end; its lock must be free for what follows."""
        end = time.monotonic() + _LET_GO_SECONDS
        while (holder := self.holder) is not None:
            if time.monotonic() > end:
                raise RunError(
                    f"run {self.name!r} is {self.state}, but {holder} has not let go of it; end that process"
                )
            time.sleep(_LET_GO_LOOK)

    def _order(self, kind: orders.OrderKind, values: dict[str, Any] | None = None) -> None:
        if self.state not in ALIVE:
            raise RunError(f"run {self.name!r} is {self.state}, so it cannot {kind}; {reasons.instead(self.state)}")
        orders.give(self._control, kind, values)

    def _cancel_idle(self) -> None:
        """Nobody is at work on it: say the last word in its stead."""
        with self._discard("cancel"):
            writer = EventWriter(self.path / "events.jsonl")
            writer.emit("cancelled")
            writer.close()

    @contextmanager
    def _discard(self, verb: str, keep: Collection[str] = ()) -> Iterator[None]:
        """What it made is gone, and its lock held."""
        with Lock(self.path / "lock") as lock:
            if not lock.acquire():
                raise RunError(f"run {self.name!r} was taken up by {self.holder} just now; {verb} it again")
            discard(self.path, self.config, keep)
            yield

    def __repr__(self) -> str:
        history, state = self.history, self.state
        share = f" {history.progress:.0%}" if state in ALIVE or state == "paused" else ""
        return f"<Run {self.name!r}: {state}{share}>"
