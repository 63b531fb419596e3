"""What the hand took hold of, and where the nodes go while it moves. Pure; places are (row, column) in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from voxloop.film.instance_shapes import Spot as Spot
from voxloop.film.instance_shapes import in_plane as in_plane

if TYPE_CHECKING:
    from voxloop.store import Instance

Way = Literal["node", "whole", "turn"]


@dataclass(frozen=True, slots=True)
class Grip:
    """An instance in the hand: by one node, or all of it. ``nodes`` are its places in the plane when it was taken."""

    id: int
    node: str | None
    at: Spot
    nodes: dict[str, Spot]
    way: Way
    box: bool = False

    def moved(self, to: Spot) -> dict[str, Spot]:
        """Where the nodes are that move, with the hand at ``to``."""
        shift = to[0] - self.at[0], to[1] - self.at[1]
        if self.box and self.node is not None:
            return self._stretched(to)
        if self.way == "turn":
            return self._turned(to)
        if self.node is not None and self.way == "node":
            y, x = self.nodes[self.node]
            return {self.node: (y + shift[0], x + shift[1])}
        return {name: (y + shift[0], x + shift[1]) for name, (y, x) in self.nodes.items()}

    def _turned(self, to: Spot) -> dict[str, Spot]:
        places = np.array(list(self.nodes.values()))
        middle = places.mean(axis=0)
        before, after = np.array(self.at) - middle, np.array(to) - middle
        angle = np.arctan2(after[0], after[1]) - np.arctan2(before[0], before[1])
        sin, cos = np.sin(angle), np.cos(angle)
        dy, dx = (places - middle).T
        turned = np.stack([middle[0] + dx * sin + dy * cos, middle[1] + dx * cos - dy * sin], axis=1)
        return {name: (float(y), float(x)) for name, (y, x) in zip(self.nodes, turned.tolist(), strict=True)}

    def _stretched(self, to: Spot) -> dict[str, Spot]:
        """A box by one of its four corners: ``"start start"``, ``"start stop"``..., of row and column."""
        assert self.node is not None
        row, column = self.node.split()
        corners = {name: list(place) for name, place in self.nodes.items()}
        corners[row][0], corners[column][1] = to
        return {name: (place[0], place[1]) for name, place in corners.items()}


def handles(one: Instance, plane: Sequence[int], *, box: bool) -> dict[str, Spot]:
    """What of an instance the hand can take: its nodes, or the four corners of a box."""
    nodes = in_plane(one, plane)
    if not box:
        return nodes
    return {f"{row} {column}": (nodes[row][0], nodes[column][1]) for row in nodes for column in nodes}


def take(
    instances: Sequence[Instance], at: Spot, reach: float, way: Way, plane: Sequence[int], *, box: bool = False
) -> Grip | None:
    """What lies under the hand: the nearest node within ``reach``, else the inside; one's own before predictions."""
    best: tuple[float, Grip] | None = None
    for one in instances:
        nodes = in_plane(one, plane)
        for name, place in handles(one, plane, box=box).items():
            away = float(np.hypot(place[0] - at[0], place[1] - at[1]))
            if away <= reach and (best is None or away + reach * one.predicted < best[0]):
                best = away + reach * one.predicted, Grip(one.id, name, at, nodes, way, box)
    if best is not None:
        return best[1]
    for one in sorted(instances, key=lambda item: item.predicted):
        if len(one.points) > 1 and _inside(in_plane(one, plane), at):
            return Grip(one.id, None, at, in_plane(one, plane), way, box)
    return None


def _inside(nodes: dict[str, Spot], at: Spot) -> bool:
    places = np.array(list(nodes.values()))
    return bool((np.array(at) >= places.min(axis=0)).all() and (np.array(at) <= places.max(axis=0)).all())
