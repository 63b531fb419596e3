"""Answers of the resident process that need a GPU for a moment, and give it back to whoever trains on it next."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxloop.deep.networks.device import give_back, resolve_device

if TYPE_CHECKING:
    from voxloop.helper.handlers import Job

Answer = Callable[["Job"], dict[str, Any]]


def lends(answer: Answer) -> Answer:
    """The same answer, after which the memory that torch keeps on the device of its config is free for others."""

    @functools.wraps(answer)
    def lent(job: Job) -> dict[str, Any]:
        try:
            return answer(job)
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # they hold the tensors of what failed
            raise
        finally:
            give_back(resolve_device(str((job.fields.get("config") or {}).get("device", "auto"))))

    return lent
