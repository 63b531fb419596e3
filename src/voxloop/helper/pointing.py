"""The object that somebody pointed at, on a plane and carried through slices. Writes nothing; loads learners late."""

from __future__ import annotations

import base64
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Box
from voxloop.guides.carrying import carried
from voxloop.guides.hints import Hints, Spot
from voxloop.guides.objects import Said, by_classes, by_picture, contrast
from voxloop.helper.handlers import Job
from voxloop.machine import machine
from voxloop.store.planes import Plane

if TYPE_CHECKING:
    from voxloop.guides.sam_pair import SamPair
    from voxloop.helper.live import LiveSession

#: embeddings of planes that are kept, 4 MB each for the usual networks
KEPT_EMBEDDINGS = 16
#: slices to either side that an object is carried at most
FURTHEST = 256


def answer(job: Job) -> dict[str, Any]:
    """Find what ``hints`` of ``image`` point at on plane ``index`` across ``axis``.

    Fields: ``image``, ``level``, ``axis``, ``index``, ``hints`` (JSON of :class:`voxloop.guides.hints.Hints`), and
    where wanted ``by`` ("live", "edges", "walker", "grabcut", "pair", "scissors"; absent: the live model where it says
    something there, else edges), ``slices`` to either side, ``channel`` of the picture, ``model`` (encoder and
    decoder), ``closed`` (of scissors), ``config`` of the live learner. Returns ``slices`` (a list of index, origin,
    shape and packed mask), ``by`` (who answered), ``line`` (of scissors) and ``seconds``.
    """
    began = time.perf_counter()
    request = _Request(job)
    if job.fields.get("by") == "scissors":
        found, line = request.trace()
        by = "scissors"
    else:
        (found, by), line = request.find(), None
    slices = [{"index": index, **_packed(spot)} for index, spot in found]
    return {"slices": slices, "by": by, "line": line, "seconds": time.perf_counter() - began}


def ask_here(workspace: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """The same answer without a process of its own: for a line of Python."""
    return answer(Job(workspace, fields, {}, stale=lambda: False, tell=lambda message: None))


def unpacked(answer: dict[str, Any]) -> list[tuple[int, tuple[int, int], np.ndarray]]:
    """The masks of an answer: index of the plane, (row, column) of the corner, bool (rows, columns)."""
    out = []
    for one in answer["slices"]:
        rows, columns = one["shape"]
        bits = np.frombuffer(zlib.decompress(base64.b64decode(one["bits"])), np.uint8)
        mask = np.unpackbits(bits, count=rows * columns).astype(bool).reshape(rows, columns)
        out.append((int(one["index"]), (int(one["origin"][0]), int(one["origin"][1])), mask))
    return out


def _packed(spot: Spot) -> dict[str, Any]:
    bits = base64.b64encode(zlib.compress(np.packbits(spot.mask).tobytes(), 1)).decode()
    return {"origin": list(spot.origin), "shape": list(spot.mask.shape), "bits": bits}


class _Request:
    """What was asked, and the ways to read what it is about."""

    def __init__(self, job: Job) -> None:
        from voxloop.store import Store
        from voxloop.store.intensities import picture_of
        from voxloop.volumes import shape_zyx, spacing_of

        self.job = job
        fields = job.fields
        stores: dict[str, Any] = job.state.setdefault("point store", {})
        document = (job.workspace / "workspace.json").stat().st_mtime_ns
        if stores.get("as of") != document:
            stores.update({"as of": document, "store": Store.open(job.workspace, read_only=True)})
        store = stores["store"]
        image = str(fields["image"])
        volume = store.images.open(image)
        self.read: Callable[[Box], np.ndarray] = picture_of(volume, store.document.channels, fields.get("channel") or 0)
        self.plane = Plane(str(fields["axis"]), int(fields["index"]), shape_zyx(volume), spacing_of(volume))
        self.hints = Hints.from_json(fields["hints"])
        self.slices = min(int(fields.get("slices") or 0), FURTHEST)

    def find(self) -> tuple[list[tuple[int, Spot]], str]:
        """The object on each of its planes, and who found it."""
        by = self.job.fields.get("by") or ("pair" if self.job.fields.get("model") else None)
        at = self.plane.index
        if by in (None, "live"):
            live = self._live()
            if live is None and by == "live":
                raise LabelError("there is no live model yet: paint two classes first, or find by edges")
            spot = None if live is None else self._by_live(live, at, self.hints)
            if spot is not None and live is not None:
                session = live
                return self._carry(spot, lambda index, hints: self._by_live(session, index, hints)), "live"
            if by == "live":
                return [], "live"
            by = "edges"
        look = self._by_pair if by == "pair" else self._by_picture(by)
        spot = look(at, self.hints)
        return ([] if spot is None else self._carry(spot, look, by_picture=by != "pair")), by

    def trace(self) -> tuple[list[tuple[int, Spot]], list[list[float]]]:
        """What an outline through the hints holds, and its corners."""
        from voxloop.guides.scissors import traced
        from voxloop.store import shapes

        if not self.hints.inside:
            raise LabelError("scissors need anchors on the outline: points=[(row, column), ...]")
        anchors = np.concatenate(self.hints.inside)
        closed = bool(self.job.fields.get("closed", True))
        line = traced(anchors, self.plane.size, self._looking(self.plane.index), closed=closed)
        found = shapes.polygon(line, self.plane.size) if len(line) > 2 and len(anchors) > 2 else None
        spots = [] if found is None else [(self.plane.index, Spot(found.origin, found.mask))]
        return spots, np.round(line, 2).tolist()

    def _carry(
        self, spot: Spot, again: Callable[[int, Hints], Spot | None], *, by_picture: bool = False
    ) -> list[tuple[int, Spot]]:
        plane = self.plane
        if not self.slices:
            return [(plane.index, spot)]

        def stands_out(index: int, spot: Spot) -> float:
            return contrast(spot, plane.size, self._looking(index))

        return carried(spot, plane.index, plane.count, self.slices, again, stands_out if by_picture else None)

    def _looking(self, index: int) -> Callable[[slice, slice], np.ndarray]:
        def look(rows: slice, columns: slice) -> np.ndarray:
            self.job.check()
            box = self.plane.box((rows, columns), (index, index + 1))
            return self.read(box).squeeze(self.plane.at)

        return look

    # ---------------------------------------------------------------------------------------------------------- ways

    def _by_picture(self, by: str) -> Callable[[int, Hints], Spot | None]:
        return lambda index, hints: by_picture(by, hints, self.plane.size, self._looking(index))  # type: ignore[arg-type]

    def _live(self) -> LiveSession | None:
        """The live learner, up to date; None where it has nothing to say."""
        from voxloop.helper.live import session_of

        try:
            session = session_of(self.job)
        except LabelError:  # a level of single objects
            return None
        window = self.hints.window(self.plane.size)
        near = [(part.start + part.stop) / 2 for part in window]
        near.insert(self.plane.at, self.plane.index)
        session.learn(self.job, near)
        while session.learner.unfinished and not session.learner.ready:  # labels far from here, met for the first time
            session.learn(self.job, near)
        return session if session.learner.ready else None

    def _by_live(self, session: LiveSession, index: int, hints: Hints) -> Spot | None:
        background = frozenset(item.value for item in session.labels.level.classes if item.background)

        def said(rows: slice, columns: slice) -> Said:
            shape = rows.stop - rows.start, columns.stop - columns.start
            values, confidence = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
            across = self.plane.at
            for part in session.learner.predict(AXES[across], index, (rows, columns)):
                self.job.check()
                first, second = (part.box.along(name) for i, name in enumerate(AXES) if i != across)
                to = (
                    slice(first.start - rows.start, first.stop - rows.start),
                    slice(second.start - columns.start, second.stop - columns.start),
                )
                values[to], confidence[to] = part.values.squeeze(across), part.confidence.squeeze(across)
            return values, confidence, background

        return by_classes(hints, self.plane.size, said)

    def _by_pair(self, index: int, hints: Hints) -> Spot | None:
        from voxloop.guides.sam_pair import field_of

        pair, key = self._pair()
        window = field_of(hints, self.plane.size)
        kept: OrderedDict[Any, Any] = self.job.state.setdefault("point embeddings", OrderedDict())
        fields = self.job.fields
        where = (*key, fields["image"], fields.get("channel") or 0, self.plane.axis, index, str(window))
        embedding = kept.pop(where, None)
        if embedding is None:
            embedding = pair.embed(self._looking(index)(*window))
            self.job.check()
        kept[where] = embedding
        while len(kept) > KEPT_EMBEDDINGS:
            kept.popitem(last=False)
        return pair.mask(embedding, hints, window)

    def _pair(self) -> tuple[SamPair, tuple[Any, ...]]:
        from voxloop.guides.sam_pair import SamPair, files_of

        encoder, decoder = files_of(self.job.fields.get("model"))
        key = tuple((str(path.resolve()), path.stat().st_mtime_ns) for path in (encoder, decoder))
        opened: dict[Any, SamPair] = self.job.state.setdefault("point pair", {})
        if key not in opened:
            opened.clear()  # a pair may be large: one is held
            opened[key] = SamPair(encoder, decoder, machine().cores)
        return opened[key], key
