"""Pairs of uint8 planes in shared memory: class values and confidence of what is on screen. Knows no processes."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from threading import Lock

import numpy as np

_attaching = Lock()


class Planes:
    """Two uint8 planes of ``shape`` (rows, columns) in one segment.

    The side that makes them owns them: only its :meth:`close` removes the segment. Where that process is killed, its
    resource tracker does.
    """

    def __init__(self, memory: SharedMemory, shape: tuple[int, int], owner: bool) -> None:
        self._memory = memory
        self._owner = owner
        self.shape = shape
        both: np.ndarray = np.ndarray((2, *shape), dtype=np.uint8, buffer=memory.buf)
        self.values, self.confidence = both

    @classmethod
    def create(cls, shape: tuple[int, int]) -> Planes:
        # a name that says whose it is; macOS allows 31 characters
        name = f"voxloop-{os.getpid()}-{secrets.token_hex(4)}"
        return cls(SharedMemory(name, create=True, size=max(1, 2 * shape[0] * shape[1])), shape, owner=True)

    @classmethod
    def attach(cls, name: str, shape: tuple[int, int]) -> Planes:
        """Those that another process made. Raises FileNotFoundError where they are gone."""
        with _untrack():
            return cls(SharedMemory(name), shape, owner=False)

    @property
    def name(self) -> str:
        return self._memory.name

    def close(self) -> None:
        """Let go of the memory; the owner removes it. Idempotent."""
        del self.values, self.confidence
        self.values = self.confidence = np.empty((0, 0), dtype=np.uint8)
        with suppress(BufferError):  # a caller still looks at a view: the mapping goes with it
            self._memory.close()
        if self._owner:
            self._owner = False
            with suppress(FileNotFoundError):
                self._memory.unlink()


@contextmanager
def _untrack() -> Iterator[None]:
    """Keep Python from removing a segment that it merely attached to (``track=False`` of Python 3.13)."""
    if sys.version_info >= (3, 13):  # pragma: no cover
        original = SharedMemory.__init__
        with _attaching:
            SharedMemory.__init__ = lambda self, name: original(self, name, track=False)  # type: ignore[assignment,misc]
            try:
                yield
            finally:
                SharedMemory.__init__ = original  # type: ignore[method-assign]
        return
    with _attaching:
        register = resource_tracker.register
        resource_tracker.register = lambda name, rtype: None
        try:
            yield
        finally:
            resource_tracker.register = register
