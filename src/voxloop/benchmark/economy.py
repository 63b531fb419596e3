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
    """Seconds of annotation to the same IoU, median over seeds: ours, and those of others by chance; inf where never.

    ``ratio`` of the two: where others never reach it, ours by the seconds that others spent in vain, ``at_most``; nan
    where ours never does.
    """

    data: str
    target: float
    ours: float
    others: float
    ratio: float
    at_most: bool


def savings(rows: Iterable[Row], start: str = "places", *, lower: bool = False) -> list[Saving]:
    """Ours against :data:`OTHERS` by chance, to 95 % of what all labels give; stacks on which all of it was measured.

    All labels of five slices, to whichever of the two learners makes more of them; ``lower``: less.
    """
    rows = list(rows)
    drawn = curves(rows)
    out = []
    for data in sorted({key[0] for key in drawn}):
        own = drawn.get((data, start, "shallow", "ours"))
        others = drawn.get((data, start, OTHERS, CHANCE))
        ceilings = [target_of(rows, data, learner) for learner in ("shallow", OTHERS)]
        if not own or not others or any(map(math.isnan, ceilings)):
            continue
        target = min(ceilings) if lower else max(ceilings)
        mine, theirs = (median(seconds_to(curve, target) for curve in runs) for runs in (own, others))
        spent = mean(curve[-1]["seconds"] for curve in others)
        ratio = math.nan if math.isinf(mine) else mine / (spent if math.isinf(theirs) else theirs)
        out.append(Saving(data=data, target=target, ours=mine, others=theirs, ratio=ratio, at_most=math.isinf(theirs)))
    return out
