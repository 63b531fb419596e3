"""The part of a report that says how good a model is, on what that rests, and whether it is as right as it is sure."""

from __future__ import annotations

import html
from contextlib import suppress
from typing import TYPE_CHECKING

from voxloop.errors import VoxloopError
from voxloop.review.offers import Offers
from voxloop.review.reliability import reliability_of
from voxloop.review.report_parts import note, table
from voxloop.review.run_figure import draw_reliability
from voxloop.review.scores import Head, ScoreCache
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.review.score import Score
    from voxloop.runs import Run

#: what each basis is, and is not
_BASIS = {
    "audit": "Places were drawn by chance and judged by a person: the interval holds for the whole image.",
    "corrections": "Strokes made after the model had learned, corrected for where people paint and for how sure the "
    "model is elsewhere. Check 100 points for a narrower interval.",
    "cross-fit": "What the model believes of itself, as far as models like it may be believed. No place outside of the "
    "strokes was looked at; check 100 points to know more.",
    "none": "",
}
#: probabilities above which the share of right voxels is told
_ABOVE = (0.8, 0.9, 0.95, 0.99)


def describe_score(run: Run) -> str:
    """The score of what a run made, of every class, with its basis; what is offered of its image."""
    layout = Layout.of_run(run.path)
    scores = ScoreCache(layout)
    for head in scores.made_by(run):
        with suppress(VoxloopError, OSError):  # what kept it is said by the score
            scores.compute(head.name)
    score = scores.of_run(run)
    if score is None:
        return ""
    made = scores.made_by(run)
    of = f" Of prediction {made[0].name}, image {made[0].image}." if made else ""
    lines = [f"<p><b>{html.escape(score.words)}</b>.{html.escape(of)}</p>"]
    if score.known:
        lines.append(_classes(score))
        lines.append(
            note(
                f"IoU on the whole image; the interval holds the true value in nine of ten cases. {_BASIS[score.basis]}"
            )
        )
        lines.append(_precision(score))
    lines.append(_offer(layout, scores, made))
    return "".join(lines)


def describe_reliability(run: Run) -> str:
    """The reliability diagram of a training on strokes that it held out; empty where it kept no record of these."""
    measured = reliability_of(run)
    if measured is None:
        return ""
    picture = draw_reliability(measured).decode()
    words = (
        f"Expected calibration error {measured.error:.3f}, on {int(measured.voxels.sum()):,} voxels of strokes that "
        "were held out in turn. Points on the line: as often right as sure."
    )
    return f'<div class="reliability">{picture[picture.index("<svg") :]}</div>' + note(words)


def _classes(score: Score) -> str:
    rows = [(name, f"{low:.2f}-{high:.2f}") for name, (_, low, high) in score.per_class.items()]
    return table(("class", "IoU"), rows) if len(rows) > 1 else ""


def _precision(score: Score) -> str:
    """What accepting above some probabilities would be worth."""
    rows = []
    for above in _ABOVE:
        share = score.expected_precision(above)
        if share is not None:
            rows.append((f"{above:g}", f"about {share[0]:.1%}", f"{share[1]:.1%} to {share[2]:.1%}"))
    return table(("of voxels accepted at", "are right", "interval"), rows)


def _offer(layout: Layout, scores: ScoreCache, made: list[Head]) -> str:
    """What is offered of the image, where more than one prediction is there to choose from."""
    if not made:
        return ""
    offer = None
    with suppress(VoxloopError, OSError):
        offer = Offers(layout, scores).compute(made[0].image, made[0].level)
    if offer is None or not offer.reasons:
        return ""
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in offer.reasons)
    summary = html.escape(f"{offer.words}.")
    return f"<details><summary>{summary}</summary><ul>{reasons}</ul></details>"
