"""Columns of what was found, on disk piece by piece. Knows not what they mean."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.store.atomic import replace_bytes


def write_piece(folder: Path, number: int, columns: dict[str, Any]) -> None:
    """Put a piece in its place, whole or not at all."""
    stream = io.BytesIO()
    np.savez(stream, **columns)
    replace_bytes(piece_path(folder, number), stream.getvalue())


def piece_path(folder: Path, number: int) -> Path:
    """Where a piece lies; in the order of their numbers."""
    return folder / f"{number:07d}.npz"


def read_pieces(folder: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of all pieces that are there, in order. Raises PredictionError where there is none, or one is damaged."""
    parts = []
    for path in sorted(folder.glob("[0-9]*.npz")):
        try:
            with np.load(path, allow_pickle=False) as data:
                parts.append({name: data[name] for name in names})
        except (OSError, ValueError, KeyError) as error:
            raise PredictionError(f"{path} cannot be read: {error}; predict again") from error
    if not parts:
        raise PredictionError("nothing has been looked at yet; wait for the run")
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
