"""NIfTI and Analyze through nibabel; (x, y, z) on disk becomes (z, y, x)."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import unit_um
from voxloop.volumes.formats.contract import Format, Found, Source, has_suffix

SUFFIXES = (".nii", ".nii.gz", ".hdr")


class Transposed:
    """An array read with its axes in reverse."""

    def __init__(self, array: Any, dtype: np.dtype) -> None:
        self._array = array
        self.shape = tuple(array.shape[::-1])
        self.dtype = dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._array[tuple(key)[::-1]], dtype=self.dtype).T


def read(source: Source) -> Found:
    """The image of a NIfTI file. A compressed file is one chunk a volume: it can only be read from its beginning."""
    try:
        import nibabel
    except ImportError:
        raise VolumeError("NIfTI needs the package nibabel: pip install 'voxloop[formats]'") from None
    try:
        image: Any = nibabel.load(str(source.path))
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise VolumeError(f"{source.path} cannot be read as NIfTI ({error}); is it complete?") from error
    unscaled = image.dataobj.slope in (1, None) and image.dataobj.inter in (0, None)
    dtype = image.get_data_dtype() if unscaled else np.dtype(np.float32)
    array = Transposed(image.dataobj, dtype.newbyteorder("="))
    space = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "unknown"
    unit = {"mm": "millimeter", "micron": "micrometer", "meter": "meter"}.get(space, "millimeter")  # NIfTI's default
    zooms = [float(z) * unit_um(unit) for z in image.header.get_zooms()[:3]]
    spacing = {axis: zoom for axis, zoom in zip("xyz", zooms, strict=False) if zoom > 0}
    compressed = source.text.lower().endswith(".gz")
    axes = {2: "yx", 3: "zyx", 4: "tzyx", 5: "ctzyx"}.get(array.ndim)
    if axes is None:
        raise VolumeError(f"{source.path} has {array.ndim} axes; at most 5 (x, y, z, t, c) can be read")
    chunks = tuple(size if axis in "zyx" else 1 for axis, size in zip(axes, array.shape, strict=True))
    return Found(array=array, axes=axes, spacing_um=spacing, chunks=chunks if compressed else None)


FORMAT = Format(name="NIfTI", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
