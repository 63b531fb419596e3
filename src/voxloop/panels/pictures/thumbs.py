"""Small pictures of items, read at the scale that fits, kept under derived/, labels laid over. Any thread."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np

from voxloop.errors import VoxloopError
from voxloop.panels.pictures.pack import PicturePack
from voxloop.panels.view import frames
from voxloop.panels.view.planes import VolumePlanes

if TYPE_CHECKING:
    from voxloop.geometry import Box
    from voxloop.store import Catalogue
    from voxloop.workspace.workspace import Workspace

#: pixels of the longer side of a picture that is kept
PIXELS = 128
#: images whose planes are held open, and bytes of each
_OPEN, _BUDGET = 8, 24 * 2**20
_QUALITY = 82
#: how much of a label's colour lies over the picture
_OPACITY = 0.5
_MADE = b"1"


class Thumbnails:
    """JPEGs of the items of one catalogue."""

    def __init__(self, ws: Workspace, catalogue: Catalogue) -> None:
        self._ws, self._catalogue = ws, catalogue
        self._pack = PicturePack(ws.layout.thumbnails(catalogue.name), writable=not ws.read_only)
        self._planes: OrderedDict[str, tuple[VolumePlanes, list[frames.Limits]]] = OrderedDict()
        self._lock = threading.Lock()
        self.level: str | None = None  # whose labels lie over

    def picture(self, at: int, labelled: bool) -> bytes:
        """The picture of an item, with its labels where it has any. Raises VoxloopError, OSError."""
        items = self._catalogue.items
        info, box = items.info(at), items.box(at)
        facts = f"{info.fingerprint} {info.name} {box.to_json()} {PIXELS}".encode()
        key = hashlib.blake2b(_MADE + facts, digest_size=16).digest()
        made = self._pack.get(key)
        if made is None:
            made = self._make(info.name, box)
            self._pack.put(key, made)
        return self._with_labels(made, info.name, box) if labelled and self.level is not None else made

    def _make(self, image: str, box: Box) -> bytes:
        planes, limits = self._open(image)
        spacing = planes.spacing_um
        sides = [size * um for size, um in zip(box.shape[1:], spacing[1:], strict=True)]
        scale = planes.scale_for("z", max(sides) / PIXELS)
        geometry = planes.geometry("z", scale)
        edges = (box.start[1], box.start[2], box.stop[1], box.stop[2])
        plane = planes.read("z", geometry.plane_of(_plane(box)), geometry.cover(edges), scale)
        step = max(1, round(max(plane.shape[1:]) / PIXELS))
        small = plane[:, ::step, ::step]
        return frames.encode_picture(frames.compose(small, limits, _shown(planes.channels)), _QUALITY)

    def _open(self, image: str) -> tuple[VolumePlanes, list[frames.Limits]]:
        with self._lock:
            known = self._planes.get(image)
            if known is not None:
                self._planes.move_to_end(image)
                return known
        planes = VolumePlanes(self._ws.images.scales(image), _BUDGET)
        coarsest = planes.scale_count - 1
        geometry = planes.geometry("z", coarsest)
        plane = planes.read("z", geometry.depth // 2, (0, 0, *geometry.shape), coarsest)
        limits = [one.auto for one in frames.statistics(plane)]
        with self._lock:
            self._planes[image] = planes, limits
            while len(self._planes) > _OPEN:
                self._planes.popitem(last=False)[1][0].close()
        return planes, limits

    def _with_labels(self, made: bytes, image: str, box: Box) -> bytes:
        picture = imagecodecs.jpeg8_decode(made)
        picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
        try:
            labels = self._ws.labels(self.level, image)
        except VoxloopError:  # the level is gone, or is none of painted labels
            return made
        rows, columns = picture.shape[:2]
        step = max(1, min(box.shape[1] // rows, box.shape[2] // columns))
        plane = labels.plane(
            "z", _plane(box), (slice(box.start[1], box.stop[1]), slice(box.start[2], box.stop[2])), step
        )
        if not plane.any():
            return made
        y = np.arange(rows) * plane.shape[0] // rows
        x = np.arange(columns) * plane.shape[1] // columns
        values = frames.palette_indices(plane[np.ix_(y, x)])
        colors = _palette(labels.level)[values].astype(np.float32)
        over = (values > 0)[..., None]
        mixed = np.where(over, picture * (1 - _OPACITY) + colors * _OPACITY, picture)
        return frames.encode_picture(mixed.astype(np.uint8), _QUALITY)

    def close(self) -> None:
        self._pack.close()
        with self._lock:
            for planes, _ in self._planes.values():
                planes.close()
            self._planes.clear()


def _plane(box: Box) -> int:
    return (box.start[0] + box.stop[0] - 1) // 2


def _shown(channels: int) -> list[int]:
    return [0, 1, 2] if channels == 3 else list(range(min(channels, len(frames.TINTS))))


def _palette(level: object) -> np.ndarray:
    """Colours (256, 3) by value; numbers of objects are spread over the palette."""
    from voxloop.panels.base.style import color

    table = np.array([_rgb(color(value)) for value in range(256)], np.uint8)
    for item in getattr(level, "classes", ()):
        if item.value < 256:
            table[item.value] = _rgb(item.color)
    return table


def _rgb(color: str) -> list[int]:
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]
