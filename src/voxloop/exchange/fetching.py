"""One file from an address, in bounded time and space, its hash looked at. Knows no models.

What comes is written beside its place and takes its name only when all of it is there.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from voxloop.errors import ModelError
from voxloop.extras import require

#: seconds until a server must have answered, and between two pieces of a file
CONNECT_S, READ_S = 5.0, 20.0
#: after so many seconds, bytes a second that must have come on average: slower than this is a server that stalls
PATIENCE_S, LEAST_RATE = 60.0, 1000.0
_PIECE = 1 << 17

#: told how a file is called, how many bytes came and how many there will be (None: not known)
Progress = Callable[[str, int, int | None], object]


def _silent(name: str, come: int, whole: int | None) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file should be: ``sha256`` of its bytes, or ``git``, the name that git gives it."""

    kind: str
    value: str

    def of(self, path: Path) -> str:
        hashed: Any = hashlib.sha256()
        if self.kind == "git":
            hashed = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                hashed.update(piece)
        return str(hashed.hexdigest())


def fetch(
    address: str,
    target: Path,
    *,
    most: int,
    wanted: Digest | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Progress = _silent,
) -> Path:
    """Bring a file behind an address.

    Parameters
    ----------
    most
        Bytes that it may have.
    wanted
        What it should be; None where nobody said.
    headers
        Sent to the first server alone, never where that sends on.

    Raises
    ------
    ModelError
        In a sentence, and nothing is left: not reached, not there, larger, cut short, too slow, or another file.
    """
    require("pulling models needs", "httpx")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        _stream(address, partial, most, dict(headers or {}), progress, target.name)
        check_digest(partial, wanted, f"{target.name} from {where(address)}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def check_digest(path: Path, wanted: Digest | None, what: str) -> None:
    """Raises ModelError where a file is not what it should be."""
    if wanted is not None and wanted.of(path) != wanted.value.lower():
        raise ModelError(f"{what} is not the file that was announced (its {wanted.kind} hash differs); it is not kept")


def where(address: str) -> str:
    """The server of an address, for sentences."""
    return urlsplit(address).netloc or address[:80]


def _stream(address: str, partial: Path, most: int, headers: dict[str, str], progress: Progress, name: str) -> None:
    import httpx

    timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
    try:
        # unpacked by nobody on the way: what a server packs small could be of any size
        asked = {"Accept-Encoding": "identity", **headers}
        with httpx.stream("GET", address, headers=asked, timeout=timeout, follow_redirects=True) as answer:
            _check_answer(answer, address)
            _keep(answer, partial, most, progress, name)
    except httpx.TimeoutException as error:
        raise ModelError(f"{where(address)} does not answer; try again later, or use what is on this disk") from error
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError) as error:
        raise ModelError(f"{name} from {where(address)} was cut short ({_line(error)}); pull it again") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelError(f"{where(address)} cannot be reached ({_line(error)}); is there a network?") from error


def _check_answer(answer: Any, address: str) -> None:
    """Raises ModelError where the answer is no file, or came on a way that was not asked for."""
    if address.startswith("https://") and any(str(one.url).startswith("http://") for one in (*answer.history, answer)):
        raise ModelError(f"{where(address)} sends on to an address that is not https; it is not followed")
    code = answer.status_code
    if code == 404:
        raise ModelError(f"there is no {urlsplit(address).path} at {where(address)}; is the name right?")
    if code in (401, 403):
        raise ModelError(f"{where(address)} lets nobody without leave have {urlsplit(address).path} (it says {code})")
    if code == 429:
        raise ModelError(f"{where(address)} is asked too often just now (it says 429); wait some minutes")
    if code != 200:
        raise ModelError(f"{where(address)} fails (it says {code}); try again later")


def _keep(answer: Any, partial: Path, most: int, progress: Progress, name: str) -> None:
    said = answer.headers.get("content-length", "")
    whole = int(said) if said.isdigit() else None
    if whole is not None and whole > most:
        raise ModelError(f"{name} has {whole / 1e6:,.0f} MB, more than the {most / 1e6:,.0f} MB that it may; {_MORE}")
    come, begun = 0, time.monotonic()
    progress(name, 0, whole)
    with partial.open("wb") as stream:
        for piece in answer.iter_bytes(_PIECE):
            come += len(piece)
            if come > most:
                raise ModelError(f"{name} does not end after the {most / 1e6:,.0f} MB that it may have; {_MORE}")
            gone = time.monotonic() - begun
            if gone > PATIENCE_S and come < gone * LEAST_RATE:
                raise ModelError(f"{name} comes too slowly ({come:,} bytes in {gone:.0f} s); try again later")
            stream.write(piece)
            progress(name, come, whole)
    if whole is not None and come != whole:
        raise ModelError(f"{name} was cut short ({come:,} of {whole:,} bytes); pull it again")


_MORE = "limit_gb= allows more"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
