"""What a run keeps of its held-out strokes: one small file of arrays. Knows no models; nothing in it can run code."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voxloop.archives import check_archive
from voxloop.errors import ModelError

NAME = "crossfit.npz"


@dataclass(frozen=True, eq=False)
class LearningRecord:
    """Labelled voxels, and what models that had not learned from their slice said of them.

    Attributes
    ----------
    at : (n, 3) zyx.
    image : (n,) position in ``images``.
    images : names.
    painted : (n,) class value that was painted.
    probabilities : (n, classes) uint8, 255 is certain.
    values : class values in the order of the probabilities.
    left_out : (k, 2) position in ``images`` and number of the edit of strokes that were not learned, since all others
        contradict them.
    """

    at: np.ndarray
    image: np.ndarray
    images: tuple[str, ...]
    painted: np.ndarray
    probabilities: np.ndarray
    values: np.ndarray
    left_out: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def save(self, folder: Path) -> Path:
        """Write it into a run folder."""
        path = folder / NAME
        np.savez_compressed(
            path,
            at=self.at.astype(np.int32),
            image=self.image.astype(np.int16),
            images=np.array(self.images),
            painted=self.painted.astype(np.int32),
            probabilities=self.probabilities,
            values=self.values.astype(np.int32),
            left_out=self.left_out,
        )
        return path


def load(folder: Path) -> LearningRecord | None:
    """The record of a run folder; None where it kept none. Raises ModelError where it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    check_archive(path, error=ModelError, remedy="train again")
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = {name: stored[name] for name in stored.files}
        record = LearningRecord(**{**parts, "images": tuple(str(name) for name in parts["images"])})
        count = len(record.at)
        fits = record.at.shape == (count, 3) and len(record.image) == len(record.painted) == count
        fits = fits and record.left_out.ndim == 2 and record.left_out.shape[1] == 2
        if not fits or record.probabilities.shape != (count, len(record.values)):
            raise ValueError("its arrays do not fit together")
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise ModelError(f"{path} is damaged ({error}); train again") from error
    return record
