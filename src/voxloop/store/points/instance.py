"""One instance as users see it: where its nodes are, which track and class, who said so. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Place = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """One animal, cell, spot or box in one frame (or one volume).

    Attributes
    ----------
    id
        Its number; never given to another one.
    frame
        Which frame, from 0; None in a volume.
    points
        Nodes that are placed: ``{"nose": (y, x)}`` in frames, ``(z, y, x)`` in a volume. Voxels, centres at integers.
        Of a box the two corners, ``"start"`` and ``"stop"``.
    hidden
        Nodes of ``points`` that are placed although something lies over them.
    track
        Who it is over time; None where nobody said.
    label
        Name of its class; None where the level has none.
    predicted
        A model said so, and nobody has confirmed it. ``score`` is how sure the model was, ``scores`` that of each node.
    locked
        It is left alone until it is unlocked.
    """

    id: int
    frame: int | None
    points: dict[str, Place]
    hidden: frozenset[str] = frozenset()
    track: str | None = None
    label: str | None = None
    predicted: bool = False
    score: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    locked: bool = False
    author: str = ""

    @property
    def centre(self) -> Place:
        """The middle of its nodes; () where it has none."""
        places = list(self.points.values())
        return tuple(sum(axis) / len(places) for axis in zip(*places, strict=True)) if places else ()

    @property
    def box(self) -> tuple[Place, Place]:
        """The corners of the box around all nodes; of a box its own. Raises ValueError where it has none."""
        places = list(self.points.values())
        if not places:
            raise ValueError(f"instance {self.id} has no nodes")
        axes = list(zip(*places, strict=True))
        return tuple(min(axis) for axis in axes), tuple(max(axis) for axis in axes)


#: an instance as the journal writes it, short keys: f frame, p {node key: [y, x] or [y, x, 0] where hidden}, t track,
#: c class, s score, q {node key: score}, a author, x flags; absent where it says nothing
Entry = dict[str, Any]
#: what happened to one instance: its number, what it was, what it is (None: not there)
Step = tuple[int, Entry | None, Entry | None]

PREDICTED, LOCKED, EMPTY = 1, 2, 4


def with_key(entry: Entry, key: str, value: object) -> Entry:
    """An entry that says this too; None takes it away."""
    rest = {name: old for name, old in entry.items() if name != key}
    return rest if value is None else {**rest, key: value}


def with_flag(entry: Entry, bit: int, on: bool) -> Entry:
    """An entry with one of the flags on or off."""
    flags = entry.get("x", 0) | bit if on else entry.get("x", 0) & ~bit
    return with_key(entry, "x", flags or None)
