"""One workspace folder: who may write it, its document, its images, levels, regions and label arrays."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

from voxloop.errors import LabelError, ReadOnlyError, WorkspaceError, unknown
from voxloop.given import flag
from voxloop.locks import holder
from voxloop.store.atomic import bytes_below
from voxloop.store.classes import MARKS, RASTER, LabelClass, Level, LevelKind, as_classes
from voxloop.store.document import Document, ImageInfo, NamedRegion, read_document, write_document
from voxloop.store.images import Images
from voxloop.store.label_setting import LabelSetting
from voxloop.store.labels import Labels
from voxloop.store.layout import PARTS, Layout
from voxloop.store.levels import Levels
from voxloop.store.marks import Marks
from voxloop.store.points.box_labels import BoxLabels
from voxloop.store.points.mark_labels import MarkLabels
from voxloop.store.points.picture_labels import PictureLabels
from voxloop.store.points.point_labels import PointLabels
from voxloop.store.regions import Regions
from voxloop.store.session import Session
from voxloop.store.sets import Sets
from voxloop.store.units import whole_supervoxels

_WORDS = {"semantic": "painted classes", "instances": "painted objects", **{kind: kind for kind in MARKS}}


class Store:
    """The workspace on disk. One process at a time may write; others open it read-only and follow.

    Opened twice in one process, both write and see each other's changes; closing one leaves the other open.
    """

    def __init__(self, session: Session) -> None:
        self.path = session.path
        self.layout = Layout(session.path)
        self._session = session
        self.images = Images(self)
        self.levels = Levels(self, self.images)
        self.regions = Regions(self, self.images)
        self.sets = Sets(self, self.images, self.levels, self.regions)
        self._closed = False
        self._labels: dict[tuple[str, str], Labels] = {}
        self._marks = Marks(session, self._refusal, self.levels.set_skeleton, self.images.open)
        self._leave = session.join(self)

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
        kind: LevelKind = "semantic",
        copy: bool = False,
        times: bool = False,
        **arguments: Any,
    ) -> Self:
        """Make a workspace in a folder that does not exist yet or is empty.

        Parameters
        ----------
        times
            The image is a series of volumes, of which all time points are added (:meth:`Images.add_times`).

        Raises
        ------
        WorkspaceError
            The folder is in use or cannot be written.
        VolumeError, LabelError
            The image cannot be opened or the classes are none; nothing is left behind.
        """
        folder = _folder(path)
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
                add = store.images.add_times if times else store.images.add
                add(image_name, image, copy=copy, **arguments)
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
        folder = _folder(path).absolute()
        return cls(Session.open(folder, read_only))

    @property
    def document(self) -> Document:
        """What ``workspace.json`` says."""
        return self._session.document

    @property
    def read_only(self) -> bool:
        return self._closed or self._session.lock is None

    @property
    def writer(self) -> dict[str, Any] | None:
        """Who else may write this workspace: host, pid, since (seconds since 1970); None for this store or nobody."""
        if not self.read_only:
            return None
        found = holder(self.path / "writer.lock")
        return None if found is None else {"host": found.host, "pid": found.pid, "since": found.since, **found.note}

    @property
    def reason(self) -> str | None:
        """Why this store is read-only, None where it is not."""
        return "it was closed" if self._closed else self._session.reason

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
            reason = self._session.reason
        elif not os.access(self.path, os.W_OK):
            reason = "the folder cannot be written"
        if reason is not None:
            raise ReadOnlyError(f"workspace {self.path.name!r} is read-only here: {reason}")

    def close(self) -> None:
        """Flush labels and give the writer lock back, unless this process has it open elsewhere; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._labels.clear()
            self._marks.clear()
            self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------- labels

    def labels(self, level: str | None = None, image: str | None = None) -> Labels:
        """The labels of one level on one image; None stands for the only one there is. Raises LabelError."""
        if self._closed:
            raise WorkspaceError(f"workspace {self.path.name!r} was closed; open it again")
        chosen, info = self._one_level(level, *RASTER), self._one_image(image)
        state = self._session.state(chosen, info)
        labels = self._labels.get((chosen.folder, info.name))
        if labels is None or not labels.shows(state):
            labels = self._labels[chosen.folder, info.name] = Labels(state, self._setting(chosen, info))
        return labels

    def points(self, level: str | None = None, image: str | None = None) -> PointLabels:
        """The points of one level on one image; None stands for the only one there is. Raises LabelError."""
        return cast("PointLabels", self.marks("points", level, image))

    def boxes(self, level: str | None = None, image: str | None = None) -> BoxLabels:
        """The boxes of one level on one image; None stands for the only one there is. Raises LabelError."""
        return cast("BoxLabels", self.marks("boxes", level, image))

    def pictures(self, level: str | None = None, image: str | None = None) -> PictureLabels:
        """The classes of the frames of an image; None stands for the only level or image. Raises LabelError."""
        return cast("PictureLabels", self.marks("pictures", level, image))

    def marks(self, kind: LevelKind | None = None, level: str | None = None, image: str | None = None) -> MarkLabels:
        """Points, boxes or classes of pictures, whichever kind the level has where none is asked for."""
        if self._closed:
            raise WorkspaceError(f"workspace {self.path.name!r} was closed; open it again")
        kinds = MARKS if kind is None else (kind,)
        return self._marks.view(self._one_level(level, *kinds), self._one_image(image))

    def remarks(self) -> list[str]:
        """What is found damaged in the labels of all levels on all images; opens them all."""
        return [
            f"{level.name} on {info.name}: {words}"
            for level in self.document.levels
            for info in self.document.images
            for words in (self.labels if level.raster else self._any_marks)(level.name, info.name).remarks
        ]

    def _any_marks(self, level: str, image: str) -> MarkLabels:
        return self.marks(None, level, image)

    def holds(self, level: Level, image: str, item: LabelClass) -> bool:
        """Whether anything on an image is labelled with a class."""
        if level.raster:
            return bool(self.labels(level.name, image).counts().get(item.value))
        return bool(self.marks(None, level.name, image).counts().get(item.name))

    def _setting(self, level: Level, info: ImageInfo) -> LabelSetting:
        def region(name: str) -> NamedRegion:
            named = self.regions[name]
            if named.image != info.name:
                raise LabelError(f"region {name!r} belongs to image {named.image!r}, not to {info.name!r}")
            return named

        def parent() -> Labels | None:
            above = self._session.by_folder(level.folder).parent
            return None if above is None else self.labels(above[0], info.name)

        def children() -> list[Labels]:
            name = self._session.by_folder(level.folder).name
            below = [one.name for one in self.document.levels if one.parent and one.parent[0] == name]
            return [self.labels(one, info.name) for one in below]

        return LabelSetting(
            image=info.name,
            spacing_um=lambda: self._info_now(info).spacing_um,
            level=lambda: self._session.by_folder(level.folder),
            parent=parent,
            children=children,
            active=lambda: self.regions.active_on(info.name),
            volume=lambda: self.images.open(info.name),
            channels=lambda: self.document.channels,
            region=region,
            beside=lambda image: self.labels(self._session.by_folder(level.folder).name, image),
            whole_supervoxels=lambda config, masks: whole_supervoxels(self, info.name, config, masks),
            refusal=self._refusal,
        )

    def _info_now(self, info: ImageInfo) -> ImageInfo:
        """What is known of an image now; what was known of one that was removed."""
        return next((one for one in self.document.images if one.name == info.name), info)

    # ------------------------------------------------------------------------------------------------------- upkeep

    def change(self, **changes: Any) -> None:
        """Replace parts of the document, on disk first. Raises ReadOnlyError, WorkspaceError."""
        self.check_writable()
        with self._session.guard:
            document = self.document.model_copy(update=changes)
            write_document(self.path, document)
            self._session.document = document
            if "levels" in changes:
                for state in self._session.writers():
                    state.write_header()

    def refresh(self) -> None:
        """Take up what the writer in another process changed in ``workspace.json``."""
        if self._session.lock is None and not self._closed:
            self._session.document = read_document(self.path)

    def set_aside(self, level: Level | None = None, image: ImageInfo | None = None) -> None:
        """Move the labels of a level, or of an image and its own copy, to ``removed/``."""
        target = self.path / "removed" / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}"
        levels = [level] if level else list(self.document.levels)
        images = [image] if image else list(self.document.images)
        with self._session.guard:
            moves = []
            for one in levels:
                for info in images:
                    self._session.let_go(one, info)
                    place = self.layout.labels(one.folder or one.name, info.name)
                    blobs = (place.journal.parent / "blobs").glob(f"{place.journal.stem}.*.zarr")
                    moves += [
                        place.array,
                        place.index,
                        place.marks,
                        place.journal,
                        place.journal.with_suffix(".bin"),
                        *blobs,
                    ]
            if image is not None and image.own:
                moves.append(self.layout.image(image.name))
            for source in moves:
                if source.exists():
                    new = target / source.relative_to(self.path)
                    new.parent.mkdir(parents=True, exist_ok=True)
                    source.rename(new)

    def size(self) -> dict[str, int]:
        """Bytes on disk by part; ``total`` is all of the folder."""
        sizes = {part: bytes_below(self.path / part) for part in PARTS}
        rest = sum(entry.lstat().st_size for entry in self.path.iterdir() if not entry.is_dir())
        return {**{part: n for part, n in sizes.items() if n}, "total": sum(sizes.values()) + rest}

    def clean(self, removed: bool = False) -> int:
        """Delete ``derived/`` (caches that come back by themselves), and ``removed/`` where asked; bytes freed."""
        self.check_writable()
        removed = flag("removed", removed, error=WorkspaceError)
        freed = 0
        for part in ("derived", "removed") if removed else ("derived",):
            folder = self.path / part
            freed += bytes_below(folder)
            shutil.rmtree(folder, ignore_errors=True)
        return freed

    def __repr__(self) -> str:
        return f"<Store {str(self.path)!r}{' read-only' if self.read_only else ''}>"

    # ------------------------------------------------------------------------------------------------------- helpers

    def _refusal(self) -> str | None:
        reason = "it was closed" if self._closed else self._session.refusal()
        return None if reason is None else f"workspace {self.path.name!r} is read-only here: {reason}"

    def _one_level(self, name: str | None, *kinds: LevelKind) -> Level:
        """A level of one of these kinds; None: the only one. Raises LabelError."""
        if name is not None:
            level = self.levels[name]
            if level.kind not in kinds:
                verb = "labels" if level.raster else level.kind
                raise LabelError(f"level {name!r} holds {_WORDS[level.kind]}; ws.{verb}({name!r}) has it")
            return level
        fitting = [level for level in self.document.levels if level.kind in kinds]
        if len(fitting) != 1:
            there = ", ".join(repr(level.name) for level in fitting)
            what = "" if kinds == RASTER else f" of {' or '.join(kinds)}"
            raise LabelError(f"say which level{what}: there are {there or 'none'}")
        return fitting[0]

    def _one_image(self, name: str | None) -> ImageInfo:
        if name is None and len(self.images) != 1:
            raise LabelError(f"say which image: there are {', '.join(map(repr, self.images.names)) or 'none'}")
        if name is not None and name not in self.images:
            raise LabelError(unknown("image", name, self.images.names))
        return self.images.info(name or self.images.names[0])


def _folder(path: object) -> Path:
    """What a caller gives as a folder. Raises WorkspaceError."""
    try:
        folder = Path(path).expanduser()  # type: ignore[arg-type]
        folder.exists()
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise WorkspaceError(f"{str(path)[:60]!r} is no path of a folder: {error}") from error
    return folder


def open_labels(path: str | Path, level: str, image: str, at: int | None = None) -> Labels:
    """Labels of a workspace, read-only, from any process.

    Parameters
    ----------
    at
        Number of an edit: the state right after it, whatever was written since. None: the newest, and
        :meth:`Labels.refresh` takes up what comes.
    """
    store = Store.open(path, read_only=True)
    if image not in store.images:
        raise LabelError(unknown("image", image, store.images.names))
    chosen, info = store.levels[level], store.images.info(image)
    return Labels(store._session.reader(chosen, info, at), store._setting(chosen, info))


def open_marks(path: str | Path, level: str, image: str, at: int | None = None) -> MarkLabels:
    """Points, boxes or classes of pictures of a workspace, read-only, from any process; ``at`` as in open_labels."""
    store = Store.open(path, read_only=True)
    if image not in store.images:
        raise LabelError(unknown("image", image, store.images.names))
    return store._marks.at(store.levels[level], store.images.info(image), at)
