"""Where tracks are likely wrong: one begins in the middle of things, is gone for a while, jumps, or is unsure. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["spawn", "gap", "jump", "low score"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: a step is a jump from so many times the usual step of all tracks on; a score is low in the lowest so many of all
_JUMP, _LOW = 5.0, 0.02


@dataclass(frozen=True, slots=True)
class TrackMistake:
    """A place to look at.

    Attributes
    ----------
    frame, number, track
        Where, which instance, of which track.
    kind
        ``"spawn"``: the track begins after the first frame; ``"gap"``: it is back after frames without; ``"jump"``: it
        went much further than usual; ``"low score"``: the model was unsure.
    weight
        How suspicious, 0 to 1; the list falls along it.
    words
        A sentence.
    """

    frame: int
    number: int
    track: str
    kind: Kind
    weight: float
    words: str


def likely_mistakes(columns: Mapping[str, np.ndarray]) -> list[TrackMistake]:
    """What is suspicious in instances as ``arrays()`` gives them, the most suspicious first."""
    at = np.asarray(columns["points"], float)
    there = ~np.isnan(at).any(axis=2)
    middle = np.where(there[..., None], at, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None]
    track, frame = columns["track"], columns["frame"]
    order = np.lexsort((frame, track))
    order = order[(track[order] != "") & there[order].any(axis=1)]
    if not len(order):
        return []
    same = track[order][1:] == track[order][:-1]
    time = np.diff(frame[order]).astype(float)
    way = np.linalg.norm(np.diff(middle[order], axis=0), axis=1)
    steps = way[same] / np.sqrt(time[same])
    usual = float(np.median(steps)) if len(steps) else 0.0
    looked = np.unique(frame)
    first = int(looked[0])
    found: list[TrackMistake] = []

    def note(row: int, kind: Kind, weight: float, words: str) -> None:
        place = int(frame[row]), int(columns["id"][row]), str(track[row])
        found.append(TrackMistake(*place, kind, min(1.0, weight), words))

    for place, row in enumerate(order.tolist()):
        name = str(track[row])
        if place == 0 or not same[place - 1]:
            if int(frame[row]) > first:
                note(row, "spawn", 0.6, f"track {name!r} begins here")
            continue
        # frames in which nobody put anything say nothing
        gone = int(np.searchsorted(looked, frame[row]) - np.searchsorted(looked, frame[order[place - 1]])) - 1
        step = float(way[place - 1] / np.sqrt(time[place - 1]))
        if usual and step > _JUMP * usual:
            words = f"track {name!r} went {way[place - 1]:.0f} pixels, {step / usual:.0f} times as far as usual"
            note(row, "jump", 0.7 + 0.03 * step / (_JUMP * usual), words)
        elif gone:
            note(row, "gap", 0.4 + 0.02 * gone, f"track {name!r} is back after {gone} frames without")
    score = np.asarray(columns["score"], float)
    known = order[~np.isnan(score[order])]
    if len(known):
        low = np.sort(score[known])[max(0, int(np.ceil(_LOW * len(known))) - 1)]
        usual_score = float(np.median(score[known]))
        for row in known[(score[known] <= low) & (score[known] < 0.7 * usual_score)].tolist():
            note(
                row,
                "low score",
                0.5 * (1 - score[row] / usual_score),
                f"score {score[row]:.2f}, usually {usual_score:.2f}",
            )
    return sorted(found, key=lambda one: (-one.weight, one.frame, one.number))
