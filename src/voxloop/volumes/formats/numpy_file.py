"""NumPy files, memory mapped. A small text beside one says what NumPy has no place for: axes, voxel size, classes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Contents, Format, Source, has_suffix
from voxloop.volumes.formats.hdf5 import choose, describe
from voxloop.volumes.formats.mapped import Mapped
from voxloop.volumes.metadata import Notes, first_line


def read(source: Source) -> Contents:
    """A ``.npy`` as a memory map; an array of an ``.npz`` (compressed as a whole, so it is read into memory)."""
    path = Path(str(source.path))
    archive = source.text.lower().endswith(".npz")
    if not archive and (source.dataset is not None or source.scale):
        raise VolumeError(f"{path} is a single array; dataset= and scale= are not there")
    try:
        array: Any = _from_archive(path, source) if archive else _mapped(path)
    except VolumeError:
        raise
    except Exception as error:  # zipfile and NumPy's header parser raise many kinds
        if "Object arrays" in str(error) or "Python objects" in str(error):
            raise VolumeError(
                f"{path} holds Python objects, not numbers; save it with a numeric dtype such as uint8"
            ) from error
        raise VolumeError(f"{path} cannot be read as NumPy ({first_line(error)}); is it complete?") from error
    notes = Notes()
    beside = beside_of(path)
    attributes = {} if archive or not beside.is_file() else notes.attempt(beside.name, lambda: _noted(beside), {})
    if attributes.get("shape") not in (None, list(array.shape)):
        notes.remarks.append(f"{beside.name} speaks of an array of another shape; left aside")
        attributes = {}
    return describe(array, attributes, [""] * array.ndim, {}, notes, None)


def _mapped(path: Path) -> Mapped:
    return Mapped(np.load(path, mmap_mode="r", allow_pickle=False))


def beside_of(path: Path) -> Path:
    """Where the text beside a ``.npy`` lies."""
    return path.with_name(path.name + ".json")


def _noted(path: Path) -> dict[str, Any]:
    noted = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(noted, dict):
        raise ValueError("it is no JSON object")
    return noted


def _from_archive(path: Path, source: Source) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        shapes = {}
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    shapes[name.removesuffix(".npy")] = _shape(file)
        wanted = choose(source, {name: shape for name, shape in shapes.items() if len(shape) >= 2})
        with archive.open(f"{wanted}.npy") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _shape(file: Any) -> tuple[int, ...]:
    """The shape of an array in an archive, from its header alone."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return tuple(read_header(file)[0])


FORMAT = Format(name="NumPy", suffixes=(".npy", ".npz"), accepts=has_suffix(".npy", ".npz"), read=read)
