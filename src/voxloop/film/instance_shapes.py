"""Instances as vector shapes: bodies, boxes, spots, trails; coloured by track, instance or node. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from voxloop.film.colors import color
from voxloop.film.shapes import VectorShape

if TYPE_CHECKING:
    from voxloop.store import Instance

Spot = tuple[float, float]
ColorBy = Literal["track", "instance", "node", "class"]
COLOR_BY: tuple[ColorBy, ...] = get_args(ColorBy)
#: points of one body, and of plain points, in screen pixels
_NODE, _SPOT = 4.0, 5.0


class InstancePainter:
    """Says how instances look; ``tracks`` and ``classes`` give each its colour."""

    def __init__(self) -> None:
        self.color_by: ColorBy = "track"
        self.tracks: list[str] = []
        self.classes: dict[str, str] = {}
        self.nodes: Sequence[str] = ()
        self.edges: Sequence[tuple[str, str]] = ()
        self.box = False
        self.names = False

    def shapes(
        self, instances: Sequence[Instance], index: int, axis: str, plane: Sequence[int], selected: int | None
    ) -> list[VectorShape]:
        """Everything of one plane."""
        out: list[VectorShape] = []
        spots: dict[tuple[str, float], list[Spot]] = {}
        for number, one in enumerate(instances):
            nodes = in_plane(one, plane)
            tint = self._color(one, number)
            chosen = one.id == selected
            if self.box:
                out.append(self._frame(one, nodes, index, axis, tint, chosen))
                continue
            for a, b in self.edges:
                if a in nodes and b in nodes:
                    width = 3.0 if chosen else 1.5
                    out.append(
                        VectorShape("line", (nodes[a], nodes[b]), axis, index, tint, width=width, dashed=one.predicted)
                    )
            for name, place in nodes.items():
                node_tint = color(list(self.nodes).index(name)) if self.color_by == "node" else tint
                size = (_SPOT if len(self.nodes) == 1 else _NODE) * (0.6 if name in one.hidden else 1.0)
                spots.setdefault((node_tint, size * (0.75 if one.predicted else 1.0)), []).append(place)
            if chosen and nodes:
                out.append(_ring(nodes, index, axis, self._words(one)))
            elif self.names and nodes and self._words(one):
                top = min(nodes.values())
                out.append(VectorShape("points", (top,), axis, index, tint, self._words(one), radius=1.0))
        out += [VectorShape("points", places, axis, index, tint, radius=size) for (tint, size), places in spots.items()]
        return out

    def trails(self, paths: dict[str, list[Spot]], index: int, axis: str) -> list[VectorShape]:
        """Where each track came from, oldest first."""
        return [
            VectorShape("line", path, axis, index, self._of_track(name), width=1.0)
            for name, path in paths.items()
            if len(path) > 1
        ]

    def _frame(
        self, one: Instance, nodes: dict[str, Spot], index: int, axis: str, tint: str, chosen: bool
    ) -> VectorShape:
        corners = (nodes["start"], nodes["stop"])
        width = 3.0 if chosen else 1.5
        words = self._words(one)
        return VectorShape("box", corners, axis, index, tint, words, width=width, dashed=one.predicted)

    def _words(self, one: Instance) -> str:
        parts = [one.label, one.track and f"#{one.track}", None if one.score is None else f"{one.score:.2f}"]
        return " ".join(part for part in parts if part)

    def _color(self, one: Instance, number: int) -> str:
        if self.color_by == "class" or (self.color_by == "track" and one.track is None and one.label in self.classes):
            return self.classes.get(one.label or "", "#ffe16b")
        if self.color_by == "track" and one.track is not None:
            return self._of_track(one.track)
        return color(number)

    def _of_track(self, name: str) -> str:
        return color(self.tracks.index(name)) if name in self.tracks else color(0)


def _ring(nodes: dict[str, Spot], index: int, axis: str, words: str) -> VectorShape:
    places = np.array(list(nodes.values()))
    low, high = places.min(axis=0) - 4, places.max(axis=0) + 4
    corners = (tuple(low.tolist()), tuple(high.tolist()))
    return VectorShape("box", corners, axis, index, "#ffffff", words, width=1.0, dashed=True)


def in_plane(one: Instance, plane: Sequence[int]) -> dict[str, Spot]:
    """The nodes as (row, column); ``plane`` are the two axes of their places."""
    a, b = plane
    return {name: (place[a], place[b]) for name, place in one.points.items()}
