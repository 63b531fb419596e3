"""From links between instances to tracks that have a number, an end and perhaps a parent. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from voxloop.tracks.places import Sightings

#: a link: row of an instance, row of the same one later
Link = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chains:
    """``track`` (n,) from 1, 0 for none; ``parents``: pairs (parent, child) of tracks, where one divided or joined."""

    track: np.ndarray
    parents: tuple[tuple[int, int], ...] = ()


def chains_of(links: Iterable[Link], rows: int) -> Chains:
    """Tracks go from where they begin, divide or join to where they end, divide or join. Rows are in time's order."""
    after: dict[int, list[int]] = {}
    before: dict[int, list[int]] = {}
    for one, other in links:
        early, late = min(one, other), max(one, other)
        after.setdefault(early, []).append(late)
        before.setdefault(late, []).append(early)
    track = np.zeros(rows, np.int64)
    parents = []
    newest = 0
    for row in range(rows):
        sources = before.get(row, [])
        if len(sources) == 1 and len(after[sources[0]]) == 1:
            track[row] = track[sources[0]]
            continue
        newest += 1
        track[row] = newest
        parents += [(int(track[source]), newest) for source in sorted(sources)]
    return Chains(track, tuple(parents))


def long_ones(chains: Chains, least: int) -> Chains:
    """Without the tracks of fewer instances than ``least``; those of a family stay. Numbered anew."""
    counts = np.bincount(chains.track)
    family = {number for pair in chains.parents for number in pair}
    keep = [n for n in range(1, len(counts)) if counts[n] >= least or n in family]
    names = np.zeros(len(counts), np.int64)
    names[keep] = np.arange(1, len(keep) + 1)
    return Chains(names[chains.track], tuple((int(names[a]), int(names[b])) for a, b in chains.parents))


def as_many(chains: Chains, places: Sightings, number: int) -> Chains:
    """Join pieces of tracks until there are at most ``number`` of them.

    In the order in which they begin, each piece goes on where the nearest animal was last seen that is missing then;
    where none is missing and all are there already, the piece is left out: short ones before long ones.
    """
    pieces = [np.flatnonzero(chains.track == n) for n in range(1, int(chains.track.max(initial=0)) + 1)]
    pieces = _without_crowds([piece for piece in pieces if len(piece)], places.frame, number)
    track = np.zeros(len(places), np.int64)
    last: list[int] = []
    for piece in pieces:
        first = places.frame[piece[0]]
        free = [n for n, row in enumerate(last) if places.frame[row] < first]
        if len(last) < number and (not free or len(pieces) <= number):
            last.append(int(piece[-1]))
            track[piece] = len(last)
            continue
        if not free:
            continue
        ways = [float(np.linalg.norm(places.middle[last[n]] - places.middle[piece[0]])) for n in free]
        chosen = free[int(np.argmin(ways))]
        last[chosen] = int(piece[-1])
        track[piece] = chosen + 1
    return Chains(track)


def _without_crowds(pieces: list[np.ndarray], frame: np.ndarray, number: int) -> list[np.ndarray]:
    """Pieces, the longest first, of which at most ``number`` go on at any time; in the order in which they begin."""
    depth = int(frame.max(initial=0)) + 1
    busy = np.zeros(depth, np.int64)
    kept = []
    for piece in sorted(pieces, key=len, reverse=True):
        span = slice(int(frame[piece[0]]), int(frame[piece[-1]]) + 1)
        if busy[span].max() < number:
            busy[span] += 1
            kept.append(piece)
    return sorted(kept, key=lambda piece: (int(frame[piece[0]]), -len(piece)))
