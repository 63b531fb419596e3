"""Where the tiles of a grid lie in a picture. Pure: knows no files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxloop.errors import WorkspaceError
from voxloop.store.document import ImageInfo, TileGrid

#: items of one catalogue; beyond, nobody works through them one by one
MOST = 1_000_000


def starts(extent: int, size: int, overlap: int) -> list[int]:
    """First voxels of the tiles along an axis; the last tile is shifted back so that it ends with the picture."""
    if size >= extent:
        return [0]
    found = list(range(0, extent - size + 1, size - overlap))
    if found[-1] + size < extent:
        found.append(extent - size)
    return found


def in_voxels(grid: TileGrid, info: ImageInfo) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size and overlap (rows, columns) of the tiles of a grid in voxels of an image."""
    factor: Sequence[float] = (grid.scale, grid.scale)
    if grid.unit == "um":
        factor = (1 / info.spacing_um[1], 1 / info.spacing_um[2])
    size = [max(1, round(min(one * by, 2**40))) for one, by in zip(grid.size, factor, strict=True)]
    overlap = [
        min(round(min(one * by, 2**40)), most - 1) for one, by, most in zip(grid.overlap, factor, size, strict=True)
    ]
    return (size[0], size[1]), (overlap[0], overlap[1])


def boxes(grid: TileGrid, info: ImageInfo) -> np.ndarray:
    """Boxes (n, 6) of the tiles of an image: first voxel and the one after the last, along z, y, x.

    Raises WorkspaceError where they are too many.
    """
    size, overlap = in_voxels(grid, info)
    depth, rows, columns = info.shape
    tops, lefts = starts(rows, size[0], overlap[0]), starts(columns, size[1], overlap[1])
    planes = np.arange(depth) if info.z_kind == "frame" else np.zeros(1, int)
    if planes.size * len(tops) * len(lefts) > MOST:
        raise WorkspaceError(
            f"tiles {grid.name!r} would be {planes.size * len(tops) * len(lefts):,} on image {info.name!r} alone; "
            "use larger ones"
        )
    z, top, left = (one.ravel() for one in np.meshgrid(planes, tops, lefts, indexing="ij"))
    last = z + 1 if info.z_kind == "frame" else np.full(z.size, depth)
    bottom, right = np.minimum(top + size[0], rows), np.minimum(left + size[1], columns)
    return np.stack([z, last, top, bottom, left, right], axis=1).astype(np.int64)


def words(grid: TileGrid, infos: Sequence[ImageInfo]) -> str:
    """What a grid makes of images, in one or two sentences."""
    total, smaller, shifted = 0, [], 0
    for info in infos:
        size, overlap = in_voxels(grid, info)
        found = boxes(grid, info)
        total += len(found)
        if info.shape[1] < size[0] or info.shape[2] < size[1]:
            smaller.append(f"{info.name} ({info.shape[1]} x {info.shape[2]})")
        elif any(
            (extent - one) % (one - over) for extent, one, over in zip(info.shape[1:], size, overlap, strict=True)
        ):
            shifted += 1
    said = f"{total:,} tiles of {len(infos):,} image{'s' if len(infos) != 1 else ''}"
    if shifted:
        said += "; the last of a row or column is shifted back, so that all is covered"
    if smaller:
        more = f" and {len(smaller) - 3} more" if len(smaller) > 3 else ""
        said += f"; smaller than a tile, so one tile of their own size: {', '.join(smaller[:3])}{more}"
    return said
