"""Which features few strokes can speak for: those that see more than one place of each class. Knows no classifier.

Under a filter much wider than a stroke, all voxels of the stroke look the same, and what they have in common may be
where they lie and not what they are. With one stroke a class such filters only tell places apart. And of many
features some differ between two strokes by chance; off the strokes, above all along borders, they say anything.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from voxloop.geometry import Spacing
from voxloop.shallow.features import FeatureBank

#: places of a class that a scale must see; voxels within two sigmas of one another are one place
PLACES = 4
#: of the best feature's difference between two classes, what another must reach where strokes are few
SHARE = 0.5
#: the least spread within a class that is believed; intensities are around one
BLUR = 0.05


def unspoken(features: np.ndarray, bank: FeatureBank, at: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mask (features,) of what is not to be learned from; nothing where strokes are many enough for every scale.

    ``features`` (n, features) of ``bank`` are of labelled voxels ``at`` (n, 3) zyx, images far apart; ``targets`` (n,)
    name their classes.
    """
    heard = _seen_in_places(bank, at, targets)
    if heard.all():
        return ~heard
    return np.asarray(~heard | ~_telling(np.where(heard, features, 0), targets))


def _seen_in_places(bank: FeatureBank, at: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mask (features,) of those whose scale sees enough places of every class; the finest scale is never left out."""
    finest = min(bank.sigmas_um)
    places = {
        sigma: min(_places(at[targets == value], bank.spacing_um, 2 * sigma) for value in np.unique(targets))
        for sigma in bank.sigmas_um
    }
    counted = {sigma for sigma, many in places.items() if many >= PLACES or sigma == finest}
    return np.array([sigma in counted for sigma in bank.sigma_of_each])


def _places(at: np.ndarray, spacing_um: Spacing, side_um: float) -> int:
    """In how many cubes of this side voxels lie."""
    cells = np.floor(at * np.array(spacing_um) / side_um).astype(np.int64)
    return len(np.unique(cells, axis=0))


def _telling(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mask (features,) of those that tell some pair of classes apart at least :data:`SHARE` as well as the best does.

    A difference of means counts by the spread within the two classes, and by :data:`BLUR` where that is less.
    """
    values = np.unique(targets)
    means = np.array([features[targets == value].mean(axis=0) for value in values])
    spreads = np.array([features[targets == value].var(axis=0) for value in values])
    kept = np.zeros(features.shape[1], bool)
    for one, other in combinations(range(len(values)), 2):
        apart = np.abs(means[one] - means[other]) / np.sqrt((spreads[one] + spreads[other]) / 2 + BLUR**2)
        kept |= apart >= SHARE * apart.max()
    return kept
