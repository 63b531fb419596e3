"""Where a bar can be drawn over and over: a terminal, or the output of a cell. Draws nothing."""

from __future__ import annotations

import sys
import threading
from typing import Any, TextIO


def screen() -> TextIO | None:
    """The stream for a bar; None where nobody would see it move, as in threads, and so in panels."""
    if threading.current_thread() is not threading.main_thread():
        return None
    if _in_a_kernel():
        return sys.stdout
    return sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None


def _in_a_kernel() -> bool:
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")
