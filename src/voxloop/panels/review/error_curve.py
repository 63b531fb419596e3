"""The error curve: scores with their intervals over rounds or minutes, and what is to come. Makes an SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from voxloop.review.outlook import AHEAD, Outlook, Reached

WIDTH, HEIGHT = 300, 128
_ABOUT = "How good each prediction is, oldest first"
_STYLE = (
    ".vx-curve{width:100%;max-width:340px;font-size:10px;color:var(--vx-accent)}"
    ".vx-curve text{fill:var(--vx-dim)}.vx-curve circle{fill:currentColor}"
    ".vx-curve path,.vx-curve polyline{fill:none;stroke:currentColor;stroke-width:1.5}"
    ".vx-curve .vx-curve-grid{stroke:var(--vx-line);stroke-width:1}.vx-curve .vx-curve-bar{opacity:.6}"
    ".vx-curve .vx-curve-ahead{fill:currentColor;opacity:.2;stroke:none}"
)
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 8, 8, 30
ROUNDS, MINUTES = "rounds", "minutes"


def curve(points: Sequence[Reached], over: str = ROUNDS, ahead: Outlook | None = None) -> str:
    """Scores joined by a line, and a wedge for the gain of the next strokes; empty where nothing can be drawn.

    Parameters
    ----------
    over
        ``"rounds"``: one beside the other, ``"minutes"``: of annotation; points that do not know theirs are left out.
    """
    known = [one for one in points if one.score.known and (over == ROUNDS or one.seconds is not None)]
    if not known:
        return ""
    places, ends = _places(known, over)
    lowest = min(one.score.interval[0] for one in known)
    floor = max(0.0, math.floor(lowest * 10 - 0.5) / 10)

    def y(value: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - (min(1.0, max(floor, value)) - floor) / (1 - floor))

    parts = [_tick(value, y(value)) for value in sorted({floor, (1 + floor) / 2, 1.0})]
    line = " ".join(f"{x:.1f},{y(one.score.iou):.1f}" for x, one in zip(places, known, strict=True))
    parts.append(f'<polyline points="{line}" class="vx-curve-line"/>')
    if ahead is not None and ahead.known:
        last, (low, high) = known[-1].score.iou, ahead.interval
        wedge = f"M{places[-1]:.1f} {y(last):.1f}L{ends[1]:.1f} {y(last + high):.1f}V{y(last + low):.1f}Z"
        parts.append(f'<path d="{wedge}" class="vx-curve-ahead"><title>{html.escape(ahead.words)}</title></path>')
    for x, one in zip(places, known, strict=True):
        low, high = one.score.interval
        title = f"<title>{html.escape(f'{one.prediction}: {one.score.words}')}</title>"
        parts.append(f'<path d="M{x:.1f} {y(low):.1f}V{y(high):.1f}" class="vx-curve-bar"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y(one.score.iou):.1f}" r="4">{title}</circle>')
    parts += [_word(x, words) for x, words in _words(known, places, over)]
    middle = _TOP + (HEIGHT - _TOP - _BOTTOM) / 2
    parts.append(f'<text transform="translate(8 {middle:.0f}) rotate(-90)" text-anchor="middle">IoU</text>')
    axis = "round" if over == ROUNDS else "minutes of annotation"
    parts.append(_word(_LEFT + (WIDTH - _LEFT - _RIGHT) / 2, axis, HEIGHT - 4))
    head = f'<svg class="vx-curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_ABOUT}">'
    return f"{head}<style>{_STYLE}</style>{''.join(parts)}</svg>"


def _places(known: Sequence[Reached], over: str) -> tuple[list[float], tuple[float, float]]:
    """Where each point stands across, and where the axis begins and the forecast ends."""
    if over == ROUNDS:
        values = [float(at) for at in range(len(known))]
        more = 0.7
    else:
        values = [(one.seconds or 0.0) / 60 for one in known]
        strokes = known[-1].strokes or 1
        more = max(0.05 * values[-1], AHEAD * values[-1] / strokes)
    low, high = (values[0] - 0.5, values[-1] + more) if over == ROUNDS else (0.0, values[-1] + more)
    span = WIDTH - _LEFT - _RIGHT
    places = [_LEFT + span * (value - low) / max(1e-9, high - low) for value in values]
    return places, (_LEFT, WIDTH - _RIGHT)


def _words(known: Sequence[Reached], places: Sequence[float], over: str) -> list[tuple[float, str]]:
    """What stands below the points, as many as there is room for."""
    chosen: list[tuple[float, str]] = []
    for x, one in zip(places, known, strict=True):
        if over == MINUTES:
            words = f"{(one.seconds or 0.0) / 60:.1f}"
        else:
            words = _short(one.prediction) if one.round is None else str(one.round)
        if not chosen or x - chosen[-1][0] > 7 * max(3, len(words)):
            chosen.append((x, words))
    return chosen


def _word(x: float, words: str, y: float = HEIGHT - 17) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{html.escape(words)}</text>'


def _tick(value: float, y: float) -> str:
    return (
        f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" class="vx-curve-grid"/>'
        f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{value:.2f}</text>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"
