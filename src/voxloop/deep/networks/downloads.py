"""Downloads of weights that fail within seconds where there is no network, instead of after retries for a minute."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

#: seconds after which a host counts as out of reach
_SECONDS = 2.0


@contextmanager
def soon() -> Iterator[None]:
    """Within, weights that are kept here are found as ever, and others are not asked for where their host is away."""
    if getproxies() or _reachable(os.environ.get("HF_ENDPOINT", "https://huggingface.co")):
        yield
        return
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(address: str) -> bool:
    """Whether a host answers; in a thread, since the name of one may be looked for longer than one wants to wait."""
    parts = urlsplit(address)
    answered: list[bool] = []

    def call() -> None:
        try:
            socket.create_connection((parts.hostname or "", parts.port or 443), timeout=_SECONDS).close()
        except OSError:
            return
        answered.append(True)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return bool(answered)
