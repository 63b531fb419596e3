"""Volumes painted in webKnossos, as it gives them for download: a zip of zips, unpacked into a scratch folder."""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from voxloop.archives import check_archive
from voxloop.errors import LabelError, VoxloopError, unknown
from voxloop.volumes.metadata import first_line

#: a dictionary of entities in an XML file is no part of an annotation, and can fill the memory
_ENTITIES = b"<!ENTITY"
#: voxels along an edge of the blocks that webKnossos stores, and bytes for all that is no block
_BLOCK, _SPARE = 64, 64 << 20


class PaintedVolume:
    """What was painted, as a mask of the image's shape: 0 where the annotation has nothing, or ends."""

    def __init__(self, array: Any, axes: str, shape: tuple[int, int, int], names: dict[int, str]) -> None:
        self._array, self._axes = array, axes
        self.shape, self.dtype, self.ndim = shape, np.dtype(array.dtype), 3
        self.names = names

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        bounds = [part.indices(size)[:2] for part, size in zip(key, self.shape, strict=True)]
        out = np.zeros([stop - start for start, stop in bounds], self.dtype)
        own = dict(zip(self._axes, self._array.shape, strict=True))
        inner = {axis: slice(start, min(stop, own[axis])) for axis, (start, stop) in zip("zyx", bounds, strict=True)}
        if any(part.start >= part.stop for part in inner.values()):
            return out
        part = np.asarray(self._array[tuple(inner.get(axis, slice(0, 1)) for axis in self._axes)])
        order = [self._axes.index(axis) for axis in "zyx"]
        rest = [place for place in range(part.ndim) if place not in order]
        part = part.transpose([*order, *rest]).reshape([part.shape[place] for place in order])
        out[tuple(slice(size) for size in part.shape)] = part
        return out


def is_annotation(source: Any) -> bool:
    """Whether a source is a zip file with an ``.nml`` in it."""
    if not isinstance(source, str | Path) or not str(source).lower().endswith(".zip"):
        return False
    path = Path(source).expanduser()
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as opened:
            return any(name.lower().endswith(".nml") for name in opened.namelist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False  # cut short, or made up


@contextmanager
def painted(path: Path, shape: tuple[int, int, int], layer: str | None) -> Iterator[PaintedVolume]:
    """The painted volume of an annotation; ``layer`` names one of several. Raises LabelError."""
    with tempfile.TemporaryDirectory(prefix="voxloop-") as scratch:
        try:
            mask = _unpacked(path, Path(scratch), shape, layer)
        except VoxloopError:
            raise
        except Exception as error:  # zipfile, zarr and wkw raise their own kinds
            raise LabelError(f"{path} cannot be read ({first_line(error)}); was it downloaded as a whole?") from error
        yield mask


def _unpacked(path: Path, scratch: Path, shape: tuple[int, int, int], layer: str | None) -> PaintedVolume:
    most = _most(shape)
    check_archive(path, error=LabelError, most=most)
    with zipfile.ZipFile(path) as opened:
        nml = next(name for name in opened.namelist() if name.lower().endswith(".nml"))
        root = parsed(opened.read(nml), path)
        volumes = {str(one.get("name") or one.get("location")): one for one in root.iter("volume")}
        if not volumes:
            raise LabelError(f"{path} holds no painted volume; load its skeleton {nml} by itself")
        if layer is not None and layer not in volumes:
            raise LabelError(f"{unknown('dataset', layer, volumes)} in {path}")
        if layer is None and len(volumes) > 1:
            raise LabelError(f"{path} holds several volumes; name one with dataset=: {', '.join(map(repr, volumes))}")
        chosen = volumes[layer] if layer is not None else next(iter(volumes.values()))
        inner = Path(opened.extract(str(chosen.get("location")), scratch))
    unpacked = scratch / "volume"
    check_archive(inner, error=LabelError, most=most)
    with zipfile.ZipFile(inner) as data:
        data.extractall(unpacked)
    names = {int(one.get("id")): str(one.get("name")) for one in chosen.iter("segment") if one.get("name")}
    array, axes = _finest(unpacked, path)
    return PaintedVolume(array, axes, shape, names)


def _most(shape: tuple[int, int, int]) -> int:
    """Bytes that an annotation of an image of this shape may have: whole blocks of 64 bits a voxel, four times."""
    return _SPARE + 4 * 8 * math.prod(-(-size // _BLOCK) * _BLOCK for size in shape)


def _finest(folder: Path, path: Path) -> tuple[Any, str]:
    """The array of magnification 1 and its axes."""
    for name in ("1", "1-1-1"):
        place = folder / name
        if (place / "header.wkw").is_file():
            from voxloop.volumes.formats.wkw_array import WkwArray

            return WkwArray(place), "cxyz"
        if place.is_dir():
            import zarr

            array: Any = zarr.open_array(place, mode="r")
            return array, "cxyz"[-array.ndim :]
    raise LabelError(
        f"{path} holds no volume of magnification 1; download the annotation with its finest magnification"
    )


def parsed(data: bytes, path: Path) -> Any:
    """The root of an annotation's XML. Raises LabelError."""
    if _ENTITIES in data.upper():
        raise LabelError(f"{path} is no annotation of webKnossos: it defines entities")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise LabelError(f"{path} holds an annotation that cannot be read ({error})") from error
