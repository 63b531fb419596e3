"""What a file format hands over: an array not read yet, its axes and its voxel size. Knows no xarray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class LazyArray(Protocol):
    """Anything with a shape and a dtype that reads when it is sliced."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a format found in a source; nothing of the voxels has been read.

    ``axes`` has one letter an axis: ``t c z y x``, ``s`` for the samples of an RGB(A) picture, ``?`` where the file
    does not say. ``spacing_um`` and ``origin_um`` hold the axes that the file states. ``chunks`` is the block that the
    file itself is stored in, None where any slice costs what it covers. ``labels`` says that the numbers are no
    intensities but names.
    """

    array: LazyArray
    axes: str
    spacing_um: Mapping[str, float] = field(default_factory=dict)
    origin_um: Mapping[str, float] = field(default_factory=dict)
    channel_names: Sequence[str] | None = None
    z_kind: str = "space"
    chunks: tuple[int, ...] | None = None
    scale_count: int = 1
    labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be opened: a path where it is local, the text as given, and which part of it."""

    text: str
    path: Path | None = None
    dataset: str | None = None
    scale: int = 0
    items: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of file. Plugins register theirs as entry points in the group ``voxloop.formats``.

    ``accepts`` looks at names and, for folders, at what lies inside, never at voxels; ``read`` opens and raises
    VolumeError for what it cannot.
    """

    name: str
    suffixes: tuple[str, ...]
    accepts: Callable[[Source], bool]
    read: Callable[[Source], Found]


def has_suffix(*suffixes: str) -> Callable[[Source], bool]:
    """An ``accepts`` by file name."""
    return lambda source: source.items is None and source.text.lower().rstrip("/").endswith(suffixes)
