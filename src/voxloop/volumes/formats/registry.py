"""The formats there are and the one that reads a source; plugins come first. Opens nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points

from voxloop.errors import VolumeError
from voxloop.volumes.formats import (
    bio,
    dicom,
    hdf5,
    imaris,
    meta_image,
    mrc,
    nifti,
    nrrd,
    numpy_file,
    ome_zarr,
    pictures,
    plain_zarr,
    tensor_store,
    tiff,
    video,
    webknossos,
)
from voxloop.volumes.formats.contract import Format, Source

GROUP = "voxloop.formats"
#: what is to be unpacked first
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".rar", ".tar", ".tgz")

#: asked in this order: a folder may be several things, and a multiscale store is also a plain one
BUILT_IN: tuple[Format, ...] = (
    tensor_store.FORMAT,
    webknossos.FORMAT,
    ome_zarr.FORMAT,
    plain_zarr.FORMAT,
    tiff.FORMAT,
    hdf5.FORMAT,
    mrc.FORMAT,
    numpy_file.FORMAT,
    nifti.FORMAT,
    nrrd.FORMAT,
    meta_image.FORMAT,
    imaris.FORMAT,
    video.FORMAT,
    dicom.FORMAT,
    pictures.FORMAT,
    bio.FORMAT,
)


@cache
def formats() -> tuple[Format, ...]:
    """Formats of plugins, then ours."""
    return (*_plugins(), *BUILT_IN)


def _plugins() -> Iterator[Format]:
    for point in entry_points(group=GROUP):
        found = point.load()
        if not isinstance(found, Format):
            raise VolumeError(f"plugin {point.name!r} in {GROUP} is a {type(found).__name__}, not a Format")
        yield found


def is_file_name(name: str) -> bool:
    """Whether a name is that of a single file of a format, rather than of a store or a folder."""
    lower = name.lower()
    for each in formats():
        if each in (ome_zarr.FORMAT, plain_zarr.FORMAT, tensor_store.FORMAT):
            continue
        if any(lower.endswith(suffix) for suffix in each.suffixes if suffix.startswith(".")):
            return True
    return False


def format_of(source: Source) -> Format:
    """The first format that accepts ``source``. Raises VolumeError naming what can be read."""
    for candidate in formats():
        if candidate.accepts(source):
            return candidate
    packed = next((one for one in _PACKED if source.text.lower().endswith(one)), None)
    if packed is not None:
        raise VolumeError(f"{source.text} is packed as a whole ({packed}); unpack it, and open what was in it")
    known = ", ".join(f"{each.name} ({' '.join(each.suffixes)})" for each in formats())
    raise VolumeError(f"{source.text} is of no kind that can be opened; there are {known}")
