"""The one thread that owns every widget and runs every handler. Knows nothing of panels.

Widgets are not thread-safe, and in Jupyter a callback may arrive on the main thread, on a subshell's thread, or late,
because a cell is running. So one daemon thread with an asyncio loop of its own makes all widgets, changes all widgets
and runs all handlers; everybody else posts to it. A widget made on that thread is *adopted*: its messages are handed
over to the loop whichever thread receives them, and are freed from the main shell, so that a click is heard while a
cell blocks.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar, ParamSpec, TypeVar

from comm import get_comm_manager
from ipywidgets import Widget

from voxloop.panels.base.thin import make_thin

log = logging.getLogger("voxloop.panels")

P = ParamSpec("P")
T = TypeVar("T")
_Report = Callable[[BaseException], None]


def _log_error(error: BaseException) -> None:
    log.error("%s: %s", type(error).__name__, error, exc_info=error)


class Timer:
    """A repeating call on the loop; :meth:`cancel` ends it, :meth:`fire` runs it now (tests)."""

    def __init__(self, loop: UiLoop, seconds: float, fn: Callable[[], object], report: _Report) -> None:
        self._loop, self.seconds, self._fn, self._report = loop, seconds, fn, report
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def fire(self) -> None:
        if not self.cancelled:
            self._loop._guarded(self._fn, (), self._report)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self.fire()
        if not self.cancelled:  # the pause counts from the end, so a slow call never piles up
            loop.call_later(self.seconds, self._tick, loop)


class UiLoop:
    """Run widget code on one thread, whichever thread asks. Use :meth:`get`; there is one in a process.

    ``synchronous=True`` makes a loop without a thread for tests: everything posted runs at once, timers fire when
    told (:meth:`Timer.fire`), and tasks run in :meth:`settle`.
    """

    _instance: ClassVar[UiLoop | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, *, synchronous: bool = False) -> None:
        self.synchronous = synchronous
        self.timers: list[Timer] = []
        self._loop = asyncio.new_event_loop()
        self._tasks: set[Future[Any] | asyncio.Task[Any]] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        if not synchronous:
            self._thread = threading.Thread(target=self._loop.run_forever, name="voxloop-ui", daemon=True)
            self._thread.start()

    @classmethod
    def get(cls) -> UiLoop:
        """The loop of this process, started on first use."""
        with cls._lock:
            if cls._instance is None:
                cls._instance = cls()
                _adopt_new_widgets()
                _adopt_control()
            return cls._instance

    @classmethod
    @contextmanager
    def using(cls, loop: UiLoop) -> Iterator[UiLoop]:
        """Make ``loop`` the one that :meth:`get` returns, for a while (tests)."""
        previous, cls._instance = cls._instance, loop
        try:
            yield loop
        finally:
            cls._instance = previous
            loop.shutdown()

    @property
    def is_current(self) -> bool:
        """Whether the caller is on the thread that owns the widgets."""
        return self.synchronous or threading.current_thread() is self._thread

    def post(self, fn: Callable[..., object], *args: Any, report: _Report = _log_error) -> None:
        """Run ``fn(*args)`` on the loop, later and in order; returns at once. Errors go to ``report``."""
        if self.synchronous:
            self._guarded(fn, args, report)
        else:
            self._loop.call_soon_threadsafe(self._guarded, fn, args, report)

    def call(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run ``fn`` on the loop and wait for its value; errors are raised here. Direct when already on the loop."""
        if self.is_current:
            return fn(*args, **kwargs)
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(fn(*args, **kwargs))
            except BaseException as error:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(work)
        return answer.result()

    def every(self, seconds: float, fn: Callable[[], object], *, report: _Report = _log_error) -> Timer:
        """Call ``fn`` again and again with ``seconds`` between the end of one call and the start of the next."""
        timer = Timer(self, seconds, fn, report)
        if self.synchronous:
            self.timers.append(timer)
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, timer._tick, self._loop)
        return timer

    def create_task(self, work: Coroutine[Any, Any, T], *, report: _Report = _log_error) -> Future[T] | asyncio.Task[T]:
        """Run a coroutine on the loop. The reference is kept until it ends; what it raises goes to ``report``."""
        task: Future[T] | asyncio.Task[T]
        task = self._loop.create_task(work) if self.synchronous else asyncio.run_coroutine_threadsafe(work, self._loop)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._task_done(ended, report))
        return task

    def run_in_thread(
        self,
        fn: Callable[[], T],
        done: Callable[[T], object] | None = None,
        *,
        report: _Report = _log_error,
    ) -> None:
        """Run ``fn()`` off the loop, then ``done(value)`` on it. For anything that may take more than ~20 ms."""
        if self.synchronous:
            self._guarded(lambda: self._finish(fn(), done), (), report)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="voxloop-ui-work")
        future = self._pool.submit(fn)

        def answer(ended: Future[T]) -> None:
            self.post(lambda: self._finish(ended.result(), done), report=report)

        future.add_done_callback(answer)

    def settle(self, seconds: float = 10.0) -> None:
        """Synchronous mode: run what tasks are under way until they end."""
        tasks = [task for task in self._tasks if isinstance(task, asyncio.Task)]
        if tasks:
            self._loop.run_until_complete(asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), seconds))

    def shutdown(self) -> None:
        """End the thread; for tests. A loop of a session lives as long as the process."""
        for timer in self.timers:
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
        else:
            self.settle()
        self._loop.close()

    @staticmethod
    def _finish(value: T, done: Callable[[T], object] | None) -> None:
        if done is not None:
            done(value)

    @staticmethod
    def _guarded(fn: Callable[..., object], args: tuple[Any, ...], report: _Report) -> None:
        """One failing handler must never end the thread that all widgets live on."""
        try:
            fn(*args)
        except Exception as error:
            try:
                report(error)
            except Exception as second:
                _log_error(error)
                _log_error(second)

    def _task_done(self, task: Future[T] | asyncio.Task[T], report: _Report) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.post(report, error)


def on_ui(fn: Callable[P, T]) -> Callable[P, T]:
    """Decorate what touches widgets: it runs on the UI thread, whoever calls; the caller waits for the value."""

    @functools.wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return UiLoop.get().call(fn, *args, **kwargs)

    return run


def serve_while_busy(*widgets: Widget) -> None:
    """Let messages from these widgets reach Python while a cell runs, and be handled on the UI thread.

    Widgets made on the UI thread have this already; call it for a widget made in a cell. From ipykernel 7.4 a
    message goes to the shell whose request the widget last answered, which for a widget made in a cell is the main
    shell, busy while a cell runs. Since handlers run on the UI thread anyway, that detour is switched off, and
    the message takes the subshell that JupyterLab asked for. Where kernel or frontend know no subshells, messages
    wait for the cell as they always did.
    """
    for widget in widgets:
        _adopt_comm(widget)
        widget.observe(_on_comm, "comm")


def _on_comm(change: Any) -> None:
    _adopt_comm(change["owner"])


def _adopt_comm(widget: Widget) -> None:
    """Hand the widget's messages to the UI loop; free them from the shell that made the widget."""
    comm = widget.comm
    if comm is None:
        return
    comm.on_msg(functools.partial(_hand_over, widget))
    if hasattr(comm, "_reply_subshell_for"):  # ipykernel >= 7.4
        comm._reply_subshell_for = _as_asked


def _hand_over(widget: Widget, message: Any) -> None:
    UiLoop.get().post(widget._handle_msg, message)


def _as_asked(data: object, subshell_id: str | None) -> str | None:
    return subshell_id


def _adopt_new_widgets() -> None:
    """Adopt every widget made on the UI thread, those that libraries make (styles, layouts, marks) included."""
    previous = Widget._widget_construction_callback

    def constructed(widget: Widget) -> None:
        if previous is not None:
            previous(widget)
        loop = UiLoop._instance
        if loop is None or not loop.is_current:
            return
        make_thin(widget)
        if not loop.synchronous:
            widget.observe(_on_comm, "comm")

    Widget.on_widget_constructed(constructed)


def _adopt_control() -> None:
    """Tell a reloaded page the state of all widgets from the UI thread, each page on the comm that it asked on.

    ipywidgets goes through the live table of widgets on the thread that the question arrives on. A widget made
    meanwhile on the UI thread ends that with an error, the page waits in vain and says "model not found"; and of two
    questions in a row the second one got both answers.
    """
    manager = get_comm_manager()
    if hasattr(manager, "register_target"):
        manager.register_target("jupyter.widget.control", _control_opened)


def _control_opened(comm: Any, message: Any) -> None:
    def answer(question: Any) -> None:
        Widget._control_comm = comm  # where the answer goes
        Widget._handle_control_comm_msg(question)

    Widget.handle_control_comm_opened(comm, message)  # raises where page and kernel do not fit
    comm.on_msg(lambda question: UiLoop.get().post(answer, question))
