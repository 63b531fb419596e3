"""Names of runs, which are names of folders: what is allowed, and which is free. Touches no disk."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voxloop.errors import RunError

LONGEST = 100
_ALLOWED = re.compile(r"[A-Za-z0-9][\w.+-]*")


def check_name(name: object) -> str:
    """``name`` itself. Raises RunError where a run cannot be called so."""
    if not isinstance(name, str) or not _ALLOWED.fullmatch(name):
        raise RunError(f"name {name!r}: use letters, digits, '-', '_', '.' and '+', beginning with a letter or digit")
    if len(name) > LONGEST:
        raise RunError(f"name {name[:20]!r}...: it has {len(name)} characters; use {LONGEST} at most")
    return name


def free_name(stem: str, taken: Iterable[str]) -> str:
    """The first of ``<stem>-1``, ``<stem>-2``, ... that is higher than all that are taken."""
    numbered = re.compile(rf"{re.escape(stem)}-(\d+)")
    matches = [numbered.fullmatch(name) for name in taken]
    return f"{stem}-{1 + max((int(match[1]) for match in matches if match), default=0)}"
