"""Tracks as the Cell Tracking Challenge has them: a numbered mask a frame, and a table of who came out of whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from voxloop.errors import PredictionError

#: the table: track, first frame, last frame, parent (0: none), a line each
TABLE = "res_track.txt"
#: numbers of the challenge are of 16 bits
_MOST = 2**16 - 1
#: radius of the disc that stands for a point, pixels
_RADIUS = 3


def read_lineage(path: Path) -> dict[int, tuple[int, int, int]]:
    """Of each track its first frame, its last, and its parent. Raises PredictionError where the table is none."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
        return {int(track): (int(first), int(last), int(parent)) for track, first, last, parent in lines}
    except (OSError, ValueError) as error:
        raise PredictionError(
            f"{path} is no table of the Cell Tracking Challenge ({error}); its lines are: track, first frame, last "
            "frame, parent or 0"
        ) from error


def write_challenge(folder: Path, lineage: Mapping[int, tuple[int, int, int]], frames: Iterable[np.ndarray]) -> None:
    """Write ``mask000.tif``... of 16 bits and :data:`TABLE` into a folder. Raises PredictionError."""
    import tifffile

    highest = max(lineage, default=0)
    if highest > _MOST:
        raise PredictionError(f"track {highest} is beyond {_MOST}, the most that masks of 16 bits hold")
    folder.mkdir(parents=True, exist_ok=True)
    for number, mask in enumerate(frames):
        tifffile.imwrite(folder / f"mask{number:03d}.tif", mask.astype(np.uint16), compression="zlib")
    rows = [f"{track} {first} {last} {parent}" for track, (first, last, parent) in sorted(lineage.items())]
    (folder / TABLE).write_text("\n".join(rows) + "\n")


def draw_discs(shape: Sequence[int], at: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """A frame or volume in which a disc or ball, of its track's number, is each point ``at`` (n, axes; voxels)."""
    mask = np.zeros(shape, np.uint16)
    ball = np.stack(np.meshgrid(*[np.arange(-_RADIUS, _RADIUS + 1)] * len(shape), indexing="ij"), axis=-1)
    ball = ball[(ball**2).sum(-1) <= _RADIUS**2]
    for place, track in zip(np.round(at).astype(int), tracks.tolist(), strict=True):
        where = ball + place
        there = ((where >= 0) & (where < np.array(shape))).all(axis=1)
        mask[tuple(where[there].T)] = track
    return mask
