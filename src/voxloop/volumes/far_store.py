"""A zarr store behind an address: asks little, asks again where an answer fails, keeps on disk what it was given."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zarr.storage import FsspecStore, WrapperStore

from voxloop.errors import AwayError, VolumeError
from voxloop.volumes.metadata import first_line
from voxloop.volumes.remote import settings_for

#: seconds before an answer that failed is asked for again
PAUSES_S = (0.25, 0.75, 2.0)
#: seconds for which a store is the same one for whoever opens its address, and what heads say is not asked again
REMEMBERED_S = 60.0
#: seconds after which a chunk on disk is fetched anew
FRESH_S = 86_400.0
#: megabytes of chunks on disk unless VOXLOOP_REMOTE_MB says otherwise; 0 keeps none
KEPT_MB = 1024
#: bytes written between two looks at how much there is
_LOOK_AFTER = 2**26
#: what is in the name of an error, and what it says without addresses
_FAILURES = {
    "DNS": "no such host, or no network", "Connector": "no connection", "Disconnected": "it hung up",
    "Timeout": "no answer in time", "Payload": "the answer was cut short",
}  # fmt: skip
_HEADS = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
_KNOWN: dict[str, tuple[float, FarStore]] = {}


def store_at(url: str) -> FarStore:
    """The store behind an address, the same one for a minute, so that opening asks for every head once."""
    now = time.monotonic()
    for gone in [one for one, (since, _) in _KNOWN.items() if now - since > REMEMBERED_S]:
        _KNOWN.pop(gone, None)
    if url not in _KNOWN:
        _KNOWN[url] = now, FarStore(FsspecStore.from_url(url, storage_options=settings_for(url), read_only=True), url)
    return _KNOWN[url][1]


class FarStore(WrapperStore[FsspecStore]):
    """Reads through another store.

    Heads (metadata, and that there is none) are remembered as long as the store lives. Chunks are kept in the user's
    cache, shared by all processes, for a day and up to :data:`KEPT_MB`; those read longest ago go first. What fails in
    passing (no connection, an answer cut short, 5xx, 429) is asked for again; then VolumeError says so.
    """

    def __init__(self, store: FsspecStore, url: str = "") -> None:
        super().__init__(store)
        self.url = url
        self._heads: dict[str, Any] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._kept: _Kept | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_store": self._store, "url": self.url}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_store"], state["url"])  # type: ignore[misc]

    def _with_store(self, store: FsspecStore) -> FarStore:
        return FarStore(store, self.url)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """As zarr asks: None where there is nothing. Raises VolumeError where the server gives no answer."""
        if byte_range is None and key.rpartition("/")[2] in _HEADS:
            return await self._head(key, prototype)
        name = f"{key} {byte_range}"
        try:
            async with self._asking.setdefault(name, asyncio.Lock()):
                return await self._chunk(key, prototype, byte_range, name)
        finally:
            self._asking.pop(name, None)

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        from zarr.core.buffer import default_buffer_prototype

        if key.rpartition("/")[2] in _HEADS:
            return await self._head(key, default_buffer_prototype()) is not None
        return await super().exists(key)

    async def _get_many(self, requests: Any) -> Any:
        for key, prototype, part in requests:
            yield key, await self.get(key, prototype, part)

    async def _head(self, key: str, prototype: Any) -> Any:
        async with self._asking.setdefault(key, asyncio.Lock()):
            if key not in self._heads:
                try:
                    found = await self._patiently(key, prototype, None)
                except _Refused:  # a bucket that may not be listed says so of what is not there
                    found = None
                self._heads[key] = None if found is None else found.to_bytes()
        data = self._heads[key]
        return None if data is None else prototype.buffer.from_bytes(data)

    async def _chunk(self, key: str, prototype: Any, part: Any, name: str) -> Any:
        kept = await self._keeper()
        if kept is None:
            return await self._patiently(key, prototype, part)
        data = await asyncio.to_thread(kept.read, name)
        if data is not None:
            return prototype.buffer.from_bytes(data)
        found = await self._patiently(key, prototype, part)
        if found is not None:
            await asyncio.to_thread(kept.write, name, found.to_bytes())
        return found

    async def _keeper(self) -> _Kept | None:
        """Where chunks of the store as it is now are kept; None where none are."""
        async with self._asking.setdefault("", asyncio.Lock()):
            if self._kept is None:
                self._kept = _Kept(f"{self.url} {await self._edition()}")
        return self._kept if self._kept.limit else None

    async def _edition(self) -> str:
        """What changes where the store is written anew: its server's tag of its first head, and what the heads say."""
        said = zlib.crc32(b"".join(data or b"" for _, data in sorted(self._heads.items()) if data))
        head = next((key for key in _HEADS if self._heads.get(key)), None)
        tags: list[str] = []
        if head is not None:
            with suppress(Exception):  # not every server answers this, and none has to
                about = await self._store.fs._info(f"{self._store.path}/{head}")
                named = ("ETag", "Last-Modified", "LastModified", "mtime")
                tags = [str(about[name]) for name in named if about.get(name)]
        return f"{said:08x} {tags[:1]}"

    async def _patiently(self, key: str, prototype: Any, part: Any) -> Any:
        began = time.monotonic()
        for tries, pause in enumerate((*PAUSES_S, None), start=1):
            try:
                return await self._store.get(key, prototype, part)
            except Exception as error:  # every kind of store raises its own
                if isinstance(error, VolumeError):
                    raise
                status = getattr(error, "status", None)
                if status in (401, 403) or isinstance(error, PermissionError):
                    raise _Refused(f"{self._place} does not give {key} to you ({_said(error)})") from error
                for_good = isinstance(status, int) and status < 500 and status not in (408, 425, 429)
                slow = isinstance(error, TimeoutError) and tries > 1
                if pause is None or for_good or slow:
                    failed = VolumeError if for_good else AwayError
                    raise failed(self._gone(error, tries, time.monotonic() - began)) from error
                await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _gone(self, error: Exception, tries: int, seconds: float) -> str:
        asked = "asked once" if tries == 1 else f"asked {tries} times in {seconds:.0f} s"
        return (
            f"{self._place} does not give the picture now ({_said(error)}; {asked}). Labels lie here and lose nothing; "
            "what was read before is kept, the rest comes when the server answers again"
        )

    @property
    def _place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class _Refused(VolumeError):
    """The server says no."""


def _said(error: Exception) -> str:
    """What went wrong, without the address again."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        return f"answer {status} {getattr(error, 'message', '')}".strip()
    name = type(error).__name__
    known = next((words for part, words in _FAILURES.items() if part in name), "")
    return known or (first_line(error) if str(error) else name)


class _Kept:
    """Chunks of one store in the user's cache, under names that say nothing. No error of the disk ever stops a read."""

    def __init__(self, edition: str) -> None:
        import pooch

        self._root = Path(pooch.os_cache("voxloop")) / "remote-chunks"
        self._folder = self._root / hashlib.sha256(edition.encode()).hexdigest()[:16]
        self.limit = _limit()
        self._written = _LOOK_AFTER  # the first chunk looks

    def _path(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:24]

    def read(self, name: str) -> bytes | None:
        path = self._path(name)
        with suppress(OSError):
            written, now = path.stat().st_mtime, time.time()
            if now - written < FRESH_S:
                data = path.read_bytes()
                os.utime(path, (now, written))  # read now, and as old as before
                return data
        return None

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
            try:
                part.write_bytes(data)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            self._written += len(data)
            if self._written >= _LOOK_AFTER:
                self._written = 0
                self._make_room()

    def _make_room(self) -> None:
        """Drop what was read longest ago, down to nine tenths of the limit."""
        files = []
        for path in self._root.glob("*/*"):
            with suppress(OSError):  # another process dropped it
                about = path.stat()
                files.append((about.st_atime, about.st_size, path))
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return
        for _, size, path in sorted(files):
            if total <= 0.9 * self.limit:
                break
            path.unlink(missing_ok=True)
            total -= size


def _limit() -> int:
    """Bytes of chunks that may lie on disk."""
    text = os.environ.get("VOXLOOP_REMOTE_MB", "")
    with suppress(ValueError):
        return max(0, int(float(text) * 2**20)) if text.strip() else KEPT_MB * 2**20
    return KEPT_MB * 2**20
