"""A run as pieces of a page: legend of its curves, progress bar, small numbers, trouble, log. Pure: returns markup."""

from __future__ import annotations

import html
from collections.abc import Sequence

from voxloop.panels.monitor import run_words
from voxloop.panels.monitor.curve_plot import BEST, TRAIN, VAL, Colors
from voxloop.panels.monitor.snapshot import Snapshot
from voxloop.runs import History

#: lines of the log that are shown
LOG_LINES = 200


def legend(colors: Sequence[Colors], names: Sequence[str], histories: Sequence[History]) -> str:
    """What the lines and dots stand for: of one run training and validation, of several the runs."""
    if len(colors) == 1:
        return _legend_of_one(histories[0])
    keys = [_key("line", paint.val, name) for paint, name in zip(colors, names, strict=True)]
    keys += [_key("dash", "currentColor", "training"), _key("line", "currentColor", "validation")]
    marked = dict.fromkeys(name for history in histories for name, _ in run_words.marks(history))
    return "".join([*keys, *(_key(name, "currentColor", name) for name in marked)])


def _legend_of_one(history: History) -> str:
    keys = [_key("line", TRAIN, "training"), _key("line", VAL, "validation")]
    if len(history.steps):
        keys.insert(0, _key("dot", TRAIN, "batch"))
    marks = run_words.marks(history)
    keys += [_key(name, BEST, words) for name, words in marks]
    if len(marks) > 1:
        keys.append(f'<div class="vx-dim vx-small">{html.escape(run_words.KEPT_BELOW_HIGHEST)}</div>')
    return "".join(keys)


def _key(kind: str, color: str, words: str) -> str:
    title = html.escape(run_words.HELP.get(kind, ""), quote=True)
    sign = f'<i class="vx-key-{kind}" style="color:{color}"></i>'
    return f'<span class="vx-key" title="{title}">{sign}{html.escape(words)}</span>'


def progress_bar(snapshot: Snapshot) -> str:
    """How far the run is, in the colour of its state."""
    kind = run_words.LOOKS.get(snapshot.state, "") or "idle"
    share = 100 * snapshot.history.progress
    return f'<div class="vx-progress vx-{kind}"><div style="width:{share:.1f}%"></div></div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Small numbers with their names; what a name means stands under the pointer."""
    cells = []
    for name, value in pairs:
        words = run_words.HELP.get(run_words.AUTO if name.endswith(run_words.AUTO) else name, "")
        title = html.escape(words, quote=True)
        cells.append(
            f'<div class="vx-fact" title="{title}"><span>{html.escape(name)}</span><b>{html.escape(value)}</b></div>'
        )
    return f'<div class="vx-facts">{"".join(cells)}</div>'


def trouble(snapshot: Snapshot) -> str:
    """Why a run failed, what may help, and the end of what it printed; empty where all is well."""
    lines = []
    history = snapshot.history
    if snapshot.state == "failed" and history.error:
        lines += [f"<b>{html.escape(history.error)}</b>", html.escape(history.hint or "")]
    if snapshot.printed:
        summary = "The end of what it printed"
        lines.append(f"<details><summary>{summary}</summary><pre>{html.escape(snapshot.printed)}</pre></details>")
    return "".join(f"<div>{line}</div>" for line in lines if line)


def log(history: History) -> str:
    """Epochs and messages, newest first."""
    events = [*history.epochs[-LOG_LINES:], *history.log[-LOG_LINES:]]
    events.sort(key=lambda event: event.get("time", 0))
    lines = []
    for event in reversed(events[-LOG_LINES:]):
        stamp = run_words.clock(event.get("time", 0))
        words = html.escape(run_words.log_line(event))
        lines.append(f'<div class="vx-log-{html.escape(event["kind"])}"><time>{stamp}</time> {words}</div>')
    return "".join(lines)
