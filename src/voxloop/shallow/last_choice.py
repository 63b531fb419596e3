"""What the newest run of a level chose, read from the folders of runs. Trains nothing, imports no classifier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxloop.config.shallow import ShallowConfig
from voxloop.errors import ConfigError
from voxloop.store.layout import Layout, RunPlace


@dataclass(frozen=True, slots=True)
class LastChoice:
    """The run, what it chose in words, the settings that teach the same again, and which strokes it left out."""

    run: str
    words: str
    settings: Mapping[str, Any]
    left_out: str = ""

    def kept(self, config: ShallowConfig) -> ShallowConfig:
        """``config`` with what was chosen, as far as it leaves that open."""
        names = ("choose", "classifier", "forest_share", "planes_share", "network_share", "dimensions")
        return self._in(config, names)

    def shown(self, config: ShallowConfig) -> ShallowConfig:
        """``config`` as the live overlay can show it.

        Filters through the stack are left out: they take longer than a stroke (38 s of CPU time for a view of 512
        pixels that is first looked at, where those within planes take 2).
        """
        return self._in(config, ("choose", "classifier", "forest_share"))

    def _in(self, config: ShallowConfig, names: tuple[str, ...]) -> ShallowConfig:
        chosen = {name: self.settings[name] for name in names if name in self.settings}
        return config.changed(**chosen) if config.is_open and chosen else config


def last_choice(workspace: Path, level: str) -> LastChoice | None:
    """What the newest run of a level chose; None where none has chosen. Runs that are half written are passed over."""
    places = [RunPlace(folder) for folder in Layout(workspace).runs.glob("*")]
    with_model = [place for place in places if place.spec.exists()]
    for place in sorted(with_model, key=lambda place: -place.spec.stat().st_mtime):
        with suppress(OSError, ValueError, KeyError, TypeError, ConfigError):
            run = json.loads(place.config.read_text())
            chosen = json.loads(place.spec.read_text())["extra"]["choice"]
            settings = dict(chosen["settings"])
            ShallowConfig(**settings)  # of a run of somebody else nothing else is taken over
            if run["level"] == level and settings.get("classifier") == "blend":
                return LastChoice(
                    place.spec.parent.parent.name, str(chosen["words"]), settings, str(chosen.get("left_out", ""))
                )
    return None
