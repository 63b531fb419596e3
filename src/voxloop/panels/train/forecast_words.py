"""A forecast of a training in words. Pure: returns markup."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from voxloop.panels.monitor.run_words import duration


def forecast_words(forecast: Mapping[str, Any]) -> str:
    """One line: time, memory, steps, windows, device; or why it cannot start, with what can.

    ``forecast`` is what :meth:`voxloop.deep.begin.forecast.Forecast.to_json` gives.
    """
    if forecast["advice"]:
        words = str(forecast["advice"])
        return f'<div class="vx-note vx-note-error">{html.escape(words[:1].upper() + words[1:])}.</div>'
    parts = []
    if forecast["minutes"] is not None:
        parts.append(f"about <b>{duration(60 * forecast['minutes'])}</b>")
    parts.append(f"<b>{forecast['memory'] / 1e9:.1f} GB</b> of {forecast['available'] / 1e9:.1f} free")
    if forecast["step_seconds"]:
        parts.append(f"{forecast['steps']:,} steps of {forecast['step_seconds']:.2g} s")
    parts.append(_windows(forecast))
    parts.append(f"{forecast['parameters'] / 1e6:.1f} M weights on {html.escape(forecast['device'])}")
    if forecast["labels"]:
        parts.append(f"labels: {html.escape(forecast['labels'])}")
    return " · ".join(parts)


def _windows(forecast: Mapping[str, Any]) -> str:
    depth, *plane = forecast["window"]
    sizes = plane if depth == 1 else (depth, *plane)
    words = f"windows {' × '.join(map(str, sizes))}"
    return words if forecast["scale"] == 1 else f"{words} at {forecast['scale']:g} of the size"
