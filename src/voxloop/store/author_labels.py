"""What the edits of one author said of an image, as labels that can be read; chunk by chunk, from the journal alone.

A voxel holds what the last standing edit of the author said there, whoever painted over it since. A voxel that had the
value already was not said again. Chunks that take long to work out are kept in ``derived/``, by the edits they are of.
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box, Shape
from voxloop.given import shown
from voxloop.plain_files import read_plain
from voxloop.store.atomic import replace_bytes
from voxloop.store.changes import standing
from voxloop.store.planes import Plane, Rectangle
from voxloop.store.read_through import ReadThrough
from voxloop.store.touched import Touched
from voxloop.store.values import whole

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.store.chunks import Chunk
    from voxloop.store.label_contract import ImageFacts
    from voxloop.store.labels import Labels
    from voxloop.store.records import Record
    from voxloop.store.state import LabelState

#: bytes of chunks kept in memory
_CACHE_BYTES = 32 << 20
#: edits of a chunk from which it is kept on disk
_MANY = 4
_HEAD = struct.Struct("<QQ")


class Authored:
    """What labels know of who made them."""

    _state: LabelState

    @property
    def authors(self) -> list[str]:
        """All who edited here, in alphabetical order; those whose edits were taken back included."""
        return names_in(self._state.journal.records)

    def by(self, author: str) -> AuthorLabels:
        """What this author's edits last said of each voxel, lazily; edits that were taken back say nothing.

        Compared, scored and saved as labels are: ``ws.agreement(labels.by("Ada"), labels.by("Bob"))``. Raises
        LabelError where nobody of this name edited here.

        Examples
        --------
        >>> labels = ws.labels()
        >>> now = vl.author("Ada")
        >>> labels.paint(index=1, points=[(30, 30)], radius=2, value="background").voxels
        13
        >>> labels.by("Ada").counts()
        {2: 13}
        >>> before = vl.author(None)
        """
        if not isinstance(author, str) or author not in self.authors:
            given = author if isinstance(author, str) else shown(author)
            raise LabelError(f"{unknown('author', given, self.authors)}; ws.authors() lists who edited what")
        labels: Any = self
        return AuthorLabels(labels, self._state, labels._box, author)


class AuthorLabels(ReadThrough):
    """The labels of one author; get them from ``labels.by("Ada")``. They follow the labels that they are of.

    Read, compared and saved as labels are; nothing can be painted here.
    """

    def __init__(self, labels: Labels, state: LabelState, box_of: Callable[[object], Box], author: str) -> None:
        super().__init__(labels)
        self._state = state
        self._box_of = box_of
        self.author = author
        self._at = 0  # the edit up to which these are known
        self._said: list[Record] = []
        self._by_chunk: dict[Chunk, list[Record]] = {}
        self._cache: OrderedDict[Chunk, tuple[int, np.ndarray]] = OrderedDict()
        self._folder = state.place.authors / f"{zlib.crc32(author.encode()):08x}"

    # ------------------------------------------------------------------------------------------------------- facts

    @property
    def name(self) -> str:
        """What it is called in tables and sentences, and understood by where labels are named."""
        return f"{self.level.name} by {self.author}"

    @property
    def chunks(self) -> Shape:
        return self._labels.chunks

    @property
    def dtype(self) -> np.dtype:
        return self._labels.dtype

    @property
    def ndim(self) -> int:
        return 3

    @property
    def edits(self) -> list[int]:
        """Numbers of the edits of this author that were not taken back."""
        with self._state.lock:
            self._follow()
            return [record.sequence for record in self._said]

    def facts(self) -> ImageFacts:
        """What is known of the image."""
        return self._labels.facts()

    # -------------------------------------------------------------------------------------------------------- read

    def read(self, region: object = None) -> np.ndarray:
        """Voxels of a region, as :meth:`Labels.read` takes it."""
        box = self._box_of(region)
        out = np.zeros(box.shape, self.dtype)
        with self._state.lock:
            self._follow()
            for part in box.blocks(self.chunks):
                values = self._chunk(part.cell(self.chunks))
                if values is not None:
                    corner = self._state.array.box(part.cell(self.chunks))
                    out[part.within(box).slices] = values[part.within(corner).slices]
        return out

    def plane(self, axis: str, index: int, box: Rectangle | None = None, step: int = 1) -> np.ndarray:
        """One plane, as :meth:`Labels.plane` gives it."""
        plane, step = Plane(axis, whole("index", index), self.shape, self.spacing_um), max(1, whole("step", step))
        return self.read(plane.box(box)).squeeze(plane.at)[::step, ::step]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Slices and numbers, as numpy takes them for three axes."""
        parts = [*key] if isinstance(key, tuple | list) else [key]
        parts += [slice(None)] * (3 - len(parts))
        plain = [
            slice(*part.indices(size)[:2]) if isinstance(part, slice) else int(part)
            for part, size in zip(parts, self.shape, strict=True)
        ]
        steps = tuple(slice(None, None, part.step or 1) if isinstance(part, slice) else 0 for part in parts)
        return np.asarray(self.read(Box.of(tuple(plain), self.shape))[steps])

    def touched(self) -> Sequence[Touched]:
        """The chunks in which this author said something, with the voxels of each value."""
        with self._state.lock:
            self._follow()
            chunks = sorted(self._by_chunk)
        found = []
        for chunk in chunks:
            box = self._state.array.box(chunk)
            values, numbers = np.unique(self.read(box), return_counts=True)
            counts = {v: n for v, n in zip(values.tolist(), numbers.tolist(), strict=True) if v}
            if counts:
                found.append(Touched(box, counts))
        return found

    def counts(self) -> dict[int, int]:
        """Voxels of every value that this author said (0 left out)."""
        total: dict[int, int] = {}
        for part in self.touched():
            for value, number in part.counts.items():
                total[value] = total.get(value, 0) + number
        return total

    def as_volume(self) -> xr.DataArray:
        """A lazy volume (z, y, x) in micrometres."""
        from voxloop.store.label_volume import as_volume

        labels: Any = self
        return as_volume(labels)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write them to a file of another program; see :func:`voxloop.store.exchange.save`."""
        from voxloop.store.exchange import save

        labels: Any = self
        return save(labels, path, overwrite=overwrite)

    def __repr__(self) -> str:
        return f"<AuthorLabels {self.name!r} on {self.image!r}: {self.shape}, {len(self.edits)} edits>"

    # ------------------------------------------------------------------------------------------------------- helpers

    def _follow(self) -> None:
        """Take up what was edited and taken back since."""
        if self._at == self._state.sequence:
            return
        records = self._state.journal.records[: self._state.sequence]
        said = [record for record in standing(records) if record.author == self.author]
        if said[: len(self._said)] != self._said:
            self._by_chunk = {}
            self._said = []
        for record in said[len(self._said) :]:
            for chunk in self._state.journal.chunks(record):
                self._by_chunk.setdefault(chunk, []).append(record)
        self._said, self._at = said, self._state.sequence

    def _chunk(self, chunk: Chunk) -> np.ndarray | None:
        """A chunk as its edits left it; None where there are none."""
        records = self._by_chunk.get(chunk)
        if not records:
            return None
        key = _key(records)
        known = self._cache.get(chunk)
        if known is not None and known[0] == key:
            self._cache.move_to_end(chunk)
            return known[1]
        values = self._kept(chunk, key) if len(records) >= _MANY else None
        if values is None:
            values = np.zeros(self._state.array.box(chunk).shape, self.dtype)
            corner = self._state.array.box(chunk)
            for record in records:
                for patch in self._state.journal.patches(record, chunk):
                    np.copyto(values[patch.box.within(corner).slices], patch.after, where=patch.changed)
            if len(records) >= _MANY:
                self._keep(chunk, key, values)
        self._cache[chunk] = key, values
        while len(self._cache) * values.nbytes > _CACHE_BYTES and len(self._cache) > 1:
            self._cache.popitem(last=False)
        return values

    def _file(self, chunk: Chunk) -> Path:
        return self._folder / f"{'.'.join(map(str, chunk))}.z"

    def _kept(self, chunk: Chunk, key: int) -> np.ndarray | None:
        """A chunk as it lies in ``derived/``; None where that is of other edits, or damaged."""
        with suppress(OSError, ValueError, zlib.error, struct.error):
            data = read_plain(self._file(chunk))
            noted, crc = _HEAD.unpack_from(data)
            body = data[_HEAD.size :]
            if noted == key and crc == zlib.crc32(body):
                shape = self._state.array.box(chunk).shape
                return np.frombuffer(bytearray(zlib.decompress(body)), self.dtype).reshape(shape)
        return None

    def _keep(self, chunk: Chunk, key: int, values: np.ndarray) -> None:
        body = zlib.compress(values.tobytes(), 1)
        with suppress(OSError):  # a cache: a folder that cannot be written costs time alone
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_bytes(self._file(chunk), _HEAD.pack(key, zlib.crc32(body)) + body, name_durable=False)


def names_in(records: Sequence[Record]) -> list[str]:
    """All who made one of these edits, in alphabetical order."""
    return sorted({record.author for record in records if record.author and not record.lost})


def _key(records: Sequence[Record]) -> int:
    """What tells these edits from any others, those of a level that was made anew included."""
    told = [(r.sequence, r.crc, r.offset, r.voxels, r.line, r.box.start, r.box.stop) for r in records]
    return zlib.crc32(repr(told).encode()) << 32 | zlib.crc32(repr(told[-1]).encode())
