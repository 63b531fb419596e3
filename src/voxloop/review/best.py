"""Which prediction of an image to offer, and why: the best by comparison, else what there is no reason to leave.

Pure: what is known of the predictions goes in, an offer comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voxloop.review.comparison import Pair
from voxloop.review.score import Score

#: a model that held-out strokes call worse by so much, beyond doubt, does not follow an earlier one
WORSE = 0.05
#: by how much two predictions may differ beyond what their scores allow
SLACK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A prediction as far as the choice goes; candidates are in the order in which they were made.

    Attributes
    ----------
    name : of the prediction.
    run : the training whose model made it; empty where there is none.
    learner : what predicted, ``"shallow"`` or ``"deep"``.
    seen : the last edit that its model may have learned from; None where nobody knows.
    voxels : how many it predicted.
    against : of a network what its training says of the pixel classifier of the same strokes: ``"ahead"`` of it,
        ``"behind"`` it (or not ahead beyond doubt), ``""`` where they were not put beside each other.
    score : how good it is; None where nobody has computed that.
    """

    name: str
    run: str = ""
    learner: str = "shallow"
    seen: int | None = None
    voxels: int = 0
    against: str = ""
    score: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionOffer:
    """The prediction to offer.

    Attributes
    ----------
    name : of the prediction.
    clear : whether comparison says that it is better than each of the others; only then is it called the best.
    words : why this one.
    reasons : how the choice went from the first prediction on, a sentence for each later one.
    """

    name: str
    clear: bool
    words: str
    reasons: tuple[str, ...] = ()


def choose(
    candidates: Sequence[Candidate],
    pair_of: Callable[[str, str], Pair],
    held_out: Callable[[str, str], tuple[float, float, float] | None],
    apart: Callable[[str, str], float | None] = lambda one, other: None,
) -> PredictionOffer:
    """Go through predictions from the oldest on, and leave one for a later one only for a reason.

    A later prediction takes the place of an earlier one where

    - it was compared with it on places that neither had learned, and is better beyond doubt; or nothing is known of
      that, and
    - it covers more of the image; or
    - its score lies above the other's, interval by interval; or
    - it is of the same learner and has learned more labels, unless strokes that both held out say that it is worse by
      0.05 beyond doubt, or the two differ by more than both scores allow and no more of the other predictions agree
      with the later one; or
    - it is a network that is ahead of the pixel classifier of the same strokes, and the earlier one is of a pixel
      classifier that had learned no more.

    A network that is behind its classifier never does, nor does one that covers less.

    Parameters
    ----------
    candidates
        At least one, the oldest first.
    pair_of
        Two predictions on places that neither has learned, the earlier one first.
    held_out
        Gain of the later of two trainings over the earlier one on strokes that both held out: value, low and high;
        None where nobody knows.
    apart
        1 - IoU of what two predictions say; None where nobody knows.
    """
    offered = candidates[0]
    reasons = []
    for later in candidates[1:]:
        pair = pair_of(offered.name, later.name)
        takes, why = _follows(offered, later, pair, held_out)
        if takes and later.learner == offered.learner and pair.better is None:
            others = [one for one in candidates if one not in (offered, later)]
            doubt = _contradiction(offered, later, others, apart)
            takes, why = (False, doubt) if doubt else (takes, why)
        verb = "follows" if takes else "does not follow"
        reasons.append(f"{later.name} {verb} {offered.name}: {why}")
        offered = later if takes else offered
    others = [one for one in candidates if one is not offered]
    clear = bool(others) and all(_between(one, offered, candidates, pair_of).better == offered.name for one in others)
    return PredictionOffer(
        name=offered.name, clear=clear, words=_words(offered, others, clear, reasons), reasons=tuple(reasons)
    )


def _between(one: Candidate, other: Candidate, order: Sequence[Candidate], pair_of: Callable[[str, str], Pair]) -> Pair:
    first, second = sorted((one, other), key=order.index)
    return pair_of(first.name, second.name)


def _follows(
    earlier: Candidate,
    later: Candidate,
    pair: Pair,
    held_out: Callable[[str, str], tuple[float, float, float] | None],
) -> tuple[bool, str]:
    """Whether a later prediction takes the place of an earlier one, and why."""
    if later.against == "behind":
        return False, "the network is not ahead of the pixel classifier of the same strokes"
    if later.voxels < earlier.voxels:
        return False, "it covers less of the image"
    if pair.better is not None or pair.equal:
        return pair.better == later.name, pair.words
    if later.voxels > earlier.voxels:
        return True, "it covers more of the image"
    if _above(later.score, earlier.score) or _above(earlier.score, later.score):
        return _above(later.score, earlier.score), "their scores do not overlap"
    if later.learner == earlier.learner:
        return _of_same_learner(earlier, later, held_out)
    if later.learner == "deep" and later.against == "ahead" and not _less(later.seen, earlier.seen):
        return True, "the network is ahead of the pixel classifier of the same strokes"
    return False, f"{pair.words}, and it is of another learner"


def _contradiction(
    earlier: Candidate, later: Candidate, others: Sequence[Candidate], apart: Callable[[str, str], float | None]
) -> str:
    """Why a later prediction cannot be what its score says, in words; empty where it can.

    1 - IoU is a distance: where two predictions differ by more than what both lack, one of them is far worse than it is
    said to be. Which one, the other predictions say, by whom they do not contradict; in doubt it is the new one.
    """
    if not _contradict(earlier, later, apart):
        return ""
    for_later = sum(not _contradict(one, later, apart) for one in others)
    for_earlier = sum(not _contradict(one, earlier, apart) for one in others)
    if for_later > for_earlier:
        return ""
    return (
        "the two say other things of the image, by more than their scores allow, so one of them is far worse than it "
        "is said to be; look at it, or check 100 points"
    )


def _contradict(one: Candidate, other: Candidate, apart: Callable[[str, str], float | None]) -> bool:
    """Whether two predictions differ by more than their scores allow."""
    if one.score is None or other.score is None or not one.score.known or not other.score.known:
        return False
    first, second = sorted((one.name, other.name))
    found = apart(first, second)
    return found is not None and found > (1 - one.score.iou) + (1 - other.score.iou) + SLACK


def _of_same_learner(
    earlier: Candidate, later: Candidate, held_out: Callable[[str, str], tuple[float, float, float] | None]
) -> tuple[bool, str]:
    gain = held_out(earlier.run, later.run) if earlier.run and later.run else None
    if gain is not None and gain[2] < -WORSE:
        return False, f"strokes that both held out say it is worse, by {-gain[2]:.2f}-{-gain[1]:.2f}"
    if _less(earlier.seen, later.seen):
        return True, "it has learned more labels, and nothing says that it is worse"
    if gain is not None and gain[1] > 0:
        return True, f"strokes that both held out say it is better, by {gain[1]:.2f}-{gain[2]:.2f}"
    return False, "it has learned no more labels, and nothing says that it is better"


def _above(one: Score | None, other: Score | None) -> bool:
    """Whether the interval of a score lies above that of another."""
    if one is None or other is None or not one.known or not other.known:
        return False
    return one.interval[0] > other.interval[1]


def _less(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one < other


def _words(offered: Candidate, others: Sequence[Candidate], clear: bool, reasons: Sequence[str]) -> str:
    if not others:
        return f"{offered.name} is the only prediction"
    if clear:
        return f"{offered.name} is better than each of the others, on places that none of them learned"
    last = reasons[-1]
    of_it = next((reason for reason in reversed(reasons) if offered.name in reason.partition(":")[0].split()), last)
    return f"{offered.name} is offered, and it is not known that it is the best: {of_it}"
