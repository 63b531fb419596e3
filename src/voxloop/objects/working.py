"""Doing the blocks of a step, several at a time, in bounded memory. Knows nothing of what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from voxloop.errors import PredictionError
from voxloop.machine import machine
from voxloop.store.values import whole

Item = TypeVar("Item")


def each(
    act: Callable[[Item], object],
    items: Iterable[Item],
    workers: int | None = None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Call ``act`` with every item on ``workers`` threads (None: one a core), ``after`` as each is done.

    What ``act`` or ``after`` raises ends it once the items in hand are done.
    """
    workers = machine().cores if workers is None else whole("workers", workers, least=1, error=PredictionError)
    if workers == 1:
        for item in items:
            act(item)
            after()
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="voxloop-objects") as pool:
        running: set[Future[object]] = set()
        for item in items:
            running.add(pool.submit(act, item))
            if len(running) > workers:
                running = _finished(running, after)
        while running:
            running = _finished(running, after)


def _finished(running: set[Future[object]], after: Callable[[], None]) -> set[Future[object]]:
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        after()
    return set(rest)
