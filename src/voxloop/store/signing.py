"""Whose name goes with every edit: what the user said, else what the machine knows. Pure: knows no files.

What is said goes into the environment, so that processes which this one starts sign the same.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

from voxloop.errors import LabelError
from voxloop.given import shown

#: what the user says; before it is said, JupyterHub knows who they are
VARIABLE = "VOXLOOP_AUTHOR"
_HUB = "JUPYTERHUB_USER"
_LONGEST = 100

#: somebody else whose work is being written down here
_instead: ContextVar[str | None] = ContextVar("voxloop_author", default=None)


def author(name: Any = ...) -> str:
    """Who signs what is edited from now on, in this process and those that it starts.

    Parameters
    ----------
    name
        Whose edits they are from here on; None: whoever the machine knows again; not given: only ask.

    Returns
    -------
    str
        ``name``, else ``VOXLOOP_AUTHOR``, else ``JUPYTERHUB_USER``, else the user of the system.

    Raises
    ------
    LabelError
        It is no name: empty, longer than 100 letters, or with line breaks.

    Examples
    --------
    >>> vl.author("Ada")
    'Ada'
    >>> edit = ws.labels().paint(index=1, points=[(30, 30)], radius=2, value="background")
    >>> "Ada" in ws.labels().authors
    True
    >>> before = vl.author(None)
    """
    if name is None:
        os.environ.pop(VARIABLE, None)
    elif name is not ...:
        os.environ[VARIABLE] = author_name(name)
    said = (os.environ.get(variable, "").strip() for variable in (VARIABLE, _HUB))
    return _instead.get() or next(filter(_is_name, said), None) or _of_system()


def author_name(given: Any) -> str:
    """A name as it is kept. Raises LabelError."""
    name = given.strip() if isinstance(given, str) else ""
    if not _is_name(name):
        raise LabelError(f"{shown(given)} is no name of an author: 1 to {_LONGEST} letters on one line, such as 'Ada'")
    return name


@contextmanager
def signed_as(name: str) -> Iterator[None]:
    """What is edited inside is signed by somebody else: work of theirs that is taken over."""
    token = _instead.set(name)
    try:
        yield
    finally:
        _instead.reset(token)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST and name.isprintable()


@cache
def _of_system() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def now() -> str:
    """The time as it is written down: ISO 8601, UTC, to a thousandth of a second."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
