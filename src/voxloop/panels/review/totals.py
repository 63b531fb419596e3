"""What checked fields tell beside the score: how much of the volume is of each class, how many objects. As markup."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import table

if TYPE_CHECKING:
    from voxloop.review import FieldAudit


def totals_table(audit: FieldAudit) -> str:
    """A table of shares and counts with their intervals; empty before two fields are judged."""
    fractions = audit.fractions()
    if not fractions:
        return ""
    counted = "Profiles" if audit.prediction.box.shape[0] > 1 else "Objects"
    rows = []
    for info in audit.classes:
        share, *around = (f"{100 * part:.3g}" for part in fractions[info.name])
        count = "" if info.background else _with_interval(*(f"{part:,.0f}" for part in audit.objects(info.name)))
        rows.append((html.escape(info.name), _with_interval(f"{share}%", *around), count))
    return table(("Class", "Of the volume", counted), rows, right=(1, 2))


def _with_interval(value: str, low: str, high: str) -> str:
    return f'{value} <span class="vx-dim">({low} to {high})</span>'
