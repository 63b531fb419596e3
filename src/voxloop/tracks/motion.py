"""How tracks move: way, displacement, speed, and the mean squared displacement over time. Numpy and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def motion_table(track: np.ndarray, frame: np.ndarray, at: np.ndarray, interval_s: float | None) -> pd.DataFrame:
    """A row a track, by its number.

    Parameters
    ----------
    track, frame, at
        (n,), (n,), (n, axes): whose, when, and where in micrometres; in time's order.
    interval_s
        Seconds between two frames; speeds are per second then, else per frame.

    Returns
    -------
    DataFrame
        ``first``, ``last`` (frames), ``instances``, ``way um`` (along the track), ``displacement um`` (from its first
        place to its last), ``straightness`` (the second by the first), ``speed`` (way by time).
    """
    import pandas as pd

    unit = "um/frame" if interval_s is None else "um/s"
    rows: list[dict[str, Any]] = []
    for number, (when, places) in _each(track, frame, at):
        way = float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
        displacement = float(np.linalg.norm(places[-1] - places[0]))
        time = int(when[-1] - when[0]) * (1.0 if interval_s is None else interval_s)
        rows.append(
            {
                "track": number,
                "first": int(when[0]),
                "last": int(when[-1]),
                "instances": len(when),
                "way um": way,
                "displacement um": displacement,
                "straightness": displacement / way if way else np.nan,
                f"speed {unit}": way / time if time else np.nan,
            }
        )
    columns = ["first", "last", "instances", "way um", "displacement um", "straightness", f"speed {unit}"]
    return pd.DataFrame(rows, columns=["track", *columns]).set_index("track")


def mean_squared_displacement(track: np.ndarray, frame: np.ndarray, at: np.ndarray, most: int) -> pd.DataFrame:
    """Over all tracks and pairs of their frames: ``lag`` (frames), ``msd um2``, ``pairs``."""
    import pandas as pd

    sums, pairs = np.zeros(most + 1), np.zeros(most + 1, np.int64)
    for _, (when, places) in _each(track, frame, at):
        for step in range(1, len(when)):
            lags = when[step:] - when[:-step]
            near = lags <= most
            if not near.any():
                break
            squares = ((places[step:] - places[:-step]) ** 2).sum(axis=1)
            np.add.at(sums, lags[near], squares[near])
            np.add.at(pairs, lags[near], 1)
    lag = np.flatnonzero(pairs)
    return pd.DataFrame({"lag": lag, "msd um2": sums[lag] / pairs[lag], "pairs": pairs[lag]}).set_index("lag")


def _each(track: np.ndarray, frame: np.ndarray, at: np.ndarray) -> list[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    order = np.lexsort((frame, track))
    order = order[track[order] > 0]
    numbers, starts = np.unique(track[order], return_index=True)
    parts = np.split(order, starts[1:])
    return [(int(n), (frame[part], at[part])) for n, part in zip(numbers, parts, strict=False)]
