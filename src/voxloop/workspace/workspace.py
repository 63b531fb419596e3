"""The workspace that users hold: one object, one verb for each thing the loop needs. Delegates; computes nothing.

Each verb is a function in a module of its own that takes a :class:`Project` first. Here they become methods, with the
parameters and the docstring that they have there: ``help(ws.train)`` shows those of ``workspace/train.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from voxloop.errors import WorkspaceError
from voxloop.given import flag, path_of
from voxloop.store import Store
from voxloop.store.layout import Layout
from voxloop.workspace import agreement as agreeing
from voxloop.workspace import clip as filming
from voxloop.workspace import compare as comparing
from voxloop.workspace import doubtful_objects as doubting
from voxloop.workspace import export as exporting
from voxloop.workspace import g_ratio as fibres
from voxloop.workspace import label_objects as labelling
from voxloop.workspace import merge as merging
from voxloop.workspace import methods as writing
from voxloop.workspace import object_classes as sorting
from voxloop.workspace import objects as separating
from voxloop.workspace import packing, people, review
from voxloop.workspace import pairs as pairing
from voxloop.workspace import predict as predicting
from voxloop.workspace import scene3d as standing
from voxloop.workspace import study as studying
from voxloop.workspace import suggest as suggesting
from voxloop.workspace import track as tracking
from voxloop.workspace import train as training
from voxloop.workspace import voxel_size as sizing
from voxloop.workspace.channels import Channels
from voxloop.workspace.project import Project
from voxloop.workspace.reuse import Reuse
from voxloop.workspace.supervoxels import ImageSupervoxels


class Workspace(Project):
    """A folder that holds everything about one segmentation project.

    Use :meth:`create` or :meth:`open`, best as a context manager. Every verb has a panel that calls it, and every
    panel shows the line of Python that it runs. What takes time (:meth:`train`, :meth:`predict`, :meth:`objects`, ...)
    returns a :class:`Run` at once; ``run.result`` waits for what comes out, ``await run`` too.

    Examples
    --------
    >>> ws = vl.Workspace.create("first", image=volume, classes=["cell", "background"])
    >>> ws.labels().paint(index=3, points=[(14, 14), (18, 18)], radius=3, value="cell")
    Edit(sequence=1, tool='paint', box=Box(start=(3, 11, 11), stop=(4, 22, 22)), voxels=65, outside={})
    >>> ws.labels().counts()
    {1: 65}
    >>> ws.close()
    """

    train = training.train
    pack = packing.pack
    unpack = packing.unpack
    predict = predicting.predict
    forecast = predicting.forecast
    objects = separating.objects
    track = tracking.track
    fit_objects = separating.fit_objects
    label_objects = labelling.label_objects
    object_classes = sorting.object_classes
    doubtful_objects = doubting.doubtful_objects
    g_ratio = fibres.g_ratio
    study = studying.study
    accept = review.accept
    suggest = suggesting.suggest
    evaluate = review.evaluate
    agreement = agreeing.agreement
    authors = people.authors
    merge = merging.merge
    score = review.score
    audit = review.audit
    compare = comparing.compare
    offer = comparing.offer
    best = comparing.best
    doctor = review.doctor
    methods = writing.methods
    add_pairs = pairing.add_pairs
    set_voxel_size = sizing.set_voxel_size
    export = exporting.export
    clip = filming.clip
    scene3d = standing.scene3d
    export_model = exporting.export_model

    @classmethod
    def create(
        cls,
        path: str | Path,
        image: Any = None,
        classes: Sequence[Any] | None = None,
        *,
        exist_ok: bool = False,
        **settings: Any,
    ) -> Self:
        """Make a new workspace folder.

        Parameters
        ----------
        path
            A folder that does not exist yet, or is empty.
        image
            The first image: anything :func:`open_volume` opens (a path stays where it is, an array is copied into the
            workspace), or None to add images later.
        classes
            Names, dicts or ``LabelClass`` of the first level; values count from 1. A class named ``background`` (or
            ``other``, ``rest``, ``nothing``) counts as background in scores.
        exist_ok
            Open the workspace where there is one already, as it is; so that a cell may be run again.
        **settings
            ``image_name``, ``level``, ``kind`` ("semantic" or "instances"), ``copy``, ``times`` (all time points of a
            series of volumes), and what :func:`open_volume` takes.

        Raises
        ------
        WorkspaceError
            The folder is in use.
        VolumeError
            The image cannot be opened; nothing is left behind.

        Examples
        --------
        >>> with vl.Workspace.create("first", image=volume, classes=["cell", "background"]) as ws:
        ...     print(ws.images.names, ws.levels.names)
        ['image'] ['labels']
        """
        if (
            flag("exist_ok", exist_ok, error=WorkspaceError)
            and Layout(path_of(path, error=WorkspaceError)).document.exists()
        ):
            return cls.open(path)
        return cls(Store.create(path, image=image, classes=classes, **settings))

    @classmethod
    def open(cls, path: str | Path, read_only: bool | None = None) -> Self:
        """Open a workspace. Where another process holds it, it opens read-only and ``ws.writer`` says who.

        Read-only are images, levels, labels, regions and sets; runs can be started all the same.

        Examples
        --------
        >>> ws.close()
        >>> with vl.Workspace.open("cells") as again:
        ...     print(again.runs, again.read_only)
        <Runs: shallow-1, predict-1, objects-1> False
        """
        return cls(Store.open(path, read_only=read_only))

    @cached_property
    def channels(self) -> Channels:
        """Named filters of the images and of each other, lazy: ``ws.channels.add("smooth", "gaussian")``."""
        return Channels(self)

    @property
    def reuse(self) -> Reuse:
        """Other workspaces whose models, channels and settings are offered here: ``ws.reuse.add("../first")``."""
        return Reuse(self)

    @property
    def supervoxels(self) -> ImageSupervoxels:
        """Small compact pieces of alike intensity: ``ws.supervoxels(size=10)`` is a lazy layer of their numbers."""
        return ImageSupervoxels(self)

    def size(self) -> dict[str, int]:
        """Bytes on disk, by part.

        Examples
        --------
        >>> sorted(ws.size())
        ['images', 'journal', 'labels', 'objects', 'predictions', 'runs', 'total']
        """
        return self.store.size()

    def clean(self) -> int:
        """Delete caches that come back by themselves; bytes freed.

        Examples
        --------
        >>> ws.clean() >= 0
        True
        """
        return self.store.clean()

    def __repr__(self) -> str:
        images, levels = ", ".join(self.images.names), ", ".join(self.levels.names)
        state = " read-only" if self.read_only else ""
        return f"<Workspace {str(self.path)!r}{state}: images {images or 'none'}; levels {levels or 'none'}>"
