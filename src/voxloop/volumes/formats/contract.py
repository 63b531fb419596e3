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
class Contents:
    """What a format found in a source; nothing of the voxels has been read.

    ``axes`` has one letter an axis: ``t c z y x``, ``s`` for the samples of an RGB(A) picture, ``?`` where the file
    does not say. ``spacing_um`` and ``origin_um`` hold what the file states, by letter, or by the place of an axis in
    the array. ``chunks`` is the block that the file itself is stored in, None where any slice costs what it covers.
    ``far`` says that chunks travel, so that each more is waited for.
    ``labels`` says that the numbers are no intensities but names, ``classes`` which names (``value``, ``name``,
    ``color``).

    ``anatomy`` says how a picture of a body lies, once its axes are in order: ``"LPS"`` or ``"RAS"``, the directions in
    which x, y and z rise; empty where nobody says.

    ``assumed`` names axes whose size here is itself an assumption, of a volume that is opened again.

    ``remarks`` say what of the metadata could not be understood and what the numbers are; ``losses`` what of the
    file's voxels the volume does not show, or shows though it is not there. A user is warned of losses.
    """

    array: LazyArray
    axes: str
    spacing_um: Mapping[str | int, float] = field(default_factory=dict)
    origin_um: Mapping[str | int, float] = field(default_factory=dict)
    channel_names: Sequence[str] | None = None
    z_kind: str = "space"
    chunks: tuple[int, ...] | None = None
    far: bool = False
    scale_count: int = 1
    labels: bool = False
    assumed: Sequence[str] = ()
    anatomy: str = ""
    classes: Sequence[Mapping[str, Any]] = ()
    remarks: Sequence[str] = ()
    losses: Sequence[str] = ()


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
    VolumeError for what it cannot. ``parts`` says whether a file may hold several datasets or scales.
    """

    name: str
    suffixes: tuple[str, ...]
    accepts: Callable[[Source], bool]
    read: Callable[[Source], Contents]
    parts: bool = True


def has_suffix(*suffixes: str) -> Callable[[Source], bool]:
    """An ``accepts`` by file name."""
    return lambda source: source.items is None and source.text.lower().rstrip("/").endswith(suffixes)
