"""Imaris files (.ims): HDF5 with a data set for each resolution, time point and channel, read slice by slice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Contents, Format, Source, has_suffix
from voxloop.volumes.metadata import Notes, first_line, length_unit, number

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".ims",)
_AXES = "tczyx"


class ImarisLevel:
    """The data sets of one resolution as an array (t, c, z, y, x), without the padding that they are stored with."""

    def __init__(self, path: Path, level: int, shape: tuple[int, ...], dtype: Any, chunks: tuple[int, ...]) -> None:
        self._path, self._level = path, level
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)
        self.chunks = chunks

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        import h5py

        times, channels, *space = key
        with h5py.File(self._path, "r") as file:
            room = tuple(slice(*part.indices(size)) for part, size in zip(space, self.shape[2:], strict=True))
            rows = [
                np.stack(
                    [
                        np.asarray(file[_place(self._level, time, channel)][room])
                        for channel in range(*channels.indices(self.shape[1]))
                    ]
                )
                for time in range(*times.indices(self.shape[0]))
            ]
        return np.stack(rows)


def read(source: Source) -> Contents:
    """The resolution ``source.scale``, 0 the finest, with the size and names of channels that the file states."""
    import h5py

    path = Path(str(source.path))
    try:
        opened = h5py.File(path, "r")
    except OSError as error:
        raise VolumeError(f"{path} cannot be read as an Imaris file ({first_line(error)}); is it complete?") from error
    if source.dataset is not None:
        raise VolumeError(f"{source.text} holds one picture; dataset={source.dataset!r} is not there")
    notes = Notes()
    with opened:
        levels = _count(opened, "DataSet", "ResolutionLevel")
        if not levels:
            raise VolumeError(f"{path} holds no picture: an Imaris file has a group DataSet, this one has none")
        if source.scale >= levels:
            raise VolumeError(f"{path} has {levels} scales; scale={source.scale} is not one of them")
        base = f"DataSet/ResolutionLevel {source.scale}"
        times = _count(opened, base, "TimePoint")
        channels = _count(opened, f"{base}/TimePoint 0", "Channel")
        first = opened[_place(source.scale, 0, 0)]
        size = notes.attempt("the size of the picture", lambda: _size(opened, source.scale), first.shape)
        shape = tuple(min(stated, stored) for stated, stored in zip(size, first.shape, strict=True))
        dtype, chunk = first.dtype, first.chunks or first.shape
        extent = notes.attempt("the voxel size", lambda: _extent(opened), None)
        names = [
            notes.attempt("the name of a channel", _name_reader(opened, at), f"channel {at}") for at in range(channels)
        ]
    spacing: dict[str | int, float] = {}
    origin: dict[str | int, float] = {}
    if extent is not None:
        for axis, voxels, (low, high) in zip("zyx", shape, extent, strict=True):
            step = notes.size(f"the voxel size along {axis}", (high - low) / voxels)
            if step is not None:
                spacing[axis], origin[axis] = step, low + step / 2
    stored = ImarisLevel(path, source.scale, (times, channels, *shape), dtype, (1, 1, *chunk))
    return Contents(
        array=stored,
        axes=_AXES,
        spacing_um=spacing,
        origin_um=origin,
        channel_names=names,
        chunks=stored.chunks,
        scale_count=levels,
        remarks=notes.remarks,
    )


def _place(level: int, time: int, channel: int) -> str:
    return f"DataSet/ResolutionLevel {level}/TimePoint {time}/Channel {channel}/Data"


def _count(opened: h5py.File, group: str, name: str) -> int:
    """How many members are called ``name 0``, ``name 1``, ..."""
    found = 0
    while f"{group}/{name} {found}" in opened:
        found += 1
    return found


def _size(opened: h5py.File, level: int) -> tuple[int, int, int]:
    """Voxels along z, y, x: data sets are padded to whole blocks."""
    channel = opened[f"DataSet/ResolutionLevel {level}/TimePoint 0/Channel 0"].attrs
    z, y, x = (int(_text(channel[f"ImageSize{axis}"])) for axis in "ZYX")
    return z, y, x


def _extent(opened: h5py.File) -> list[tuple[float, float]] | None:
    """Where the picture begins and ends in micrometres, along z, y, x; None where its unit is no length."""
    noted = opened["DataSetInfo/Image"].attrs
    um = length_unit(_text(noted["Unit"])) if "Unit" in noted else 1.0
    if um is None:
        return None
    return [(number(_text(noted[f"ExtMin{at}"])) * um, number(_text(noted[f"ExtMax{at}"])) * um) for at in (2, 1, 0)]


def _name_reader(opened: h5py.File, channel: int) -> Callable[[], str]:
    return lambda: _text(opened[f"DataSetInfo/Channel {channel}"].attrs["Name"])


def _text(value: Any) -> str:
    """Imaris writes text as an array of single letters."""
    return b"".join(np.asarray(value, "S1").reshape(-1)).decode("utf-8", "replace")


FORMAT = Format(name="Imaris", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
