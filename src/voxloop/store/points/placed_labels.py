"""What points and boxes have in common: instances that lie somewhere, added, moved, read by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.given import flag, shown
from voxloop.store.points.instance import EMPTY, PREDICTED, Entry, Instance, Place, Step, with_key
from voxloop.store.points.rules import check_mapping, hidden_of, place_of, score_of, track_of
from voxloop.store.points.track_edits import TrackEdits
from voxloop.store.records import signature
from voxloop.store.spelling import plain_name
from voxloop.store.values import number, whole

if TYPE_CHECKING:
    from voxloop.store.points.files import Loading
    from voxloop.store.skeleton import Skeleton


class PlacedLabels(TrackEdits):
    """Instances with nodes. The names of nodes and what must be placed are the subclasses'."""

    # --------------------------------------------------------------------------------------------------------- read

    @property
    def frames(self) -> list[int]:
        """Frames that hold anything or were said to be empty, in order; of a volume none."""
        if not self.framed:
            return []
        with self._state.lock:
            return self._state.table.frames

    @property
    def labelled(self) -> list[int]:
        """Frames that a person has labelled, or said to be empty: what can be learnt from."""
        with self._state.lock:
            return sorted(self._state.table.count_by_frame(predicted=False)) if self.framed else []

    @property
    def predicted(self) -> list[int]:
        """Frames that hold predictions that nobody has confirmed."""
        with self._state.lock:
            return sorted(self._state.table.count_by_frame(predicted=True)) if self.framed else []

    def read(self, frame: int | None = None) -> list[Instance]:
        """The instances of a frame, by number; of a volume all (frame=None). An empty list where there are none.

        Examples
        --------
        >>> [(fly.id, fly.track) for fly in film.points("flies").read(0)]
        [(1, 'ann'), (2, 'bob')]
        """
        with self._state.lock:
            table = self._state.table
            rows = table.rows(self._frame(frame) if self.framed or frame is not None else None)
            return [self._instance(row) for row in rows.tolist() if not table.flags[row] & EMPTY]

    def near(self, index: int, reach: float = 0.5) -> list[Instance]:
        """Instances whose middle is within ``reach`` planes of plane ``index``; in frames simply those of the frame.

        Examples
        --------
        >>> number = ws.boxes("boxes").add(None, ((2, 8, 8), (4, 24, 24)))
        >>> [box.id for box in ws.boxes("boxes").near(3)]
        [1]
        """
        if self.framed:
            return self.read(index)
        index, reach = whole("index", index), number("reach", reach, 0)
        with self._state.lock:
            table = self._state.table
            planes = range(max(0, round(index - reach)), min(self.shape[0] - 1, round(index + reach)) + 1)
            return [self._instance(row) for plane in planes for row in table.rows(plane).tolist()]

    def is_empty(self, frame: int) -> bool:
        """Whether somebody said that there is nothing in the frame."""
        with self._state.lock:
            table = self._state.table
            return bool((table.flags[table.rows(self._frame(frame))] & EMPTY).any())

    def arrays(self, *, predicted: bool | None = None, author: str | None = None) -> dict[str, np.ndarray]:
        """All instances as columns, for learners and measures, a row each, by frame and number.

        Parameters
        ----------
        predicted
            True: only predictions; False: only what a person said; None: both.
        author
            Only what this author put there last. Raises LabelError where nobody of this name did.

        Returns
        -------
        dict
            ``id`` (n,), ``frame`` (n,; -1 in a volume), ``points`` (n, nodes, 2 or 3; NaN where a node is not
            placed), ``hidden`` (n, nodes), ``track`` (n, text; "" where none), ``label`` (n, class values; 0 where
            none), ``predicted`` (n,), ``score`` (n,; NaN where none), ``scores`` (n, nodes). Nodes in the order of the
            skeleton.

        Examples
        --------
        >>> columns = film.points("flies").arrays()
        >>> columns["frame"].tolist()
        [0, 0, 1, 1, 2, 2, 3, 3]
        >>> columns["points"].shape
        (8, 2, 2)
        """
        with self._state.lock:
            table = self._state.table
            rows = table.rows()
            flags = table.flags[rows]
            keep = flags & EMPTY == 0
            if predicted is not None:
                predicted = flag("predicted", predicted, error=LabelError)
                keep &= (flags & PREDICTED != 0) == predicted
            if author is not None:
                keep &= self._said_by(rows, author)
            rows = rows[keep]
            rows = rows[np.lexsort((table.id[rows], table.frame[rows]))]
            keys = list(self._keys(self.level).values())
            width = table.seen.shape[1]
            known = [key for key in keys if key < width]
            seen = np.zeros((len(rows), len(keys)), np.uint8)
            places = np.full((len(rows), len(keys), table.dims), np.nan)
            scores = np.full((len(rows), len(keys)), np.nan, np.float32)
            for column, key in enumerate(keys):
                if key in known:
                    seen[:, column] = table.seen[rows, key]
                    there = seen[:, column] > 0
                    places[there, column] = table.place[rows[there], key]
                    scores[there, column] = table.node_score[rows[there], key]
            names = np.array([*table.tracks, ""], dtype=object)
            return {
                "id": table.id[rows],
                "frame": table.frame[rows] if self.framed else np.full(len(rows), -1, np.int32),
                "points": places,
                "hidden": seen == 2,
                "track": names[table.track[rows]].astype(str),
                "label": table.label[rows],
                "predicted": table.flags[rows] & PREDICTED != 0,
                "score": table.score[rows],
                "scores": scores,
            }

    # ------------------------------------------------------------------------------------------------------- change

    def add_many(self, instances: Iterable[Mapping[str, Any] | Instance], *, predicted: bool = False) -> list[int]:
        """Add many instances as one edit; their numbers.

        Parameters
        ----------
        instances
            Dicts of what ``add`` takes (``frame``, ``points`` and, where known, ``track``, ``label``, ``hidden``,
            ``score``, ``scores``), or instances that were read.
        predicted
            A model says so.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.add_many([{"frame": 0, "points": {"head": (40, 9 * n)}} for n in range(3)])
        [9, 10, 11]
        """
        with self._state.lock:
            first = self._state.table.highest
            steps: list[Step] = []
            for given in _several(instances):
                told = _as_dict(given)
                steps.append((first + len(steps) + 1, None, self._entry(predicted=predicted, **told)))
            self._commit("add", {}, [*self._no_longer_empty(steps), *steps])
            return list(range(first + 1, first + 1 + len(steps)))

    def replace_predictions(self, frames: Iterable[int] | None, instances: Iterable[Mapping[str, Any]]) -> list[int]:
        """Put new predictions in the place of all earlier ones of these frames (None: of all), as one edit.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> numbers = flies.replace_predictions([0], [{"frame": 0, "points": {"head": (40, 9)}, "score": 0.7}])
        >>> flies.predicted
        [0]
        """
        with self._state.lock:
            table = self._state.table
            old: list[int] = []
            for frame in [None] if frames is None else _several(frames, "frames"):
                rows = table.rows(None if frame is None else self._frame(frame))
                old += rows[table.flags[rows] & PREDICTED != 0].tolist()
            steps: list[Step] = [self._step(row, None) for row in old]
            first = table.highest
            new: list[int] = []
            for given in _several(instances):
                number = first + len(new) + 1
                new.append(number)
                steps.append((number, None, self._entry(predicted=True, **_as_dict(given))))
            self._commit("predict", {}, steps)
            return new

    def set_empty(self, frame: int | None = None, empty: bool = True) -> None:
        """Say that there is nothing in a frame, so that a model may learn that; or take that back.

        Raises LabelError where a person has put an instance there.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> flies.clear([3])
        2
        >>> flies.set_empty(3)
        >>> flies.is_empty(3)
        True
        """
        with self._state.lock:
            table, at = self._state.table, self._frame(frame)
            rows = table.rows(at)
            said = [row for row in rows.tolist() if table.flags[row] & EMPTY]
            own = [row for row in rows.tolist() if not table.flags[row] & (EMPTY | PREDICTED)]
            if not flag("empty", empty, error=LabelError):
                self._commit("empty", {}, [self._step(row, None) for row in said])
            elif own:
                raise LabelError(f"frame {at} is not empty: it has {len(own)} instances; remove them first")
            elif not said:
                entry = {"f": at, "x": EMPTY, "a": signature()["author"]}
                self._commit("empty", {}, [(table.highest + 1, None, entry)])

    def load(self, path: str | Path, **how: Any) -> Loading:
        """Bring in a file of another program; see :func:`voxloop.store.points.files.load`.

        Examples
        --------
        >>> flies = film.points("flies")
        >>> path = flies.save("flies.csv")
        >>> flies.clear()
        8
        >>> flies.load(path)
        Loading(instances=8, predicted=0, frames=4, left_out=())
        """
        from voxloop.store.points.files import load

        return load(self, path, **how)

    def save(self, path: str | Path, **how: Any) -> Path:
        """Write a file for another program; see :func:`voxloop.store.points.files.save`.

        Examples
        --------
        >>> film.points("flies").save("flies.csv")
        PosixPath('flies.csv')
        """
        from voxloop.store.points.files import save

        return save(self, path, **how)

    def add_mixed(self, told: list[dict[str, Any]], empty: list[int], tool: str, **arguments: Any) -> None:
        """Add what was said and what was predicted, and frames that are empty, as one edit."""
        with self._state.lock:
            first = self._state.table.highest
            steps: list[Step] = [(first + n, None, self._entry(**one)) for n, one in enumerate(told, start=1)]
            steps = [*self._no_longer_empty(steps), *steps]
            author = signature()["author"]
            said = [{"f": self._frame(frame), "x": EMPTY, "a": author} for frame in empty if not self.is_empty(frame)]
            steps += [(first + len(told) + n, None, entry) for n, entry in enumerate(said, start=1)]
            self._commit(tool, arguments, steps)

    @contextmanager
    def reshaping(self, skeleton: Skeleton | None) -> Iterator[None]:
        """Give the level another skeleton for what is done inside, and for good where that succeeds."""
        before = self.level.skeleton
        if skeleton is not None:
            self._setting.reshape(skeleton)
        try:
            yield
        except BaseException:
            if skeleton is not None and before is not None:
                self._setting.reshape(before)
            raise

    # ------------------------------------------------------------------------------------------------------- helpers

    @property
    def _extent(self) -> tuple[int, ...]:
        return self.shape[1:] if self.framed else self.shape

    def _entry(
        self,
        frame: int | None = None,
        points: Mapping[str, object] | None = None,
        *,
        track: object = None,
        label: object = None,
        hidden: object = None,
        predicted: bool = False,
        score: object = None,
        scores: Mapping[str, object] | None = None,
        author: str | None = None,
    ) -> Entry:
        """What is given, as the journal writes it. Raises LabelError."""
        at = self._frame(frame)
        places = self._places(check_mapping(points, "points"))
        if not places:
            raise LabelError("an instance has a node at least; set_empty(frame) says that there is nothing in a frame")
        entry: Entry = {"f": at if self.framed else _plane(places.values())}
        keys = self._keys(self.level)
        covered = hidden_of(hidden, list(places))
        entry["p"] = {str(keys[name]): [*at, 0] if name in covered else [*at] for name, at in places.items()}
        if scores is not None and len(check_mapping(scores, "scores")):
            sure = {str(keys[name]): score_of(value) for name, value in scores.items() if name in places}
            entry = with_key(entry, "q", {key: value for key, value in sure.items() if value is not None} or None)
        entry = with_key(with_key(entry, "t", track_of(track)), "c", self._label(label))
        entry = with_key(entry, "s", score_of(score))
        entry["a"] = signature()["author"] if author is None else str(author)
        return with_key(entry, "x", PREDICTED if flag("predicted", predicted, error=LabelError) else None)

    def _places(self, given: Mapping[str, object]) -> dict[str, Place]:
        """The nodes that are placed, by the level's names; those at None are left out. Raises LabelError."""
        places = {}
        for name, at in given.items():
            node = self._node(name)
            if at is not None:
                places[node] = place_of(node, at, self._extent)
        return places

    def _node(self, name: object) -> str:
        raise NotImplementedError

    def _moved(self, row: int, given: Mapping[str, object]) -> Entry:
        """An entry with nodes elsewhere; at None: not placed any more."""
        entry = self._own(self._state.table.entry(row))
        keys = self._keys(self.level)
        points = dict(entry.get("p", {}))
        for name, at in check_mapping(given, "points").items():
            node = self._node(name)
            key = str(keys[node])
            if at is None:
                points.pop(key, None)
                continue
            place = place_of(node, at, self._extent)
            points[key] = [*place, 0] if len(points.get(key, ())) > len(place) else [*place]
        if not any(str(key) in points for key in keys.values()):
            number = int(self._state.table.id[row])
            raise LabelError(f"instance {number} would have no node left; remove({number}) takes it out")
        dims = len(self._extent)
        frame = entry["f"] if self.framed else _plane(at[:dims] for at in points.values())
        return {**entry, "f": frame, "p": points}

    def _no_longer_empty(self, steps: list[Step]) -> list[Step]:
        """Steps that take back that frames are empty, where these put something there."""
        table = self._state.table
        frames = {after["f"] for _, _, after in steps if after is not None and not after.get("x", 0) & PREDICTED}
        return [
            self._step(row, None) for frame in frames for row in table.rows(frame).tolist() if table.flags[row] & EMPTY
        ]

    def _place_columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        table = self._state.table
        axes = ("y", "x") if self.framed else ("z", "y", "x")
        columns = {}
        for node, key in self._keys(self.level).items():
            there = table.seen[rows, key] > 0 if key < table.seen.shape[1] else np.zeros(len(rows), bool)
            for n, axis in enumerate(axes):
                values = np.full(len(rows), np.nan)
                values[there] = table.place[rows[there], key, n] if there.any() else ()
                columns[f"{node} {axis}"] = values
        return columns


def _plane(places: Iterable[Any]) -> int:
    """The plane in which the middle of nodes of a volume lies."""
    heights = [float(place[0]) for place in places]
    return max(0, round(sum(heights) / len(heights)))


def _several(given: Any, what: str = "instances") -> list[Any]:
    """What is given, as a list. Raises LabelError."""
    if isinstance(given, np.ndarray):
        given = np.atleast_1d(given).tolist()
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise LabelError(f"{what}={shown(given)} is no list")
    return list(given)


def _as_dict(given: Mapping[str, Any] | Instance) -> dict[str, Any]:
    if isinstance(given, Instance):
        names = ("frame", "points", "track", "label", "hidden", "score", "scores", "author")
        return {name: getattr(given, name) for name in names}
    if not isinstance(given, Mapping):
        raise LabelError(f"{shown(given)} is no instance; give dicts with frame and points")
    told = {str(key): value for key, value in given.items()}
    strange = next((key for key in told if key not in _KNOWN), None)
    if strange is not None:
        raise LabelError(f"an instance has no {plain_name(strange)!r}; there are {', '.join(_KNOWN)}")
    return told


_KNOWN = ("frame", "points", "track", "label", "hidden", "score", "scores", "author")
