"""``workspace.json``: what a workspace knows of itself, as values, and how that is read and replaced on disk."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from voxloop.errors import WorkspaceError
from voxloop.geometry import Box
from voxloop.plain_files import read_plain
from voxloop.store.atomic import replace_json
from voxloop.store.classes import Level, check_classes, check_parents
from voxloop.store.set_versions import packed, unpacked

#: 2: levels of points, boxes and pictures; a workspace without any is written as 1, which older versions open
SCHEMA = 2
OLDEST = 1
FILE = "workspace.json"


def _as_box(given: Any) -> Box:
    return given if isinstance(given, Box) else Box.from_json(given)


def _check_box(box: Box) -> Box:
    if not all(0 <= start < stop for start, stop in zip(box.start, box.stop, strict=True)):
        raise ValueError("a box must hold a voxel at least")
    return box


def _check_name(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"{name!r} is no name: letters, digits, spaces, '-', '+' and '_'")
    return name


_NAME = r"\w[\w +-]*"
#: bytes of a name; with what is put behind it, a file system takes 255
_LONGEST = 100

#: a box that stands as ``[[start, stop], ...]`` in the file
StoredBox = Annotated[Box, BeforeValidator(_as_box), AfterValidator(_check_box), PlainSerializer(Box.to_json)]
#: a name that becomes part of a path
Name = Annotated[str, AfterValidator(_check_name)]
Count = Annotated[int, Field(ge=1)]
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ImageInfo(BaseModel):
    """One image of a workspace.

    ``source`` is a path (relative to the workspace where it lies inside, else as it was given), a URL, or a list of
    these; ``beside`` is the path as seen from the workspace, tried where ``source`` is gone. ``arguments`` are what
    :func:`open_volume` needs beside it. ``fingerprint`` tells whether a source is still the same picture, ``stamp``
    (size and time of its files) whether that has to be looked at.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Name
    source: str | list[str]
    arguments: dict[str, Any] = Field(default_factory=dict)
    shape: tuple[Count, Count, Count]
    spacing_um: tuple[Length, Length, Length]
    channels: Count = 1
    dtype: str = ""
    z_kind: str = "space"
    fingerprint: str = ""
    beside: str | list[str] = ""
    stamp: str = ""
    series: str = ""  # the name of the time series that it is a time point of
    time: int | None = None
    own: bool = False  # lies in images/ and goes with the workspace

    @property
    def framed(self) -> bool:
        """Its planes are frames of a video or pictures of a folder, or it is one picture: no volume."""
        return self.z_kind == "frame" or self.shape[0] == 1


class NamedRegion(BaseModel):
    """A box of voxels with a name, on one image.

    With an ``outline``, corners (row, column) in planes across ``axis``, it holds of its box what lies within that.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Name
    image: str
    box: StoredBox
    axis: Literal["z", "y", "x"] = "z"
    outline: tuple[tuple[float, float], ...] = ()

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box as slices (z, y, x), for indexing."""
        return self.box.slices


class SetRow(BaseModel):
    """One row of a training set: the labels of a level on an image, within a box of voxels (None: all of them).

    ``region`` is the name by which the box was given, where it had one.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    image: str
    level: str
    region: str | None = None
    box: StoredBox | None = None

    @property
    def slices(self) -> tuple[slice, slice, slice] | None:
        """The box as slices (z, y, x), for indexing."""
        return None if self.box is None else self.box.slices


class TrainingSet(BaseModel):
    """One version of a named training set."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    version: int = 1
    rows: tuple[SetRow, ...]
    created: str = ""
    note: str = ""

    @property
    def title(self) -> str:
        """Name and version, as runs say it: ``"cells@2"``."""
        return f"{self.name}@{self.version}"


def _all_rows(given: Any) -> Any:
    """Sets by name as the file has them, with all rows of each version."""
    if not isinstance(given, dict):
        return given
    return {name: unpacked(versions, SetRow.model_validate) for name, versions in given.items()}


def _few_rows(sets: dict[str, tuple[TrainingSet, ...]]) -> dict[str, Any]:
    return {name: packed(versions) for name, versions in sets.items()}


#: versions of training sets by name, oldest first
Versions = Annotated[
    dict[str, tuple[TrainingSet, ...]],
    BeforeValidator(_all_rows),
    PlainSerializer(_few_rows, return_type=dict[str, Any], when_used="json"),
]


class TileGrid(BaseModel):
    """Tiles of one size over the planes of images: of every frame of a stack, of a volume through all of its planes.

    ``size`` and ``overlap`` are (rows, columns) in ``unit``; a tile of voxels covers ``scale`` times as many, for who
    looks at it that much smaller. The last tile of a row or column is shifted back, so that all of a picture is
    covered by tiles of one size; where a picture is smaller, its tile is.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Name
    images: tuple[str, ...] | None = None  # None: every image there is
    size: tuple[Length, Length]
    overlap: tuple[NotNegative, NotNegative] = (0, 0)
    unit: Literal["voxel", "um"] = "voxel"
    scale: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0


class ChannelEntry(BaseModel):
    """One channel, as it stands in the file: its filter, settings and sources are read where they are used."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Name


class Document(BaseModel):
    """All of ``workspace.json``. Keys that this version does not know are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: Count = OLDEST
    created: str = ""
    images: tuple[ImageInfo, ...] = ()
    levels: tuple[Level, ...] = ()
    regions: tuple[NamedRegion, ...] = ()
    active_regions: dict[str, str] = Field(default_factory=dict)  # by image: what is done there stays inside of it
    channels: tuple[ChannelEntry, ...] = ()
    reuse: tuple[str, ...] = ()
    sets: Versions = Field(default_factory=dict)
    tiles: tuple[TileGrid, ...] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        """Names are unique, and what refers to another part finds it there."""
        images = {info.name: info for info in self.images}
        for what, names in (
            ("image", [info.name for info in self.images]),
            ("level", [level.name for level in self.levels]),
            ("folder of a level", [level.folder or level.name for level in self.levels]),
            ("region", [region.name for region in self.regions]),
            ("channel", [channel.name for channel in self.channels]),
            ("grid of tiles", [grid.name for grid in self.tiles]),
        ):
            double = next((name for name, count in Counter(names).items() if count > 1), None)
            if double is not None:
                raise ValueError(f"there are two of the {what} {double!r}")
        for region in self.regions:
            if region.image not in images:
                raise ValueError(f"region {region.name!r} is on image {region.image!r}, which there is not")
            if not Box.whole(images[region.image].shape).covers(region.box):
                raise ValueError(f"region {region.name!r} reaches out of image {region.image!r}")
        for level in self.levels:
            _check_name(level.name)
            _check_name(level.folder or level.name)
            check_classes(level.classes)
        check_parents(self.levels)
        return self

    @property
    def newer(self) -> bool:
        """Written by a later voxloop than this one."""
        return self.schema_version > SCHEMA


def read_document(folder: Path) -> Document:
    """The document of a workspace folder. Raises WorkspaceError where there is none or it is damaged."""
    path = folder / FILE
    data: dict[str, Any] = {}
    try:
        read = json.loads(read_plain(path))
        if not isinstance(read, dict) or "schema_version" not in read:
            raise ValueError("it says nothing of a workspace")
        data = read
        return Document.model_validate(data)
    except FileNotFoundError:
        what = "is not a workspace: it has no workspace.json" if folder.exists() else "does not exist"
        raise WorkspaceError(f"{folder} {what}; make one with Workspace.create({str(folder)!r}, image=...)") from None
    except NotADirectoryError:
        raise WorkspaceError(f"{folder} is a file; a workspace is a folder") from None
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, RecursionError) as error:
        version = data.get("schema_version", SCHEMA)
        if isinstance(version, int) and version > SCHEMA:
            raise WorkspaceError(
                f"{folder} was written by a newer voxloop (schema {version}, this one knows {SCHEMA}); update voxloop"
            ) from error
        raise WorkspaceError(
            f"{path} is damaged ({_first(error)}); put back an earlier copy, labels are not touched"
        ) from error


def _first(error: Exception) -> str:
    """The first thing that is wrong, in one line."""
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    details = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in details["loc"])
    words = str(details["msg"]).removeprefix("Value error, ")
    return f"{where}: {words}" if where else words


def write_document(folder: Path, document: Document) -> None:
    """Replace the document in one step. Raises WorkspaceError where the disk refuses; the old one stays."""
    try:
        replace_json(folder / FILE, document.model_dump(mode="json"))
    except OSError as error:
        raise WorkspaceError(f"{folder / FILE} could not be saved ({error.strerror}); nothing was changed") from error


def check_name(what: str, name: object) -> str:
    """A name that can stand in file names everywhere. Raises WorkspaceError with the nearest that can."""
    text = str(name).strip()
    if len(text.encode(errors="replace")) > _LONGEST:
        raise WorkspaceError(
            f"{what} name {text[:20]!r}... has {len(text)} letters; it becomes a file name, so 100 at most"
        )
    if not re.fullmatch(_NAME, text):
        near = safe_name(text)
        raise WorkspaceError(f"{what} name {name!r}: use letters, digits, spaces, '-', '+' and '_'; such as {near!r}")
    return text


def safe_name(text: str) -> str:
    """The nearest name that :func:`check_name` lets pass."""
    short = re.sub(r"[^\w +-]+", "-", text).encode(errors="ignore")[:_LONGEST].decode(errors="ignore")
    return short.strip(" -+") or "image"
