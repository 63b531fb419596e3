"""The error curve: the score of each prediction with its interval. Makes an SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from voxloop.review.score import Score

WIDTH, HEIGHT = 300, 120
_STYLE = (
    ".vx-curve{width:100%;max-width:340px;font-size:10px;color:var(--vx-accent)}"
    ".vx-curve text{fill:var(--vx-dim)}.vx-curve circle{fill:currentColor}"
    ".vx-curve path,.vx-curve polyline{fill:none;stroke:currentColor;stroke-width:1.5}"
    ".vx-curve .vx-curve-grid{stroke:var(--vx-line);stroke-width:1}.vx-curve .vx-curve-bar{opacity:.6}"
)
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 8, 20


@dataclass(frozen=True, slots=True)
class Scored:
    """A prediction by name, and its score."""

    name: str
    score: Score

    @property
    def words(self) -> str:
        return f"{self.name}: {self.score.words}"


def verdict(predictions: Sequence[Scored]) -> str:
    """What the curve says, in one sentence."""
    scored = [one for one in predictions if one.score.known]
    if not scored:
        lacking = predictions[-1].score.words if predictions else "not known yet"
        return f"How good the prediction is, is {lacking}."
    last = scored[-1].score
    if len(scored) == 1:
        return f"{last.words[0].upper()}{last.words[1:]}."
    before = scored[-2].score
    change = f"IoU from {before.iou:.2f} to {last.iou:.2f}"
    if last.interval[0] > before.interval[1]:
        return f"Better: {change}. Another round is worth it."
    if last.interval[1] < before.interval[0]:
        return f"Worse: {change}. Look at the latest corrections."
    return f"No clear difference: {change} ({last.words})."


def curve(predictions: Sequence[Scored]) -> str:
    """Points with intervals joined by a line, one for each prediction that can be scored; empty where there is none."""
    scored = [one for one in predictions if one.score.known]
    if not scored:
        return ""
    lowest = min(one.score.interval[0] for one in scored)
    floor = max(0.0, math.floor(lowest * 10 - 0.5) / 10)
    span = WIDTH - _LEFT - _RIGHT

    def x(at: int) -> float:
        return _LEFT + span * (at + 0.5) / len(scored)

    def y(value: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - (value - floor) / (1 - floor))

    parts = [_tick(value, y(value)) for value in sorted({floor, (1 + floor) / 2, 1.0})]
    line = " ".join(f"{x(i):.1f},{y(one.score.iou):.1f}" for i, one in enumerate(scored))
    parts.append(f'<polyline points="{line}" class="vx-curve-line"/>')
    for i, one in enumerate(scored):
        title = f"<title>{html.escape(one.words)}</title>"
        low, high = one.score.interval
        parts.append(f'<path d="M{x(i):.1f} {y(low):.1f}V{y(high):.1f}" class="vx-curve-bar"/>')
        parts.append(f'<circle cx="{x(i):.1f}" cy="{y(one.score.iou):.1f}" r="4">{title}</circle>')
        parts.append(
            f'<text x="{x(i):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(_short(one.name))}</text>'
        )
    return (
        f'<svg class="vx-curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )


def _tick(value: float, y: float) -> str:
    return (
        f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" class="vx-curve-grid"/>'
        f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{value:.2f}</text>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"
