"""Who writes a workspace, in words, where this process only reads it. Knows no widget."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


def writer_words(ws: Workspace) -> str:
    """``process 4711 on host, since 14:02``; empty where nobody else is known to write it."""
    writer: dict[str, Any] = ws.writer or {}
    if not writer:
        return ""
    since = time.strftime("%H:%M", time.localtime(float(writer.get("since") or time.time())))
    return f"process {writer.get('pid', '?')} on {writer.get('host', '?')}, since {since}"


def read_only_words(ws: Workspace) -> str:
    """Why nothing can be painted here, and what to do about it."""
    writer = writer_words(ws)
    if writer:
        return f"Read-only: this workspace is written by {writer}. Close it there to paint."
    return f"Read-only: {ws.store.reason or 'this workspace cannot be written'}."
