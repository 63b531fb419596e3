"""MetaImage through SimpleITK: uncompressed files by the slice, compressed ones as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.anatomy import LPS, oriented
from voxloop.volumes.formats.contract import Contents, Format, LazyArray, Source, has_suffix
from voxloop.volumes.formats.decoded import DecodedOnce
from voxloop.volumes.formats.extra import needed
from voxloop.volumes.metadata import Notes

SUFFIXES = (".mha", ".mhd")
_TYPES = ("UInt8", "Int8", "UInt16", "Int16", "UInt32", "Int32", "UInt64", "Int64", "Float32", "Float64")
_MILLIMETER = 1e3


class ItkFile:
    """The part of an image that is sliced, read from the file by ITK."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any, coloured: bool) -> None:
        self._path, self._coloured = path, coloured
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        import SimpleITK as itk

        bounds = [part.indices(size)[:2] for part, size in zip(key, self.shape, strict=True)]
        space = bounds[:-1] if self._coloured else bounds
        if any(start >= stop for start, stop in bounds):
            return np.empty([max(0, stop - start) for start, stop in bounds], self.dtype)
        reader = itk.ImageFileReader()
        reader.SetFileName(str(self._path))
        reader.SetExtractIndex([start for start, _ in space[::-1]])
        reader.SetExtractSize([stop - start for start, stop in space[::-1]])
        part = np.asarray(itk.GetArrayFromImage(reader.Execute()))
        return part[..., slice(*bounds[-1])] if self._coloured else part


def read(source: Source) -> Contents:
    """The image of a MetaImage file, put in order as its direction says; sizes are millimetres by the format's rule."""
    itk = needed("SimpleITK", "MetaImage")
    path = Path(str(source.path))
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    kind = reader.GetPixelID()
    dtype = next((name.lower() for name in _TYPES if kind in _codes(itk, name)), None)
    if dtype is None:
        raise VolumeError(f"{path} holds {itk.GetPixelIDValueAsString(kind)}, which is no type that can be read")
    coloured = kind in [getattr(itk, f"sitkVector{name}") for name in _TYPES]
    samples = reader.GetNumberOfComponents()
    shape = tuple(int(size) for size in reader.GetSize())[::-1]
    letters = "tzyx"[-len(shape) :]
    notes = Notes()
    header, length = _header(path)
    compressed = header.get("CompressedData", "False").lower() == "true"
    full = (*shape, samples) if coloured else shape
    _check_complete(path, header, length, int(np.prod(full, dtype=object)) * np.dtype(dtype).itemsize, compressed)

    def decode() -> np.ndarray:
        return np.asarray(itk.GetArrayFromImage(itk.ReadImage(str(path))))

    stored: LazyArray = DecodedOnce(decode, full, dtype) if compressed else ItkFile(path, full, dtype, coloured)
    if coloured:
        letters += "s" if samples in (3, 4) else "c"
    spacing = dict(zip("xyzt", reader.GetSpacing(), strict=False))
    directions = np.asarray(reader.GetDirection(), float).reshape(len(shape), len(shape))
    anatomy = ""
    array = stored
    if len(shape) >= 3:
        rows: list[Any] = [directions[:3, axis] for axis in (2, 1, 0)]
        rows = [*[None] * (len(shape) - 3), *rows, *([None] if coloured else [])]
        letters, array = notes.attempt("how it lies", lambda: oriented(stored, letters, rows, notes), (letters, stored))
        anatomy = LPS
    places = {axis: place for place, axis in enumerate("tzyx"[-len(shape) :])}
    sizes: dict[str | int, float] = {
        places[axis]: spacing[axis] * _MILLIMETER for axis in "zyx" if axis in spacing and axis in places
    }
    # what was never told a size says one millimetre
    unsaid = all(spacing[axis] == 1 for axis in "xyz" if axis in spacing)
    if compressed:
        notes.remarks.append(
            "compressed as a whole, so all of it is read for the first look; a copy (copy=True) is not"
        )
    return Contents(
        array=array,
        axes=letters,
        spacing_um=sizes,
        assumed="zyx" if unsaid else "",
        chunks=full if compressed else None,
        anatomy=anatomy,
        remarks=notes.remarks,
    )


def _codes(itk: Any, name: str) -> tuple[int, ...]:
    return getattr(itk, f"sitk{name}"), getattr(itk, f"sitkVector{name}")


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The lines ``name = value`` at the head of the file, which ends with the place of its voxels; and its bytes."""
    lines: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(200):
            name, _, value = file.readline(4096).decode("latin-1").partition("=")
            lines[name.strip()] = value.strip()
            if name.strip() == "ElementDataFile":
                break
        return lines, file.tell()


def _check_complete(path: Path, header: dict[str, str], length: int, need: int, compressed: bool) -> None:
    """Raise VolumeError where an uncompressed file has fewer bytes than its voxels, or its voxels are not there."""
    name = header.get("ElementDataFile", "LOCAL")
    if name.upper() == "LIST" or "%" in name:
        return
    local = name.upper() == "LOCAL"
    place = path if local else path.parent / name
    if not place.is_file():
        raise VolumeError(f"{path} keeps its voxels in {name}, which is not beside it; copy that file as well")
    there = place.stat().st_size - (length if local else 0)
    if not compressed and there < need:
        raise VolumeError(
            f"{path} is cut short: its voxels take {need:,} bytes, {place.name} has {there:,} for them; copy it again"
        )


FORMAT = Format(name="MetaImage", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read, parts=False)
