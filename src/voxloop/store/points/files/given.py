"""What a file of another program says of one video, in our words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Given:
    """Instances as dicts of what ``add`` takes, with ``predicted``; nodes under the names of the file.

    ``size`` is (rows, columns) of the video and ``frames`` how many it has, where the file says so; ``empty`` are
    frames that were said to hold nothing; ``boxes``: there are corners instead of nodes.
    """

    nodes: list[str]
    instances: list[dict[str, Any]]
    edges: list[tuple[str, str]] = field(default_factory=list)
    symmetric: list[tuple[str, str]] = field(default_factory=list)
    size: tuple[int, int] | None = None
    empty: list[int] = field(default_factory=list)
    boxes: bool = False
    remarks: list[str] = field(default_factory=list)
