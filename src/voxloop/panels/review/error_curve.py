"""The honest error curve: how each prediction fares on voxels labelled after its model was trained. Makes an SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 300, 120
_STYLE = (
    ".vx-curve{width:100%;max-width:340px;font-size:10px;color:var(--vx-accent)}"
    ".vx-curve text{fill:var(--vx-dim)}.vx-curve circle{fill:currentColor}"
    ".vx-curve path,.vx-curve polyline{fill:none;stroke:currentColor;stroke-width:1.5}"
    ".vx-curve .vx-curve-grid{stroke:var(--vx-line);stroke-width:1}.vx-curve .vx-curve-bar{opacity:.6}"
)
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 8, 20


@dataclass(frozen=True, slots=True)
class Score:
    """Share of later labels that a prediction agrees with, its 95 % interval (nan where unknown), how many voxels."""

    name: str
    agreement: float
    low: float = math.nan
    high: float = math.nan
    voxels: int = 0

    @property
    def words(self) -> str:
        if not self.voxels:
            return f"{self.name}: nothing was labelled since its model was trained"
        interval = "" if math.isnan(self.low) else f" (95 %: {self.low:.2f} to {self.high:.2f})"
        return f"{self.name}: {self.agreement:.2f}{interval} of {self.voxels:,} voxels labelled later"


def verdict(scores: Sequence[Score]) -> str:
    """What the curve says, in one sentence."""
    known = [score for score in scores if score.voxels]
    if not known:
        return "Correct a few places; what you label from now on tells how good the prediction is."
    last = known[-1]
    if len(known) == 1:
        return f"The prediction agrees with {last.agreement:.0%} of what you labelled since its model was trained."
    before = known[-2]
    if math.isnan(last.low) or math.isnan(before.low):
        return f"From {before.agreement:.2f} to {last.agreement:.2f}; too few places to tell whether that is a change."
    if last.low > before.high:
        return f"Better: {before.agreement:.2f} to {last.agreement:.2f}. Another round is worth it."
    if last.high < before.low:
        return f"Worse: {before.agreement:.2f} to {last.agreement:.2f}. Look at the latest corrections."
    return f"Flat within the error: {before.agreement:.2f} to {last.agreement:.2f}. Further rounds may add little."


def curve(scores: Sequence[Score]) -> str:
    """Points with intervals joined by a line, one for each prediction that can be scored; empty where there is none."""
    known = [score for score in scores if score.voxels]
    if not known:
        return ""
    lows = [score.low if score.low == score.low else score.agreement for score in known]
    floor = max(0.0, math.floor(min(lows) * 10 - 0.5) / 10)
    span = WIDTH - _LEFT - _RIGHT

    def x(at: int) -> float:
        return _LEFT + span * (at + 0.5) / len(known)

    def y(value: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - (value - floor) / (1 - floor))

    parts = [_tick(value, y(value)) for value in sorted({floor, (1 + floor) / 2, 1.0})]
    line = " ".join(f"{x(i):.1f},{y(score.agreement):.1f}" for i, score in enumerate(known))
    parts.append(f'<polyline points="{line}" class="vx-curve-line"/>')
    for i, score in enumerate(known):
        title = f"<title>{html.escape(score.words)}</title>"
        if score.low == score.low:
            parts.append(f'<path d="M{x(i):.1f} {y(score.low):.1f}V{y(score.high):.1f}" class="vx-curve-bar"/>')
        parts.append(f'<circle cx="{x(i):.1f}" cy="{y(score.agreement):.1f}" r="4">{title}</circle>')
        parts.append(
            f'<text x="{x(i):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(_short(score.name))}</text>'
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
