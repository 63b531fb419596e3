"""Settings of the step from places in frames to who is who over time. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from voxloop.config.base import Config, setting
from voxloop.errors import ConfigError


class TracksConfig(Config):
    """How instances of neighbouring frames become tracks: how far they may go, when they may be missing or divide.

    Examples
    --------
    >>> config = vl.TracksConfig(max_gap=2)
    >>> film.track("flies", config=config).result.count
    2
    """

    method: Literal["lap", "kalman", "flow", "numbers"] = setting(
        "lap",
        "lap: cheapest assignment of all together, then gaps, divisions and joins (laptrack); kalman: where each track "
        "should be if it goes on as it did; flow: where the picture moved (Lucas-Kanade); numbers: those of the masks "
        "are tracks already",
        group="Linking",
    )
    lineage: str | None = setting(
        None,
        "table of the Cell Tracking Challenge that says who came out of whom: track, first frame, last frame, parent",
        group="Lineage",
        label="table of lineage",
        when={"method": ["numbers"]},
    )
    max_distance_um: float | None = setting(
        None,
        "furthest way from one frame to the next; empty: 2.5 times the usual way of the fastest twentieth",
        group="Linking",
        unit="µm",
        gt=0,
    )
    max_gap: int = setting(
        2, "frames that an instance may be missing and still be the same", group="Linking", unit="frames", ge=0, le=1000
    )
    split: bool = setting(False, "a track may divide into two: cells; of lap", group="Lineage")
    merge: bool = setting(False, "two tracks may become one; of lap", group="Lineage")
    split_distance_um: float | None = setting(
        None,
        "furthest way from a mother to a daughter, and of tracks that join; empty: twice the furthest way of others",
        group="Lineage",
        unit="µm",
        gt=0,
    )
    number: int | None = setting(
        None,
        "how many animals there are, where that is known: so many of the surest of each frame are kept, and pieces of "
        "tracks are joined until there are so many",
        group="Animals",
        ge=1,
        le=10_000,
    )
    min_length: int = setting(
        1, "shorter tracks are left out, unless they divide", group="Animals", unit="frames", ge=1, le=100_000
    )

    @field_validator("number", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ConfigError(f"number={value}: say how many animals there are, such as 2, or leave it out")
        return value
