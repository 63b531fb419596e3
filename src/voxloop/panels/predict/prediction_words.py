"""A prediction in words: what it will take, how far it is. Pure: returns markup."""

from __future__ import annotations

import html
from typing import Any

from voxloop.panels.base.panel import table
from voxloop.panels.monitor.run_words import LOOKS, about, duration
from voxloop.prediction.rehearsal import Estimate


def size(count: float) -> str:
    """Bytes as people say them: ``340 MB``, ``1.2 GB``."""
    for unit, bytes_ in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= bytes_:
            return f"{count / bytes_:.{0 if count >= 100 * bytes_ else 1}f} {unit}"
    return f"{max(1, count / 1e3):.0f} kB"


def estimate_table(estimate: Estimate) -> str:
    """Time, memory and disk; how much is computed for what is kept; what the model may not like."""
    rows = [
        ("Time", f"<b>{about(estimate.seconds)}</b>"),
        ("Memory", f"<b>{size(estimate.memory_bytes)}</b> of {size(estimate.allowed_bytes)} allowed"),
    ]
    if estimate.device_allowed_bytes:
        rows.append(("GPU", f"<b>{size(estimate.device_bytes)}</b> of {size(estimate.device_allowed_bytes)} allowed"))
    rows.append(("Disk", f"<b>{size(estimate.disk_bytes)}</b> of {size(estimate.free_disk_bytes)} free"))
    rows.append(("Tiles", _tiles(estimate)))
    if estimate.price > 1:
        rows.append(("Price", f"each voxel is predicted <b>{estimate.price}</b> times; the time holds that"))
    rows = [(f'<span style="white-space:nowrap">{name}</span>', value) for name, value in rows]
    notes = list(estimate.warnings)
    if estimate.disk_bytes > estimate.free_disk_bytes:
        notes.append("This does not fit the disk: choose a region, or leave out the probabilities.")
    lines = [f'<div class="vx-note vx-note-warning">{html.escape(words)}</div>' for words in notes]
    return table((), rows) + "".join(lines)


def _tiles(estimate: Estimate) -> str:
    """How many, and how many voxels are computed for each that is kept, which grows as tiles get smaller or thinner."""
    block, halo = (" × ".join(map(str, sizes)) for sizes in (estimate.block, estimate.halo))
    title = f"Each tile gives a block of {block} voxels; to predict it, the model sees {halo} voxels more on each side"
    work = "; each voxel is computed once"
    if estimate.waste >= 1.005:
        work = f"; {estimate.waste:.3g} voxels are computed for each one kept"
    return f'<span title="{title}">{estimate.tiles:,}{work}</span>'


def describe_progress(state: str, history: Any, now: float, borders: str = "") -> tuple[str, str]:
    """The bar and the words beside it; ``borders``: what is said of them once it is finished."""
    share = 1.0 if state == "finished" else float(history.progress or 0.0)
    last = history.last_progress or {}
    tiles = f"{last['done']:g} of {last['total']:g} {last.get('unit', 'tiles')}" if "total" in last else ""
    for what, words in (("coarser", "coarser resolutions"), ("objects", "objects")):
        if state not in ("finished", "stopped") and (part := last.get(what)):
            tiles = _joined(tiles, f"{words}: block {part[0]:g} of {part[1]:g}")
    words = {
        "created": "Not started yet.",
        "queued": "Waiting for the device.",
        "running": _joined(tiles or "Measuring and planning", _left(history, now)),
        "stopping": _joined("Your order is on its way", tiles),
        "paused": _joined("Paused", tiles, "Resume goes on there"),
        "stopped": _joined("Stopped and kept", tiles),
        "cancelled": "Cancelled and discarded.",
        "interrupted": _joined("Its process ended without saying why", tiles, "Resume goes on there"),
        "finished": _joined("Finished", tiles, f"in {duration(history.busy_s)}", borders),
        "failed": f"Failed: {history.error}",
    }.get(state, state)
    bar = f'<div class="vx-progress vx-{LOOKS.get(state) or "idle"}"><div style="width:{share:.1%}"></div></div>'
    link = next((event["dashboard"] for event in reversed(history.log) if event.get("dashboard")), "")
    there = state in ("running", "stopping") and link.startswith(("http://", "https://"))
    look = f' · <a href="{html.escape(link)}" target="_blank" rel="noopener">the cluster at work</a>' if there else ""
    return bar, html.escape(words) + look


def _left(history: Any, now: float) -> str:
    if history.eta_s is None:
        return ""
    since = now - float((history.last_progress or {}).get("time", now))
    return f"about {about(max(0.0, history.eta_s - since))} to go"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
