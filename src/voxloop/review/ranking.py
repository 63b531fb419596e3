"""Which of many places to show first, each by its own rule. Pure: numbers in, an order out; knows no images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

#: places whose worth is looked at in full, and places that they are compared with
CANDIDATES, COMPARED = 768, 2048
#: how alike two places must be to teach the same, as a share of the usual distance between two
_ALIKE = 0.5
#: how much of a kind of mistake is gone after a visit to one place of that kind; how much of a kind of place is known
HALF, NEARLY_ALL = 0.5, 0.9
#: kinds of place that first ones are drawn from; how much less probable a kind is once it was drawn or painted on
KINDS, SEEN = 8, 0.2


@dataclass(frozen=True, eq=False)
class Ranked:
    """Places in order.

    Attributes
    ----------
    order : (n,) positions of places, best first.
    score : (n,) 0 to 1, never rising.
    share : (n,) of what is wrong, or of the volume, how much looks like this place and like none before it.
    """

    order: np.ndarray
    score: np.ndarray
    share: np.ndarray


def rank_by_gain(
    loss: np.ndarray,
    features: np.ndarray,
    seconds: np.ndarray,
    n: int,
    *,
    taught: float = HALF,
    covered: np.ndarray | None = None,
    right: np.ndarray | None = None,
) -> Ranked:
    """Take the place that speaks for most of what is wrong per second, then the next for what is left, and so on.

    What a place tells about another one falls with their distance in ``features``; of what is wrong at the other it
    tells as much as is wrong at itself, and a visit takes a part of it away. A greedy choice of a submodular sum
    (probabilistic coverage; Nemhauser, Wolsey and Fisher 1978), so no place is worth more than the one before.

    Parameters
    ----------
    loss
        (n,) what is expected to be wrong at a place; the same everywhere where nothing is known.
    features
        (n, features) in which alike places are near.
    seconds
        (n,) of a person at the place.
    taught
        The part of what looks alike that a visit takes away.
    covered
        Positions of places that are seen to already.
    right
        Positions of places where something was expected to be wrong and nothing was: each halves what is expected of
        its like.
    """
    total = float(loss.sum())
    if total <= 0 or n < 1:
        return _none()
    rng = np.random.default_rng(0)
    candidates = np.flatnonzero(loss > 0)
    if len(candidates) > CANDIDATES:
        candidates = np.sort(candidates[np.argsort(-loss[candidates], kind="stable")[:CANDIDATES]])
    compared = np.arange(len(loss))
    if len(compared) > COMPARED:
        compared = np.sort(rng.choice(len(loss), COMPARED, replace=False))
    width = _ALIKE * usual_distance(features)
    alike = np.exp(-0.5 * squared_distances(features[candidates], features[compared]) / width**2)
    spoken_for = alike * np.minimum(loss[candidates][:, None], loss[compared][None])
    left = np.ones(len(compared))
    if covered is not None:
        for start in range(0, len(covered), CANDIDATES):
            away = squared_distances(features[covered[start : start + CANDIDATES]], features[compared])
            left *= 1 - taught * np.exp(-0.5 * away.min(axis=0) / width**2)
    for place in () if right is None else right[-CANDIDATES:]:
        away = squared_distances(features[place : place + 1], features[compared])[0]
        left *= 1 - HALF * np.exp(-0.5 * away / width**2)
    total = max(float(loss[compared].sum()), 1e-12)
    order: list[int] = []
    rates: list[float] = []
    shares: list[float] = []
    free = np.ones(len(candidates), bool)
    while len(order) < min(n, len(candidates)):
        worth = spoken_for @ left
        rate = np.where(free, worth / seconds[candidates], -1)
        best = int(rate.argmax())
        if rate[best] <= 0:
            break
        order.append(int(candidates[best]))
        rates.append(float(rate[best]))
        shares.append(min(float(worth[best]) / total, 1.0))
        free[best] = False
        left *= 1 - taught * alike[best]
    return _ranked(order, rates, shares)


def rank_by_value(value: np.ndarray, places: np.ndarray, n: int) -> Ranked:
    """The highest values (n,) first, discounted near what was taken: at ``places`` (n, 3) less than about 1 apart."""
    worth = np.asarray(value, np.float64).copy()
    order: list[int] = []
    rates: list[float] = []
    while len(order) < min(n, len(worth)):
        best = int(worth.argmax())
        if worth[best] <= 0:
            break
        order.append(best)
        rates.append(float(worth[best]))
        away = ((places - places[best]) ** 2).sum(axis=1)
        worth = worth * (1 - np.exp(-0.5 * away))
        worth[best] = 0
    return _ranked(order, rates, [])


def rank_by_difference(features: np.ndarray, n: int, covered: np.ndarray | None = None) -> Ranked:
    """The most usual place, then always the one least like all before (k-centre; Gonzalez 1985)."""
    if not len(features) or n < 1:
        return _none()
    if covered is not None and len(covered):
        nearest = squared_distances(features[covered], features).min(axis=0)
        order = [int(nearest.argmax())]
    else:
        order = [int(((features - features.mean(axis=0)) ** 2).sum(axis=1).argmin())]
        nearest = np.full(len(features), np.inf)
    rates = [1.0]
    while len(order) < min(n, len(features)):
        nearest = np.minimum(nearest, squared_distances(features[order[-1:]], features)[0])
        best = int(nearest.argmax())
        if nearest[best] <= 0:
            break
        order.append(best)
        rates.append(float(np.sqrt(nearest[best])))
    if len(rates) > 1:
        rates[0] = rates[1]
    return _ranked(order, rates, [])


def rank_by_clusters(features: np.ndarray, n: int, seed: int) -> Ranked:
    """k-means: the place nearest the middle of each of ``n`` clusters, the largest cluster first."""
    from scipy.cluster.vq import kmeans2

    count = min(n, len(np.unique(features, axis=0)))
    if count < 1:
        return _none()
    centres, member = kmeans2(features.astype(np.float64), count, minit="++", seed=np.random.default_rng(seed))
    away = squared_distances(centres.astype(np.float32), features)
    order: list[int] = []
    sizes: list[float] = []
    for cluster in np.argsort(-np.bincount(member, minlength=count), kind="stable"):
        mine = np.flatnonzero(member == cluster)
        if len(mine):
            order.append(int(mine[away[cluster, mine].argmin()]))
            sizes.append(len(mine) / len(features))
    return _ranked(order, sizes, sizes)


def rank_by_chance(count: int, n: int, seed: int) -> Ranked:
    """Any places, all as likely."""
    order = np.random.default_rng(seed).permutation(count)[:n]
    return _ranked(order.tolist(), [1.0] * len(order), [])


def rank_by_kinds(
    may_be_drawn: np.ndarray, looks: np.ndarray, places: np.ndarray, n: int, seed: int, covered: np.ndarray
) -> Ranked:
    """Draw places by chance, kinds of place by the root of how common each is, and away from those before.

    Chance alone shows what is common again and again; what stands out most is as often the one odd thing in an image.
    The root lies between: a kind that fills a hundredth is drawn as often as one in ten, and within a kind it is chance
    alone that says where.

    Parameters
    ----------
    may_be_drawn
        (n,) whether a place may be drawn.
    looks, places
        (n, features) in which alike places are near, and (n, 3) where they lie: 1 apart is as good as far away.
    covered
        Positions of places that are seen to already.
    """
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(seed)
    count = min(KINDS, len(np.unique(looks, axis=0)))
    if n < 1 or not may_be_drawn.any():
        return _none()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a kind that loses all its places only makes for fewer kinds
        _, kind = kmeans2(looks.astype(np.float64), count, minit="++", seed=rng)
    share = np.bincount(kind, minlength=count) / len(kind)
    odds = 1 / np.sqrt(np.maximum(share, 1e-9))
    odds[np.unique(kind[covered])] *= SEEN
    free, near = may_be_drawn.astype(np.float64), np.ones(len(kind))
    order: list[int] = []
    shares: list[float] = []
    while len(order) < n and free.any():
        chance = odds[kind] * free * near**2
        if chance.sum() <= 0:  # all that is left lies beside what was drawn
            chance = free
        best = int(rng.choice(len(chance), p=chance / chance.sum()))
        shares.append(float(share[kind[best]]))
        order.append(best)
        free[best] = 0
        odds[kind[best]] *= SEEN
        np.minimum(near, squared_distances(places[[best]], places)[0], out=near)
    return _ranked(order, [1.0] * len(order), shares)


def rank_evenly(position: np.ndarray, n: int) -> Ranked:
    """Every n-th: the places nearest to evenly spaced positions (n,) 0 to 1."""
    wanted = (np.arange(n) + 0.5) / n
    order: list[int] = []
    for at in wanted:
        nearest = int(np.abs(position - at).argmin())
        if nearest not in order:
            order.append(nearest)
    return _ranked(order, [1.0] * len(order), [])


def in_turn(one: Ranked, other: Ranked, n: int) -> Ranked:
    """Places of two lists in turn, each once."""
    order: list[int] = []
    shares: list[float] = []
    lists = [zip(ranked.order.tolist(), ranked.share.tolist(), strict=True) for ranked in (one, other)]
    for pair in zip_longest(*lists):
        for found in pair:
            if found is not None and found[0] not in order:
                order.append(found[0])
                shares.append(found[1])
    return _ranked(order[:n], [1.0] * len(order[:n]), shares[:n])


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n, m) of rows (n, features) and (m, features)."""
    products = one @ other.T
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None]
    return np.asarray(np.maximum(squares - 2 * products, 0))


def usual_distance(features: np.ndarray) -> float:
    """The median distance between two of the rows."""
    some = features
    if len(features) > 512:
        some = features[np.linspace(0, len(features) - 1, 512).astype(int)]
    apart = np.sqrt(squared_distances(some, some)[np.triu_indices(len(some), 1)])
    usual = float(np.median(apart)) if len(apart) else 0.0
    return usual or 1.0


def _ranked(order: list[int], rates: list[float], shares: list[float]) -> Ranked:
    if not order:
        return _none()
    score = np.array(rates, np.float64)
    score = np.minimum.accumulate(np.clip(score / max(score[0], 1e-12), 0, 1))
    share = np.array(shares, np.float64) if shares else np.zeros(len(order))
    return Ranked(np.array(order, int), score, share)


def _none() -> Ranked:
    return Ranked(np.empty(0, int), np.empty(0), np.empty(0))
