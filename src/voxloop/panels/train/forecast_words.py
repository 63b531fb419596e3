"""A forecast of a training in words. Pure: returns markup."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from voxloop.panels.monitor.run_words import duration


def forecast_words(found: Mapping[str, Any]) -> str:
    """One line: time, memory, steps, windows, device; or why it cannot start, with what can.

    ``found`` is what :meth:`voxloop.deep.begin.forecast.Forecast.to_json` gives.
    """
    if found["advice"]:
        words = str(found["advice"])
        return f'<div class="vx-note vx-note-error">{html.escape(words[:1].upper() + words[1:])}.</div>'
    depth, *plane = found["window"]
    window = " × ".join(map(str, plane if depth == 1 else (depth, *plane)))
    scale = "" if found["scale"] == 1 else f" at {found['scale']:g} of the size"
    parts = [
        f"about <b>{duration(60 * found['minutes'])}</b>" if found["minutes"] is not None else "",
        f"<b>{found['memory'] / 1e9:.1f} GB</b> of {found['available'] / 1e9:.1f} free",
        f"{found['steps']:,} steps of {found['step_seconds']:.2g} s" if found["step_seconds"] else "",
        f"windows {window}{scale}",
        f"{found['parameters'] / 1e6:.1f} M weights on {html.escape(found['device'])}",
    ]
    return " · ".join(part for part in parts if part)
