"""What the panel of trainings shows, as it was at one moment; a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.panels.base.rows import Row
from voxloop.panels.train.learners import LearnerName
from voxloop.panels.train.overview import ClassFacts
from voxloop.shallow.last_choice import LastChoice

if TYPE_CHECKING:
    from voxloop.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainLook:
    """What there was at one moment: what is labelled (None: as before), trainings newest first, as rows as well."""

    facts: list[ClassFacts] | None
    runs: list[Run]
    rows: list[Row]
    models: dict[LearnerName, list[str]]
    choice: LastChoice | None
    busy: bool
