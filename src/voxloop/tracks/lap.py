"""Linking all together at the least cost, with gaps, divisions and joins: laptrack."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from voxloop.config import TracksConfig
from voxloop.errors import PredictionError
from voxloop.tracks.chains import Link
from voxloop.tracks.places import Sightings

#: furthest ways, where nobody says them, in times of the usual way of the fastest twentieth; of mothers to daughters
_FAR, _APART = 2.5, 2.0


def link(places: Sightings, config: TracksConfig, furthest: float) -> list[Link]:
    """Pairs of rows that are the same, or mother and daughter. Raises PredictionError where laptrack is missing."""
    try:
        from laptrack import LapTrack
    except ImportError as error:
        raise PredictionError(
            "method 'lap' needs laptrack: pip install 'voxloop[tracks]'; method='kalman' works without"
        ) from error
    apart = config.split_distance_um or _APART * furthest
    near, gap, family = furthest**2, furthest**2 * (config.max_gap + 1), apart**2
    most = max(gap, family if config.split or config.merge else 0.0)
    tracker = LapTrack(
        cutoff=near,
        gap_closing_cutoff=gap if config.max_gap else False,
        gap_closing_max_frame_count=config.max_gap,
        splitting_cutoff=family if config.split else False,
        merging_cutoff=family if config.merge else False,
        # what is near enough is linked: costs of not linking that are estimated from few gaps reject the widest of them
        track_start_cost=near,
        track_end_cost=near,
        segment_start_cost=most,
        segment_end_cost=most,
        no_splitting_cost=most,
        no_merging_cost=most,
    )
    first, last = int(places.frame[0]), int(places.frame[-1])
    starts = np.searchsorted(places.frame, np.arange(first, last + 2))
    vectors = places.as_vectors
    tree = tracker.predict([vectors[a:b] for a, b in pairwise(starts.tolist())])
    return [(int(starts[t] + i), int(starts[u] + j)) for (t, i), (u, j) in tree.edges()]


def furthest_of(places: Sightings) -> float:
    """How far instances go from one frame to the next, with room: of those that are each other's nearest."""
    vectors = places.as_vectors
    frames = np.unique(places.frame)
    ways = [np.zeros(0)]
    for frame in frames[np.isin(frames + 1, frames)].tolist():
        here, there = vectors[places.frame == frame], vectors[places.frame == frame + 1]
        way, nearest = cKDTree(there).query(here)
        _, back = cKDTree(here).query(there)
        ways.append(way[back[nearest] == np.arange(len(here))])
    known = np.concatenate(ways)
    if not len(known):
        raise PredictionError(
            "no two frames that follow each other hold anything, so nobody can tell how far things go; "
            "say it: max_distance_um=..."
        )
    return max(_FAR * float(np.quantile(known, 0.95)), 1e-6)
