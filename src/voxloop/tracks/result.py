"""Tracks as users hold them: a table, who came out of whom, how they move. Reads what a run wrote; writes no labels."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.store.atomic import json_bytes, replace_bytes
from voxloop.tracks.chains import Chains
from voxloop.tracks.motion import mean_squared_displacement, motion_table
from voxloop.tracks.places import Sightings

if TYPE_CHECKING:
    import pandas as pd

#: the folder of a run that holds them
FOLDER = "tracks"
_FIELDS = ("track", "frame", "number", "middle", "score")


class Tracks:
    """Who is who over the frames of an image. Get them from ``run.result`` of ``ws.track(...)``.

    Attributes
    ----------
    level, image
        The level whose instances were linked, or to which what was found belongs; "" of objects of no level.
    images
        The time points of a series of volumes, by time: ``frame`` is their number; ``image`` is the name of the series.
        Empty of frames.
    kind
        ``"points"``, ``"boxes"`` or ``"instances"`` (objects of masks).
    source
        What was linked: ``{"is": "level" | "found" | "objects", ...}``.
    parents
        Pairs (parent, child) of tracks, where one divided or two joined.

    Examples
    --------
    >>> tracks = film.track("flies").result
    >>> tracks.count, tracks.lineage
    (2, {1: (0, 3, 0), 2: (0, 3, 0)})
    >>> tracks.motion()[["first", "last"]]
           first  last
    track
    1          0     3
    2          0     3
    """

    def __init__(self, folder: Path) -> None:
        try:
            about = json.loads((folder / "about.json").read_text())
            with np.load(folder / "tracks.npz", allow_pickle=False) as data:
                self._columns = {name: data[name] for name in _FIELDS}
            self.level: str = about["level"]
            self.image: str = about["image"]
            self.images: tuple[str, ...] = tuple(about.get("images", ()))
            self.kind: str = about["holds"]
            self.source: dict[str, Any] = dict(about["source"])
            self.max_distance_um: float = float(about["max_distance_um"])
            self.parents: tuple[tuple[int, int], ...] = tuple((int(a), int(b)) for a, b in about["parents"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PredictionError(f"{folder} holds no tracks: {error}") from error

    @property
    def _axes(self) -> str:
        return "zyx" if self.images else "yx"

    @property
    def count(self) -> int:
        """How many tracks there are."""
        return len(np.unique(self._columns["track"][self._columns["track"] > 0]))

    @property
    def lineage(self) -> dict[int, tuple[int, int, int]]:
        """Of each track its first frame, its last, and its parent (0: none), as in the Cell Tracking Challenge."""
        of = dict[int, int]()
        for parent, child in self.parents:
            of.setdefault(child, parent)
        table = self.motion()
        firsts, lasts = table["first"].tolist(), table["last"].tolist()
        return {n: (a, b, of.get(n, 0)) for n, a, b in zip(table.index.tolist(), firsts, lasts, strict=True)}

    def table(self) -> pd.DataFrame:
        """A row an instance: its track, frame, place in micrometres, number, score, and the parent of its track.

        ``number`` is that of the instance on its level, the row of what was found, or the value in the mask.
        """
        import pandas as pd

        there = self._columns["track"] > 0
        columns = {name: values[there] for name, values in self._columns.items()}
        parents = {number: facts[2] for number, facts in self.lineage.items()}
        data: dict[str, Any] = {
            "track": columns["track"],
            "frame": columns["frame"],
            **{f"{axis} um": columns["middle"][:, n] for n, axis in enumerate(self._axes)},
            "number": columns["number"],
            "score": columns["score"],
            "parent": [parents[number] for number in columns["track"].tolist()],
        }
        return pd.DataFrame(data).sort_values(["track", "frame"], ignore_index=True)

    def motion(self, interval_s: float | None = None) -> pd.DataFrame:
        """A row a track: first and last frame, way, displacement, straightness, speed.

        ``interval_s``: seconds between frames, so that speeds are micrometres per second; None: per frame.
        """
        if interval_s is not None and not 0 < interval_s < float("inf"):
            raise PredictionError(f"interval_s={interval_s}: seconds between two frames are above 0")
        return motion_table(self._columns["track"], self._columns["frame"], self._columns["middle"], interval_s)

    def msd(self, most: int = 30) -> pd.DataFrame:
        """Mean squared displacement over all tracks, by lag in frames up to ``most``: ``msd um2`` and ``pairs``."""
        return mean_squared_displacement(
            self._columns["track"], self._columns["frame"], self._columns["middle"], int(most)
        )

    def by_number(self) -> dict[int, int]:
        """Number of each instance, or row of what was found, and its track; those without one are left out."""
        there = self._columns["track"] > 0
        numbers, tracks = (self._columns[name][there].tolist() for name in ("number", "track"))
        return dict(zip(numbers, tracks, strict=True))

    def by_frame(self) -> Mapping[int, dict[int, int]]:
        """Of each frame that holds any: value in the mask and its track."""
        out: dict[int, dict[int, int]] = {}
        there = self._columns["track"] > 0
        rows = zip(*(self._columns[name][there].tolist() for name in ("frame", "number", "track")), strict=True)
        for frame, number, track in rows:
            out.setdefault(frame, {})[number] = track
        return out

    def save(self, path: str | Path) -> Path:
        """The table as a file: ``.csv``, ``.parquet`` or ``.xlsx``."""
        path = Path(path).expanduser()
        if path.suffix not in (".csv", ".parquet", ".xlsx"):
            raise PredictionError(f"{path.name}: tables are saved as .csv, .parquet or .xlsx")
        write = {".csv": "to_csv", ".parquet": "to_parquet", ".xlsx": "to_excel"}[path.suffix]
        getattr(self.table(), write)(path, index=False)
        return path

    def __repr__(self) -> str:
        of = f"of level {self.level!r} " if self.level else ""
        divided = f", {len(self.parents)} of them out of others" if self.parents else ""
        return f"<Tracks {of}on {self.image!r}: {self.count}{divided}>"


def write_tracks(folder: Path, places: Sightings, chains: Chains, about: Mapping[str, Any]) -> None:
    """Put tracks in a folder, the table first; both whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.savez(
        stream,
        track=chains.track,
        frame=places.frame,
        number=places.number,
        middle=places.middle,
        score=places.score,
    )
    replace_bytes(folder / "tracks.npz", stream.getvalue())
    replace_bytes(folder / "about.json", json_bytes({**about, "parents": [list(pair) for pair in chains.parents]}))


def open_result(path: str | Path) -> Tracks:
    """The tracks that the run in a folder made. Raises PredictionError."""
    return Tracks(Path(path) / FOLDER)
