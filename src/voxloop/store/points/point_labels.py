"""Keypoints of one level on one image, as users hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from voxloop.errors import LabelError
from voxloop.given import flag
from voxloop.store.classes import Level
from voxloop.store.points.instance import Step
from voxloop.store.points.placed_labels import PlacedLabels
from voxloop.store.skeleton import SINGLE, Skeleton
from voxloop.store.values import as_list


class PointLabels(PlacedLabels):
    """Instances of a skeleton: animals with nodes, or plain points to count (a skeleton of one node).

    In a stack of frames: ``pts.add(12, {"nose": (y, x), "tail": (y, x)}, track="a")``; in a volume:
    ``pts.add(None, {"spot": (z, y, x)})``. Level-0 voxels, centres at integers.

    Examples
    --------
    >>> flies = film.points("flies")
    >>> flies.add(0, {"head": (20, 20), "tail": (20, 26)})
    9
    >>> flies.count(0), flies.tracks
    (3, ['ann', 'bob'])
    >>> flies.undo().tool
    'undo'
    """

    @property
    def skeleton(self) -> Skeleton:
        """Nodes and edges as they are now."""
        return self.level.skeleton or Skeleton([SINGLE])

    def add(
        self,
        frame: int | None,
        points: Mapping[str, object],
        track: object = None,
        *,
        label: object = None,
        hidden: object = (),
        predicted: bool = False,
        score: float | None = None,
        scores: Mapping[str, object] | None = None,
    ) -> int:
        """Add one instance; its number.

        Parameters
        ----------
        frame
            Which frame, from 0; None in a volume, and where there is one picture.
        points
            Node to place: ``{"nose": (y, x)}``, in a volume (z, y, x). Nodes that are left out, or at None, are not
            placed.
        track
            Who it is over time: a name or a number (kept as text). One instance a track in a frame.
        label
            Its class, by name or value.
        hidden
            Placed nodes that something lies over.
        predicted, score, scores
            A model says so, how sure it is, and how sure of each node.

        Raises
        ------
        LabelError
            Unknown node, frame or class, a place outside of the picture or NaN, a second one of a track in a frame.
        ReadOnlyError
            Another process writes the workspace.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> number = flies.add(2, {"head": (20, 20), "tail": (22, 26)}, track="cid", hidden=["tail"])
        >>> flies.instance(number).points
        {'head': (20.0, 20.0), 'tail': (22.0, 26.0)}
        """
        told = {"frame": frame, "points": points, "track": track, "label": label, "hidden": hidden}
        return self.add_many([{**told, "score": score, "scores": scores}], predicted=predicted)[0]

    def move(self, number: int, points: Mapping[str, object]) -> None:
        """Put nodes of an instance elsewhere; at None they are not placed any more. A prediction becomes one's own.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.move(1, {"head": (11, 9)})
        >>> flies.instance(1).points["head"]
        (11.0, 9.0)
        """
        with self._state.lock:
            row = self._row(number)
            self._check_unlocked(row)
            self._commit("move", {}, [self._step(row, self._moved(row, points))])

    def hide(self, number: int, nodes: str | Iterable[str], hidden: bool = True) -> None:
        """Say of placed nodes that something lies over them, or (``hidden=False``) that they are to be seen.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.hide(1, "tail")
        >>> flies.instance(1).hidden
        frozenset({'tail'})
        """
        with self._state.lock:
            row = self._row(number)
            self._check_unlocked(row)
            entry = self._own(self._state.table.entry(row))
            keys, points, dims = self._keys(self.level), dict(entry.get("p", {})), self._state.table.dims
            for name in [nodes] if isinstance(nodes, str) else as_list("nodes", nodes):
                key = str(keys[self._node(name)])
                if key not in points:
                    raise LabelError(f"node {name!r} of instance {number} is not placed, so it cannot be hidden")
                points[key] = points[key][:dims] + ([0] if flag("hidden", hidden, error=LabelError) else [])
            step: Step = self._step(row, {**entry, "p": points})
            self._commit("hide", {}, [step])

    def _node(self, name: object) -> str:
        return self.skeleton.node(name)

    def _keys(self, level: Level) -> dict[str, int]:
        if level.skeleton is None:
            return {SINGLE: 0}
        return {node: level.node_keys[node] for node in level.skeleton.nodes}
