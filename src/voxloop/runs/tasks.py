"""Dotted names in a run's config, and which of them may be called.

A workspace may come from anyone, and its ``config.json`` names code. Only voxloop itself, packages that registered a
learner in the entry-point group ``voxloop.learners``, and packages that the user names in the environment variable
``VOXLOOP_PLUGINS`` (comma-separated) are ever imported from such a name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from voxloop.errors import RunError
from voxloop.model import learners, resolve


def trusted_packages() -> set[str]:
    """Top-level packages whose functions a run may name."""
    named = {name.strip() for name in os.environ.get("VOXLOOP_PLUGINS", "").split(",") if name.strip()}
    return {"voxloop", *named, *(value.partition(":")[0].partition(".")[0] for value in learners().values())}


def check(dotted: str) -> str:
    """``dotted`` itself, where it has the form ``package.module:name`` and the package is trusted. Raises RunError."""
    module, colon, name = dotted.partition(":") if isinstance(dotted, str) else ("", "", "")
    if not (colon and module and name.isidentifier()):
        raise RunError(f"{dotted!r} names no function; it must look like 'package.module:function'")
    package = module.partition(".")[0]
    if package not in trusted_packages():
        raise RunError(
            f"{dotted!r} may not be called: {package!r} is not a learner that is installed here; a plugin registers in "
            f"the entry-point group 'voxloop.learners', and VOXLOOP_PLUGINS={package} allows it for one session"
        )
    return dotted


def load(dotted: str) -> Callable[..., Any]:
    """The function of a trusted name. Raises RunError where it is not trusted, not there, or fails to import."""
    check(dotted)
    try:
        function: Callable[..., Any] = resolve(dotted)
    except (ImportError, AttributeError) as error:
        raise RunError(f"{dotted!r} cannot be loaded: {error}") from error
    if not callable(function):
        raise RunError(f"{dotted!r} is no function")
    home = str(getattr(function, "__module__", "")).partition(".")[0]
    if home not in trusted_packages():
        raise RunError(f"{dotted!r} may not be called: it is a function of {home!r} that was only imported there")
    return function


def warm(dotted: str) -> None:
    """Import a task's module, and call its ``warm()`` where it has one: what it would import on its first run."""
    module = sys.modules[load(dotted).__module__]
    getattr(module, "warm", lambda: None)()
