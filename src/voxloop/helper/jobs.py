"""Requests waiting in lanes, in each of which the newest replaces all before it. Pure: no pipes, no arrays."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Condition
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request: ``number`` is unique, ``generation`` grows within a ``lane``."""

    number: int
    kind: str
    lane: str
    generation: int
    fields: dict[str, Any] = field(default_factory=dict)


class Lanes:
    """Requests waiting, at most one a lane; safe between a thread that puts and one that takes."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Request] = OrderedDict()
        self._newest: dict[str, int] = {}
        self._changed = Condition()
        self._closed = False

    def put(self, request: Request) -> Request | None:
        """Add a request; returns the one that it makes obsolete, which may be itself."""
        with self._changed:
            if request.generation < self._newest.get(request.lane, request.generation):
                return request
            self._newest[request.lane] = request.generation
            old = self._waiting.pop(request.lane, None)
            self._waiting[request.lane] = request
            self._changed.notify()
            return old

    def cancel(self, lane: str, generation: int) -> Request | None:
        """Nothing of ``lane`` up to ``generation`` is wanted any more; returns the one that was waiting."""
        with self._changed:
            self._newest[lane] = max(self._newest.get(lane, 0), generation + 1)
            waiting = self._waiting.get(lane)
            return self._waiting.pop(lane) if waiting and waiting.generation <= generation else None

    def stale(self, request: Request) -> bool:
        """A newer request of the lane has come, or this one was cancelled."""
        return self._closed or self._newest.get(request.lane, 0) > request.generation

    def take(self, timeout: float) -> Request | None:
        """The request that waits longest; None after ``timeout`` seconds without one, or when closed."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            return self._waiting.popitem(last=False)[1] if self._waiting and not self._closed else None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
