"""See before training: the windows that networks of places get with what they are taught, and how far they look."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from voxloop.config.detect import DetectConfig
from voxloop.config.pose import PoseConfig
from voxloop.deep.begin.lending import lends
from voxloop.deep.begin.material import folder_of
from voxloop.deep.pose.beginning import settle_encoder
from voxloop.deep.pose.fields import HeadField, fields_of
from voxloop.deep.pose.lesson_sheet import draw_lesson
from voxloop.deep.pose.lessons import Lesson, Teacher, join
from voxloop.deep.pose.model import build_networks
from voxloop.deep.pose.pictures import Album, Reader, open_album, settle_grays
from voxloop.deep.pose.plan import PlacePlan, plan_of
from voxloop.deep.pose.split import hold_out
from voxloop.errors import ConfigError, VolumeError
from voxloop.store.mark_teaching import freeze_marks

if TYPE_CHECKING:
    from voxloop.helper.handlers import Job

#: windows of a batch that are drawn
_DRAWN = 6
_Config = PoseConfig | DetectConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceInputs:
    """One batch as the networks of a learner of places get it, with its targets. Shows itself in a notebook.

    Attributes
    ----------
    lessons
        By stage (``animals``, ``nodes``, ``things``): normalised and varied windows, and the maps that are taught.
    """

    batch: int
    plan: PlacePlan
    lessons: dict[str, Lesson]

    def png(self, stage: str | None = None) -> bytes:
        """A sheet of one stage, the last where not given: windows above, targets over them below, fields last."""
        name = stage or self.plan.stages[-1].name
        return draw_lesson(self.lessons[name], next(one for one in self.plan.stages if one.name == name))

    def _repr_png_(self) -> bytes:
        return self.png()


@dataclass(frozen=True, eq=False)
class _Gathered:
    """What a training with a config would learn from."""

    album: Album
    plan: PlacePlan
    reader: Reader
    teachers: dict[str, Teacher]


def place_inputs(workspace: Any, config: _Config, batch: int = 0) -> PlaceInputs:
    """The windows of a batch after scaling, cropping and variation, with confidence maps, fields and sizes of boxes.

    Parameters
    ----------
    workspace
        A :class:`voxloop.Workspace` or its folder; labels are taken as they are now.
    config
        A :class:`PoseConfig` or a :class:`DetectConfig`.
    batch
        Which one, from 0: a run with the same config gets the same windows at that step.

    Raises
    ------
    LabelError
        Nothing is labelled.
    """
    return _inputs(_gather(folder_of(workspace), config), config, batch)


def place_fields(workspace: Any, config: _Config) -> list[HeadField]:
    """How far each network looks about a cell of each of its groups of maps, in pixels of the picture."""
    return _fields(_gather(folder_of(workspace), config))


@lends
def inputs(job: Job) -> dict[str, Any]:
    """Answer of the helper. Fields ``learner``, ``config`` (JSON), ``batch``; a sheet as base64 of each stage."""
    config = _config(job)
    gathered = _gather(job.workspace, config, job.state)
    job.check()
    found = _inputs(gathered, config, int(job.fields.get("batch", 0)))
    return {
        "batch": found.batch,
        "windows": config.batch_size,
        "turned": found.plan.why_turned,
        "stages": [
            {
                "name": stage.name,
                "png": base64.b64encode(found.png(stage.name)).decode(),
                "size": list(stage.window),
                "scale": stage.scale[-1],
                "heads": [head.name for head in stage.backbone.heads],
                "strides": [stage.stride(head.name)[-1] for head in stage.backbone.heads],
            }
            for stage in found.plan.stages
        ],
    }


@lends
def receptive_field(job: Job) -> dict[str, Any]:
    """Answer of the helper. Fields ``learner`` and ``config`` (JSON); how far each head looks, in picture pixels."""
    gathered = _gather(job.workspace, _config(job), job.state)
    job.check()
    return {"heads": [one.to_json() for one in _fields(gathered)], "pipeline": gathered.plan.pipeline}


def _inputs(gathered: _Gathered, config: _Config, batch: int) -> PlaceInputs:
    first, count = batch * config.batch_size, min(config.batch_size, _DRAWN)
    lessons = {
        name: join([teacher.drawn(first + number) for number in range(count)])
        for name, teacher in gathered.teachers.items()
    }
    return PlaceInputs(batch=batch, plan=gathered.plan, lessons=lessons)


def _fields(gathered: _Gathered) -> list[HeadField]:
    networks: nn.ModuleDict = build_networks(gathered.plan)
    out: list[HeadField] = []
    for stage in gathered.plan.stages:
        pixels = gathered.teachers[stage.name].examples(gathered.album.pictures[:1])
        if not pixels:
            raise VolumeError("the first labelled picture holds nothing; label one that does")
        out += fields_of(networks[stage.name], stage, pixels[0].pixels[:1])
    return out


def _gather(folder: Path, config: _Config, state: dict[str, Any] | None = None) -> _Gathered:
    """What was put together for the question before, where neither settings nor labels have changed since."""
    from voxloop.store import Store

    pose = isinstance(config, PoseConfig)
    with Store.open(folder, read_only=True) as store:
        facts = freeze_marks(store, config, *(("points",) if pose else ("points", "boxes")))
    key = json.dumps([type(config).__name__, config.to_json(), facts], sort_keys=True)
    known: dict[str, _Gathered] = {} if state is None else state.get("places", {})
    if key in known:
        return known[key]
    album = open_album(folder, {**facts, "as": "pose" if pose else "detect"})
    config = settle_encoder(config, album)
    plan = plan_of(config, album)
    learnt, _ = hold_out(album.pictures, config.validation_share, config.seed)
    reader = Reader.of(settle_grays(learnt))
    teachers = {
        stage.name: Teacher(plan, stage, learnt, reader, config, number) for number, stage in enumerate(plan.stages)
    }
    gathered = _Gathered(album, plan, reader, teachers)
    if state is not None:
        state["places"] = {key: gathered}
    return gathered


def _config(job: Job) -> _Config:
    learner, settings = job.fields.get("learner"), dict(job.fields.get("config") or {})
    match learner:
        case "pose":
            return PoseConfig.from_json(settings)
        case "detect":
            return DetectConfig.from_json(settings)
    raise ConfigError(f"learner {learner!r} has no maps of places; use pose or detect")
