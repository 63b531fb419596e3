"""A cache with a budget of bytes; the least recently used goes first. Pure: knows nothing of what it keeps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Values by key within ``budget`` bytes; safe from several threads."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._items: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._guard = Lock()

    def get(self, key: Key) -> Value | None:
        with self._guard:
            found = self._items.get(key)
            if found is None:
                return None
            self._items.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Keep ``value``; the newest stays even where it alone is over the budget."""
        with self._guard:
            old = self._items.pop(key, None)
            self._bytes += size - (old[1] if old else 0)
            self._items[key] = (value, size)
            while self._bytes > self._budget and len(self._items) > 1:
                _, (_, freed) = self._items.popitem(last=False)
                self._bytes -= freed

    def clear(self) -> None:
        with self._guard:
            self._items.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)
