"""NIfTI and Analyze through nibabel; (x, y, z) on disk becomes (z, y, x), turned as the affine says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import unit_um
from voxloop.volumes.formats.anatomy import in_order
from voxloop.volumes.formats.contract import Contents, Format, LazyArray, Source, has_suffix
from voxloop.volumes.metadata import Notes, first_line, parse_assumed

SUFFIXES = (".nii", ".nii.gz", ".hdr")
#: how voxloop begins the description in a header, in which it notes which sizes are known
SIZES_FROM = "voxloop sizes: "
_UNITS = {"mm": "millimeter", "micron": "micrometer", "meter": "meter"}


class Transposed:
    """An array read with its axes in reverse."""

    def __init__(self, array: Any, dtype: np.dtype) -> None:
        self._array = array
        self.shape = tuple(array.shape[::-1])
        self.dtype = dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._array[tuple(key)[::-1]], dtype=self.dtype).T


def read(source: Source) -> Contents:
    """The image of a NIfTI file. A compressed file is one chunk a volume: it can only be read from its beginning.

    The axes are put in the order of the affine's closest anatomical one (R, A, S rising), so that a mask saved in
    another orientation lies on its image.
    """
    try:
        import nibabel
    except ImportError:
        raise VolumeError("NIfTI needs the package nibabel: pip install 'voxloop[formats]'") from None
    try:
        image: Any = nibabel.load(str(source.path))
        unscaled = image.dataobj.slope in (1, None) and image.dataobj.inter in (0, None)
        dtype = image.get_data_dtype() if unscaled else np.dtype(np.float32)
        stored = Transposed(image.dataobj, dtype.newbyteorder("="))
    except Exception as error:  # nibabel and its header raise many kinds
        raise VolumeError(f"{source.path} cannot be read as NIfTI ({first_line(error)}); is it complete?") from error
    notes = Notes()
    anatomy = "RAS" if _is_placed(image.header) and stored.ndim >= 3 else ""
    compressed = source.text.lower().endswith(".gz")
    if not compressed:
        _check_complete(image, str(source.path))
    axes = {2: "yx", 3: "zyx", 4: "tzyx", 5: "ctzyx"}.get(stored.ndim)
    if axes is None:
        raise VolumeError(f"{source.path} has {stored.ndim} axes; at most 5 (x, y, z, t, c) can be read")
    sizes = notes.attempt("the voxel size", lambda: _sizes(image), [])
    letters, array = notes.attempt("the orientation", lambda: _oriented(image, axes, stored, notes), (axes, stored))
    spacing: dict[str | int, float] = {}
    for place, size in enumerate(sizes[: min(3, stored.ndim)]):
        if size:
            spacing[stored.ndim - 1 - place] = size
    if spacing and not _has_unit(image):
        notes.remarks.append("the file names no unit for its voxel size; millimetres are assumed")
    chunks = tuple(size if axis in "zyx" else 1 for axis, size in zip(letters, array.shape, strict=True))
    if not unscaled:
        slope, inter = image.dataobj.slope, image.dataobj.inter
        notes.remarks.append(
            f"the stored numbers are multiplied by {slope:g} and raised by {inter:g}, as the file says"
        )
    return Contents(
        array=array,
        axes=letters,
        spacing_um=spacing,
        assumed=notes.attempt("its description", lambda: _assumed(image.header), []),
        anatomy=anatomy,
        chunks=chunks if compressed else None,
        remarks=notes.remarks,
    )


def _assumed(header: Any) -> list[str]:
    """Axes whose size voxloop noted to be an assumption: NIfTI has no number for a size that is not known."""
    text = bytes(header["descrip"].item()).decode("latin-1") if "descrip" in header else ""
    return parse_assumed(text.removeprefix(SIZES_FROM)) if text.startswith(SIZES_FROM) else []


def _check_complete(image: Any, text: str) -> None:
    """Raise VolumeError where the voxels reach beyond the end of the file."""
    place = Path(getattr(getattr(image.dataobj, "file_like", None), "name", None) or str(image.dataobj.file_like))
    offset = int(getattr(image.dataobj, "offset", 0) or 0)
    need = offset + int(np.prod(image.dataobj.shape, dtype=object)) * image.get_data_dtype().itemsize
    if place.is_file() and place.suffix.lower() not in (".gz", ".bz2") and place.stat().st_size < need:
        raise VolumeError(
            f"{text} is cut short: its voxels reach to byte {need:,} but the file has {place.stat().st_size:,}; "
            "copy it again"
        )


def _sizes(image: Any) -> list[float | None]:
    """Micrometres along x, y, z as stored."""
    space = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "unknown"
    unit = unit_um(_UNITS.get(space, "millimeter"))  # NIfTI's default
    return [float(zoom) * unit if float(zoom) > 0 else None for zoom in image.header.get_zooms()[:3]]


def _has_unit(image: Any) -> bool:
    return not hasattr(image.header, "get_xyzt_units") or image.header.get_xyzt_units()[0] in _UNITS


def _is_placed(header: Any) -> bool:
    """Whether the header says how the picture lies."""
    return any(int(header[name]) for name in ("sform_code", "qform_code") if name in header)


def _oriented(image: Any, axes: str, stored: Transposed, notes: Notes) -> tuple[str, LazyArray]:
    """Letters of the stored axes and the array with those turned that run against x, y, z of the affine."""
    from nibabel.orientations import io_orientation

    if not _is_placed(image.header) or "z" not in axes:
        return axes, stored  # the file does not say how it lies
    letters, backwards = list(axes), [False] * len(axes)
    for place, (axis, sign) in enumerate(io_orientation(image.affine)[:3]):
        if not np.isfinite(axis):
            raise ValueError("the affine leaves an axis out")
        reversed_place = len(axes) - 1 - place
        letters[reversed_place] = "xyz"[int(axis)]
        backwards[reversed_place] = sign < 0
    return in_order(stored, axes, letters, backwards, "its affine says", notes)


FORMAT = Format(name="NIfTI", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read, parts=False)
