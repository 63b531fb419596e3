"""What the workspace holds by name: a mapping that knows its names. Knows no files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from voxloop.store.workspace import Store

T = TypeVar("T")


class Named(Mapping[str, T]):
    """A mapping over a part of the workspace's document, in the order in which things were added."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    @abstractmethod
    def names(self) -> list[str]: ...

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.names

    def _title(self, name: str) -> str:
        """How one is listed."""
        return name

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self._title(name) for name in self.names) or 'none'}>"
