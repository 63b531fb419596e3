"""What all openings of one workspace in a process share: the writer lock, the document and the state of label arrays.

A cell that opens a workspace may be run again: the second opening writes too, sees what the first one does, and either
may be closed before the other. The lock goes with the last of them, one that was only forgotten included.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np

from voxloop.errors import LabelError, ReadOnlyError, WorkspaceError
from voxloop.given import flag
from voxloop.locks import Lock, holder
from voxloop.store.atomic import refusal
from voxloop.store.classes import Level
from voxloop.store.document import SCHEMA, Document, ImageInfo, read_document
from voxloop.store.layout import Layout
from voxloop.store.metadata import label_metadata
from voxloop.store.points.state import MarkState
from voxloop.store.reader import ReaderState
from voxloop.store.state import LabelState
from voxloop.store.writer import WriterState

_DTYPES = {"semantic": np.uint8, "instances": np.uint32}
_CLOSING_SECONDS = 5.0

_writing: dict[Path, Session] = {}
_guard = threading.RLock()


class Session:
    """One workspace folder as this process holds it; for writing where ``lock`` is there, else ``reason`` says why."""

    def __init__(self, path: Path, document: Document, lock: Lock | None, reason: str | None) -> None:
        self.path = path
        self.document = document
        self.lock = lock
        self.reason = reason
        self.guard = threading.RLock()
        self._states: dict[tuple[str, str], LabelState] = {}
        self._marks: dict[tuple[str, str], MarkState] = {}
        self._users = 0
        self._closing: list[threading.Thread] = []

    @classmethod
    def open(cls, folder: Path, read_only: bool | None) -> Session:
        """The session of a folder that this process writes already, or a new one. Raises WorkspaceError."""
        read_only = None if read_only is None else flag("read_only", read_only, error=WorkspaceError)
        with _guard:
            shared = _writing.get(_real(folder))
            if not read_only and shared is not None and shared.lock is not None and shared.lock.intact:
                return shared
            document = read_document(folder)
            lock, reason = (None, "it was opened with read_only=True") if read_only else _take_lock(folder, document)
            if read_only is False and lock is None:
                raise ReadOnlyError(f"workspace {folder.name!r} cannot be written: {reason}")
            session = cls(folder, document, lock, reason)
            if lock is not None:
                session.document = read_document(folder)  # the writer before may have changed it up to the last moment
                _writing[_real(folder)] = session
            return session

    def join(self, user: object) -> Callable[[], None]:
        """Count one more user, until the result is called or the user is forgotten."""
        with _guard:
            self._users += 1
        leaving = weakref.finalize(user, self._forgotten)
        leaving.atexit = False

        def leave() -> None:
            if leaving.detach() is None:
                return
            self._leave()
            if self._users:
                gc.collect()  # openings that a notebook has lost hold the lock no longer than this
                for thread in self._closing:
                    thread.join(_CLOSING_SECONDS)

        return leave

    def refusal(self) -> str | None:
        """Why nothing may be written, None where it may."""
        if self.lock is None:
            return self.reason
        if not self.lock.held:
            return "this is a forked copy of the process that holds it"
        if not self.lock.intact:
            return "its writer.lock was deleted or replaced, so others may write it by now; open it again"
        return None

    def permit(self) -> None:
        """Raise ReadOnlyError where nothing may be written."""
        refusal = self.refusal()
        if refusal is not None:
            raise ReadOnlyError(f"workspace {self.path.name!r} is read-only here: {refusal}")

    def state(self, level: Level, info: ImageInfo) -> LabelState:
        """The state of the labels of one level on one image; the same for all openings."""
        key = level.folder, info.name
        with self.guard:
            if key not in self._states:
                self._states[key] = self._writer(level, info) if self.lock is not None else self.reader(level, info)
            return self._states[key]

    def marks(self, level: Level, info: ImageInfo) -> MarkState:
        """The state of the points, boxes or pictures of one level on one image; the same for all openings."""
        key = level.folder, info.name
        with self.guard:
            if key not in self._marks:
                self._marks[key] = self.mark_state(level, info, self.permit if self.lock is not None else None)
            return self._marks[key]

    def mark_state(
        self, level: Level, info: ImageInfo, permit: Callable[[], None] | None = None, at: int | None = None
    ) -> MarkState:
        """A state for nobody else: after edit ``at``, or the newest."""
        place = Layout(self.path).labels(level.folder or level.name, info.name)
        return MarkState(place, 2 if info.framed else 3, permit, at)

    def _writer(self, level: Level, info: ImageInfo) -> WriterState:
        place = Layout(self.path).labels(level.folder or level.name, info.name)
        return WriterState(
            place,
            info.shape,
            np.dtype(_DTYPES[level.kind]),
            lambda: label_metadata(self.by_folder(level.folder), self._image(info.name)),
            self.permit,
        )

    def reader(self, level: Level, info: ImageInfo, at: int | None = None) -> ReaderState:
        """The labels after edit ``at``, or the newest, for nobody else."""
        place = Layout(self.path).labels(level.folder or level.name, info.name)
        return ReaderState(place, info.shape, np.dtype(_DTYPES[level.kind]), at)

    def writers(self) -> list[WriterState]:
        """The label arrays that are open for writing."""
        return [state for state in self._states.values() if isinstance(state, WriterState)]

    def let_go(self, level: Level, info: ImageInfo) -> None:
        """Close the labels of one level on one image, whose files are about to move."""
        with self.guard:
            state = self._states.pop((level.folder, info.name), None)
            marks = self._marks.pop((level.folder, info.name), None)
        if state is not None:
            state.close()
        if marks is not None:
            marks.close()

    def by_folder(self, folder: str) -> Level:
        """The level whose files lie there. Raises LabelError."""
        for level in self.document.levels:
            if level.folder == folder:
                return level
        raise LabelError(f"level {folder!r} was removed")

    def _image(self, name: str) -> ImageInfo:
        return next(info for info in self.document.images if info.name == name)

    def _forgotten(self) -> None:
        """A user was collected: in whatever thread, which may hold anything."""
        thread = threading.Thread(target=self._leave, name="voxloop-closing", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter ends, and the lock with it
            thread.start()
            self._closing.append(thread)

    def _leave(self) -> None:
        with _guard:
            self._users -= 1
            if self._users:
                return
            if _writing.get(_real(self.path)) is self:
                del _writing[_real(self.path)]
            with self.guard:
                for state in self._states.values():
                    state.close()
                for marks in self._marks.values():
                    marks.close()
                self._states.clear()
                self._marks.clear()
                if self.lock is not None:
                    self.lock.release()


def _real(folder: Path) -> Path:
    """The folder behind links. Raises WorkspaceError for what can be no path."""
    try:
        return folder.resolve()
    except (ValueError, OSError, RuntimeError) as error:
        raise WorkspaceError(f"{str(folder)[:60]!r} is no path of a folder: {error}") from error


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
            return None, f"the folder cannot be written ({refusal(folder, error)})"
        why = "its writer.lock is a link, and links are not written through" if error.errno == errno.ELOOP else None
        raise WorkspaceError(f"{folder} cannot be locked: {why or error.strerror or error}") from error
    found = holder(folder / "writer.lock")
    return None, f"{found} writes it" if found else "another process writes it"


def _forked() -> None:
    """A forked child shares nothing with its parent, and must not wait for a guard that a thread of its held."""
    global _guard
    _guard = threading.RLock()
    _writing.clear()


os.register_at_fork(after_in_child=_forked)
