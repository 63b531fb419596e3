"""The parts of a body and how they hang together, as a value. Pure: knows no points and no files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.store.spelling import plain_name

#: what a level of points is made of that was given no skeleton
SINGLE = "point"


@dataclass(frozen=True)
class Skeleton:
    """The nodes of one body.

    Parameters
    ----------
    nodes
        Names of the parts, such as ``["nose", "neck", "tail"]``; one node alone makes plain points to count.
    edges
        Pairs of nodes that are drawn as lines: ``[("nose", "neck"), ("neck", "tail")]``.
    symmetric
        Pairs of nodes that change places in a mirror: ``[("left ear", "right ear")]``.

    Raises
    ------
    LabelError
        No node, one given twice, an edge or a pair with an unknown node, from a node to itself, or given twice.

    Examples
    --------
    >>> worm = vl.Skeleton(("head", "middle", "tail"), edges=(("head", "middle"), ("middle", "tail")))
    >>> level = film.levels.add("worms", kind="points", skeleton=worm)
    >>> level.skeleton.nodes
    ('head', 'middle', 'tail')
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...] = ()
    symmetric: tuple[tuple[str, str], ...] = ()

    def __init__(self, nodes: Iterable[str], edges: Iterable[Any] = (), symmetric: Iterable[Any] = ()) -> None:
        names = tuple(_name(node) for node in _list("nodes", nodes))
        if not names:
            raise LabelError("a skeleton needs a node at least; Skeleton(['point']) makes plain points")
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise LabelError(f"two nodes have the name {double!r}; each needs its own")
        object.__setattr__(self, "nodes", names)
        object.__setattr__(self, "edges", _pairs("edge", edges, names))
        object.__setattr__(self, "symmetric", _pairs("symmetric pair", symmetric, names))
        paired = [name for pair in self.symmetric for name in pair]
        double = next((name for name in paired if paired.count(name) > 1), None)
        if double is not None:
            raise LabelError(f"node {double!r} is in two symmetric pairs; it can change places with one node only")

    def __len__(self) -> int:
        return len(self.nodes)

    def node(self, name: object) -> str:
        """The name of a node, as it is kept. Raises LabelError."""
        found = plain_name(name) if isinstance(name, str) else None
        if found not in self.nodes:
            raise LabelError(unknown("node", shown(name) if not isinstance(name, str) else name, self.nodes))
        return str(found)

    @property
    def edge_indices(self) -> tuple[tuple[int, int], ...]:
        """Edges as places of nodes, for networks and drawing."""
        return tuple((self.nodes.index(a), self.nodes.index(b)) for a, b in self.edges)

    @property
    def mirrored(self) -> tuple[int, ...]:
        """For each node the place of the one that it becomes in a mirror."""
        other = {a: b for pair in self.symmetric for a, b in (pair, pair[::-1])}
        return tuple(self.nodes.index(other.get(name, name)) for name in self.nodes)

    # ------------------------------------------------------------------------------------------------------- changes

    def with_node(self, name: str, joined_to: str | None = None) -> Skeleton:
        """One node more, with an edge to ``joined_to``. Raises LabelError."""
        name = _name(name)
        edges = self.edges if joined_to is None else (*self.edges, (self.node(joined_to), name))
        return Skeleton((*self.nodes, name), edges, self.symmetric)

    def without_node(self, name: str) -> Skeleton:
        """One node less, and what hung on it; what lay between its two neighbours is joined. Raises LabelError."""
        name = self.node(name)
        if len(self.nodes) == 1:
            raise LabelError(f"{name!r} is the only node; a skeleton needs one at least")
        around = [a if b == name else b for a, b in self.edges if name in (a, b)]
        edges = [edge for edge in self.edges if name not in edge]
        if len(around) == 2 and not any(set(edge) == set(around) for edge in edges):
            edges.append((around[0], around[1]))
        pairs = [pair for pair in self.symmetric if name not in pair]
        return Skeleton([node for node in self.nodes if node != name], edges, pairs)

    def renamed(self, name: str, new: str) -> Skeleton:
        """A node under another name. Raises LabelError."""
        name, new = self.node(name), _name(new)
        names = {node: new if node == name else node for node in self.nodes}
        edges, pairs = ([(names[a], names[b]) for a, b in some] for some in (self.edges, self.symmetric))
        return Skeleton(names.values(), edges, pairs) if list(names.values()).count(new) == 1 else _taken(new)


def as_skeleton(given: object) -> Skeleton:
    """A skeleton from a Skeleton, a list of names, or a dict as it stands in files. Raises LabelError."""
    if isinstance(given, Skeleton):
        return given
    if isinstance(given, dict):
        strange = next((key for key in given if key not in ("nodes", "edges", "symmetric")), None)
        if strange is not None or "nodes" not in given:
            raise LabelError(f"a skeleton is nodes, edges and symmetric, not {shown(given)}")
        return Skeleton(**given)
    return Skeleton(given)  # type: ignore[arg-type]


def _taken(name: str) -> Skeleton:
    raise LabelError(f"there is a node {name!r} already; choose another name")


def _name(given: object) -> str:
    if not isinstance(given, str) or not plain_name(given):
        raise LabelError(f"a node has a name, and {shown(given)} is none")
    return plain_name(given)


def _list(what: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
        raise LabelError(f"{what}={shown(given)} is no list; such as ['nose', 'tail']")
    if isinstance(given, np.ndarray):
        return list(np.atleast_1d(given).tolist())
    return list(given)


def _pairs(what: str, given: Any, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for item in _list(f"{what}s", given):
        if isinstance(item, str | np.ndarray) or not isinstance(item, Iterable) or len(pair := tuple(item)) != 2:
            raise LabelError(f"{shown(item)} is no {what}: it is two nodes, such as ({names[0]!r}, {names[-1]!r})")
        a, b = (plain_name(end) if isinstance(end, str) else end for end in pair)
        strange = next((end for end in (a, b) if end not in names), None)
        if strange is not None:
            raise LabelError(f"{what} {pair!r}: {unknown('node', strange, names)}")
        if a == b:
            raise LabelError(f"{what} {pair!r} joins a node with itself")
        if any({a, b} == set(other) for other in pairs):
            raise LabelError(f"{what} {pair!r} is given twice")
        pairs.append((a, b))
    return tuple(pairs)
