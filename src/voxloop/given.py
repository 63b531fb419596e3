"""What callers give, as what is needed of it, or a sentence: paths and switches. Pure: opens nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from voxloop.errors import VoxloopError


def path_of(given: object, *, error: type[VoxloopError]) -> Path:
    """A path, ``~`` taken for the home folder. Raises ``error`` for what can be none, or cannot be looked at."""
    if not isinstance(given, str | os.PathLike):
        raise error(f"{shown(given)} is no path; give a text or a pathlib.Path")
    try:
        path = Path(given).expanduser()
        if "\0" in str(path):
            raise ValueError("a NUL character")
        path.exists()
    except (TypeError, ValueError, RuntimeError, OSError) as reason:
        words = getattr(reason, "strerror", None) or reason
        raise error(f"{shown(str(given))} is no path that can be used here ({words})") from reason
    return path


def flag(what: str, given: object, *, error: type[VoxloopError]) -> bool:
    """True or false. Raises ``error`` for what is neither."""
    if isinstance(given, bool | int) or type(given).__name__ == "bool":  # numpy's own is called so as well
        return bool(given)
    raise error(f"{what}={shown(given)} is neither true nor false")


def shown(given: Any) -> str:
    """What was given, in few words and on one line."""
    words = " ".join(repr(given).split())
    return words if len(words) <= 60 else f"{words[:60]}..."
