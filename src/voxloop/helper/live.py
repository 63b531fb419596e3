"""Live training: the labels as they are now, learnt and shown on what is on screen. Loads its learner late."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.helper.handlers import Job, View
from voxloop.machine import machine
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from voxloop.shallow.live import LiveShallow, PredictedPart
    from voxloop.store import Labels
    from voxloop.store.confined import Area

#: live learners kept: going back to the image or level before costs nothing
KEPT = 2
#: seconds to wait for an edit that was acknowledged elsewhere to be readable here
_PATIENCE = 2.0


@dataclass
class LiveSession:
    """A learner with the labels that it follows."""

    labels: Labels
    learner: LiveShallow
    area: Area
    changed: list[Box] = field(default_factory=list)
    begun: bool = False

    def learn(self, job: Job, near: Sequence[float]) -> None:
        """Take up what changed, first near a voxel. Raises Dropped."""
        from voxloop.store.confined import Area, Confined

        if not self.changed and self.begun and not self.learner.unfinished:
            return
        changed = self.changed if self.begun else None
        teaching = Confined(self.labels, Area(within=self.area.within))
        self.learner.learn(teaching, changed, near=near, stale=job.stale)
        # what a request that is dropped here did not come to, the learner keeps for the next
        self.changed, self.begun = [], True
        job.check()


def answer(job: Job) -> dict[str, Any]:
    """Learn from the labels of ``image`` and ``level`` and predict ``view``.

    Fields: ``image``, ``level``, ``view``, and where wanted ``config`` (of :class:`voxloop.ShallowConfig`, JSON),
    ``sequence`` (an edit that must be taken up) and ``region`` (JSON of one that it learns and speaks inside of).
    Nothing is said outside of the class that ``constrain`` of the config names, or else of the level's parent. Returns
    ``learnt`` (False: fewer than two classes are labelled), ``sequence``, ``samples`` and seconds: ``train_s``,
    ``first_s``, ``total_s``.
    """
    began = time.perf_counter()
    session = session_of(job)
    view = View.from_json(job.fields["view"], session.learner.picture.shape)
    session.learn(job, view.centre)
    learnt = session.learner.ready
    trained = first = time.perf_counter() - began
    if learnt:
        for part in session.learner.predict(view.axis, view.index, (view.rows, view.columns), view.focus):
            job.part(view, part.box, *_within(session.area, part))
            if job.parts == 1:
                first = time.perf_counter() - began
    return {
        "learnt": learnt,
        "sequence": session.labels.sequence,
        "samples": session.learner.samples,
        "train_s": trained,
        "first_s": first,
        "total_s": time.perf_counter() - began,
    }


def _within(area: Area, part: PredictedPart) -> tuple[np.ndarray, np.ndarray]:
    """Values and confidence of a part, 0 where nothing is to be said."""
    if area.everything:
        return part.values, part.confidence
    mask = area.mask(part.box)
    return part.values * mask, part.confidence * mask


def session_of(job: Job) -> LiveSession:
    """The learner of a request's image and level, which knows of the edits that it has not learnt yet."""
    image, level = str(job.fields["image"]), str(job.fields["level"])
    config = job.fields.get("config") or {}
    config = _as_last_chosen(job.workspace, level, config)
    region = job.fields.get("region")
    settings = json.dumps([config, region], sort_keys=True)
    key = (image, level, settings, _channels_as_of(job.workspace, config))
    sessions: dict[Any, LiveSession] = job.state.setdefault("live", {})
    session = sessions.pop(key, None) or _open(job.workspace, image, level, config, region)
    sessions[key] = session
    while len(sessions) > KEPT:
        sessions.pop(next(iter(sessions))).learner.close()
    _follow(session, job)
    return session


def _channels_as_of(workspace: Path, config: dict[str, Any]) -> int:
    """What changes when channels may have; 0 where none are learnt from."""
    return Layout(workspace).document.stat().st_mtime_ns if config.get("channels") else 0


def _open(
    workspace: Path, image: str, level: str, config: dict[str, Any], region: dict[str, Any] | None
) -> LiveSession:
    from voxloop.channels.beside import with_channels
    from voxloop.channels.recipe import facts_of, recipes_of
    from voxloop.config.shallow import ShallowConfig
    from voxloop.shallow.live import LiveShallow, Picture
    from voxloop.store import Store, open_labels
    from voxloop.volumes import channels_of, read_block, shape_zyx, spacing_of

    labels = open_labels(workspace, level, image)
    if labels.level.kind != "semantic":
        raise LabelError(f"level {level!r} holds instances; the live overlay tells classes apart: use a semantic level")
    settings = ShallowConfig(**config)
    store = Store.open(workspace, read_only=True)
    volume = store.images.open(image)
    if settings.channels:
        volume = with_channels(volume, facts_of(settings.channels, recipes_of(store.document.channels)))
    picture = Picture(
        read=partial(read_block, volume),
        shape=shape_zyx(volume),
        channels=channels_of(volume),
        spacing_um=spacing_of(volume),
        frames=volume.attrs.get("z_kind") == "frame",
    )
    budget = int(min(512 << 20, machine().memory_bytes // 8))
    learner = LiveShallow(picture, settings, threads=machine().cores, memory=budget)
    return LiveSession(labels, learner, _area(workspace, labels, settings.constrain, region))


def _as_last_chosen(workspace: Path, level: str, config: dict[str, Any]) -> dict[str, Any]:
    """Settings with what the newest training of this level chose, where they leave that open."""
    from voxloop.config.shallow import ShallowConfig
    from voxloop.shallow.last_choice import last_choice

    settings = ShallowConfig(**config)
    choice = last_choice(workspace, level) if settings.is_open else None
    return config if choice is None else choice.shown(settings).to_json()


def _area(workspace: Path, labels: Labels, constrain: str | None, region: dict[str, Any] | None) -> Area:
    """Where the overlay may say anything."""
    from voxloop.store import Store, open_labels
    from voxloop.store.confined import Area
    from voxloop.store.document import NamedRegion
    from voxloop.store.teaching import PARENT, constraint

    within = None if region is None else NamedRegion(**region)
    text = constrain or (PARENT if labels.level.parent else None)
    if text is None:
        return Area(within=within)
    with Store.open(workspace, read_only=True) as store:
        inside = constraint(store, text, labels.level.name, [labels.image])
    return Area(inside=(open_labels(workspace, inside["level"], labels.image), inside["value"]), within=within)


def _follow(session: LiveSession, job: Job) -> None:
    """Take note of the boxes that changed since the last look."""
    sequence = int(job.fields.get("sequence") or 0)
    if session.area.inside is not None:
        session.area.inside[0].refresh()
    until = time.monotonic() + _PATIENCE
    session.changed += [edit.box for edit in session.labels.refresh()]
    while session.labels.sequence < sequence and time.monotonic() < until:
        job.check()
        time.sleep(0.01)
        session.changed += [edit.box for edit in session.labels.refresh()]
