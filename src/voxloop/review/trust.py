"""How far models are to be trusted, and where people paint: what was measured, as distributions. Reads no files.

In log odds, normal. Models of few strokes are too sure of themselves: strokes lie on clear cases, and what nobody
painted is unknown to them. With more strokes, many of them corrections, they doubt themselves more than they must.
Networks are too sure of themselves.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Normal(NamedTuple):
    """Mean and deviation."""

    mean: float
    spread: float


#: by how much people prefer to paint what the prediction on show has wrong; where nobody knows what was, it counts as
#: that. Seen with the simulated annotator: 2.6 and 1.0, later 2.9 and 0.8, where it goes to the largest errors
PREFERENCE = Normal(2.5, 1.0)
#: the same for errors of a prediction that was not on show, since models share hard places. Seen: 1.3 and 0.8
PREFERENCE_UNSEEN = Normal(1.3, 0.9)
#: the same two where doubt far from borders does not count. Seen where suggestions or chance chose the places (30
#: loops): 0.8 to 1.2 and 0.7; of strokes two and three rounds later 0.5
CHOSEN, CHOSEN_UNSEEN = Normal(1.3, 1.1), Normal(0.6, 1.0)
#: by how much a classifier of 30 strokes is wrong more often than it believes, as :class:`voxloop.review.cells.Cells`
#: count what it believes. Measured on 30 loops of ten stacks; deviation 0.48, and a fifth more, since the next stack is
#: of none of these kinds: so much more it takes for the intervals of each stack to hold by what the nine others tell
CLASSIFIER = Normal(-0.07, 0.58)
#: by how much less with 2.7 times the strokes; the strokes that these are; from how many to how many this was seen
CLASSIFIER_FALLS, CLASSIFIER_STROKES, CLASSIFIER_SEEN = -0.56, 30, (6, 50)
#: from how many strokes on models differ less in how far they may be believed, and by how much then: seen 0.43, and a
#: fifth more
CLASSIFIER_MANY, MANY_SPREAD = 38, 0.52
#: networks (six of three stacks: 0.43 and 0.42)
NETWORK = Normal(0.45, 0.5)
#: models of whose strokes nothing is known
ANY = Normal(-0.05, 0.45)


def overconfidence(learner: str, strokes: float) -> Normal:
    """By how much a model is wrong more often than it believes.

    Parameters
    ----------
    learner
        ``"deep"`` for a network, anything else for a pixel classifier.
    strokes
        How many it learned; 0 where nobody knows, which counts as few.
    """
    if learner == "deep":
        return NETWORK
    least, most = CLASSIFIER_SEEN
    share = min(max(strokes, least), most) / CLASSIFIER_STROKES
    mean = CLASSIFIER.mean + CLASSIFIER_FALLS * math.log(share)
    settled = (min(max(strokes, CLASSIFIER_STROKES), CLASSIFIER_MANY) - CLASSIFIER_STROKES) / (
        CLASSIFIER_MANY - CLASSIFIER_STROKES
    )
    spread = CLASSIFIER.spread + settled * (MANY_SPREAD - CLASSIFIER.spread)
    return Normal(mean, spread / math.sqrt(min(share, 1.0)))
