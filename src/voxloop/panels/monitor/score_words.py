"""A score as a cell of a list and as a sentence. Pure: returns markup and text."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxloop.review import Score

#: what the column of scores means
MEANING = (
    "IoU on the whole image, mean over the classes that are not background: an interval that holds the true value in "
    "nine of ten cases. Of a training that of its newest prediction"
)
#: heading of the column, as markup
SCORE_HEAD = f'<span title="{html.escape(MEANING, quote=True)}">Score</span>'


def score_cell(score: Score | None) -> str:
    """``IoU 0.48-0.66``, ``not known yet``, or a sign that it is being computed; all there is to say as its title."""
    if score is None:
        return '<span class="vx-dim" title="The score is being computed">…</span>'
    title = html.escape(f"{score.words}. {MEANING}", quote=True)
    if not score.known:
        return f'<span class="vx-dim" title="{title}">not known yet</span>'
    low, high = score.interval
    return f'<span title="{title}" style="white-space:nowrap">IoU {low:.2f}-{high:.2f}</span>'


def score_rank(score: Score | None) -> float | None:
    """What a list is sorted by, the higher the better; None where it is not known."""
    if score is None or not score.known or math.isnan(score.iou):
        return None
    return score.iou


def score_sentence(score: Score | None) -> str:
    """``Score: IoU 0.48-0.66, from 14 corrected places.``, or what it takes to know."""
    if score is None:
        return "Score: being computed."
    return f"Score: {score.words}." if score.known else f"Score {score.words}."


def measured_sentence(measured: Mapping[str, Any] | None) -> str:
    """``OKS 0.85 (0.79-0.90, 90 %) on 4 held-out pictures.``: of points, boxes and classes of pictures; else empty."""
    if measured is None:
        return ""
    count, low, high = measured["pictures"], measured.get("low"), measured.get("high")
    known = isinstance(low, float) and isinstance(high, float) and low == low
    interval = f" ({low:.2f}-{high:.2f}, 90 %)" if known else ""
    return (
        f"{measured['name']} {measured['mean']:.2f}{interval} on {count} held-out picture{'s' if count != 1 else ''}."
    )
