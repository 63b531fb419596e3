"""Where a picture came from, as a workspace notes it: path and arguments, in what JSON keeps."""

from __future__ import annotations

from typing import Any

from voxloop.errors import VolumeError, WorkspaceError
from voxloop.given import shown
from voxloop.store.fingerprint import fingerprint
from voxloop.store.sources import place_of


def origin_of(source: Any) -> tuple[str | list[str] | None, dict[str, Any]]:
    """Path and arguments from which a volume was opened; None where it is not that picture any more (cut, changed)."""
    from voxloop.volumes import open_volume, opened_with

    opened = (opened_with(source) if hasattr(source, "attrs") else None) or {}
    place = place_of(opened.pop("source", None))
    if place is None:
        return None, {}
    try:
        again = open_volume(place, **opened)
    except VolumeError:
        return None, {}
    return (place, opened) if fingerprint(again) == fingerprint(source) else (None, {})


def as_noted(value: Any) -> Any:
    """As JSON keeps it: what is NumPy's as numbers and lists."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, tuple | list):
        return [as_noted(one) for one in value]
    if isinstance(value, dict):
        return {str(name): as_noted(one) for name, one in value.items()}
    if not isinstance(value, str | int | float | None):
        raise WorkspaceError(f"{shown(value)} is nothing that can be noted of an image; give texts, numbers or lists")
    return value
