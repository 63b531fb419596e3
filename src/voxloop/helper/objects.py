"""Objects of what is on screen, as they come out of settings that are still being chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.config import ObjectsConfig
from voxloop.helper.handlers import Job, View
from voxloop.objects import preview
from voxloop.objects.fields import field_of
from voxloop.objects.task import source_of


def answer(job: Job) -> dict[str, Any]:
    """Objects of a piece of a plane.

    Fields: ``prediction`` (its folder, relative to the workspace), ``of`` (value of the class, None where the network
    learnt objects), ``settings`` (an ObjectsConfig), ``view``. Parts hold colours 1 to 255 for numbers; the answer says
    how many ``objects`` there are.
    """
    of = job.fields["of"]
    field = field_of(source_of(job.workspace / job.fields["prediction"], of))
    view = View.from_json(job.fields["view"], field.shape)
    config = ObjectsConfig.from_json(job.fields["settings"])
    objects = preview(field, config, view.box, instances=of is None)
    job.check()
    colours = np.where(objects > 0, (objects * 97) % 255 + 1, 0).astype(np.uint8)
    job.part(view, view.box, colours, np.full(objects.shape, 255, np.uint8))
    return {"objects": len(np.unique(objects[objects > 0]))}
