"""Channels that were computed whole, on disk: written with what they were made of, read only where that still holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.store.atomic import replace_json
from voxloop.volumes import open_volume, save_volume
from voxloop.volumes.copying import Progress

if TYPE_CHECKING:
    from xarray import DataArray


def keep_channel(volume: DataArray, place: Path, digest: str, fingerprint: str, progress: Progress) -> None:
    """Compute a channel whole and write it, block by block; what ``progress`` raises stops it, and nothing stays."""
    _beside(place).unlink(missing_ok=True)
    save_volume(volume, place, kind="image", overwrite=True, progress=progress)
    replace_json(_beside(place), {"digest": digest, "fingerprint": fingerprint})


def kept_channel(place: Path, digest: str, fingerprint: str) -> DataArray | None:
    """The channel that lies at a place; None where there is none, or it was made of something else.

    Raises VolumeError where it is damaged.
    """
    try:
        noted = json.loads(_beside(place).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(noted, dict) or (noted.get("digest"), noted.get("fingerprint")) != (digest, fingerprint):
        return None
    return open_volume(place)


def _beside(place: Path) -> Path:
    return place.with_suffix(".json")
