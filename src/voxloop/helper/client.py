"""The kernel's end of the helper: asks, hands on parts as they come, starts the process anew where it died.

Thread-safe, knows no widget and no learner. Callbacks run on the thread that reads the answers: post from them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from voxloop import errors
from voxloop.errors import RunError, VoxloopError
from voxloop.helper.messages import Sender, receive
from voxloop.helper.planes import Planes

#: what is not said otherwise draws on what is on screen, so a newer one of either kind replaces the older
LANES = {"live": "overlay"}
#: lines of the process's error output that are kept for messages
_LAST_LINES = 20


@dataclass(frozen=True)
class AnswerPart:
    """A rectangle of pixels of the view that was asked for: class values (0: none) and confidence, uint8."""

    rows: slice
    columns: slice
    values: np.ndarray
    confidence: np.ndarray


class Answer:
    """What comes of one request: parts, then a dict.

    ``await answer`` or :meth:`result` give the dict; its ``state`` is ``"done"``, or ``"dropped"`` where a newer one of
    the lane came first. ``async for part in answer.parts()`` gives the parts. Failures are raised as the error of
    :mod:`voxloop.errors` that the handler raised; a process that died is a RunError.
    """

    def __init__(self, kind: str, lane: str, generation: int, planes: Planes | None, on_part: OnPart | None) -> None:
        self.kind = kind
        self.lane = lane
        self.generation = generation
        self.future: Future[dict[str, Any]] = Future()
        self._planes = planes
        self._listeners: list[OnPart] = [on_part] if on_part else []
        self._parts: list[AnswerPart] = []
        self._guard = threading.Lock()

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the last answer, at most ``timeout`` seconds (TimeoutError)."""
        return self.future.result(timeout)

    @property
    def done(self) -> bool:
        return self.future.done()

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        return asyncio.wrap_future(self.future).__await__()

    async def parts(self) -> AsyncIterator[AnswerPart]:
        """Parts as they come, those that came before included; ends with the answer."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[AnswerPart | None] = asyncio.Queue()

        def post(part: AnswerPart | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody listens
                loop.call_soon_threadsafe(queue.put_nowait, part)

        with self._guard:
            for earlier in self._parts:
                queue.put_nowait(earlier)
            self._listeners.append(post)
        self.future.add_done_callback(lambda _: post(None))
        while (part := await queue.get()) is not None:
            yield part

    def _take(self, rows: list[int], columns: list[int]) -> None:
        """A part has been written: copy it out of the shared memory, tell who listens."""
        assert self._planes is not None
        cut = slice(*rows), slice(*columns)
        part = AnswerPart(*cut, self._planes.values[cut].copy(), self._planes.confidence[cut].copy())
        with self._guard:
            self._parts.append(part)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(part)

    def _end(self, done: dict[str, Any] | VoxloopError) -> None:
        if self._planes is not None:
            self._planes.close()
        if isinstance(done, VoxloopError):
            self.future.set_exception(done)
        elif done.get("state") == "failed":
            kind = getattr(errors, str(done.get("error")), RunError)
            self.future.set_exception(kind(done.get("message", "")))
        else:
            self.future.set_result(done)


OnPart = Callable[[AnswerPart], None]


class Helper:
    """One resident process for one workspace, started by the first request.

    Parameters
    ----------
    workspace
        The workspace folder; the process only reads in it.
    idle
        Seconds without a request after which the process ends; the next request starts it again.
    """

    def __init__(self, workspace: str | Path, *, idle: float | None = None) -> None:
        self.workspace = Path(workspace).resolve()
        self._idle = idle
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._generations: dict[str, int] = {}
        self._child: _Child | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process, where one is running."""
        child = self._child
        return child.process.pid if child is not None and child.alive else None

    def request(
        self,
        kind: str,
        *,
        generation: int | None = None,
        lane: str | None = None,
        shape: tuple[int, int] | None = None,
        on_part: OnPart | None = None,
        **fields: Any,
    ) -> Answer:
        """Ask; returns at once.

        Parameters
        ----------
        kind
            ``"live"``, ``"overlay"``, ``"inputs"``, ``"receptive_field"``, ``"encoders"``, ... or ``"forget"``.
        generation
            Grows within a lane; a request replaces every older one of its lane. The next number where not given.
        lane
            Requests that replace each other; ``live`` and ``overlay`` share one.
        shape
            Rows and columns of the planes to come; taken from ``view`` where there is one.
        on_part
            Called for every part, on the reading thread.
        **fields
            Of the kind: see :mod:`voxloop.helper.live` and :mod:`voxloop.helper.overlay`. ``view`` is
            ``{"axis", "index", "box": [[row, row], [column, column]], "step", "focus": [row, column]}``, voxels.

        Raises
        ------
        RunError
            This client was closed, or the process cannot be started.
        """
        lane = lane or LANES.get(kind, kind)
        shape = shape or _shape_of(fields.get("view"))
        with self._guard:
            if self._closed:
                raise RunError("this helper was closed; make another one")
            generation = self._generations.get(lane, 0) + 1 if generation is None else generation
            self._generations[lane] = max(generation, self._generations.get(lane, 0))
            planes = Planes.create(shape) if shape else None
            answer = Answer(kind, lane, generation, planes, on_part)
            if planes is not None:
                fields["planes"] = {"name": planes.name, "shape": list(planes.shape)}
            number = next(self._numbers)
            message = {"number": number, "kind": kind, "lane": lane, "generation": generation, "fields": fields}
            pending = _Asked(number, answer, message)
            try:
                self._living().ask(pending)
            except OSError:
                # it died between the look and the question; one that dies at once again has a reason to tell
                self._living(fresh=True).ask(pending)
        return answer

    def cancel(self, lane: str = "overlay") -> None:
        """Whatever was asked in ``lane`` is not wanted any more."""
        with self._guard:
            child = self._child
            if child is not None and child.alive and lane in self._generations:
                with contextlib.suppress(OSError):
                    child.sender.send({"cancel": lane, "generation": self._generations[lane]})

    def close(self) -> None:
        """End the process; what was asked and not answered fails. Idempotent."""
        with self._guard:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask_again(self, left: list[_Asked]) -> None:
        """The process left for want of requests just as these came."""
        with self._guard:
            if self._closed:
                raise RunError("this helper was closed before it answered")
            for pending in left:
                self._living().ask(pending)

    def _living(self, fresh: bool = False) -> _Child:
        if self._child is None or fresh or not self._child.alive:
            if self._child is not None:
                self._child.end()
            self._child = _Child(self.workspace, self._idle, weakref.WeakMethod(self._ask_again))
            # a helper that nobody holds any more ends its process without being closed
            weakref.finalize(self, self._child.end)
        return self._child


@dataclass(frozen=True)
class _Asked:
    number: int
    answer: Answer
    message: dict[str, Any]


class _Child:
    """One life of the process.

    ``orphaned`` takes the requests that are left where it ended of its own will; it is held weakly.
    """

    def __init__(
        self, workspace: Path, idle: float | None, orphaned: weakref.WeakMethod[Callable[[list[_Asked]], None]]
    ) -> None:
        from voxloop.runs.process import spawn

        arguments = [str(workspace), *([str(idle)] if idle is not None else [])]
        try:
            self.process = spawn(
                ["-m", "voxloop.helper", *arguments],
                detached=True,
                # one BLAS thread: the helper runs a tile a thread, and the kernel must stay responsive
                variables={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise RunError(f"the helper process could not be started: {error}") from error
        self.sender = Sender(_pipe(self.process.stdin))
        self._orphaned = orphaned
        self._asked: dict[int, _Asked] = {}
        self._guard = threading.Lock()
        self._ended = False
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._threads = [
            threading.Thread(target=target, daemon=True, name=f"helper {name}")
            for name, target in (("answers", self._listen), ("errors", self._read_errors))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        return not self._ended and self.process.poll() is None

    def ask(self, pending: _Asked) -> None:
        """Send a request. Raises OSError where the process is gone; the answer is then not held here."""
        with self._guard:
            if self._ended:
                raise BrokenPipeError("the helper process has ended")
            self._asked[pending.number] = pending
        try:
            self.sender.send(pending.message)
        except (OSError, ValueError) as error:
            with self._guard:
                if self._asked.pop(pending.number, None) is None:
                    return  # the reading thread saw the end first, and has told
            raise BrokenPipeError("the helper process has ended") from error

    def end(self) -> None:
        """Close the pipe, which ends the process; wait for it a moment, then insist."""
        with contextlib.suppress(OSError, ValueError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listen(self) -> None:
        stream = _pipe(self.process.stdout)
        while (message := receive(stream)) is not None:
            number = int(message["number"])
            with self._guard:
                pending = self._asked.get(number) if "part" in message else self._asked.pop(number, None)
            if pending is None:
                continue
            if "part" in message:
                pending.answer._take(*message["part"])
            else:
                pending.answer._end(message["done"])
        self._leave()

    def _leave(self) -> None:
        with self._guard:
            self._ended = True
            left, self._asked = list(self._asked.values()), {}
        code = self.process.wait()
        self._threads[1].join(timeout=1)
        again = self._orphaned()
        if left and code == 0 and again is not None:
            with contextlib.suppress(OSError, RunError):
                again(left)
                return
        words = f"; it said: {self._last_lines[-1]}" if self._last_lines else ""
        reason = f"the helper process ended (code {code}) before it answered{words}"
        for pending in left:
            if not pending.answer.done:
                pending.answer._end(RunError(f"{reason}; the next request starts it again"))

    def _read_errors(self) -> None:
        for line in _pipe(self.process.stderr):
            if text := line.decode(errors="replace").strip():
                self._last_lines.append(text)


def wait(answers: list[Answer], timeout: float | None = None) -> None:
    """Until all are answered, failed or dropped."""
    wait_for([answer.future for answer in answers], timeout)


def _pipe(stream: IO[bytes] | None) -> BinaryIO:
    assert stream is not None  # every stream of the process was asked for as a pipe
    return cast("BinaryIO", stream)


def _shape_of(view: dict[str, Any] | None) -> tuple[int, int] | None:
    if not view or not view.get("box"):
        return None
    step = int(view.get("step", 1))
    rows, columns = (max(1, -(-(int(b) - int(a)) // step)) for a, b in view["box"])
    return rows, columns
