"""``workspace.json``: what a workspace knows of itself, as values, and how that is read and replaced on disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from voxloop.errors import WorkspaceError
from voxloop.geometry import Box, Shape, Spacing
from voxloop.store.atomic import replace_json
from voxloop.store.classes import Level

SCHEMA = 1
FILE = "workspace.json"


def _as_box(given: Any) -> Box:
    return given if isinstance(given, Box) else Box.from_json(given)


#: a box that stands as ``[[start, stop], ...]`` in the file
StoredBox = Annotated[Box, BeforeValidator(_as_box), PlainSerializer(Box.to_json)]


class ImageInfo(BaseModel):
    """One image of a workspace.

    ``source`` is a path (relative to the workspace where it lies inside), a URL, or a list of these; ``arguments`` are
    what :func:`open_volume` needs beside it. ``fingerprint`` tells whether a source is still the same picture.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    source: str | list[str]
    arguments: dict[str, Any] = Field(default_factory=dict)
    shape: Shape
    spacing_um: Spacing
    channels: int = 1
    dtype: str = ""
    z_kind: str = "space"
    fingerprint: str = ""
    own: bool = False  # lies in images/ and goes with the workspace


class NamedRegion(BaseModel):
    """A box of voxels with a name, on one image."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    image: str
    box: StoredBox

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


class Document(BaseModel):
    """All of ``workspace.json``. Keys that this version does not know are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: int = SCHEMA
    created: str = ""
    images: tuple[ImageInfo, ...] = ()
    levels: tuple[Level, ...] = ()
    regions: tuple[NamedRegion, ...] = ()
    sets: dict[str, tuple[TrainingSet, ...]] = Field(default_factory=dict)

    @property
    def newer(self) -> bool:
        """Written by a later voxloop than this one."""
        return self.schema_version > SCHEMA


def read_document(folder: Path) -> Document:
    """The document of a workspace folder. Raises WorkspaceError where there is none or it is damaged."""
    path = folder / FILE
    data: dict[str, Any] = {}
    try:
        data = dict(json.loads(path.read_text(encoding="utf-8")))
        return Document(**data)
    except FileNotFoundError:
        what = "is not a workspace: it has no workspace.json" if folder.exists() else "does not exist"
        raise WorkspaceError(f"{folder} {what}; make one with Workspace.create({str(folder)!r}, image=...)") from None
    except NotADirectoryError:
        raise WorkspaceError(f"{folder} is a file; a workspace is a folder") from None
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, ValidationError) as error:
        version = data.get("schema_version", SCHEMA)
        if isinstance(version, int) and version > SCHEMA:
            raise WorkspaceError(
                f"{folder} was written by a newer voxloop (schema {version}, this one knows {SCHEMA}); update voxloop"
            ) from error
        first = str(error).splitlines()[0]
        raise WorkspaceError(
            f"{path} is damaged ({first}); put back an earlier copy, labels are not touched"
        ) from error


def write_document(folder: Path, document: Document) -> None:
    """Replace the document in one step. Raises WorkspaceError where the disk refuses; the old one stays."""
    try:
        replace_json(folder / FILE, document.model_dump(mode="json"))
    except OSError as error:
        raise WorkspaceError(f"{folder / FILE} could not be saved ({error.strerror}); nothing was changed") from error


def checked_name(what: str, name: object) -> str:
    """A name that can stand in file names everywhere. Raises WorkspaceError with the nearest that can."""
    text = str(name).strip()
    if not re.fullmatch(r"\w[\w +-]*", text):
        near = safe_name(text)
        raise WorkspaceError(f"{what} name {name!r}: use letters, digits, spaces, '-', '+' and '_'; such as {near!r}")
    return text


def safe_name(text: str) -> str:
    """The nearest name that :func:`checked_name` lets pass."""
    return re.sub(r"[^\w +-]+", "-", text).strip(" -+") or "image"
