"""What a catalogue lists: images, frames or tiles, by name and by place. Pure: knows no files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from voxloop.errors import WorkspaceError
from voxloop.geometry import Box
from voxloop.store.catalogue import grid as grids
from voxloop.store.document import ImageInfo, TileGrid

_TILE = re.compile(r"(?P<image>[^/]+)(?:/(?P<frame>\d+))?/(?P<top>\d+):(?P<bottom>\d+),(?P<left>\d+):(?P<right>\d+)")


@dataclass(frozen=True, eq=False)
class Items:
    """``boxes`` (n, 6) are the first voxel and the one after the last, along z, y, x; ``image`` counts in ``infos``.

    An image is called by its name, a frame ``"movie/12"``, a tile ``"slide/0:512,512:1024"`` (rows, columns), one of a
    frame ``"movie/12/0:64,64:128"``.
    """

    kind: str  # "images", "frames" or "tiles"
    infos: tuple[ImageInfo, ...]
    image: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    @cached_property
    def names(self) -> list[str]:
        """Of all items, in order."""
        labels = [info.name for info in self.infos]
        if self.kind == "images":
            return labels
        framed = [info.z_kind == "frame" for info in self.infos]
        of = self.image.tolist()
        if self.kind == "frames":
            return [f"{labels[one]}/{z}" for one, z in zip(of, self.boxes[:, 0].tolist(), strict=True)]
        return [
            tile_name(labels[one], z if framed[one] else None, (top, bottom, left, right))
            for one, (z, _, top, bottom, left, right) in zip(of, self.boxes.tolist(), strict=True)
        ]

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each name stands."""
        return {name: at for at, name in enumerate(self.names)}

    def info(self, at: int) -> ImageInfo:
        return self.infos[int(self.image[at])]

    def frame(self, at: int) -> int | None:
        """The frame of an item; None of a volume and of a whole image."""
        info = self.info(at)
        return int(self.boxes[at, 0]) if info.z_kind == "frame" and self.kind != "images" else None

    def box(self, at: int) -> Box:
        z0, z1, y0, y1, x0, x1 = self.boxes[at].tolist()
        return Box((z0, y0, x0), (z1, y1, x1))

    def of_image(self, name: str) -> np.ndarray:
        """Places of the items of an image."""
        number = next((at for at, info in enumerate(self.infos) if info.name == name), -1)
        return np.flatnonzero(self.image == number)


def tile_name(image: str, frame: int | None, sides: Sequence[int]) -> str:
    """What a tile is called: ``sides`` are top, bottom, left, right."""
    top, bottom, left, right = sides
    middle = "" if frame is None else f"/{frame}"
    return f"{image}{middle}/{top}:{bottom},{left}:{right}"


def read_tile(name: str) -> tuple[str, int | None, tuple[int, int, int, int]] | None:
    """Image, frame and sides of what :func:`tile_name` named; None where it named nothing."""
    found = _TILE.fullmatch(name)
    if found is None:
        return None
    frame = found["frame"]
    top, bottom, left, right = (int(found[side]) for side in ("top", "bottom", "left", "right"))
    return found["image"], None if frame is None else int(frame), (top, bottom, left, right)


def images_of(infos: Sequence[ImageInfo]) -> Items:
    """Every image is an item."""
    whole = [(0, one.shape[0], 0, one.shape[1], 0, one.shape[2]) for one in infos]
    return Items("images", tuple(infos), np.arange(len(infos)), np.array(whole, np.int64).reshape(-1, 6))


def frames_of(infos: Sequence[ImageInfo]) -> Items:
    """Every frame of stacks of frames is an item; a picture by itself counts as one, a volume as none."""
    framed = tuple(one for one in infos if one.framed)
    parts = []
    for info in framed:
        z = np.arange(info.shape[0], dtype=np.int64)
        side = np.ones_like(z)
        parts.append(np.stack([z, z + 1, 0 * z, side * info.shape[1], 0 * z, side * info.shape[2]], axis=1))
    total = sum(map(len, parts))
    if total > grids.MOST:
        raise WorkspaceError(f"there are {total:,} frames, more than a catalogue lists ({grids.MOST:,})")
    numbers = np.repeat(np.arange(len(framed)), [len(part) for part in parts])
    return Items("frames", framed, numbers, np.concatenate([np.zeros((0, 6), np.int64), *parts]))


def tiles_of(grid: TileGrid, infos: Sequence[ImageInfo]) -> Items:
    """Every tile of a grid is an item."""
    parts = [grids.boxes(grid, info) for info in infos]
    numbers = np.repeat(np.arange(len(infos)), [len(part) for part in parts])
    return Items("tiles", tuple(infos), numbers, np.concatenate([np.zeros((0, 6), np.int64), *parts]))
