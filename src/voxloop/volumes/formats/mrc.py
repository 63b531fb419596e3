"""MRC and REC files of electron microscopy, memory mapped by mrcfile."""

from __future__ import annotations

import warnings

from voxloop.errors import VolumeError
from voxloop.geometry import UNITS_UM
from voxloop.volumes.formats.contract import Format, Found, Source, has_suffix

SUFFIXES = (".mrc", ".mrcs", ".rec", ".st", ".map", ".ali")


def read(source: Source) -> Found:
    """The map of an MRC file; its voxel size is in angstrom. Stacks of pictures (``is_image_stack``) are frames."""
    import mrcfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # permissive: files of old programs miss header fields that we do not need
            opened = mrcfile.mmap(str(source.path), mode="r", permissive=True)
    except (OSError, ValueError) as error:
        raise VolumeError(f"{source.path} cannot be read as MRC ({error}); is it complete?") from error
    if opened.data is None:
        raise VolumeError(f"{source.path} is cut short: its header promises voxels that are not there; copy it again")
    size = opened.voxel_size
    spacing = {axis: float(size[axis]) * UNITS_UM["angstrom"] for axis in "zyx" if float(size[axis]) > 0}
    stack = bool(opened.is_image_stack()) and source.text.lower().endswith(".mrcs")
    return Found(
        array=opened.data,
        axes="tzyx"[-opened.data.ndim :],
        spacing_um=spacing,
        z_kind="frame" if stack else "space",
    )


FORMAT = Format(name="MRC", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
