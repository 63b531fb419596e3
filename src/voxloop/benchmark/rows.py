"""The rows of the benchmark as a file that others can add to, and what they say together. Runs nothing."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist, mean, median, stdev
from typing import Any

import numpy as np

from voxloop.errors import VoxloopError
from voxloop.store.atomic import replace_bytes

Row = dict[str, Any]
#: what tells a row from every other: a row of the same key replaces the one there is
KEY = ("data", "voxels", "mistakes", "start", "doubts", "strategy", "learner", "seed", "round")
#: share of the score that all labels of a few slices give, to which annotation seconds are counted
ENOUGH = 0.95


class Rows:
    """A JSON file ``{"format": 1, "rows": [...]}``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[tuple[Any, ...], Row] = {}
        self.add(_read(path), save=False)

    def __iter__(self) -> Any:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Iterable[Row], *, save: bool = True) -> None:
        """Take up rows; on disk when this returns. What another process wrote meanwhile stays."""
        for row in [*(_read(self.path) if save else ()), *rows]:
            self._rows[key_of(row)] = row
        if save:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            listed = ",\n".join(json.dumps(row, sort_keys=True) for row in self._rows.values())
            replace_bytes(self.path, f'{{"format": 1, "rows": [\n{listed}\n]}}\n'.encode())

    def holds(self, keys: Iterable[tuple[Any, ...]]) -> bool:
        """Whether there is a row of each of these keys."""
        return all(key in self._rows for key in keys)


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells a row from every other."""
    return tuple(row.get(name) for name in KEY)


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text())
        if content["format"] != 1:
            raise ValueError(f"format {content['format']}")
        # rows of before there was a choice began on slices, and nobody looked at doubts
        return [
            {"start": "all" if row["strategy"] == "all" else "slices", "doubts": 0, **row} for row in content["rows"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise VoxloopError(f"{path} holds no rows of the benchmark ({error}); name another file") from error


# ------------------------------------------------------------------------------------------------------------ summaries


def curves(rows: Iterable[Row]) -> dict[tuple[str, str, str, str], list[list[Row]]]:
    """(data, start, learner, strategy) to the rounds of every seed; where some looked at doubts, those of most."""
    rows = [row for row in rows if row["strategy"] != "all"]
    most: dict[tuple[str, ...], int] = defaultdict(int)
    for row in rows:
        where = (row["data"], row["start"], row["learner"], row["strategy"])
        most[where] = max(most[where], row["doubts"])
    grouped: dict[tuple[str, str, str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        where = (row["data"], row["start"], row["learner"], row["strategy"])
        if row["doubts"] == most[where]:
            grouped[where][row["seed"]].append(row)
    return {
        key: [sorted(own, key=lambda row: row["round"]) for own in by_seed.values()] for key, by_seed in grouped.items()
    }


def area(curve: Sequence[Row], since: float | None = None, until: float | None = None) -> float:
    """Mean IoU over the seconds of annotation, straight between rounds.

    ``since`` and ``until``: the first round and the last where not given; IoU is 0 before any round, and stays what it
    is after the last.
    """
    seconds, values = [row["seconds"] for row in curve], [row["iou"] for row in curve]
    since = seconds[0] if since is None else since
    until = seconds[-1] if until is None else until
    begin = max(since, seconds[0])
    if until <= begin:
        return float(values[-1]) if until <= since else 0.0
    marks = [begin, *(second for second in seconds if begin < second < until), until]
    heights = np.interp(marks, seconds, values)
    return float(np.trapezoid(heights, marks) / (until - since))


def seconds_to(curve: Sequence[Row], target: float) -> float:
    """Seconds of annotation until the IoU reaches ``target``, straight between rounds; inf where it never does."""
    before: Row | None = None
    for row in curve:
        if row["iou"] >= target:
            if before is None:
                return float(row["seconds"])
            share = (target - before["iou"]) / (row["iou"] - before["iou"])
            return float(before["seconds"] + share * (row["seconds"] - before["seconds"]))
        before = row
    return math.inf


def target_of(rows: Iterable[Row], data: str, learner: str) -> float:
    """What counts as enough on a stack: 95 % of what all labels of a few slices give; nan where nobody measured it."""
    whole = [
        row["iou"] for row in rows if row["strategy"] == "all" and row["data"] == data and row["learner"] == learner
    ]
    return ENOUGH * mean(whole) if whole else math.nan


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and half the 90 % interval of it over seeds (Student's t; 0 of one), and the deviation."""
    if len(values) < 2:
        return mean(values), 0.0, 0.0
    from scipy.stats import t

    spread = stdev(values)
    return mean(values), float(t.ppf(0.95, len(values) - 1)) * spread / math.sqrt(len(values)), spread


def honesty(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """What the intervals shown were worth, by what they rest on: how many, how often they held, how wide."""
    by_basis: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for row in rows:
        for prefix, when in (("score", ""), ("corrected", " of one round"), ("later", " of all later rounds")):
            low, high, best = (row.get(f"{prefix}_{end}") for end in ("low", "high", "iou"))
            if low is not None and high is not None and best is not None:
                by_basis[row[f"{prefix}_basis"] + when].append((row["iou_whole"], low, high, best))
    table = []
    for basis, seen in sorted(by_basis.items()):
        held = [low <= exact <= high for exact, low, high, _ in seen]
        below, above = wilson(sum(held), len(held))
        table.append(
            {
                "basis": basis,
                "n": len(seen),
                "holds": sum(held) / len(held),
                "holds_interval": [below, above],
                "width": median(high - low for _, low, high, _ in seen),
                "error": mean(abs(best - exact) for exact, *_, best in seen),
                "bias": mean(best - exact for exact, *_, best in seen),
            }
        )
    return table


def wilson(hits: int, of: int, level: float = 0.9) -> tuple[float, float]:
    """Interval of a share, Wilson (1927)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)
