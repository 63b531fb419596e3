"""Batches prepared ahead by threads. Which batch a step gets does not depend on the threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """``prefetcher(step)`` gives ``make(step)``; the next few are under way meanwhile.

    ``make`` must be a function of the step alone. With ``workers`` 0 it is called here and now. Threads, not
    processes: cutting windows is numpy and decompression, which let others run, and the cache is shared.
    """

    def __init__(self, make: Callable[[int], T], workers: int) -> None:
        self._make = make
        self._ahead = 2 * workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="windows") if workers else None
        self._waiting: dict[int, Future[T]] = {}

    def __call__(self, step: int) -> T:
        if self._pool is None:
            return self._make(step)
        for ahead in range(step, step + self._ahead + 1):
            if ahead not in self._waiting:
                self._waiting[ahead] = self._pool.submit(self._make, ahead)
        for old in [known for known in self._waiting if known < step]:
            self._waiting.pop(old).cancel()
        return self._waiting.pop(step).result()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
