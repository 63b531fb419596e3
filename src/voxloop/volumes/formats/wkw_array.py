"""An array of webKnossos' own files (wkw), from its library. Knows no layers and no sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.extra import needed


class WkwArray:
    """Voxels (c, x, y, z) from the data set's first on; what was never written is 0."""

    ndim = 4

    def __init__(self, path: Path, size: tuple[int, int, int] | None = None) -> None:
        wkw = needed("wkw", "webKnossos' wkw")
        self._path = str(path)
        with wkw.Dataset.open(self._path) as dataset:
            header = dataset.header
        self.dtype = np.dtype(header.voxel_type)
        self.chunks = (int(header.num_channels), *[int(header.block_len)] * 3)
        x, y, z = size or _extent(path, int(header.block_len) * int(header.file_len))
        self.shape = (int(header.num_channels), x, y, z)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        import wkw

        channels, *space = key
        bounds = [part.indices(size)[:2] for part, size in zip(space, self.shape[1:], strict=True)]
        with wkw.Dataset.open(self._path) as dataset:
            part = dataset.read([start for start, _ in bounds], [stop - start for start, stop in bounds])
        return np.asarray(part)[channels]


def _extent(path: Path, side: int) -> tuple[int, int, int]:
    """How far the files reach along x, y, z: they are called ``z0/y0/x0.wkw``. Raises VolumeError."""
    reach = [0, 0, 0]
    for file in path.glob("z*/y*/x*.wkw"):
        places = (file.stem[1:], file.parent.name[1:], file.parent.parent.name[1:])
        if all(place.isdecimal() for place in places):
            reach = [max(far, (int(place) + 1) * side) for far, place in zip(reach, places, strict=True)]
    if not all(reach):
        raise VolumeError(f"{path} holds no voxels; is the copy complete?")
    x, y, z = reach
    return x, y, z
