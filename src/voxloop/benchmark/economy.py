"""What annotation seconds buy: area under curves of IoU, against places by chance and against others. Runs nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from voxloop.benchmark.rows import Row, area, curves, seconds_to, target_of

#: what places are compared with, and what a loop is compared with
CHANCE, OTHERS = "random", "forest"
#: the start at which every strategy has the same first strokes
_COMMON = "slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSummary:
    """Curves of one stack, start, learner and strategy, seed by seed.

    Attributes
    ----------
    until : seconds up to which areas count: what every strategy of the stack, start and learner has spent at least.
    areas : mean IoU up to there; 0 before the first answer, but where all strategies share the first strokes that
        time is left out.
    gained : mean of what IoU lies above the first answer, from it up to ``until``.
    over_chance : (area less that of places by chance) / the latter, seeds in pairs; empty where not measured.
    """

    data: str
    start: str
    learner: str
    strategy: str
    runs: Sequence[Sequence[Row]]
    until: float
    areas: Sequence[float]
    gained: Sequence[float]
    over_chance: Sequence[float]


def summaries(rows: Iterable[Row]) -> list[CurveSummary]:
    """A summary of each stack, start, learner and strategy."""
    drawn = curves(rows)
    out = []
    for (data, start, learner, strategy), runs in sorted(drawn.items()):
        beside = [other for key, others in drawn.items() if key[:3] == (data, start, learner) for other in others]
        until = min(curve[-1]["seconds"] for curve in beside)
        by_chance = {c[0]["seed"]: _area(c, start, until) for c in drawn.get((data, start, learner, CHANCE), [])}
        areas = [_area(curve, start, until) for curve in runs]
        pairs = zip(runs, areas, strict=True)
        compared = [(own, by_chance[curve[0]["seed"]]) for curve, own in pairs if curve[0]["seed"] in by_chance]
        out.append(
            CurveSummary(
                data=data,
                start=start,
                learner=learner,
                strategy=strategy,
                runs=runs,
                until=until,
                areas=areas,
                gained=[area(curve, until=until) - curve[0]["iou"] for curve in runs if curve[0]["seconds"] < until],
                over_chance=[own / chance - 1 for own, chance in compared if chance > 0],
            )
        )
    return out


def _area(curve: Sequence[Row], start: str, until: float) -> float:
    return area(curve, since=None if start == _COMMON else 0.0, until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Seconds of annotation to the same IoU: ours, and those of others by chance.

    Attributes
    ----------
    target : the IoU, mean over draws; the seed of some stacks says which part of them it is.
    ours, others : mean over the draws that count; a loop that never came to it counts what it spent.
    ours_never, others_never : in how many of these draws a loop never came to it.
    draws : that count: draws in which neither came to it say nothing.
    """

    data: str
    target: float
    ours: float
    others: float
    ours_never: int
    others_never: int
    draws: int

    @property
    def bounds(self) -> tuple[float, float]:
        """What the ratio of the two is at least and at most; nan where nothing is known."""
        if not self.draws:
            return math.nan, math.nan
        ratio = self.ours / self.others
        return 0.0 if self.others_never else ratio, math.inf if self.ours_never else ratio


def savings(rows: Iterable[Row], start: str = "places", *, lower: bool = False) -> list[Saving]:
    """Ours against :data:`OTHERS` by chance, to 95 % of what all labels give; stacks on which all of it was measured.

    All labels of five slices, to whichever of the two learners makes more of them; ``lower``: less.
    """
    rows = list(rows)
    drawn = curves(rows)
    out = []
    for data in sorted({key[0] for key in drawn}):
        own, others = (
            {curve[0]["seed"]: curve for curve in drawn.get((data, start, *who), [])}
            for who in (("shallow", "ours"), (OTHERS, CHANCE))
        )
        seeds = sorted(own.keys() & others.keys())
        targets = [_target(rows, data, seed, lower) for seed in seeds]
        if not seeds or any(map(math.isnan, targets)):
            continue
        pairs = [
            (_spent(own[seed], target), _spent(others[seed], target))
            for seed, target in zip(seeds, targets, strict=True)
        ]
        pairs = [pair for pair in pairs if pair[0][1] or pair[1][1]]
        mine, theirs = ([pair[who] for pair in pairs] for who in (0, 1))
        out.append(
            Saving(
                data=data,
                target=mean(targets),
                ours=_mean_seconds(mine),
                others=_mean_seconds(theirs),
                ours_never=sum(not reached for _, reached in mine),
                others_never=sum(not reached for _, reached in theirs),
                draws=len(pairs),
            )
        )
    return out


def middle_of(found: Iterable[Saving]) -> tuple[float, float]:
    """What the median ratio of stacks is at least and at most; those of which nothing is known are left out."""
    known = [one.bounds for one in found if one.draws]
    if not known:
        return math.nan, math.nan
    least, most = zip(*known, strict=True)
    return median(least), median(most)


def _target(rows: Sequence[Row], data: str, seed: int, lower: bool) -> float:
    """The IoU that both are compared at in a draw; of all labels of the same seed where these were learned."""
    same = [row for row in rows if row["seed"] == seed]
    ceilings = []
    for learner in ("shallow", OTHERS):
        own = target_of(same, data, learner)
        ceilings.append(target_of(rows, data, learner) if math.isnan(own) else own)
    return math.nan if any(map(math.isnan, ceilings)) else min(ceilings) if lower else max(ceilings)


def _spent(curve: Sequence[Row], target: float) -> tuple[float, bool]:
    """Seconds to the target, or those of the whole loop; whether it came to it."""
    seconds = seconds_to(curve, target)
    return (float(curve[-1]["seconds"]), False) if math.isinf(seconds) else (seconds, True)


def _mean_seconds(spent: Sequence[tuple[float, bool]]) -> float:
    return mean(seconds for seconds, _ in spent) if spent else math.nan
