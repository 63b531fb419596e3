"""Packages that only some formats need: imported when a file asks for them, missing ones named. Knows no format."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from voxloop.errors import VolumeError


def needed(module: str, what: str, extra: str = "bio") -> Any:
    """A module of another package. Raises VolumeError that says how it is installed."""
    try:
        return import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise VolumeError(f"{what} needs the package {missing}: pip install 'voxloop[{extra}]'") from error
