"""What the workspace holds by name: a mapping that knows its names. Knows no files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from voxloop.store.classes import LabelClass, Level
from voxloop.store.document import Document, ImageInfo
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.store.labels import Labels

T = TypeVar("T")


class Keeper(Protocol):
    """Who keeps the document: what named things read of a workspace, and how they change it."""

    path: Path
    layout: Layout

    @property
    def document(self) -> Document: ...

    @property
    def read_only(self) -> bool: ...

    def check_writable(self) -> None: ...

    def change(self, **changes: Any) -> None: ...

    def set_aside(self, level: Level | None = None, image: ImageInfo | None = None) -> None: ...

    def labels(self, level: str | None = None, image: str | None = None) -> Labels: ...

    def holds(self, level: Level, image: str, item: LabelClass) -> bool: ...


class Named(Mapping[str, T]):
    """A mapping over a part of the workspace's document, in the order in which things were added."""

    def __init__(self, store: Keeper) -> None:
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
