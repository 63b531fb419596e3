"""One workspace folder: who may write it, its document, its images, levels, regions and label arrays."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from voxloop.errors import LabelError, ReadOnlyError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.locks import Lock, holder
from voxloop.store.atomic import walk
from voxloop.store.classes import Level, as_classes
from voxloop.store.document import SCHEMA, Document, ImageInfo, checked_name, read_document, write_document
from voxloop.store.images import Images
from voxloop.store.labels import Labels, Setting
from voxloop.store.layout import PARTS, Layout
from voxloop.store.levels import Levels
from voxloop.store.metadata import label_metadata
from voxloop.store.reader import ReaderState
from voxloop.store.regions import Regions
from voxloop.store.sets import Sets
from voxloop.store.state import LabelState, Place
from voxloop.store.writer import WriterState

_DTYPES = {"semantic": np.uint8, "instances": np.uint32}


class Store:
    """The workspace on disk. One process at a time may write; others open it read-only and follow."""

    def __init__(self, path: Path, document: Document, lock: Lock | None, reason: str | None) -> None:
        self.path = path
        self.layout = Layout(path)
        self.document = document
        self.images = Images(self)
        self.levels = Levels(self)
        self.regions = Regions(self)
        self.sets = Sets(self)
        self._lock = lock
        self._reason = reason  # why it is read-only
        self._closed = False
        self._labels: dict[tuple[str, str], Labels] = {}
        self._guard = threading.RLock()

    # ------------------------------------------------------------------------------------------------ open and close

    @classmethod
    def create(
        cls,
        path: str | Path,
        image: Any = None,
        classes: Sequence[Any] | None = None,
        *,
        image_name: str = "image",
        level: str = "labels",
        kind: Literal["semantic", "instances"] = "semantic",
        copy: bool = False,
        **arguments: Any,
    ) -> Self:
        """Make a workspace in a folder that does not exist yet or is empty.

        Raises
        ------
        WorkspaceError
            The folder is in use or cannot be written.
        VolumeError, LabelError
            The image cannot be opened or the classes are none; nothing is left behind.
        """
        folder = Path(path).expanduser()
        as_classes(classes)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            known = (folder / "workspace.json").exists()
            hint = "Workspace.open opens it" if known else "choose a new folder"
            raise WorkspaceError(f"{folder} is {'a workspace already' if known else 'in use'}; {hint}")
        existed = folder.exists()
        store = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_document(folder, Document(created=datetime.now(UTC).isoformat(timespec="seconds")))
            store = cls.open(folder, read_only=False)
            if image is not None:
                store.images.add(image_name, image, copy=copy, **arguments)
            if classes is not None or image is not None:
                store.levels.add(level, classes, kind=kind)
        except BaseException as error:
            if store is not None:
                store.close()
            for entry in folder.iterdir() if folder.exists() else ():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            if not existed and folder.exists():
                folder.rmdir()
            if isinstance(error, OSError) and not isinstance(error, WorkspaceError):
                raise WorkspaceError(f"{folder} cannot be made a workspace: {error.strerror}") from error
            raise
        return store

    @classmethod
    def open(cls, path: str | Path, read_only: bool | None = None) -> Self:
        """Open a workspace.

        Parameters
        ----------
        read_only
            None: write if nobody else does. True: only read. False: write, or raise ReadOnlyError.

        Raises
        ------
        WorkspaceError
            There is no workspace, or it is damaged.
        """
        folder = Path(path).expanduser().absolute()
        document = read_document(folder)
        lock, reason = (None, "it was opened with read_only=True") if read_only else _take_lock(folder, document)
        if read_only is False and lock is None:
            raise ReadOnlyError(f"workspace {folder.name!r} cannot be written: {reason}")
        if lock is not None:
            document = read_document(folder)  # the writer before may have changed it up to the last moment
        return cls(folder, document, lock, reason)

    @property
    def read_only(self) -> bool:
        return self._lock is None

    @property
    def writer(self) -> dict[str, Any] | None:
        """Who else may write this workspace: host, pid, since (seconds since 1970); None for this store or nobody."""
        if self._lock is not None:
            return None
        found = holder(self.path / "writer.lock")
        return None if found is None else {"host": found.host, "pid": found.pid, "since": found.since, **found.note}

    @property
    def reason(self) -> str | None:
        """Why this store is read-only, None where it is not."""
        return "it was closed" if self._closed else self._reason

    def check_writable(self) -> None:
        """Raise ReadOnlyError, saying why, where this store may not write."""
        if self._refusal() is not None:
            raise ReadOnlyError(self._refusal())

    def check_open_to_runs(self) -> None:
        """Raise ReadOnlyError where not even a run may be added.

        A run is a folder of its own, so one may be added beside whoever writes the labels, from a terminal or a job.
        """
        reason = None
        if self._closed:
            reason = "it was closed"
        elif self.document.newer:
            reason = self._reason
        elif not os.access(self.path, os.W_OK):
            reason = "the folder cannot be written"
        if reason is not None:
            raise ReadOnlyError(f"workspace {self.path.name!r} is read-only here: {reason}")

    def close(self) -> None:
        """Flush labels and give the writer lock back; safe to call twice."""
        with self._guard:
            for labels in self._labels.values():
                labels.close()
            self._labels.clear()
            if self._lock is not None:
                self._lock.release()
                self._lock, self._reason = None, "it was closed"
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------- labels

    def labels(self, level: str | None = None, image: str | None = None) -> Labels:
        """The labels of one level on one image; None stands for the only one there is. Raises LabelError."""
        with self._guard:
            if self._closed:
                raise WorkspaceError(f"workspace {self.path.name!r} was closed; open it again")
            found, info = self._one_level(level), self._one_image(image)
            key = (found.folder, info.name)
            if key not in self._labels:
                self._labels[key] = self._open_labels(found, info, self._lock is not None, None)
            return self._labels[key]

    def remarks(self) -> list[str]:
        """What is found damaged in the labels of all levels on all images; opens them all."""
        return [
            f"{level.name} on {info.name}: {words}"
            for level in self.document.levels
            for info in self.document.images
            for words in self.labels(level.name, info.name).remarks
        ]

    def _open_labels(self, level: Level, info: ImageInfo, writable: bool, at: int | None) -> Labels:
        place = place_of(self.path, level, info.name)
        dtype = np.dtype(_DTYPES[level.kind])
        state: LabelState
        if writable:
            state = WriterState(
                place,
                info.shape,
                dtype,
                lambda: label_metadata(self._by_folder(level.folder), self.images.info(info.name)),
            )
        else:
            state = ReaderState(place, info.shape, dtype, at)
        return Labels(state, self._setting(level, info))

    def _setting(self, level: Level, info: ImageInfo) -> Setting:
        def region(name: str) -> Box:
            named = self.regions[name]
            if named.image != info.name:
                raise LabelError(f"region {name!r} belongs to image {named.image!r}, not to {info.name!r}")
            return Box.of(named.box, info.shape)

        def parent() -> Labels | None:
            above = self._by_folder(level.folder).parent
            return None if above is None else self.labels(above[0], info.name)

        return Setting(
            image=info.name,
            spacing_um=info.spacing_um,
            level=lambda: self._by_folder(level.folder),
            parent=parent,
            volume=lambda: self.images.open(info.name),
            region=region,
            refusal=self._refusal,
        )

    # ------------------------------------------------------------------------------------------------------- upkeep

    def change(self, **changes: Any) -> None:
        """Replace parts of the document, on disk first. Raises ReadOnlyError, WorkspaceError."""
        self.check_writable()
        with self._guard:
            document = self.document.model_copy(update=changes)
            write_document(self.path, document)
            self.document = document
            if "levels" in changes:
                for labels in self._labels.values():
                    labels.write_header()

    def refresh(self) -> None:
        """Take up what the writer in another process changed in ``workspace.json``."""
        if self._lock is None and not self._closed:
            self.document = read_document(self.path)

    def set_aside(self, level: Level | None = None, image: ImageInfo | None = None) -> None:
        """Move the labels of a level, or of an image and its own copy, to ``removed/``."""
        target = self.path / "removed" / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}"
        levels = [level] if level else list(self.document.levels)
        images = [image] if image else list(self.document.images)
        with self._guard:
            moves = []
            for one in levels:
                for info in images:
                    labels = self._labels.pop((one.folder, info.name), None)
                    if labels is not None:
                        labels.close()
                    place = place_of(self.path, one, info.name)
                    blobs = (place.journal.parent / "blobs").glob(f"{place.journal.stem}.*.zarr")
                    moves += [place.array, place.index, place.journal, place.journal.with_suffix(".bin"), *blobs]
            if image is not None and image.own:
                moves.append(self.path / "images" / f"{image.name}.zarr")
            for source in moves:
                if source.exists():
                    new = target / source.relative_to(self.path)
                    new.parent.mkdir(parents=True, exist_ok=True)
                    source.rename(new)

    def size(self) -> dict[str, int]:
        """Bytes on disk by part; ``total`` is all of the folder."""
        sizes = {part: sum(e.stat().st_size for e in walk(self.path / part)) for part in PARTS}
        rest = sum(entry.stat().st_size for entry in self.path.iterdir() if entry.is_file())
        return {**{part: n for part, n in sizes.items() if n}, "total": sum(sizes.values()) + rest}

    def clean(self, removed: bool = False) -> int:
        """Delete ``derived/`` (caches that come back by themselves), and ``removed/`` where asked; bytes freed."""
        self.check_writable()
        freed = 0
        for part in ("derived", "removed") if removed else ("derived",):
            folder = self.path / part
            freed += sum(entry.stat().st_size for entry in walk(folder))
            shutil.rmtree(folder, ignore_errors=True)
        return freed

    def __repr__(self) -> str:
        return f"<Store {str(self.path)!r}{' read-only' if self.read_only else ''}>"

    # ------------------------------------------------------------------------------------------------------- helpers

    def _refusal(self) -> str | None:
        if self._lock is not None and self._lock.held:
            return None
        reason = "this is a forked copy of the process that holds it" if self._lock is not None else self.reason
        return f"workspace {self.path.name!r} is read-only here: {reason}"

    def _by_folder(self, folder: str) -> Level:
        for level in self.document.levels:
            if level.folder == folder:
                return level
        raise LabelError(f"level {folder!r} was removed")

    def _one_level(self, name: str | None) -> Level:
        if name is not None:
            return self.levels[name]
        if len(self.levels) != 1:
            raise LabelError(f"say which level: there are {', '.join(map(repr, self.levels.names)) or 'none'}")
        return self.document.levels[0]

    def _one_image(self, name: str | None) -> ImageInfo:
        if name is None and len(self.images) != 1:
            raise LabelError(f"say which image: there are {', '.join(map(repr, self.images.names)) or 'none'}")
        if name is not None and name not in self.images:
            raise LabelError(unknown("image", name, self.images.names))
        return self.images.info(name or self.images.names[0])


def open_labels(path: str | Path, level: str, image: str, at: int | None = None) -> Labels:
    """Labels of a workspace, read-only, from any process.

    Parameters
    ----------
    at
        Number of an edit: the state right after it, whatever was written since. None: the newest, and
        :meth:`Labels.refresh` takes up what comes.
    """
    store = Store.open(path, read_only=True)
    if level not in store.levels.names and not any(one.folder == level for one in store.document.levels):
        raise LabelError(unknown("level", level, store.levels.names))
    if image not in store.images:
        raise LabelError(unknown("image", image, store.images.names))
    return store._open_labels(store.levels[level], store.images.info(image), False, at)


def place_of(folder: Path, level: Level, image: str) -> Place:
    """Where the labels of one level on one image lie."""
    name = checked_name("level", level.folder or level.name)
    return Place(array=folder / "labels" / name / f"{image}.zarr", journal=folder / "journal" / f"{name}.{image}.jsonl")


def _take_lock(folder: Path, document: Document) -> tuple[Lock | None, str | None]:
    """The writer lock, or why it cannot be had."""
    if document.newer:
        return None, (
            f"it was written by a newer voxloop (schema {document.schema_version}, this one knows {SCHEMA}); "
            "update voxloop to change it"
        )
    lock = Lock(folder / "writer.lock")
    try:
        if lock.acquire(what="workspace"):
            return lock, None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return None, f"the folder cannot be written ({error.strerror})"
        raise WorkspaceError(f"{folder} cannot be locked: {error.strerror}") from error
    found = holder(folder / "writer.lock")
    return None, f"{found} writes it" if found else "another process writes it"
