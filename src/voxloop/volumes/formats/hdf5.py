"""HDF5 and NetCDF: one dataset of a file, read slice by slice. Knows which attributes of others hold voxel sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError, nearest
from voxloop.geometry import unit_um
from voxloop.volumes.formats.contract import Format, Found, Source, has_suffix

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".nc", ".nc4", ".ilp")
_CLASSIC = b"CDF"  # NetCDF 3 is no HDF5


def read(source: Source) -> Found:
    """The dataset that ``source.dataset`` names, or the only one."""
    import h5py

    path = Path(str(source.path))
    with path.open("rb") as file:
        if file.read(3) == _CLASSIC:
            return _read_classic(path, source)
    try:
        opened = h5py.File(path, "r")
    except OSError as error:
        raise VolumeError(f"{path} cannot be read as HDF5 ({error}); is it complete?") from error
    with opened:
        found = _pictures(opened)
        data = opened[choose(source, {name: item.shape for name, item in found.items()})]
        axes, spacing, origin = _scales(data)
        stated = element_size_um(dict(data.attrs), len(data.shape))
        return Found(
            array=Dataset(path, data),
            axes=_axes(axes, data.ndim),
            spacing_um={**spacing, **stated},
            origin_um=origin,
            chunks=tuple(data.chunks) if data.chunks else None,
        )


class Dataset:
    """A dataset that opens its file for each read: the file is not held, so others may write to it meanwhile."""

    def __init__(self, path: Path, data: h5py.Dataset) -> None:
        self._path, self._name = path, data.name
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        import h5py

        try:
            with h5py.File(self._path, "r") as file:
                return np.asarray(file[self._name][key])
        except (OSError, KeyError) as error:
            raise VolumeError(f"{self._path} cannot be read any more ({error})") from error


def choose(source: Source, shapes: dict[str, tuple[int, ...]]) -> str:
    """The dataset that is meant, among ``shapes`` by name. Raises VolumeError listing them where it is not clear."""
    listed = "; ".join(f"{name!r} {shape}" for name, shape in shapes.items()) or "none with two axes or more"
    if source.dataset is not None:
        wanted = source.dataset.strip("/")
        if wanted in shapes:
            return wanted
        close = nearest(wanted, shapes)
        hint = f"; did you mean {close!r}?" if close else ""
        raise VolumeError(f"{source.text} has no dataset {source.dataset!r}; there are {listed}{hint}")
    if len(shapes) == 1:
        return next(iter(shapes))
    if not shapes:
        raise VolumeError(f"{source.text} holds no picture: there are {listed}")
    raise VolumeError(f"{source.text} holds several datasets; name one with dataset=: {listed}")


def element_size_um(attributes: dict[str, Any], ndim: int) -> dict[str, float]:
    """Voxel size from the attribute ``element_size_um``, as ilastik and PlantSeg write it (zyx, micrometres)."""
    if "element_size_um" not in attributes:
        return {}
    values = np.atleast_1d(np.asarray(attributes["element_size_um"], dtype=float))[-3:]
    sizes = dict(zip("zyx"[-len(values) :], map(float, values), strict=True))
    return {axis: size for axis, size in sizes.items() if np.isfinite(size) and size > 0}


def _pictures(group: h5py.Group) -> dict[str, h5py.Dataset]:
    import h5py

    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 2:
            found[name] = item

    group.visititems(visit)
    return found


def _scales(data: h5py.Dataset) -> tuple[list[str], dict[str, float], dict[str, float]]:
    """Axis names, spacing and origin from dimension scales, as NetCDF keeps them."""
    names, spacing, origin = [], {}, {}
    for dim in data.dims:
        scale = dim[0] if len(dim) else None
        name = (dim.label or (scale.name.rsplit("/", 1)[-1] if scale is not None else "")).lower()
        names.append(name)
        if scale is None or name not in "zyx" or scale.shape[0] < 2 or "units" not in scale.attrs:
            continue
        step = _step(scale[:2], scale.attrs["units"])
        if step is not None:
            spacing[name], origin[name] = step
    return names, spacing, origin


def _step(values: Any, units: Any) -> tuple[float, float] | None:
    text = units.decode() if isinstance(units, bytes) else str(np.asarray(units).reshape(-1)[0])
    try:
        unit = unit_um(text)
    except VolumeError:
        return None
    first, second = float(values[0]), float(values[1])
    return ((second - first) * unit, first * unit) if second > first else None


def _axes(names: list[str], ndim: int) -> str:
    return "".join(names) if all(name in tuple("tczyxs") for name in names) else "?" * ndim


def _read_classic(path: Path, source: Source) -> Found:
    """NetCDF 3, memory mapped by scipy."""
    from scipy.io import netcdf_file

    try:
        opened = netcdf_file(path, "r", mmap=True)
    except (OSError, ValueError, TypeError) as error:
        raise VolumeError(f"{path} cannot be read as NetCDF ({error}); is it complete?") from error
    variables = {name: item for name, item in opened.variables.items() if len(item.shape) >= 2}
    data = variables[choose(source, {name: item.shape for name, item in variables.items()})]
    spacing, origin = {}, {}
    for name in data.dimensions:
        axis = opened.variables.get(name)
        if name in tuple("zyx") and axis is not None and axis.shape[0] > 1 and hasattr(axis, "units"):
            step = _step(np.array(axis[:2]), axis.units)
            if step is not None:
                spacing[name], origin[name] = step
    return Found(
        array=data.data,
        axes=_axes([str(name).lower() for name in data.dimensions], len(data.shape)),
        spacing_um=spacing,
        origin_um=origin,
    )


FORMAT = Format(name="HDF5/NetCDF", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
