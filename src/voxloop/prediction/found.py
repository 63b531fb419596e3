"""What a learner of places found, on disk: piece after piece, read while the run is going. Writes no labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.prediction.count import CountEstimate, estimate_count
from voxloop.prediction.found_batch import IMAGES, FoundBatch
from voxloop.prediction.found_classes import FoundClasses
from voxloop.prediction.found_pieces import read_pieces
from voxloop.store.atomic import json_bytes, replace_bytes

if TYPE_CHECKING:
    import pandas as pd

#: the folder of a run that holds them
FOLDER = "found"
_FIELDS = ("frame", "points", "scores", "node_scores", "extents")


class FoundPlaces:
    """Animals, points or boxes that a run found. Get them from ``run.result``.

    Attributes
    ----------
    level, image, kind
        The level that was learned, the image that was looked at, ``points`` or ``boxes``.
    names
        Nodes of the skeleton, or classes.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self._folder = folder
        self.level: str = about["level"]
        self.image: str = about["image"]
        self.kind: str = about["kind"]
        self.names: tuple[str, ...] = tuple(about["names"])
        self.by_class: bool = about["by_class"]
        self._node: str = about["node"]
        self._shape: list[int] = about["shape"]
        self._classes: bool = about["classes"]
        self._frames: list[int] | None = about["frames"]
        self._counted: list[list[int]] | None = about.get("counted")
        self._threshold: float | None = about.get("threshold")

    @property
    def frames(self) -> list[int] | None:
        """Frames that were looked at; None in a volume."""
        return self._frames

    def arrays(self) -> dict[str, np.ndarray]:
        """All instances as columns, a row each.

        Returns
        -------
        dict
            ``frame`` (n,; -1 in a volume), ``points`` (n, names, 2 or 3; NaN where a node was not found), ``scores``
            (n,), ``node_scores`` (n, names), ``extents`` (n, 2 or 3): half the sides of boxes, NaN for points.
        """
        return read_pieces(self._folder, _FIELDS)

    def counts(self) -> dict[int, int]:
        """How many instances each frame holds; of a volume ``{-1: n}``."""
        frames = self.arrays()["frame"]
        known = [-1] if self._frames is None else self._frames
        there = dict(zip(*(part.tolist() for part in np.unique(frames, return_counts=True)), strict=True))
        return {frame: there.get(frame, 0) for frame in known}

    def count(self, frames: int | Sequence[int] | None = None, level: float = 0.9) -> CountEstimate:
        """How many there are in some frames or in all, with an interval from what the model got wrong when held out.

        Parameters
        ----------
        frames
            Numbers; None: all that were looked at, or the volume.
        level
            Share of cases in which the interval should hold the true number.
        """
        counts = self.counts()
        wanted = counts if frames is None else np.atleast_1d(np.asarray(frames)).tolist()
        missing = [frame for frame in wanted if frame not in counts]
        if missing:
            raise PredictionError(f"frame {missing[0]} was not looked at")
        found = sum(counts[frame] for frame in wanted)
        return estimate_count(found, self._counted, level, as_held=self._threshold is None)

    def instances(self, frames: int | Sequence[int] | None = None, above: float = 0.0) -> list[dict[str, Any]]:
        """Instances of a frame, of some or (None) of all as ``ws.points(...).add_many`` takes them, surest first."""
        return [told for _, told in self.by_row(frames, above)]

    def by_row(
        self, frames: int | Sequence[int] | None = None, above: float = 0.0
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row in :meth:`arrays` and instance as ``ws.points(...).add_many`` takes it."""
        columns = self.arrays()
        wanted = columns["scores"] >= above
        if frames is not None:
            wanted &= np.isin(columns["frame"], frames)
        for row in np.flatnonzero(wanted).tolist():
            at, sure = columns["points"][row], columns["node_scores"][row]
            there = np.flatnonzero(~np.isnan(at).any(1)).tolist()
            told: dict[str, Any] = {"score": float(columns["scores"][row])}
            if self._frames is not None:
                told["frame"] = int(columns["frame"][row])
            if self.by_class:
                channel = there[0]
                told |= self._as_thing(at[channel], columns["extents"][row], self.names[channel])
            else:
                told["points"] = {self.names[n]: tuple(at[n].tolist()) for n in there}
                told["scores"] = {self.names[n]: float(sure[n]) for n in there}
            yield row, told

    def _as_thing(self, at: np.ndarray, half: np.ndarray, name: str) -> dict[str, Any]:
        label = {"label": name} if self._classes else {}
        if self.kind == "boxes":
            last = np.array(self._shape) - 1
            corners = tuple(tuple(np.clip(corner, 0, last).tolist()) for corner in (at - half, at + half))
            return {"points": corners, **label}
        return {"points": {self._node: tuple(at.tolist())}, **label}

    def table(self) -> pd.DataFrame:
        """All instances, a row each: frame, score, and where each node is (pixels)."""
        import pandas as pd

        columns = self.arrays()
        axes = ("y", "x") if columns["points"].shape[2] == 2 else ("z", "y", "x")
        data: dict[str, Any] = {} if self._frames is None else {"frame": columns["frame"]}
        if self.by_class:
            channel = (~np.isnan(columns["points"]).any(2)).argmax(1)
            data["class"] = [self.names[n] for n in channel.tolist()]
            at = columns["points"][np.arange(len(channel)), channel]
            data |= {axis: at[:, n] for n, axis in enumerate(axes)}
        else:
            for n, name in enumerate(self.names):
                data |= {f"{name} {axis}": columns["points"][:, n, i] for i, axis in enumerate(axes)}
        return pd.DataFrame({**data, "score": columns["scores"]})

    def __repr__(self) -> str:
        looked = "a volume" if self._frames is None else f"{len(self._frames)} frames"
        return f"<{type(self).__name__} {self.kind} of level {self.level!r} in {looked} of {self.image!r}>"


def begin(folder: Path, about: dict[str, Any]) -> None:
    """Say what is looked for, before anything is found."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_bytes(folder / "about.json", json_bytes(about))


def open_found(folder: Path) -> FoundPlaces | FoundClasses:
    """Raises PredictionError where the folder holds none."""
    try:
        about = json.loads((folder / "about.json").read_text())
        return FoundClasses(folder, about) if about["kind"] == "pictures" else FoundPlaces(folder, about)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PredictionError(f"{folder} holds nothing that was found: {error}") from error


def open_result(path: str | Path) -> FoundPlaces | FoundClasses | FoundBatch:
    """What the run in a folder found, of several images a :class:`FoundBatch`. Raises PredictionError."""
    folder = Path(path) / FOLDER
    return FoundBatch(folder, open_found) if (folder / IMAGES).exists() else open_found(folder)
