"""Addresses of other machines that runs send data to, and which of them the user has named. Connects to nothing.

A workspace may come from anyone, and a run's config says to which scheduler its tiles and its model go. So a run goes
there only where this process made the run, where resume was told the address, or where ``VOXLOOP_ENGINE`` has it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from voxloop.errors import RunError
from voxloop.given import shown

_named: set[str] = set()


def address_of(config: Mapping[str, Any]) -> str | None:
    """The address that a run's config names; None where it stays on this machine."""
    settings = config.get("settings")
    engine = settings.get("engine") if isinstance(settings, Mapping) else None
    return None if engine in (None, "", "local") else str(engine)


def name(address: str | None) -> None:
    """Take it that the user means this address. Raises RunError for what is none."""
    if not isinstance(address, str | None):
        raise RunError(f"engine={shown(address)} is no address, such as 'tcp://host:8786'")
    if address is not None:
        _named.add(address)


def check(run: str, config: Mapping[str, Any]) -> None:
    """Raise RunError where a run would go to an address that the user has not named."""
    address = address_of(config)
    allowed = {one.strip() for one in os.environ.get("VOXLOOP_ENGINE", "").split(",")}
    if address is not None and address not in _named | allowed:
        raise RunError(
            f"run {run!r} sends its model and its image to {address!r}; where that is your own scheduler, say so with "
            f"run.resume(engine={address!r}), or with VOXLOOP_ENGINE={address} for this session"
        )
