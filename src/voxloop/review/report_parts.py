"""Tables and numbers of a report. Pure: returns markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]], mark: bool = False) -> str:
    """Rows of plain text as markup; empty where there is none. ``mark``: rows that are set off."""
    rows = list(rows)
    if not rows:
        return ""
    line = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head) if any(head) else ""
    body = "".join(
        f"<tr{' class=changed' if mark else ''}>"
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table>{f'<tr>{line}</tr>' if line else ''}{body}</table>"


def number(value: Any) -> str:
    """Three digits; a dash where it is none."""
    return f"{value:.3f}" if isinstance(value, int | float) and value == value else "–"


def note(words: str) -> str:
    """A line of small print."""
    return f'<p class="note">{html.escape(words)}</p>'
